"""Small transformers with random weights, rows for them, and the models of the reference vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor, nn

from harness.data.corpus import MASKED
from harness.data.task import Kind
from harness.families.base import Inputs
from harness.families.batches import Batch, Batches, batch_of
from tests.golden_cases import Case

PAD = 1
SHAPE: Mapping[str, Any] = {
    **{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12},
    **{"max_position_embeddings": 18, "type_vocab_size": 1, "num_labels": 4, "pad_token_id": PAD},
    **{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Given(NamedTuple):
    """A row that is padded already."""

    ids: Tensor
    mask: Tensor

    @property
    def tokens(self) -> int:
        return len(self.ids)


class AsGiven:
    """A family that stacks rows as they are."""

    def collate(self, rows: Sequence[Given]) -> Inputs:
        return {"ids": torch.stack([row.ids for row in rows]), "mask": torch.stack([row.mask for row in rows])}


def batch(ids: Tensor, mask: Tensor | None = None, index: Tensor | None = None) -> Batch:
    """Rows that are padded already; without a mask nothing is padding."""
    mask = torch.ones(ids.shape[:2]) if mask is None else mask
    rows = [Given(*row) for row in zip(ids, mask, strict=True)]
    return batch_of(AsGiven(), rows, torch.arange(len(ids)) if index is None else index)  # type: ignore[arg-type]


def batches(parts: Sequence[Batch], gold: Tensor, kind: Kind = "multi_label") -> Batches:
    return Batches(tuple(parts), gold, kind, gold)


def of_tokens(model: nn.Module, batch: Batch) -> Tensor:
    logits: Tensor = model(input_ids=batch.inputs["ids"], attention_mask=batch.inputs["mask"]).logits
    return logits


def of_numbers(model: nn.Module, batch: Batch) -> Tensor:
    logits: Tensor = model(batch.inputs["ids"])
    return logits


def transformer(kind: str) -> nn.Module:
    """A tiny random sequence classifier in float64, evaluation mode, eager attention."""
    config = {
        "roberta": lambda: transformers.RobertaConfig(**SHAPE),
        "bert": lambda: transformers.BertConfig(**SHAPE),
        "distilbert": lambda: transformers.DistilBertConfig(
            **{"vocab_size": 20, "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 12, "num_labels": 4},
            **{"max_position_embeddings": 18, "pad_token_id": PAD, "dropout": 0.0, "attention_dropout": 0.0},
            seq_classif_dropout=0.0,
        ),
        "gpt2": lambda: transformers.GPT2Config(
            **{"vocab_size": 20, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 18, "num_labels": 4},
            **{"pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2},
        ),
        "deberta-v2": lambda: transformers.DebertaV2Config(
            **SHAPE, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"], pooler_hidden_size=8
        ),
    }[kind]()
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(config).double().eval()


def token_batches(seed: int = 0, lengths: tuple[int, ...] = (7, 5, 3, 7), rows: int = 3) -> Batches:
    """Padded batches of random tokens with labels, a third of them masked."""
    draw = rng(seed)
    parts, labels = [], []
    for number, length in enumerate(lengths):
        ids = torch.randint(3, 20, (rows, length), generator=draw)
        ids[:, 1] = ids[:, 0]  # a token that occurs twice in its row
        mask = torch.ones_like(ids)
        for row in range(1, rows):
            mask[row, length - row :] = 0
        ids[mask == 0] = PAD
        parts.append(batch(ids, mask, torch.arange(rows) + rows * number))
        gold = torch.randint(0, 2, (rows, 4), generator=draw)
        gold[torch.rand(rows, 4, generator=draw) < 0.3] = MASKED
        labels.append(gold)
    return batches(parts, torch.cat(labels))


def close(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], rtol: float = 1e-5) -> None:
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=rtol, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")


class Layers(nn.Module):
    """The linear nets of the reference cases, by the names of their parameters."""

    def __init__(self, parameters: Mapping[str, Tensor], bend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bend = bend
        for name in dict.fromkeys(key.partition(".")[0] for key in parameters):
            weight = parameters[f"{name}.weight"]
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=f"{name}.bias" in parameters, dtype=weight.dtype)
            self.add_module(name, layer)
        self.load_state_dict(dict(parameters))

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (self.get_submodule(name) for name in self.order())
        x = first(x)
        for layer in others:
            x = layer(self.bend(x))
        return x

    def order(self) -> list[str]:
        names = [name for name, _ in self.named_children()]
        return ["first", "mid", "last"] if "mid" in names else sorted(names)


def golden_transformer(case: Case) -> nn.Module:
    spec = case.spec["architecture"]
    config = transformers.RobertaConfig(**spec["config"], attn_implementation="eager")
    model = getattr(transformers, spec["class"])(config)
    missing = model.load_state_dict(dict(case.inputs["param"]), strict=False)
    assert not missing.unexpected_keys and all("position_ids" in key for key in missing.missing_keys)
    return model.eval()
