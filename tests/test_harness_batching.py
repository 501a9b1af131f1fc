"""Statistics do not depend on which rows are asked together: any two ways of batching, over architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from harness.data.task import Kind
from harness.families.base import Inputs
from harness.families.batches import Batch, Batches, batch_of
from harness.families.encoder import EncoderRow, padded
from harness.members import fisher, gram
from tests.small_models import PAD, SHAPE, of_numbers, of_tokens, rng, transformer

DECODER = {"vocab_size": 20, "num_labels": 4, "pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2}
MORE: dict[str, Any] = {
    "mpnet": lambda: transformers.MPNetConfig(**SHAPE),
    "deberta-v2 with shared keys": lambda: transformers.DebertaV2Config(
        **SHAPE,
        **{"relative_attention": True, "position_buckets": 4, "pos_att_type": ["p2c", "c2p"], "share_att_key": True},
        pooler_hidden_size=8,
    ),
    "albert": lambda: transformers.AlbertConfig(**SHAPE, embedding_size=6),
    "electra": lambda: transformers.ElectraConfig(**SHAPE, embedding_size=6),
    "xlnet": lambda: transformers.XLNetConfig(
        **DECODER, d_model=8, n_layer=1, n_head=2, d_inner=12, dropout=0.0, summary_type="first"
    ),
    "opt": lambda: transformers.OPTConfig(
        **DECODER, hidden_size=8, ffn_dim=12, num_hidden_layers=1, num_attention_heads=2, word_embed_proj_dim=8
    ),
    "mixtral": lambda: transformers.MixtralConfig(
        **DECODER,
        **{"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2},
        **{"num_key_value_heads": 1, "num_local_experts": 2},
    ),
}


class Padding:
    """A family that pads rows of token ids."""

    def collate(self, rows: Sequence[EncoderRow]) -> Inputs:
        return {
            "ids": padded([row.ids for row in rows], PAD),
            "mask": padded([(1,) * len(row.ids) for row in rows], 0),
        }


def model_of(kind: str) -> nn.Module:
    if kind not in MORE:
        return transformer(kind)
    config = MORE[kind]()
    config._attn_implementation = config._experts_implementation = "eager"
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(config).double().eval()


def ways(lengths: Sequence[int] = (7, 5, 3, 7, 2, 4, 6, 4, 3)) -> list[Batches]:
    """The same rows one by one, all together, and in two mixtures, in one of which there are as many rows as tokens."""
    draw = np.random.default_rng(0)
    rows = [EncoderRow(tuple(int(i) for i in draw.integers(3, 20, n)), None) for n in lengths]
    gold = torch.from_numpy(draw.integers(0, 2, (len(rows), 4)))
    groups = [[[i] for i in range(len(rows))], [list(range(len(rows)))]]
    groups += [[[0, 3, 4, 1, 6, 5, 7], [2, 8]], [[8, 4, 2], [0, 1], [3, 5, 6, 7]]]
    family: Any = Padding()

    def batches(parts: list[list[int]]) -> Batches:
        made = [batch_of(family, [rows[i] for i in part], torch.tensor(part)) for part in parts]
        return Batches(tuple(made), gold, "multi_label", gold)

    return [batches(parts) for parts in groups]


def agree(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        error = (found[name] - tensor).abs().max()
        assert error <= 1e-4 * tensor.abs().max() + 1e-12, f"{name}: {error} of {tensor.abs().max()}"


KINDS = ["roberta", "bert", "distilbert", "gpt2", "deberta-v2", *MORE]


@pytest.mark.parametrize("kind", KINDS)
def test_gram_matrices_do_not_depend_on_who_is_asked_together(kind: str) -> None:
    model = model_of(kind)
    singly, *others = [gram.matrices(model, of_tokens, way) for way in ways()]
    assert singly
    for other in others:
        agree(other, singly)


@pytest.mark.parametrize("kind", KINDS)
def test_fisher_diagonals_do_not_depend_on_who_is_asked_together(kind: str) -> None:
    model = model_of(kind)
    singly, *others = [fisher.diagonal(model, of_tokens, way, "empirical", True, rng()) for way in ways()]
    assert all(tensor.isfinite().all() for tensor in singly.values())
    for other in others:
        agree(other, singly)


@pytest.mark.parametrize("kind", ["multi_label", "classification", "regression"])
def test_drawn_answers_do_not_depend_on_who_is_asked_together(kind: Kind) -> None:
    z = torch.randn(40, 1 if kind == "regression" else 4, generator=rng(1), dtype=torch.float64)
    gold = torch.zeros(40, 4 if kind == "multi_label" else 1, dtype=torch.long)
    whole, parts = rng(), rng()
    (together,) = fisher.cotangents(z, gold, "sampled", whole, kind)
    apart = [fisher.cotangents(z[i:j], gold[i:j], "sampled", parts, kind)[0] for i, j in ((0, 1), (1, 18), (18, 40))]
    assert torch.equal(torch.cat(apart), together)


class Table(nn.Module):
    """Looks a table of tokens by tokens up once for all rows, as MPNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.near, self.out = nn.Embedding(20, 4), nn.Embedding(9, 4), nn.Linear(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        place = torch.arange(ids.shape[1])
        apart = (place[:, None] - place[None, :]).abs()
        made: Tensor = self.out(torch.tanh(self.words(ids)[:, None] + self.near(apart)).mean(dim=(1, 2)))
        return made


def of_four(length: int) -> Batches:
    """One batch of four rows."""
    rows = [EncoderRow(tuple(range(3 + i, 3 + i + length)), None) for i in range(4)]
    family: Any = Padding()
    gold = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
    return Batches((batch_of(family, rows, torch.arange(4)),), gold, "multi_label", gold)


@pytest.mark.parametrize("length", [3, 4, 5], ids=["fewer places", "as many places as rows", "more"])
def test_a_table_of_places_is_never_taken_for_rows(length: int) -> None:
    torch.manual_seed(0)
    model, way = Table().double(), of_four(length)
    pieces = list(way.batches)
    loop = fisher.by_loop(model, of_numbers, pieces, way.gold, lambda z, gold: [gold - torch.sigmoid(z)])
    agree(fisher.diagonal(model, of_numbers, way, "empirical", True, rng()), loop)


class Halves(nn.Module):
    """Its second layer sees half as many places, padding and tokens mixed: nobody can tell which of them count."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.first, self.second = nn.Embedding(20, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        x = self.first(self.words(input_ids)) * attention_mask[..., None]
        x = nn.functional.pad(x, (0, 0, 0, x.shape[1] % 2))
        pooled = self.second(x.reshape(len(x), -1, 2, 4).sum(dim=2))
        return transformers.modeling_outputs.SequenceClassifierOutput(logits=pooled.sum(dim=1))


def test_a_layer_whose_padding_cannot_be_told_is_asked_row_by_row() -> None:
    torch.manual_seed(0)
    model = Halves().double()
    singly, *others = [gram.matrices(model, of_tokens, way) for way in ways()]
    for other in others:
        agree(other, singly)


def test_what_all_rows_share_counts_once() -> None:
    class Shares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2, bias=False, dtype=torch.float64)
            self.table = torch.tensor([[[1.0, 2.0], [0.0, 1.0]]], dtype=torch.float64)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x).sum(dim=1) + self.layer(self.table).sum()

    def logits(model: nn.Module, batch: Batch) -> Tensor:
        made: Tensor = model(batch.inputs["ids"][..., None].double() * torch.tensor([1.0, 0.0]))
        return made

    rows = of_four(2)
    tokens = sum(float((b.inputs["ids"].double() ** 2).sum()) for b in rows)
    table = torch.tensor([[1.0, 2.0], [2.0, 5.0]], dtype=torch.float64)  # [1 2]^T [1 2] + [0 1]^T [0 1]
    own = torch.tensor([[tokens, 0.0], [0.0, 0.0]], dtype=torch.float64)
    found = gram.matrices(Shares(), logits, rows)["layer.weight"]
    torch.testing.assert_close(found, (own + table) / (4 * 2 + 2))
