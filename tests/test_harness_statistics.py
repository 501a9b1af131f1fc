"""Gram matrices and Fisher diagonals: reference vectors, two ways to one answer, and padding that counts nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness import fisher, gram
from harness.batches import Batch, Batches, batch_of, prepare
from harness.data.corpus import MASKED, Split
from harness.errors import BadWeights
from harness.families.base import Inputs
from harness.families.decoder import Decoder
from harness.statistics import LazyStatistics
from harness.tasks import Kind, Task
from harness.zoo import Zoo
from tests.golden_cases import Case, Run, runs

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


# -- golden models ---------------------------------------------------------------------------------------------------


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


# -- gram ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", runs("gram"))
def test_gram_matrices_are_the_reference(run: Run) -> None:
    case = run.case
    inputs = case.numbered("batch")
    if "architecture" in case.spec:
        model, logits = golden_transformer(case), of_tokens
        given = [batch(i["input_ids"], i["attention_mask"]) for i in inputs]
    else:
        model, logits = Layers(case.inputs["param"], lambda x: x), of_numbers
        given = [batch(i["x"]) for i in inputs]
    padding = "masked" if run.knobs.get("mask_padding", True) else "counted"
    found = gram.matrices(model, logits, given, padding)
    run.require({name.removesuffix(".weight"): matrix for name, matrix in found.items()})


def test_a_gram_matrix_by_hand() -> None:
    model = Layers({"first.weight": torch.eye(2), "last.weight": torch.ones(1, 2)}, lambda x: 2 * x)
    x = torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])
    found = gram.matrices(model, of_numbers, [batch(x)])
    # ([1, 2]^T [1, 2] + [3, 0]^T [3, 0]) / 2, and four times that behind the doubling
    assert torch.equal(found["first.weight"], torch.tensor([[5.0, 1.0], [1.0, 2.0]]))
    assert torch.equal(found["last.weight"], 4 * found["first.weight"])
    found = gram.matrices(model, of_numbers, [batch(x, torch.tensor([[1, 0]]))])
    assert torch.equal(found["first.weight"], torch.tensor([[1.0, 2.0], [2.0, 4.0]]))


def test_query_key_and_value_share_one_gram_matrix() -> None:
    found = gram.matrices(transformer("bert"), of_tokens, token_batches())
    query, key, value = (found[f"bert.encoder.layer.0.attention.self.{n}.weight"] for n in ("query", "key", "value"))
    assert query is key is value
    assert found["bert.encoder.layer.0.attention.output.dense.weight"] is not query


def test_layers_that_part_later_have_matrices_of_their_own() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            other = x if x[0, 0, 0] > 0 else x + 1
            result: Tensor = self.one(x) + self.two(other)
            return result

    together, apart = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[-1.0, 2.0]]])
    found = gram.matrices(Fork(), of_numbers, [batch(together), batch(apart)])
    assert torch.equal(found["one.weight"], torch.tensor([[1.0, 0.0], [0.0, 4.0]]))  # (1, 2) and (-1, 2)
    assert torch.equal(found["two.weight"], torch.tensor([[0.5, 1.0], [1.0, 6.5]]))  # (1, 2) and (0, 3)


@pytest.mark.parametrize("width", [1, gram.BLOCK, 2 * gram.BLOCK + 7])
def test_the_lower_triangle_is_enough(width: int) -> None:
    rows = torch.randn(20, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    total = torch.zeros(width, width, dtype=torch.float64)
    gram.add_lower_product(total, rows[:5])
    gram.add_lower_product(total, rows[5:])
    found = gram.mirror(total)
    torch.testing.assert_close(found, rows.T @ rows)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert"])
def test_padding_never_contributes_to_a_gram_matrix(kind: str) -> None:
    model, rows = transformer(kind), token_batches()
    given = [(b.inputs["ids"], b.inputs["mask"]) for b in rows]
    repadded = [batch(torch.where(mask == 0, 9, ids), mask) for ids, mask in given]
    if kind == "roberta":  # its positions are counted from the padding tokens
        pad = nn.functional.pad
        repadded = [batch(pad(ids, (0, 2), value=PAD), pad(mask, (0, 2))) for ids, mask in given]
    close(gram.matrices(model, of_tokens, repadded), gram.matrices(model, of_tokens, rows), rtol=1e-9)
    counted = gram.matrices(model, of_tokens, repadded, "counted")
    differ = {
        n for n, m in gram.matrices(model, of_tokens, rows, "counted").items() if not torch.allclose(m, counted[n])
    }
    assert differ, "counted padding does contribute"


def test_gram_matrices_do_not_depend_on_how_rows_are_batched() -> None:
    model, rows = transformer("roberta"), token_batches()
    singly = [piece for batch in rows for piece in batch.pieces(1)]
    close(gram.matrices(model, of_tokens, singly), gram.matrices(model, of_tokens, rows))


def test_conv1d_is_transposed_and_its_gram_has_the_width_of_its_input() -> None:
    model = transformer("gpt2")
    names = gram.transposed(model)
    assert names == {n for n, m in gram.linear_modules(model).items() if isinstance(m, Conv1D)}
    assert "transformer.h.0.mlp.c_fc.weight" in names and "score.weight" not in names
    found = gram.matrices(model, of_tokens, token_batches())
    weights = dict(model.named_parameters())
    for name, matrix in found.items():
        assert matrix.shape == (weights[name].shape[0 if name in names else 1],) * 2, name
    assert not gram.transposed(transformer("roberta"))


def test_a_tied_output_layer_has_no_gram_matrix_and_an_untied_one_has() -> None:
    config = {"vocab_size": 20, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 18}
    tied = transformers.GPT2LMHeadModel(transformers.GPT2Config(**config))
    untied = transformers.GPT2LMHeadModel(transformers.GPT2Config(**config, tie_word_embeddings=False))
    assert "lm_head.weight" not in gram.linear_modules(tied)
    assert not any("wte" in name for name in gram.linear_modules(tied))
    assert "lm_head.weight" in gram.linear_modules(untied)


class HeadFirst(nn.Module):
    """A tied output layer that is registered before the embedding, and so lends it its name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 20, bias=False)
        self.words = nn.Embedding(20, 4)
        self.words.weight = self.head.weight


def test_a_tied_output_layer_has_none_whichever_name_comes_first() -> None:
    model = HeadFirst()
    assert [name for name, _ in model.named_parameters()] == ["head.weight"]
    assert gram.linear_modules(model) == {}


def test_reading_gram_matrices_leaves_no_hook_behind() -> None:
    model, rows = transformer("roberta"), token_batches()
    gram.matrices(model, of_tokens, rows)
    with pytest.raises(RuntimeError, match="boom"):
        gram.matrices(model, lambda *_: explode(), rows)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def explode() -> Tensor:
    raise RuntimeError("boom")


# -- fisher ----------------------------------------------------------------------------------------------------------


def golden_fisher(run: Run) -> tuple[nn.Module, fisher.Logits, Batches]:
    case = run.case
    kind: Kind = "multi_label" if "multilabel" in run.case_name else "classification"
    y = case.inputs["y"][""]
    sizes = run.knobs.get("batch_sizes", [len(y)])
    if "architecture" in case.spec:
        model, logits = golden_transformer(case).double(), of_tokens
        x, mask = case.inputs["input_ids"][""], case.inputs["attention_mask"][""]
    else:
        model, logits = Layers(case.inputs["param"], torch.tanh), of_numbers
        x = case.inputs["x"][""]
        mask = torch.ones_like(x)
    parts = zip(*(t.split(sizes) for t in (x, mask, torch.arange(len(y)))), strict=True)
    return model, logits, batches([batch(*part) for part in parts], y.reshape(len(y), -1), kind)


LABELS = {"empirical": "empirical", "expected": "expected", "hard_per_example": "hard"} | {
    "batch_hard": "hard",
    "batch_true": "empirical",
}


@pytest.mark.parametrize("run", [run for run in runs("fisher_diag") if "batch_soft" not in str(run.id)])
def test_fisher_diagonals_are_the_reference(run: Run) -> None:
    model, logits, rows = golden_fisher(run)
    labels: Any = LABELS[run.id]
    found = fisher.diagonal(model, logits, rows, labels, not run.id.startswith("batch"), rng())
    run.require(found)


def both_ways(model: nn.Module, logits: fisher.Logits, rows: Batches, labels: Any) -> tuple[Any, Any]:
    """By the loop and by hooks."""
    pieces = [piece for batch in rows for piece in batch.pieces(16)]

    def directions(z: Tensor, gold: Tensor) -> list[Tensor]:
        return fisher.cotangents(z, gold, labels, rng(), rows.kind)

    loop = fisher.by_loop(model, logits, pieces, rows.gold, directions)
    return loop, fisher.by_hooks(model, logits, pieces, rows.gold, directions)


@pytest.mark.parametrize("labels", ["expected", "empirical", "hard"])
@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert", "gpt2"])
def test_hooks_and_loop_agree(kind: str, labels: str) -> None:
    model = transformer(kind)
    assert fisher.handles(model)
    loop, hooks = both_ways(model, of_tokens, token_batches(), labels)
    close(hooks, loop)
    assert set(loop) == {name for name, _ in model.named_parameters()}
    position = next(name for name in loop if "position_embeddings" in name or "wpe" in name)
    assert loop[position].sum() > 0, "the table that all rows share has a gradient"


@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert"])
def test_the_row_of_the_padding_token_has_no_fisher_information(kind: str) -> None:
    rows = token_batches()
    found = fisher.diagonal(transformer(kind), of_tokens, rows, "expected", True, rng())
    words = next(tensor for name, tensor in found.items() if "word_embeddings" in name)
    labelled = (rows.labels != MASKED).any(dim=1)
    seen = {int(i) for batch in rows for i in batch.inputs["ids"][labelled[batch.index]].unique()} - {PAD}
    assert len(seen) > 10 and not labelled.all()
    assert torch.equal(words[PAD], torch.zeros(8, dtype=words.dtype))
    assert {int(i) for i in words.sum(dim=1).nonzero()} == seen


class ReadsPadding(nn.Module):
    """The mean over all tokens, padding included: its row has an output gradient, but is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(20, 4, padding_idx=PAD), nn.Linear(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(torch.tanh(self.words(ids) + 0.1).mean(dim=1))


def test_the_row_of_the_padding_token_stays_zero_where_padding_is_read() -> None:
    torch.manual_seed(0)
    model, rows = ReadsPadding().double(), token_batches()
    loop, hooks = both_ways(model, of_numbers, rows, "expected")
    close(hooks, loop)
    assert torch.equal(hooks["words.weight"][PAD], torch.zeros(4, dtype=torch.float64))


class Scaled(nn.Module):
    """A module that no formula of `by_hooks` covers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
        self.out = nn.Linear(3, 4, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(x * self.scale))


def number_batches(rows: int = 6, width: int = 3, seed: int = 0) -> Batches:
    x = torch.randn(rows, width, generator=rng(seed), dtype=torch.float64)
    gold = torch.randint(0, 2, (rows, 4), generator=rng(seed + 1))
    return batches([batch(x)], gold)


def test_a_model_with_an_unknown_module_falls_back_to_the_loop() -> None:
    torch.manual_seed(0)
    model, rows = Scaled(), number_batches()
    assert not fisher.handles(model)
    found = fisher.diagonal(model, of_numbers, rows, "empirical", True, rng())
    x, wanted = rows.batches[0].inputs["ids"], torch.zeros(3, dtype=torch.float64)
    for i in range(6):  # the definition, spelled out: gradient of the log-likelihood of the row's labels
        log_p = torch.where(rows.labels[i] == 1, 1, -1) * model(x[i : i + 1])[0]
        (gradient,) = torch.autograd.grad(nn.functional.logsigmoid(log_p).sum(), model.scale)
        wanted += gradient.square() / 6
    torch.testing.assert_close(found["scale"], wanted, rtol=1e-9, atol=0)


def test_deberta_whose_relative_positions_are_shared_by_all_rows_falls_back_to_the_loop() -> None:
    model, rows = transformer("deberta-v2"), token_batches(lengths=(5, 4))
    loop, hooks = both_ways(model, of_tokens, rows, "expected")
    assert hooks is None
    close(fisher.diagonal(model, of_tokens, rows, "expected", True, rng()), loop)
    table = next(name for name in loop if "rel_embeddings" in name)
    assert loop[table].sum() > 0


class SharedPositions(nn.Module):
    """Looks its positions up once for all rows, without a dimension of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, 4), nn.Embedding(9, 4)
        self.out = nn.Linear(4, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(torch.tanh(self.words(ids) + self.places(torch.arange(ids.shape[1]))).mean(dim=1))


@pytest.mark.parametrize("length", [3, 4, 7], ids=["as many places as rows", "more", "many more"])
def test_positions_looked_up_once_for_all_rows_are_not_taken_for_rows(length: int) -> None:
    torch.manual_seed(0)
    model, rows = SharedPositions().double(), token_batches(lengths=(length,), rows=3)
    found = fisher.diagonal(model, of_numbers, rows, "expected", True, rng())
    close(found, both_ways(model, of_numbers, rows, "expected")[0])


def test_a_tied_parameter_falls_back_to_the_loop() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 4)).double()
    model[2].weight = model[0].weight
    assert not fisher.handles(model)
    rows = number_batches()
    found = fisher.diagonal(model, of_numbers, rows, "expected", True, rng())
    close(found, both_ways(model, of_numbers, rows, "expected")[0])


def test_fisher_does_not_depend_on_how_rows_are_batched() -> None:
    model, rows = transformer("bert"), token_batches()
    singly = batches([piece for batch in rows for piece in batch.pieces(1)], rows.labels)
    whole = fisher.diagonal(model, of_tokens, rows, "expected", True, rng())
    close(fisher.diagonal(model, of_tokens, singly, "expected", True, rng()), whole)


def test_a_label_that_no_row_annotates_contributes_nothing() -> None:
    model, rows = transformer("roberta"), token_batches()
    rows.labels[:, 2] = MASKED
    found = fisher.diagonal(model, of_tokens, rows, "expected", True, rng())
    assert torch.equal(found["classifier.out_proj.weight"][2], torch.zeros(8, dtype=torch.float64))
    assert (found["classifier.out_proj.weight"][[0, 1, 3]].sum(dim=1) > 0).all()


@pytest.mark.parametrize("kind", ["multi_label", "classification", "regression"])
def test_sampled_labels_approach_the_expectation(kind: Kind) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1 if kind == "regression" else 4)).double()
    one = number_batches(rows=4)
    gold = one.labels if kind == "multi_label" else one.labels[:, :1]
    x = one.batches[0].inputs["ids"]
    few, many = batches([batch(x)], gold, kind), batches([batch(x.repeat(2500, 1))], gold.repeat(2500, 1), kind)
    expected = fisher.diagonal(model, of_numbers, few, "expected", True, rng())
    sampled = fisher.diagonal(model, of_numbers, many, "sampled", True, rng())
    for name, tensor in expected.items():
        torch.testing.assert_close(sampled[name], tensor, rtol=0.08, atol=0.02 * float(tensor.max()))
    other = fisher.diagonal(model, of_numbers, many, "sampled", True, rng(1))
    assert not torch.equal(other["0.weight"], sampled["0.weight"])


def test_cotangents_by_hand() -> None:
    z = torch.tensor([[0.0, 3.0]], dtype=torch.float64)
    p = float(torch.sigmoid(z[0, 1]))
    (given,) = fisher.cotangents(z, torch.tensor([[1, MASKED]]), "empirical", rng(), "multi_label")
    assert given.tolist() == [[0.5, 0.0]]
    both = fisher.cotangents(z, torch.tensor([[1, 0]]), "expected", rng(), "multi_label")
    assert torch.cat(both).tolist() == [[0.5, 0.0], [0.0, pytest.approx((p * (1 - p)) ** 0.5)]]
    q = float(torch.softmax(z[0], dim=0)[1])
    (first,) = fisher.cotangents(z, torch.tensor([[0]]), "empirical", rng(), "classification")
    assert first.tolist() == [[pytest.approx(q), pytest.approx(-q)]]
    (largest,) = fisher.cotangents(z, torch.tensor([[0]]), "hard", rng(), "classification")
    assert largest.tolist() == [[pytest.approx(q - 1), pytest.approx(1 - q)]]
    (distance,) = fisher.cotangents(z[:, :1] + 1, torch.tensor([[4.5]]), "empirical", rng(), "regression")
    assert distance.tolist() == [[3.5]], "as far as the score is away"
    (one,) = fisher.cotangents(z[:, :1], torch.tensor([[4.5]]), "expected", rng(), "regression")
    assert one.tolist() == [[1.0]]


# -- fisher of models that are asked in words ------------------------------------------------------------------------

ASKED = Task(
    *("mood", "multi_label", ("good", "bad"), "macro_f1"),
    *(("it is good", "it is very bad"), ("is it good", "is it bad")),
)


class Words:
    """A tokenizer of whole words, without special tokens; 0 pads and is every other word."""

    pad_token_id, eos_token_id, unk_token_id = 0, None, 0
    known = ("it", "is", "very", "good", "bad", "yes", "no", "a", "day", "night", "long")

    def __len__(self) -> int:
        return 1 + len(self.known)

    def __call__(self, text: Any, **_: Any) -> dict[str, Any]:
        number = {word: i for i, word in enumerate(self.known, 1)}
        ids = [[number.get(word, 0) for word in t.split()] for t in ([text] if isinstance(text, str) else text)]
        return {"input_ids": ids[0] if isinstance(text, str) else ids}


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Decoder, nn.Module]:
    """A decoder whose questions may share their sentence, and its model, untied so that hooks can read it."""
    config = transformers.GPT2Config(
        **{"vocab_size": 12, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 40, "tie_word_embeddings": False},
        **{"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.5},
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("decoder")
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    family = Decoder(Words())
    model = family.load(folder, ASKED, 1).model.double()
    assert family.shared
    return family, model


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([[1, 0], [0, 1], [1, 1]], id="questions share their sentence"),
        pytest.param([[1, MASKED], [MASKED, 1], [0, MASKED]], id="one question each"),
        pytest.param([[1, 0], [MASKED, MASKED], [0, MASKED]], id="as many questions as rows"),
    ],
)
def test_answers_in_words_have_the_fisher_information_of_their_definition(
    labels: list[list[int]], decoder: tuple[Decoder, nn.Module]
) -> None:
    family, model = decoder
    texts = ("a long long day it is", "a night", "a very long day")
    rows = prepare(family, ASKED, Split(texts, np.array(labels)), 40, 10_000)
    assert len(rows.batches) == 1

    def logits(of: nn.Module, batch: Batch) -> Tensor:
        return family.logits(of, ASKED, batch.inputs)

    found = fisher.diagonal(model, logits, rows, "empirical", True, rng())
    wanted = {name: torch.zeros_like(p.requires_grad_()) for name, p in model.named_parameters()}
    for i, text in enumerate(texts):
        alone = prepare(family, ASKED, Split((text,), np.array([labels[i]])), 40, 10_000)
        z = logits(model, alone.batches[0])[0]
        there = torch.tensor(labels[i]) != MASKED
        if there.any():
            likelihood = nn.functional.logsigmoid(torch.where(torch.tensor(labels[i]) == 1, z, -z))[there].sum()
            given = torch.autograd.grad(likelihood, list(model.parameters()), allow_unused=True)
            for name, gradient in zip(wanted, given, strict=True):
                wanted[name] += 0 if gradient is None else gradient.square() / len(texts)
    close(found, wanted)
    assert wanted["transformer.wte.weight"].sum() > 0


# -- lazily, and kept ------------------------------------------------------------------------------------------------


def test_statistics_are_computed_when_touched_and_once(tmp_path: Path) -> None:
    computed: list[tuple[str, int]] = []

    def compute(kind: str, i: int) -> dict[str, Tensor]:
        computed.append((kind, i))
        return {"w": torch.full((2,), float(i))}

    def lazy() -> LazyStatistics:
        return LazyStatistics(Zoo(tmp_path), lambda kind, i: {"kind": kind, "member": i}, 2, compute)

    first = lazy()
    assert list(first) == ["fisher", "gram"] and len(first) == 2 and first.seconds == first.waited == 0 and not computed
    assert [m["w"].tolist() for m in first["gram"]] == [[0, 0], [1, 1]]
    assert first["gram"] is first["gram"] and computed == [("gram", 0), ("gram", 1)]
    again = lazy()
    assert [m["w"].tolist() for m in again["gram"]] == [[0, 0], [1, 1]]
    assert len(computed) == 2, "the zoo had them"
    assert again.seconds == first.seconds > 0 and first.waited >= first.seconds
    with pytest.raises(KeyError, match="no statistics named 'hessian'; there are fisher, gram"):
        first["hessian"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"seconds": "x"}'])
def test_statistics_whose_cost_is_damaged_are_named(content: str, tmp_path: Path) -> None:
    def lazy() -> LazyStatistics:
        return LazyStatistics(Zoo(tmp_path), lambda kind, i: {"member": i}, 1, lambda kind, i: {"w": torch.ones(2)})

    lazy()["gram"]
    (cost,) = tmp_path.glob("gram/*/cost.json")
    cost.write_text(content)
    with pytest.raises(BadWeights, match=f"{cost} .*delete {cost.parent} and it will be made again"):
        lazy()["gram"]
