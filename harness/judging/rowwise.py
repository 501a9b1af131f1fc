"""Metrics as sums over rows: numbers per row, and what makes the score of their sums; for who scores and who reads.

Any choice of rows, each as often as one likes, then has its score from one matrix product; and so has any mixture of
two methods' answers. Undefined numbers count as scikit-learn and scipy count them, with 0 for a division by nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.task import MOST_CLASSES
from harness.data.task import OF_KIND as OF_KIND  # for who has the formulas and needs their names

Array = NDArray[np.floating[Any]]
UNANNOTATED = -100


class Rowwise(NamedTuple):
    """A set of answers. `score(counts @ own, counts @ shared)` is the score of the rows taken `counts` times.

    Columns are float32 where all are small whole numbers, whose sums are exact below 16 million.
    """

    own: Array  # (rows, k), what was answered
    shared: Array  # (rows, m), what the gold labels alone say: the same for all answers to them
    score: Callable[[Array, Array], Array]  # (..., k) and (..., m) sums -> (...) scores; NaN where there is none
    chance: float = 0.0  # what the best answer that reads no text would score
    constant: bool = False  # a correlation that is undefined, since all answers are the same: it counts 0
    centre: float | None = None  # what was subtracted from answers that are numbers


# -- labels: gold and said are (rows, outputs) of 0 and 1, gold -100 where an output is not annotated -----------------


def _labels(gold: NDArray[Any], said: NDArray[Any]) -> tuple[Array, Array]:
    """The columns own (hits, errors) and shared (annotated, positive), each of all outputs."""
    there = gold != UNANNOTATED
    own = np.concatenate([there & (gold == 1) & (said == 1), there & (gold != said)], axis=1)
    return own.astype(np.float32), np.concatenate([there, gold == 1], axis=1).astype(np.float32)


def label_f1(own: Array, shared: Array) -> Array:
    """(..., outputs): F1 = 2 TP / (2 TP + FP + FN) of each output from the sums; NaN where no row annotates it."""
    outputs = own.shape[-1] // 2
    twice = 2 * own[..., :outputs]
    both = twice + own[..., outputs:]
    each: Array = np.where(shared[..., :outputs] > 0, twice / np.maximum(both, 1), np.nan)
    return each


def _mean_label_f1(own: Array, shared: Array) -> Array:
    each = label_f1(own, shared)
    asked = ~np.isnan(each)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(asked, each, 0).sum(axis=-1) / asked.sum(axis=-1)
    return mean


def _weighted_label_f1(own: Array, shared: Array) -> Array:
    positive = shared[..., shared.shape[-1] // 2 :]
    return _shares(np.nan_to_num(label_f1(own, shared)) * positive, positive, (shared > 0).any(axis=-1))


def _pooled_label_f1(own: Array, shared: Array) -> Array:
    outputs = own.shape[-1] // 2
    twice = 2 * own[..., :outputs]
    return _shares(twice, twice + own[..., outputs:], (shared > 0).any(axis=-1))


def _shares(some: Array, all_: Array, asked: Any) -> Array:
    """The share of sums over the last axis, 0 of nothing; NaN where nothing was asked."""
    part, whole_ = some.sum(axis=-1), all_.sum(axis=-1)
    found: Array = np.where(asked, part / np.where(whole_ > 0, whole_, 1), np.nan)
    return found


def _always_yes(shared: Array) -> tuple[Array, Array, Array]:
    """Of the outputs that are asked: annotated rows, positive ones, and the F1 of always saying yes."""
    asked, positive = np.split(shared.sum(axis=0, dtype=np.float64), 2)
    asked, positive = asked[asked > 0], positive[asked > 0]
    return asked, positive, 2 * positive / (positive + asked)


# -- classes: gold and said are (rows,) -------------------------------------------------------------------------------


def _one_hot(gold: NDArray[Any], said: NDArray[Any], classes: int) -> tuple[Array, Array, Array]:
    """(rows, classes): rows that were met, that are said, that are gold."""
    known = np.unique(np.concatenate([np.arange(min(classes, MOST_CLASSES)), gold, said]))
    if len(known) > MOST_CLASSES:
        raise ValueError(f"{len(known)} classes; wanted up to {MOST_CLASSES}")
    spoken, wanted = ((side[:, None] == known).astype(np.float32) for side in (said, gold))
    return spoken * wanted, spoken, wanted


def _class_f1(own: Array, shared: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(..., classes): the F1 of each class from the sums, and whether it is there at all, as gold or as an answer."""
    classes = shared.shape[-1]
    both = own[..., classes:] + shared
    return 2 * own[..., :classes] / np.maximum(both, 1), both > 0


def _mean_class_f1(own: Array, shared: Array) -> Array:
    each, there = _class_f1(own, shared)
    return _shares(each, there.astype(each.dtype), there.any(axis=-1))


def _weighted_class_f1(own: Array, shared: Array) -> Array:
    return _shares(_class_f1(own, shared)[0] * shared, shared, (shared > 0).any(axis=-1))


def _mean_recall(own: Array, shared: Array) -> Array:
    there = shared > 0
    each = own[..., : shared.shape[-1]] / np.maximum(shared, 1)
    return _shares(np.where(there, each, 0), there.astype(each.dtype), there.any(axis=-1))


def _second_f1(own: Array, shared: Array) -> Array:
    each, _ = _class_f1(own, shared)
    found: Array = each[..., 1] if each.shape[-1] > 1 else np.zeros(each.shape[:-1])
    return found


# -- the metrics ------------------------------------------------------------------------------------------------------


def macro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels that are annotated, or of all classes that are there; an undefined one counts 0."""
    if gold.ndim == 1:
        met, spoken, wanted = _one_hot(gold, said, classes)
        present, most = _present(wanted)
        best = 2 * most / (1 + most) / max(1, present)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, _mean_class_f1, best)
    own, shared = _labels(gold, said)
    always = _always_yes(shared)[2]
    return Rowwise(own, shared, _mean_label_f1, float(always.mean()) if len(always) else 0.0)


def weighted_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean F1 of all labels or classes, each weighted by its rows."""
    if gold.ndim == 1:
        met, spoken, wanted = _one_hot(gold, said, classes)
        _, most = _present(wanted)
        return Rowwise(np.concatenate([met, spoken], axis=1), wanted, _weighted_class_f1, 2 * most * most / (1 + most))
    own, shared = _labels(gold, said)
    _, positive, always = _always_yes(shared)
    return Rowwise(own, shared, _weighted_label_f1, float(positive @ always / max(1.0, positive.sum())))


def micro_f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The F1 of all labels pooled; of classes it is the accuracy."""
    if gold.ndim == 1:
        return accuracy(gold, said)
    own, shared = _labels(gold, said)
    asked, positive, _ = _always_yes(shared)
    order = np.argsort(-positive / asked)  # the best answer says yes to the most frequent ones
    best = 2 * positive[order].cumsum() / np.maximum(1, asked[order].cumsum() + positive.sum())
    return Rowwise(own, shared, _pooled_label_f1, float(best.max(initial=0.0)))


def accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The share of the rows that were met: their class, or each of their annotated labels."""
    if gold.ndim == 1:
        hit = gold == said
        most = np.unique(gold, return_counts=True)[1].max(initial=0) / max(1, len(gold))
        asked = np.ones_like(hit)
    else:
        there = gold != UNANNOTATED
        hit, asked = (~there | (gold == said)).all(axis=1) & there.any(axis=1), there.any(axis=1)
        most = np.unique(gold[asked], axis=0, return_counts=True)[1].max(initial=0) / max(1, int(asked.sum()))
    own, shared = (column.astype(np.float32)[:, None] for column in (hit, asked))
    return Rowwise(own, shared, _first_share, float(most))


def _first_share(own: Array, shared: Array) -> Array:
    with np.errstate(invalid="ignore"):
        found: Array = own[..., 0] / shared[..., 0]
    return found


def balanced_accuracy(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """The mean share of the rows of a class that were met, over all classes that have rows."""
    met, _, wanted = _one_hot(gold, said, classes)
    return Rowwise(met, wanted, _mean_recall, 1 / max(1, _present(wanted)[0]))


def f1(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """The F1 of the second of two classes."""
    met, spoken, wanted = _one_hot(gold, said, max(2, classes))
    share = float((gold == 1).mean()) if len(gold) else 0.0
    return Rowwise(np.concatenate([met, spoken], axis=1), wanted, _second_f1, 2 * share / (1 + share))


def matthews(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """Matthews' correlation of any number of classes (Gorodkin 2004); 0 where a side is constant. Both (rows,)."""
    _, spoken, wanted = _one_hot(gold, said, classes)
    own = np.concatenate([(gold == said).astype(np.float32)[:, None], spoken], axis=1)
    flat = any(len(np.unique(side)) < 2 or not np.isfinite(side).all() for side in (gold, said))
    return Rowwise(own, wanted, _matthews_of_sums, constant=flat)


def _matthews_of_sums(own: Array, shared: Array) -> Array:
    hits, said, gold = own[..., 0].astype(np.float64), own[..., 1:].astype(np.float64), shared.astype(np.float64)
    n = gold.sum(axis=-1)
    spread = (n * n - (said * said).sum(axis=-1)) * (n * n - (gold * gold).sum(axis=-1))
    along = np.sqrt(np.where(spread > 0, spread, 1.0))
    return np.where(spread > 0, (hits * n - (said * gold).sum(axis=-1)) / along, 0.0)


def _present(wanted: Array) -> tuple[int, float]:
    """How many classes have rows, and the share of the largest."""
    rows = wanted.sum(axis=0, dtype=np.float64)
    return int((rows > 0).sum()), float(rows.max(initial=0.0) / max(1.0, rows.sum()))


# -- scores: gold and said are (rows,) --------------------------------------------------------------------------------


def pearson(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """Pearson's correlation; 0 where a side is constant or not finite. gold, said: (rows,)."""
    sound = bool(np.isfinite(gold).all() and np.isfinite(said).all())
    x, y = (v.astype(np.float64) if sound else np.zeros(len(gold)) for v in (gold, said))
    centre = float(y.mean()) if len(y) else 0.0
    x, y = x - x.mean() if len(x) else x, y - centre  # near 0, or the squares lose their digits
    own, shared = np.stack([y, y * y, x * y], axis=1), np.stack([np.ones_like(x), x, x * x], axis=1)
    flat = not sound or not len(gold) or min(np.ptp(gold), np.ptp(said)) == 0
    return Rowwise(own, shared, _correlation_of_sums, constant=bool(flat), centre=centre)


def spearman(gold: NDArray[Any], said: NDArray[Any], classes: int = 0) -> Rowwise:
    """Pearson's correlation of ranks, equal numbers sharing theirs. A choice or mixture of rows keeps the ranks that
    they have among all rows."""
    sound = bool(np.isfinite(gold).all() and np.isfinite(said).all())
    return pearson(_ranks(gold), _ranks(said)) if sound else pearson(gold, said)


def _ranks(values: NDArray[Any]) -> Array:
    """(rows,): from 0 to 1, equal values sharing the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Array = ((counts.cumsum() - (counts - 1) / 2) / max(1, len(values)))[place]
    return found


def _correlation_of_sums(own: Array, shared: Array) -> Array:
    (y, yy, xy), (n, x, xx) = np.moveaxis(own, -1, 0), np.moveaxis(shared, -1, 0)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    alive = (spread_x > 1e-9 * (1e-9 + xx)) & (spread_y > 1e-9 * (1e-9 + yy))
    along = np.sqrt(np.where(alive, spread_x * spread_y, 1.0))
    return np.where(alive, np.clip((xy - x * y / n) / along, -1, 1), 0.0)


# -- all --------------------------------------------------------------------------------------------------------------


def level(answers: Sequence[Rowwise]) -> list[Array]:
    """The own columns of answers to the same rows, numbers less one for all, so that mixtures are answers too."""
    centres = [a.centre for a in answers if a.centre is not None]
    middle = float(np.median(centres)) if centres else 0.0
    return [a.own if a.centre is None else _less(a, middle - a.centre) for a in answers]


def _less(answers: Rowwise, number: float) -> Array:
    y, x = answers.own[:, 0] - number, answers.shared[:, 1]
    return np.stack([y, y * y, x * y], axis=1)


def whole(answers: Rowwise) -> float:
    """The score of all rows, each once; NaN where no row is annotated."""
    own, shared = (part.sum(axis=0, dtype=np.float64) for part in (answers.own, answers.shared))
    return float(answers.score(own, shared))


METRICS: Mapping[str, Callable[..., Rowwise]] = {  # (gold, said[, how many classes there are]) -> Rowwise
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "weighted_f1": weighted_f1,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
