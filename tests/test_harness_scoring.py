"""Batches and judges: every row once and in its place, scores worked by hand, weights that nobody writes to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from harness.data.corpus import MASKED, Split
from harness.data.task import Task
from harness.families.base import Inputs
from harness.families.batches import OVERHEAD, Batches, batch_of, cuts, prepare, shortened
from harness.families.encoder import Encoder, EncoderRow, padded
from harness.judging.live import LiveModel
from harness.judging.scoring import DevScorer, Examiner
from harness.judging.sheet import Sheet
from methods.base import Ensemble, Merged, Weights
from methods.errors import MergeboardError

NAMES = ("joy", "anger", "fear", "trust")
OUTPUTS = len(NAMES)


def task(*outputs: str, kind: Any = "multi_label", metric: str = "macro_f1") -> Task:
    return Task("mood", kind, outputs, metric, outputs, outputs)


TASK = task(*NAMES)
COLA = task("wrong", "right", kind="classification", metric="matthews")
STSB = task("score", kind="regression", metric="pearson")


class Tokenizer:
    """Words are numbers; 0 and 2 open and close a text, 1 pads."""

    pad_token_id = 1

    def __call__(self, texts: Sequence[str], truncation: bool, max_length: int, padding: bool) -> Mapping[str, Any]:
        assert truncation and not padding
        return {"input_ids": [[0, *[int(w) for w in text.split()][: max_length - 2], 2] for text in texts]}


def random_split(rows: int = 23, seed: int = 0) -> Split:
    """Texts of one to eleven words; a third of the labels masked."""
    rng = np.random.default_rng(seed)
    texts = tuple(" ".join(map(str, rng.integers(3, 20, size=rng.integers(1, 12)))) for _ in range(rows))
    labels = rng.integers(0, 2, (rows, OUTPUTS))
    labels[rng.random(labels.shape) < 0.3] = MASKED
    return Split(texts, labels)


def prepared(split: Split, batch_tokens: int = 60, max_length: int = 16) -> Batches:
    return prepare(Encoder(Tokenizer()), TASK, split, max_length, batch_tokens)


@pytest.fixture  # anew for each test: scoring points its parameters elsewhere, and what follows would hang on the order
def model() -> nn.Module:
    config = transformers.RobertaConfig(
        **{
            "vocab_size": 20,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_labels": OUTPUTS,
        },
        **{"intermediate_size": 32, "max_position_embeddings": 20, "type_vocab_size": 1, "pad_token_id": 1},
        initializer_range=0.4,
    )
    torch.manual_seed(0)
    return transformers.RobertaForSequenceClassification(config)


@pytest.fixture
def live(model: nn.Module) -> LiveModel:
    return LiveModel(Encoder(Tokenizer()), TASK, model)


def logits(live: LiveModel, merged: Merged, rows: Batches) -> Tensor:
    """What a sheet of these rows is answered."""
    return Sheet(live, rows, 0.5).logits(merged)


def weights_of(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights of the model's layout, drawn from the seed."""
    rng = torch.Generator().manual_seed(seed)
    return {n: p.detach() + 0.1 * torch.randn(p.shape, generator=rng) for n, p in model.named_parameters()}


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_tokens", [1, 20, 60, 10_000])
def test_every_row_is_in_exactly_one_batch(batch_tokens: int) -> None:
    split = random_split()
    rows = prepared(split, batch_tokens)
    index = torch.cat([batch.index for batch in rows])
    assert sorted(index.tolist()) == list(range(len(split))) and len(rows) == len(split)
    assert rows.labels.tolist() == split.labels.tolist(), "labels keep the split's own order"
    encoded = [row.ids for row in Encoder(Tokenizer()).encode(TASK, split, 16)]
    for batch in rows:
        for i, ids, mask in zip(batch.index.tolist(), batch.inputs["ids"], batch.inputs["mask"], strict=True):
            assert tuple(ids[mask == 1].tolist()) == encoded[i]
            assert (ids[mask == 0] == Tokenizer.pad_token_id).all() and mask.sum() == len(encoded[i])


@pytest.mark.parametrize("batch_tokens", [20, 60, 10_000])
def test_no_batch_has_more_padded_tokens_than_allowed(batch_tokens: int) -> None:
    batches = prepared(random_split(), batch_tokens).batches
    assert all(batch.inputs["ids"].numel() <= batch_tokens for batch in batches)


def padded_cost(lengths: Sequence[int], found: Iterable[tuple[int, int]]) -> int:
    return sum(OVERHEAD + max(lengths[start:stop]) * (stop - start) for start, stop in found)


@pytest.mark.parametrize("most", [60, 200, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_way_to_cut_rows_into_batches_costs_less(seed: int, most: int) -> None:
    lengths = sorted(int(n) for n in np.random.default_rng(seed).integers(3, 60, size=9))
    ways = []
    for marks in itertools.product([False, True], repeat=len(lengths) - 1):
        ends = [i for i, mark in enumerate(marks, 1) if mark] + [len(lengths)]
        way = list(itertools.pairwise([0, *ends]))
        if all(stop - start == 1 or lengths[stop - 1] * (stop - start) <= most for start, stop in way):
            ways.append(way)
    found = cuts(lengths, most)
    assert found in ways and padded_cost(lengths, found) == min(padded_cost(lengths, way) for way in ways)


def test_rows_of_one_length_are_one_batch_and_no_rows_are_none() -> None:
    assert cuts([7] * 50, 10_000) == [(0, 50)] and cuts([], 100) == []


def test_long_rows_do_not_pad_short_ones() -> None:
    assert cuts([5] * 40 + [50] * 4, 10_000) == [(0, 40), (40, 44)]


def test_a_row_longer_than_a_batch_has_one_to_itself() -> None:
    rows = prepared(Split(("3 4 5 6", "7"), np.zeros((2, OUTPUTS), dtype=np.int64)), batch_tokens=4)
    assert [batch.index.tolist() for batch in rows] == [[1], [0]]


def test_rows_that_are_cut_are_counted() -> None:
    """Of four texts two are longer than four tokens; a model that reads five at most is told no more of."""
    split = Split(("3", "3 4", "3 4 5 6 7", "3 4 5 6 7 8 9"), np.zeros((4, OUTPUTS), dtype=np.int64))
    whole = Encoder(Tokenizer())
    lengths = [row.tokens for row in whole.encode(TASK, split, 99)]
    assert lengths == [3, 4, 7, 9]
    assert shortened(whole, TASK, split, 4)[:2] == (2, 16) and shortened(whole, TASK, split, 5)[:2] == (2, 10)
    assert shortened(whole, TASK, split, 9) == (0, 9, 0)
    assert shortened(Encoder(Tokenizer(), limit=7), TASK, split, 7)[:2] == (0, 7)
    assert shortened(Encoder(Tokenizer(), limit=7), TASK, split, 4)[:2] == (2, 8)
    assert shortened(whole, TASK, split.take([]), 4) == (0, 4, 0)
    for most in (4, 7, 99):
        assert shortened(Encoder(Tokenizer(), limit=7), TASK, split, most).full == 2, "what fills the model may be cut"
    assert shortened(Encoder(Tokenizer(), limit=10), TASK, split, 4).full == 0


def test_rows_are_cut_at_the_greatest_length() -> None:
    rows = prepared(Split(("3 4 5 6 7",), np.zeros((1, OUTPUTS), dtype=np.int64)), max_length=4)
    assert rows.batches[0].inputs["ids"].tolist() == [[0, 3, 4, 2]]


def test_padding_is_on_the_right() -> None:
    assert padded([[5, 6], [7]], 9).tolist() == [[5, 6], [7, 9]]
    rows = [EncoderRow((5, 6), None), EncoderRow((7,), None)]
    batch = batch_of(Encoder(Tokenizer()), rows, torch.tensor([3, 1]))
    assert batch.inputs["ids"].tolist() == [[5, 6], [7, Tokenizer.pad_token_id]]
    assert batch.inputs["mask"].tolist() == [[1, 1], [1, 0]] and set(batch.inputs) == {"ids", "mask"}
    assert batch.index.tolist() == [3, 1]


def test_a_batch_in_pieces_is_the_same_rows_with_no_more_padding_than_they_need() -> None:
    rows = [EncoderRow((0,) * length, None) for length in (2, 5, 3)]
    batch = batch_of(Encoder(Tokenizer()), rows, torch.tensor([7, 8, 9]))
    pieces = list(batch.pieces(2))
    assert [piece.index.tolist() for piece in pieces] == [[7, 8], [9]]
    assert [tuple(piece.inputs["ids"].shape) for piece in pieces] == [(2, 5), (1, 3)]


def test_the_second_text_of_a_pair_is_told_from_the_first() -> None:
    class Pairs(Tokenizer):
        def __call__(self, *texts: Any, **_: Any) -> Mapping[str, Any]:
            first, second = (super(Pairs, self).__call__(t, True, 16, False)["input_ids"] for t in texts)
            both = list(zip(first, second, strict=True))
            kinds = [[0] * len(a) + [1] * (len(b) - 1) for a, b in both]
            return {"input_ids": [a + b[1:] for a, b in both], "token_type_ids": kinds}

    split = Split(("3 4", "5"), np.zeros((2, OUTPUTS), dtype=np.int64), ("6", "7 8 9"))
    (batch,) = prepare(Encoder(Pairs()), TASK, split, 16, 100)
    assert batch.index.tolist() == [0, 1]
    assert batch.inputs["ids"].tolist() == [[0, 3, 4, 2, 6, 2, 1], [0, 5, 2, 7, 8, 9, 2]]
    assert batch.inputs["types"].tolist() == [[0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1]]


# -- logits ----------------------------------------------------------------------------------------------------------


def test_logits_do_not_depend_on_the_size_of_batches(live: LiveModel, model: nn.Module) -> None:
    split, weights = random_split(), weights_of(model, 1)
    singly = logits(live, weights, prepared(split, batch_tokens=1))
    assert singly.shape == (len(split), OUTPUTS) and singly.std() > 0.1
    for batch_tokens in (40, 10_000):
        torch.testing.assert_close(logits(live, weights, prepared(split, batch_tokens)), singly, rtol=0, atol=1e-5)


def test_logits_come_in_the_splits_own_order(live: LiveModel, model: nn.Module) -> None:
    split, weights = random_split(), weights_of(model, 1)
    whole = logits(live, weights, prepared(split))
    for i in (0, 7, 22):
        alone = logits(live, weights, prepared(split.take([i])))
        torch.testing.assert_close(alone[0], whole[i], rtol=0, atol=1e-5)
    assert len({tuple(row) for row in whole.tolist()}) > 20, "rows differ, so a wrong order would be seen"


def test_logits_are_those_of_the_weights_pointed_at(live: LiveModel, model: nn.Module) -> None:
    rows, one, two = prepared(random_split()), weights_of(model, 1), weights_of(model, 2)
    first = logits(live, one, rows)
    assert not torch.allclose(logits(live, two, rows), first)
    assert torch.equal(logits(live, one, rows), first)
    reference = transformers.RobertaForSequenceClassification(model.config).eval()  # type: ignore[arg-type]
    reference.load_state_dict(one, strict=False)
    with torch.no_grad():
        batch = rows.batches[0]
        wanted = reference(input_ids=batch.inputs["ids"], attention_mask=batch.inputs["mask"]).logits
    torch.testing.assert_close(first[batch.index], wanted, rtol=0, atol=1e-6)


def test_scoring_never_writes_into_weights(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    other = weights_of(model, 2)
    DevScorer({"a": Sheet(live, rows, 0.5)})(weights)
    logits(live, Ensemble((weights, other)), rows)
    live.point_at(other)
    assert all(torch.equal(weights[name], before[name]) for name in weights)
    assert not any(tensor.requires_grad for tensor in weights.values())


def test_a_model_of_another_type_casts_and_still_writes_nothing(model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    exact = logits(LiveModel(Encoder(Tokenizer()), TASK, model), weights, rows)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    half = logits(LiveModel(Encoder(Tokenizer()), TASK, model, torch.bfloat16), weights, rows)
    model.float()
    assert half.dtype == torch.float32 and not torch.equal(half, exact)
    torch.testing.assert_close(half, exact, rtol=0.1, atol=0.1)
    assert all(torch.equal(weights[name], before[name]) and weights[name].dtype == torch.float32 for name in weights)


def test_dropout_is_off(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    model.train()
    live = LiveModel(Encoder(Tokenizer()), TASK, model)
    assert torch.equal(logits(live, weights, rows), logits(live, weights, rows))


# -- ensembles -------------------------------------------------------------------------------------------------------


def test_an_ensemble_of_one_is_the_model(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    assert torch.equal(logits(live, Ensemble((weights,)), rows), logits(live, weights, rows))


def test_an_ensemble_is_the_mean_of_its_members(live: LiveModel, model: nn.Module) -> None:
    rows, members = prepared(random_split()), tuple(weights_of(model, seed) for seed in (1, 2, 3))
    single = torch.stack([logits(live, m, rows) for m in members])
    torch.testing.assert_close(logits(live, Ensemble(members), rows), single.mean(dim=0))


def test_a_member_of_an_ensemble_speaks_only_on_labels_it_was_trained_on(live: LiveModel, model: nn.Module) -> None:
    rows, members = prepared(random_split()), (weights_of(model, 1), weights_of(model, 2))
    knows = torch.tensor([[True, True, False, False], [True, False, True, False]])
    one, two = (logits(live, m, rows) for m in members)
    found = logits(live, Ensemble(members, knows), rows)
    torch.testing.assert_close(found[:, 0], (one[:, 0] + two[:, 0]) / 2)
    assert torch.equal(found[:, 1], one[:, 1]) and torch.equal(found[:, 2], two[:, 2])
    assert torch.equal(found[:, 3], torch.zeros(len(rows)))


# -- judges ----------------------------------------------------------------------------------------------------------


class Fixed:
    """A family whose rows are their logits, whatever the weights, but for what a weight called `add` adds."""

    def collate(self, rows: Sequence[Tensor]) -> Inputs:
        return {"mask": torch.ones(len(rows), 1), "logits": torch.stack(list(rows))}

    def logits(self, model: nn.Module, task: Task, inputs: Inputs) -> Tensor:
        return inputs["logits"] + sum(p for n, p in model.named_parameters() if n == "add")


def fixed(given: Sequence[Sequence[float]], gold: Sequence[Sequence[float]], about: Task | None = None) -> Sheet:
    """A sheet whose answers are given."""
    about = task("joy", "anger") if about is None else about
    family: Any = Fixed()
    rows = torch.tensor(given, dtype=torch.float32)
    batch = batch_of(family, list(rows), torch.arange(len(rows)))  # type: ignore[arg-type]
    labels = torch.tensor(gold)
    return Sheet(LiveModel(family, about, nn.Identity()), Batches((batch,), labels, about.kind, labels), 0.5)


A = fixed([[1, 1], [1, 0], [0, 0]], [[1, MASKED], [0, MASKED], [1, MASKED]])
B = fixed([[1, 1], [0, 1]], [[1, 1], [0, 1]])
C = fixed([[1, 0], [0, 3], [0, 2]], [[0], [1], [0]], COLA)
S = fixed([[1.0], [2.0], [4.0]], [[2.0], [4.0], [0.0]], STSB)


def test_a_dev_score_is_the_mean_over_corpora_or_of_all_rows_pooled() -> None:
    # A: TP 1, FP 1, FN 1 on its only label, 2/4. B: all right, 1.
    assert DevScorer({"a": A, "b": B})({}) == pytest.approx((0.5 + 1) / 2)
    # Pooled: label 0 has TP 2, FP 1, FN 1, so 4/6; label 1 only B's rows, 1.
    assert DevScorer({"a": A, "b": B}, fitness="pooled")({}) == pytest.approx((4 / 6 + 1) / 2)


def test_a_dev_score_is_rounded_only_where_it_is_asked() -> None:
    exact = (4 / 6 + 1) / 2
    assert DevScorer({"a": A, "b": B}, fitness="pooled", digits=5)({}) == 0.83333 != exact
    assert DevScorer({"a": A, "b": B}, fitness="pooled", digits=0)({}) == 1.0
    assert DevScorer({"a": A, "b": B}, fitness="pooled", digits=None)({}) == pytest.approx(exact, abs=1e-15)


def test_every_task_is_scored_by_its_own_metric() -> None:
    # C answers classes 0, 1, 1 to 0, 1, 0: TP 1, TN 1, FP 1, FN 0: (1 * 1 - 1 * 0) / sqrt(2 * 1 * 2 * 1) = 1/2.
    assert DevScorer({"c": C})({}) == pytest.approx(0.5)
    # S is 1, 2, 4 to 2, 4, 0: deviations (-4, -1, 5) / 3 and 0, 2, -2: -12/3 / sqrt(42/9 * 8)
    assert DevScorer({"s": S})({}) == pytest.approx(-4 / (42 / 9 * 8) ** 0.5)
    both = (0.5 + -4 / (42 / 9 * 8) ** 0.5) / 2
    assert DevScorer({"c": C, "s": S})({}) == pytest.approx(both)
    assert DevScorer({"c": C, "s": S}, fitness="pooled")({}) == pytest.approx(both), "two tasks have no rows in common"


def test_rows_of_one_task_are_pooled_whatever_they_answer() -> None:
    more = fixed([[0, 1], [1, 0]], [[1], [0]], COLA)
    # with C: TP 2, TN 2, FP 1, FN 0: (2 * 2 - 0) / sqrt(3 * 2 * 3 * 2) = 4/6
    assert DevScorer({"c": C, "d": more}, fitness="pooled")({}) == pytest.approx(4 / 6)
    assert DevScorer({"c": C, "d": more})({}) == pytest.approx((0.5 + 1) / 2)


def test_calls_are_counted(live: LiveModel, model: nn.Module) -> None:
    rows = {"a": prepared(random_split()), "b": prepared(random_split(9, 1))}
    score = DevScorer({name: Sheet(live, r, 0.5) for name, r in rows.items()})
    assert score.calls == 0
    weights = weights_of(model, 1)
    first = score(weights)
    assert score.calls == 1 and 0 < first < 1
    assert score(Ensemble((weights, weights))) == first
    assert score.calls == 2, "an ensemble is one question"


def test_a_logit_equal_to_the_threshold_counts() -> None:
    at, below = 0.5, float(np.nextafter(np.float32(0.5), np.float32(0)))
    assert A.predict(torch.tensor([[at, below], [-1.0, 3.0]])).tolist() == [[1, 0], [0, 1]]
    assert A.predict(torch.tensor([[0.0, -0.0, 0.1]]), 0.0).tolist() == [[1, 1, 1]]


def test_a_class_is_the_largest_logit_and_a_score_the_logit_itself() -> None:
    assert C.predict(torch.tensor([[-3.0, -4.0], [0.1, 0.2], [1.0, 1.0]])).tolist() == [0, 1, 0], "no threshold"
    assert S.predict(torch.tensor([[-3.5], [7.25]])).tolist() == [-3.5, 7.25]
    assert C.gold.tolist() == [0, 1, 0] and S.gold.tolist() == [2.0, 4.0, 0.0] and A.gold.shape == (3, 2)


def test_an_examiner_answers_every_corpus_with_its_details() -> None:
    found = Examiner({"a": lambda: A, "b": lambda: B}).examine({})
    assert set(found) == {"a", "b"}
    a = found["a"]
    assert a.score == 0.5 and a.details["f1"] == {"joy": 0.5} and a.details["rows"] == 3
    assert a.predicted.tolist() == [[1, 1], [1, 0], [0, 0]] and a.gold.tolist() == A.rows.labels.tolist()
    assert a.details["predicted_positive"] == 2, "what is said of masked labels is not counted"
    # At logit 0 everything is positive: TP 2, FP 1.
    assert a.details["macro_f1_at_logit_0"] == pytest.approx(4 / 5)
    assert found["b"].score == 1.0 and found["b"].details["f1"] == {"joy": 1.0, "anger": 1.0}


def test_an_examiner_says_of_classes_and_scores_what_their_tasks_report() -> None:
    found = Examiner({"c": lambda: C, "s": lambda: S}).examine({})
    assert found["c"].score == pytest.approx(0.5) and found["c"].task == COLA
    assert found["c"].predicted.tolist() == [0, 1, 1] and found["c"].gold.tolist() == [0, 1, 0]
    assert found["s"].predicted.tolist() == [1.0, 2.0, 4.0] and found["s"].gold.tolist() == [2.0, 4.0, 0.0]
    assert found["s"].details["rows"] == 3 and "macro_f1_at_logit_0" not in found["s"].details


def test_a_correlation_of_equal_answers_is_marked() -> None:
    flat = {"c": fixed([[0.0, 1.0]] * 3, [[0], [1], [0]], COLA), "s": fixed([[2.0]] * 3, [[2.0], [4.0], [0.0]], STSB)}
    for exam in Examiner({name: lambda sheet=sheet: sheet for name, sheet in flat.items()}).examine({}).values():
        assert exam.score == 0.0 and exam.details["constant"] is True
    for exam in Examiner({"c": lambda: C, "s": lambda: S}).examine({}).values():
        assert "constant" not in exam.details


def test_a_label_that_is_never_there_is_marked() -> None:
    about = task("joy", "anger", "fear")
    sheet = fixed([[1.0, 1.0, 1.0]] * 2, [[1, 0, MASKED], [0, 0, MASKED]], about)
    exam = Examiner({"a": lambda: sheet}).examine({})["a"]
    assert exam.details["no_positive"] == ["anger"], "fear is not asked at all"
    assert "no_positive" not in Examiner({"a": lambda: A}).examine({})["a"].details


def test_an_exam_that_gives_no_number_is_one_line() -> None:
    nothing = fixed([[1.0]] * 2, [[MASKED], [MASKED]], task("joy"))
    with pytest.raises(MergeboardError, match="tec: macro_f1 of 2 test rows is nan"):
        Examiner({"tec": lambda: nothing}).examine({})


def test_an_examiner_gives_away_nothing_but_marks() -> None:
    examiner = Examiner({"a": lambda: A})
    assert [name for name in dir(examiner) if not name.startswith("_")] == ["examine"]


def test_test_rows_are_not_touched_before_the_exam() -> None:
    opened: list[str] = []
    examiner = Examiner({"a": lambda: opened.append("a") or A})  # type: ignore[func-returns-value]
    assert opened == []
    examiner.examine({})
    assert opened == ["a"]


# -- heads of several tasks ------------------------------------------------------------------------------------------


class Adds(nn.Module):
    """A model of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.add = nn.Parameter(torch.zeros(1))


def adding(**choices: Any) -> Sheet:
    """A sheet whose only logit is the model's only weight."""
    about = task("joy")
    family: Any = Fixed()
    batch = batch_of(family, [torch.zeros(1)], torch.tensor([0]))  # type: ignore[list-item]
    gold = torch.tensor([[1]])
    return Sheet(LiveModel(family, about, Adds()), Batches((batch,), gold, about.kind, gold), 0.5, **choices)


def test_a_task_finds_its_own_head_among_those_of_several() -> None:
    one, two, both = torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0])
    assert adding(scope="cola").logits({"cola::add": one, "stsb::add": two}).item() == 1
    assert adding(scope="stsb").logits({"cola::add": one, "stsb::add": two}).item() == 2
    assert adding(scope="cola").logits({"add": both, "stsb::add": two}).item() == 3, "else the one that all share"


def test_a_head_that_is_not_merged_is_put_on_whatever_is_scored() -> None:
    head = {"add": torch.tensor([5.0])}
    assert adding(head=head).logits({}).item() == adding(head=head).logits({"add": torch.tensor([1.0])}).item() == 5
    assert adding(head=head).logits(Ensemble(({}, {}))).item() == 5


def test_a_dev_score_depends_on_the_labels_it_was_given(model: nn.Module, live: LiveModel) -> None:
    weights: Weights = weights_of(model, 1)
    rows = random_split()
    poisoned = Split(rows.texts, np.where(rows.labels == MASKED, MASKED, 1 - rows.labels))
    asked = [DevScorer({"a": Sheet(live, prepared(split), 0.5)}) for split in (rows, poisoned)]
    assert asked[0](weights) != asked[1](weights)
