"""A metric as sums over test rows: numbers per row, and what makes the score of their sums.

Any choice of rows, each as often as one likes, then has its score from one matrix product; and so has any mixture of
two methods' answers. Sources: the metrics' definitions (F1 = 2 TP / (2 TP + FP + FN)), written apart from the code that
scored: `check` computes scores by these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
UNANNOTATED = -100
MOST_CLASSES = 1000  # each is a column


class Rowwise(NamedTuple):
    """A set of answers. `score(counts @ own, counts @ shared)` is the score of the rows taken `counts` times.

    Columns are float32 where all are 0 or 1, whose sums are exact below 16 million rows.
    """

    own: Array  # (rows, k), what was answered
    shared: Array  # (rows, m), what the gold labels alone say: the same for all answers to them
    score: Callable[[Array, Array], Array]  # (..., k) and (..., m) sums -> (...) scores; NaN where there is none
    chance: float = 0.0  # what the best answer that reads no text would score
    constant: bool = False  # a correlation that is undefined, since all answers are the same: it counts 0
    centre: float | None = None  # what was subtracted from answers that are numbers


def macro_f1(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Mean of the F1 of each output that has an annotated row among those taken; an undefined F1 counts 0.

    gold, said: (rows, outputs) of 0 and 1; gold is -100 where an output is not annotated.
    """
    there = gold != UNANNOTATED
    hits, errors = there & (gold == 1) & (said == 1), there & (gold != said)
    own, shared = np.concatenate([hits, errors], axis=1).astype(np.float32), there.astype(np.float32)
    asked, positive = there.sum(axis=0), (gold == 1).sum(axis=0)
    always = 2 * positive[asked > 0] / (positive + asked)[asked > 0]  # the F1 of always saying yes
    return Rowwise(own, shared, _f1_of_sums, float(always.mean()) if len(always) else 0.0)


def _f1_of_sums(own: Array, shared: Array) -> Array:
    outputs = own.shape[-1] // 2
    twice = 2 * own[..., :outputs]
    both = twice + own[..., outputs:]
    each = np.divide(twice, np.maximum(both, 1, out=both), out=both)
    asked = (shared > 0).astype(each.dtype)
    with np.errstate(invalid="ignore"):
        weights = asked / asked.sum(axis=-1, keepdims=True)
    mean: Array = each @ weights if weights.ndim == 1 else np.einsum("...o,...o->...", each, weights)
    return mean


def accuracy(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Share of the rows whose class was met. gold, said: (rows,)."""
    hit = (gold == said).astype(np.float32)[:, None]
    most = np.unique(gold, return_counts=True)[1].max(initial=0) / max(1, len(gold))
    return Rowwise(hit, np.ones_like(hit), lambda own, shared: own[..., 0] / shared[..., 0], float(most))


def matthews(gold: NDArray[Any], said: NDArray[Any], classes: int = 2) -> Rowwise:
    """Matthews' correlation of any number of classes (Gorodkin 2004); 0 where a side is constant. Both (rows,)."""
    known = np.unique(np.concatenate([np.arange(min(classes, MOST_CLASSES)), gold, said]))
    if len(known) > MOST_CLASSES:
        raise ValueError(f"{len(known)} classes; wanted up to {MOST_CLASSES}")
    one_hot = [(side[:, None] == known).astype(np.float32) for side in (said, gold)]
    own = np.concatenate([(gold == said).astype(np.float32)[:, None], one_hot[0]], axis=1)
    flat = any(len(np.unique(side)) < 2 for side in (gold, said))
    return Rowwise(own, one_hot[1], _matthews_of_sums, constant=flat)


def _matthews_of_sums(own: Array, shared: Array) -> Array:
    hits, said, gold = own[..., 0].astype(np.float64), own[..., 1:].astype(np.float64), shared.astype(np.float64)
    n = gold.sum(axis=-1)
    spread = (n * n - (said * said).sum(axis=-1)) * (n * n - (gold * gold).sum(axis=-1))
    along = np.sqrt(np.where(spread > 0, spread, 1.0))
    return np.where(spread > 0, (hits * n - (said * gold).sum(axis=-1)) / along, 0.0)


def pearson(gold: NDArray[Any], said: NDArray[Any]) -> Rowwise:
    """Pearson's correlation; 0 where a side is constant or not finite. gold, said: (rows,)."""
    sound = bool(np.isfinite(gold).all() and np.isfinite(said).all())
    x, y = (v.astype(np.float64) if sound else np.zeros(len(gold)) for v in (gold, said))
    centre = float(y.mean()) if len(y) else 0.0
    x, y = x - x.mean() if len(x) else x, y - centre  # near 0, or the squares lose their digits
    own, shared = np.stack([y, y * y, x * y], axis=1), np.stack([np.ones_like(x), x, x * x], axis=1)
    flat = not sound or min(np.ptp(gold), np.ptp(said)) == 0
    return Rowwise(own, shared, _correlation_of_sums, constant=bool(flat), centre=centre)


def _correlation_of_sums(own: Array, shared: Array) -> Array:
    (y, yy, xy), (n, x, xx) = np.moveaxis(own, -1, 0), np.moveaxis(shared, -1, 0)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    alive = (spread_x > 1e-9 * (1e-9 + xx)) & (spread_y > 1e-9 * (1e-9 + yy))
    along = np.sqrt(np.where(alive, spread_x * spread_y, 1.0))
    return np.where(alive, (xy - x * y / n) / along, 0.0)


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


METRICS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Rowwise]] = {
    "macro_f1": macro_f1,
    "accuracy": accuracy,
    "matthews": matthews,
    "pearson": pearson,
}
