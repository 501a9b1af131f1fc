"""The metric and the loss: reference vectors, hand-worked cases, and masked labels that count nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor

from harness.data.corpus import MASKED, Split
from harness.data.emotion import BASIC
from harness.families.encoder import masked_bce
from harness.lab import masked_but
from harness.metrics import Bits, MaskedMacroF1, label_f1, macro_f1
from harness.scoring import predict
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


@pytest.mark.parametrize("run", [run for run in runs("metrics") if "glue" not in str(run.id)])
def test_macro_f1_is_the_reference(run: Run) -> None:
    sets = [set_of(run, name) for name in run.knobs["inputs"]]
    if run.id == "mean_of_sets":
        run.require({"macro_f1": torch.tensor(np.mean([macro_f1(*one) for one in sets]))})
        return
    predicted, gold = (np.concatenate(parts) for parts in zip(*sets, strict=True))
    found = marks(predicted, gold)
    per_label = torch.tensor([float("nan") if f1 is None else f1 for f1 in found["f1"]], dtype=torch.float64)
    run.require({"macro_f1": torch.tensor(found["macro_f1"], dtype=torch.float64), "f1": per_label})
    assert macro_f1(predicted, gold) == pytest.approx(found["macro_f1"], abs=1e-12)


def set_of(run: Run, name: str) -> tuple[Bits, Bits]:
    rows = run.case.inputs[name]
    labels = rows["labels"].numpy()
    if run.id.endswith("_basic6"):
        labels = masked_but(Split(("",) * len(labels), labels), BASIC).labels
    return predict(rows["logits"], run.knobs["threshold"]), labels


# -- the metric ------------------------------------------------------------------------------------------------------


def test_macro_f1_by_hand() -> None:
    gold = np.array([[1, 0, MASKED], [1, MASKED, MASKED], [0, 0, MASKED]])
    predicted = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1]])
    # Label 0: TP 1, FP 1, FN 1, so 2/4. Label 1: no positive in two rows, one of them predicted, so 0. Label 2: none.
    assert label_f1(predicted, gold) == [0.5, 0.0, None]
    assert marks(predicted, gold) == {"macro_f1": 0.25, "f1": [0.5, 0.0, None]}
    assert macro_f1(predicted, gold) == 0.25


def test_a_label_that_never_is_and_never_was_predicted_scores_zero() -> None:
    gold, predicted = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert macro_f1(predicted, gold) == marks(predicted, gold)["macro_f1"] == 0.5


def test_rows_without_any_annotation_score_zero_and_not_nan() -> None:
    gold = np.full((3, 2), MASKED)
    assert macro_f1(np.ones((3, 2), dtype=np.int64), gold) == 0.0
    assert marks(np.ones((3, 2), dtype=np.int64), gold) == {"macro_f1": 0.0, "f1": [None, None]}


@pytest.mark.parametrize("seed", range(5))
def test_both_ways_to_the_score_agree_with_scikit_learn(seed: int) -> None:
    from sklearn.metrics import f1_score

    predicted, gold = random_rows(seed)
    wanted = []
    for column in range(gold.shape[1]):
        there = gold[:, column] != MASKED
        if there.any():
            wanted.append(f1_score(gold[there, column], predicted[there, column], zero_division=0.0))
    assert macro_f1(predicted, gold) == pytest.approx(np.mean(wanted), abs=1e-12)
    assert marks(predicted, gold)["macro_f1"] == pytest.approx(np.mean(wanted), abs=1e-12)
    assert 0 < macro_f1(predicted, gold) < 1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_predicted_for_a_masked_label_never_counts(seed: int) -> None:
    predicted, gold = random_rows(seed)
    other = np.where(gold == MASKED, 1 - predicted, predicted)
    assert (other != predicted).any()
    assert macro_f1(other, gold) == macro_f1(predicted, gold)
    assert marks(other, gold) == marks(predicted, gold)
    there = np.where(gold == MASKED, predicted, 1 - predicted)
    assert macro_f1(there, gold) != macro_f1(predicted, gold)


def test_the_metric_leaves_numpys_global_generator_alone() -> None:
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr,index]
    marks(*random_rows(0))
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr,index]


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
