"""Fisher diagonals: reference vectors, two ways to one answer, and definitions written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from harness.data.corpus import MASKED, Split
from harness.data.task import Kind, Task
from harness.families.batches import Batch, Batches, prepare
from harness.families.decoder import Decoder
from harness.members import fisher
from tests.golden_cases import Run, runs
from tests.small_models import (
    PAD,
    Layers,
    batch,
    batches,
    close,
    golden_transformer,
    of_numbers,
    of_tokens,
    rng,
    token_batches,
    transformer,
)


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
    (double,) = fisher.cotangents(z[:, :1] + 1, torch.tensor([[4.5]]), "hard", rng(), "regression")
    assert torch.equal(double, 2 * distance), "the released code's loss is the squared error without the half"
    (one,) = fisher.cotangents(z[:, :1], torch.tensor([[4.5]]), "expected", rng(), "regression")
    assert one.tolist() == [[1.0]]


def test_scores_are_squared_as_the_released_code_squares_them() -> None:
    # z = x w with w = 1; rows x = 1, 2 with scores 0, 5. Loss: mean of (z - v)^2, without a half.
    # Its gradient: (2 (1 - 0) 1 + 2 (2 - 5) 2) / 2 = -5, squared 25. With the half: -2.5, squared 6.25.
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(model.weight)
    gold = torch.tensor([[0.0], [5.0]], dtype=torch.float64)
    one = batches([batch(torch.tensor([[1.0], [2.0]], dtype=torch.float64))], gold, "regression")
    for labels, square in (("hard", 25.0), ("empirical", 6.25)):
        found = fisher.diagonal(model, of_numbers, one, labels, False, rng())  # type: ignore[arg-type]
        assert found["weight"].tolist() == [[square]]


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


class Meddles(nn.Module):
    """Changes its layers' outputs in place, or calls one of them where no gradient is wanted."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.second, self.out = nn.Linear(3, 5), nn.Linear(5, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        first = torch.tanh(self.first(x).mul_(2) if self.how == "root" else self.first(x))
        if self.how == "no gradient":
            with torch.no_grad():
                aside = self.second(first)
            return self.out(aside + first)
        second = self.second(first)
        if self.how == "relu":
            second = second.relu_()
        elif self.how == "view":
            second[:, 0].mul_(3)
        return self.out(second)


@pytest.mark.parametrize("how", ["root", "relu", "view", "no gradient"])
def test_a_model_that_changes_outputs_in_place_falls_back_to_the_loop(how: str) -> None:
    torch.manual_seed(0)
    model, rows = Meddles(how).double(), number_batches()
    loop, hooks = both_ways(model, of_numbers, rows, "expected")
    assert hooks is None
    close(fisher.diagonal(model, of_numbers, rows, "expected", True, rng()), loop)


def test_a_layer_norm_over_several_dimensions_falls_back_to_the_loop() -> None:
    assert not fisher.handles(nn.Sequential(nn.Linear(3, 8), nn.LayerNorm((5, 8))))
