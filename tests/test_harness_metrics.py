"""The metric and the loss: reference vectors, hand-worked cases, and masked labels that count nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, matthews_corrcoef
from torch import Tensor

from harness.cells.rowbook import masked_but
from harness.data.corpus import MASKED, Split
from harness.data.task import Task
from harness.families.encoder import masked_bce
from harness.judging.as_evaluate import MaskedMacroF1
from harness.judging.metrics import (
    Bits,
    is_constant,
    label_f1,
    official,
    score,
)
from harness.judging.rowwise import METRICS, OF_KIND, unread
from harness.suites.emotion.labels import BASIC, TASK
from harness.suites.glue.tasks import TASKS
from methods.errors import UnknownName
from tests.golden_cases import Run, runs

METRIC = MaskedMacroF1(keep_in_memory=True)


def marks(predicted: Bits, gold: Bits) -> dict[str, Any]:
    return METRIC.compute(predictions=predicted.tolist(), references=gold.tolist())


def random_rows(seed: int, rows: int = 40, outputs: int = 7) -> tuple[Bits, Bits]:
    """Predictions and gold labels with masked entries, a label that nobody annotates, and one that never occurs."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, (rows, outputs))
    gold[rng.random(gold.shape) < 0.3] = MASKED
    gold[:, 0] = MASKED
    gold[gold[:, 1] == 1, 1] = 0
    return rng.integers(0, 2, (rows, outputs)), gold


@pytest.mark.parametrize("seed", range(5))
def test_every_label_has_the_f1_of_scikit_learn(seed: int) -> None:
    predicted, gold = random_rows(seed)
    for output, f1 in enumerate(label_f1(predicted, gold)):
        there = gold[:, output] != MASKED
        if there.any():
            assert f1 == pytest.approx(f1_score(gold[there, output], predicted[there, output], zero_division=0.0))
        else:
            assert f1 is None


# -- reference vectors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [run for run in runs("metrics") if "metrics-glue" not in str(run.id)])
def test_macro_f1_is_the_reference(run: Run) -> None:
    sets = [set_of(run, name) for name in run.knobs["inputs"]]
    if run.id == "mean_of_sets":
        run.require({"macro_f1": torch.tensor(np.mean([score("macro_f1", *one) for one in sets]))})
        return
    predicted, gold = (np.concatenate(parts) for parts in zip(*sets, strict=True))
    found = marks(predicted, gold)
    per_label = torch.tensor([float("nan") if f1 is None else f1 for f1 in found["f1"]], dtype=torch.float64)
    run.require({"macro_f1": torch.tensor(found["macro_f1"], dtype=torch.float64), "f1": per_label})


def set_of(run: Run, name: str) -> tuple[Bits, Bits]:
    rows = run.case.inputs[name]
    labels = rows["labels"].numpy()
    if run.id.endswith("_basic6"):
        labels = masked_but(Split(("",) * len(labels), labels), TASK, BASIC).labels
    return (rows["logits"] >= run.knobs["threshold"]).numpy().astype(np.int64), labels


@pytest.mark.parametrize("run", [run for run in runs("metrics") if "metrics-emotion" not in str(run.id)])
def test_glues_numbers_are_the_reference(run: Run) -> None:
    task = TASKS[run.knobs["task"]]
    rows = run.case.inputs[task.name]
    gold = rows["labels"].numpy()
    predicted = rows["predictions"].numpy() if task.name == "stsb" else rows["logits"].argmax(dim=1).numpy()
    marks = official(task, predicted, gold)
    found = marks | {"key_score": marks["score"], task.metric: score(task.metric, predicted, gold)}
    if task.kind == "classification":  # numbers of two classes that a task does not report are the same functions'
        found |= {name: score(name, predicted, gold) for name in ("accuracy", "matthews")}
        found.setdefault("f1", label_f1(predicted[:, None], gold[:, None])[0])
        found["mcc"] = found["matthews"]
    wanted = run.case.expected[run.id]
    assert {"key_score", *task.also} <= set(wanted)
    run.require({name: torch.tensor(found[name], dtype=torch.float64) for name in wanted})


# -- the metric ------------------------------------------------------------------------------------------------------


def test_macro_f1_by_hand() -> None:
    gold = np.array([[1, 0, MASKED], [1, MASKED, MASKED], [0, 0, MASKED]])
    predicted = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1]])
    # Label 0: TP 1, FP 1, FN 1, so 2/4. Label 1: no positive in two rows, one of them predicted, so 0. Label 2: none.
    assert label_f1(predicted, gold) == [0.5, 0.0, None]
    assert marks(predicted, gold) == {"macro_f1": 0.25, "f1": [0.5, 0.0, None]}


def test_a_label_that_never_is_and_never_was_predicted_scores_zero() -> None:
    gold, predicted = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert marks(predicted, gold)["macro_f1"] == 0.5


@pytest.mark.parametrize("rows", [0, 3])
def test_rows_without_any_annotation_have_no_score(rows: int) -> None:
    said, gold = np.ones((rows, 2), dtype=np.int64), np.full((rows, 2), MASKED)
    assert all(np.isnan(score(name, said, gold)) for name in OF_KIND["multi_label"])
    if rows:
        found = marks(said, gold)
        assert np.isnan(found["macro_f1"]) and found["f1"] == [None, None]


@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
def test_a_correlation_that_is_zero_for_want_of_change_can_be_told(metric: str) -> None:
    one, two = np.array([0, 1, 1]), np.array([1, 1, 1])
    assert not is_constant(metric, one, one) and not is_constant("accuracy", two, two)
    assert is_constant(metric, one, two) and is_constant(metric, two, one) and is_constant(metric, two, two)
    assert is_constant(metric, np.array([0.0, np.nan, 1.0]), one)


@pytest.mark.parametrize("seed", range(5))
def test_the_score_agrees_with_scikit_learn_label_by_label(seed: int) -> None:
    predicted, gold = random_rows(seed)
    wanted = []
    for column in range(gold.shape[1]):
        there = gold[:, column] != MASKED
        if there.any():
            wanted.append(f1_score(gold[there, column], predicted[there, column], zero_division=0.0))
    found = marks(predicted, gold)["macro_f1"]
    assert 0 < found < 1 and found == pytest.approx(np.mean(wanted), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_predicted_for_a_masked_label_never_counts(seed: int) -> None:
    predicted, gold = random_rows(seed)
    other = np.where(gold == MASKED, 1 - predicted, predicted)
    assert (other != predicted).any()
    assert all(score(name, other, gold) == score(name, predicted, gold) for name in OF_KIND["multi_label"])
    assert marks(other, gold) == marks(predicted, gold)
    there = np.where(gold == MASKED, predicted, 1 - predicted)
    assert score("macro_f1", there, gold) != score("macro_f1", predicted, gold)


def test_the_metric_leaves_numpys_global_generator_alone() -> None:
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr,index]
    marks(*random_rows(0))
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr,index]


# -- GLUE ------------------------------------------------------------------------------------------------------------


def task_with(metric: str) -> Task:
    return next(task for task in TASKS.values() if task.metric == metric)


def answers(metric: str, seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    if metric in OF_KIND["regression"]:
        gold = rng.integers(0, 26, 50) / 5
        return gold + rng.normal(0, 2, 50), gold
    if metric in OF_KIND["generation"]:
        return rng.random(50), np.ones(50)
    gold = rng.integers(0, 2, 50)
    return np.where(rng.random(50) < 0.3, 1 - gold, gold), gold


BY_THE_BOOK: dict[str, Callable[[Any, Any], float]] = {  # of classes and scores: (gold, said)
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": partial(f1_score, zero_division=0.0),
    "macro_f1": partial(f1_score, average="macro", zero_division=0.0),
    "micro_f1": partial(f1_score, average="micro", zero_division=0.0),
    "weighted_f1": partial(f1_score, average="weighted", zero_division=0.0),
    "matthews": matthews_corrcoef,
    "pearson": lambda gold, said: float(pearsonr(said, gold).statistic),
    "spearman": lambda gold, said: float(spearmanr(said, gold).statistic),
    "mean_mark": lambda gold, said: float(np.average(said, weights=gold)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_scikit_learns_or_scipys(metric: str, seed: int) -> None:
    predicted, gold = answers(metric, seed)
    found = score(metric, predicted, gold)
    assert 0 < found < 1 and found == pytest.approx(BY_THE_BOOK[metric](gold, predicted), abs=1e-12)
    assert score(metric, gold, gold) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", [m for m in OF_KIND["classification"] if m != "f1"])
def test_of_many_classes_too_where_some_are_never_gold_and_some_never_said(metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold = rng.choice([0, 1, 2, 5, 7, 30], 60)
    predicted = np.where(rng.random(60) < 0.5, gold, rng.choice([0, 2, 11, 31], 60))
    if metric != "balanced_accuracy":
        assert score(metric, predicted, gold) == pytest.approx(BY_THE_BOOK[metric](gold, predicted), abs=1e-12)
    recalls = [float((predicted[gold == k] == k).mean()) for k in np.unique(gold)]
    assert score("balanced_accuracy", predicted, gold) == pytest.approx(np.mean(recalls), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_labels_are_averaged_as_scikit_learn_does(average: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold = (rng.random((50, 5)) < [0.5, 0.3, 0.1, 0.02, 0.0]).astype(np.int64)
    predicted = np.where(rng.random((50, 5)) < 0.2, 1 - gold, gold)
    wanted = f1_score(gold, predicted, average=average, zero_division=0.0)
    assert score(f"{average}_f1", predicted, gold) == pytest.approx(wanted, abs=1e-12)
    assert score("accuracy", predicted, gold) == pytest.approx(accuracy_score(gold, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_no_answer_that_is_the_same_for_every_row_scores_higher_than_the_one_that_reads_no_text(metric: str) -> None:
    _, gold = answers(metric, 0)
    said = unread(metric, gold)
    if metric in OF_KIND["generation"]:
        assert said is None, "no text is right for a second row"
        return
    assert said is not None and said.shape == gold.shape and (said == said[0]).all()
    assert score(metric, said, gold) == pytest.approx(max(score(metric, np.full_like(gold, k), gold) for k in (0, 1)))
    assert unread(metric, gold[:0]) is None


@pytest.mark.parametrize("asked", [1.0, 0.6])
@pytest.mark.parametrize("metric", OF_KIND["multi_label"])
def test_of_labels_it_is_the_best_of_all_that_can_be_said_to_every_row(metric: str, asked: float) -> None:
    rng = np.random.default_rng(1)
    gold = (rng.random((40, 3)) < [0.7, 0.4, 0.1]).astype(np.int64)
    if metric != "accuracy":  # of which a row that is annotated in part is met by more than one
        gold[rng.random(gold.shape) > asked] = MASKED
    said = unread(metric, gold)
    same = [np.tile(row, (40, 1)) for row in np.ndindex(2, 2, 2)]
    assert said is not None
    assert score(metric, said, gold) == pytest.approx(max(score(metric, one, gold) for one in same))


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "weighted_f1", "balanced_accuracy", "matthews"])
def test_of_many_classes_it_is_the_best_of_all_that_are_gold(metric: str) -> None:
    gold = np.random.default_rng(2).choice([0, 3, 4, 9], 50, p=[0.2, 0.45, 0.3, 0.05])
    said = unread(metric, gold)
    assert said is not None
    assert score(metric, said, gold) == pytest.approx(max(score(metric, np.full(50, k), gold) for k in range(10)))


@pytest.mark.parametrize("seed", range(3))
def test_matthews_of_three_classes_is_scikit_learns(seed: int) -> None:
    predicted, gold = np.random.default_rng(seed).integers(0, 3, (2, 40))
    assert score("matthews", predicted, gold) == pytest.approx(matthews_corrcoef(gold, predicted), abs=1e-12)


def test_glues_numbers_by_hand() -> None:
    predicted, gold = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 1])
    # TP 2, FP 1, FN 1, TN 1: accuracy 3/5, F1 4/6, Matthews (2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2)
    assert score("accuracy", predicted, gold) == 0.6
    assert score("matthews", predicted, gold) == pytest.approx(1 / 6, abs=1e-15)
    assert official(TASKS["mrpc"], predicted, gold) == pytest.approx({"score": 0.6, "accuracy": 0.6, "f1": 2 / 3})
    assert official(TASKS["cola"], predicted, gold) == pytest.approx({"score": 1 / 6, "matthews": 1 / 6})
    # Deviations -1, 0, 1 and -2, 0, 2; ranks 1, 2, 3. Then -1, 0, 1 and -1, -1, 2: 3 / sqrt(2 * 6); ranks 1.5, 1.5, 3.
    assert score("pearson", np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 4.0])) == pytest.approx(1, abs=1e-15)
    found = official(TASKS["stsb"], np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 3.0]))
    assert found == pytest.approx({"score": 3 / 12**0.5, "pearson": 3 / 12**0.5, "spearman": 3 / 12**0.5})


@pytest.mark.parametrize("name", TASKS)
def test_every_task_reports_what_glue_reports(name: str) -> None:
    task = TASKS[name]
    marks = official(task, *answers(task.metric, 1))
    also = {"mrpc": ("f1",), "qqp": ("f1",), "stsb": ("spearman",)}.get(name, ())
    assert set(marks) == {"score", task.metric, *also} and marks["score"] == marks[task.metric]
    assert all(type(number) is float for number in marks.values()), "a record is written as JSON"


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "pearson"])
def test_a_column_and_a_vector_are_the_same_rows(metric: str) -> None:
    predicted, gold = answers(metric, 2)
    wanted = score(metric, predicted, gold)
    assert score(metric, predicted[:, None], gold) == score(metric, predicted, gold[:, None]) == wanted
    task = task_with(metric)
    assert official(task, predicted[:, None], gold[:, None]) == official(task, predicted, gold)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("wrong", [0.1, float("nan"), float("inf")])
def test_a_prediction_that_nothing_can_correlate_with_scores_zero(wrong: float) -> None:
    gold = np.array([0.0, 1.0, 4.5])
    predicted = np.array([0.1, 0.1, wrong])
    assert score("pearson", predicted, gold) == 0.0
    assert official(TASKS["stsb"], predicted, gold) == {"score": 0.0, "pearson": 0.0, "spearman": 0.0}
    assert score("pearson", gold, np.full(3, 0.1)) == 0.0


@pytest.mark.filterwarnings("error")
def test_one_class_for_all_rows_has_no_matthews_correlation() -> None:
    gold, same = np.array([0, 1, 1]), np.array([1, 1, 1])
    for predicted, wanted in ((same, gold), (gold, same), (same, same)):
        assert score("matthews", predicted, wanted) == official(TASKS["cola"], predicted, wanted)["score"] == 0.0
    assert official(TASKS["qqp"], np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))["f1"] == 0.0


def test_no_rows_score_zero() -> None:
    none = np.zeros(0)
    assert [score(metric, none, none) for metric in ("accuracy", "matthews", "pearson")] == [0.0] * 3


def test_labels_are_scored_and_reported_by_name() -> None:
    predicted, gold = random_rows(3)
    names = tuple("abcdefg")
    task = Task("made-up", "multi_label", names, "macro_f1", names, names)
    marks = official(task, predicted, gold)
    assert marks["score"] == pytest.approx(score("macro_f1", predicted, gold), abs=1e-12)
    assert list(marks["f1"]) == list("bcdefg"), "no row annotates the first"


def test_a_task_reports_the_metrics_that_it_names() -> None:
    task = Task("cola", "classification", ("no", "yes"), "matthews", ("", ""), ("", ""), also=("accuracy",))
    predicted, gold = answers("matthews", 0)
    wanted = {name: score(name, predicted, gold) for name in ("matthews", "accuracy")}
    assert official(task, predicted, gold) == {"score": wanted["matthews"], **wanted}


def test_what_is_reported_beside_the_score_decides_nothing() -> None:
    task = Task("t", "classification", ("no", "yes"), "matthews", ("", ""), ("", ""))
    assert replace(task, also=("f1",)).recipe(True) == task.recipe(True)


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownName, match=r"no metric named 'acuracy'.*'accuracy'"):
        score("acuracy", np.zeros(1), np.zeros(1))


# -- the loss --------------------------------------------------------------------------------------------------------


def loss_and_gradient(logits: Tensor, labels: Sequence[Sequence[int]]) -> tuple[float, Tensor]:
    z = logits.clone().requires_grad_()
    loss = masked_bce(z, torch.tensor(labels))
    loss.backward()
    assert z.grad is not None
    return float(loss.detach()), z.grad


def test_the_loss_is_the_mean_over_annotated_entries() -> None:
    logits = torch.tensor([[0.0, 2.0], [-1.0, 5.0]])
    loss, gradient = loss_and_gradient(logits, [[1, 0], [1, MASKED]])
    # log 2, log(1 + e^2) and log(1 + e), over three entries
    assert loss == pytest.approx((0.693147 + 2.126928 + 1.313262) / 3, abs=1e-6)
    assert gradient[1, 1] == 0
    assert gradient[0, 0] == pytest.approx(-0.5 / 3)


def test_a_masked_logit_changes_neither_loss_nor_gradient() -> None:
    labels = [[1, MASKED, 0], [MASKED, 0, 1]]
    logits = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.2, -0.4]])
    loss, gradient = loss_and_gradient(logits, labels)
    moved = logits.clone()
    moved[0, 1], moved[1, 0] = 50.0, -50.0
    assert loss_and_gradient(moved, labels)[0] == loss
    assert torch.equal(loss_and_gradient(moved, labels)[1], gradient)
    assert gradient[0, 1] == gradient[1, 0] == 0 and (gradient[torch.tensor(labels) != MASKED] != 0).all()


def test_a_batch_without_annotations_has_no_loss_and_no_gradient() -> None:
    loss, gradient = loss_and_gradient(torch.randn(2, 3), [[MASKED] * 3] * 2)
    assert loss == 0 and torch.equal(gradient, torch.zeros(2, 3))
