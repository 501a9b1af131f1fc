"""Two partitions of one task's train rows with opposite shares of labels, as non-i.i.d. settings ask for.

One label is the main label of the first partition, which gets most of its rows and few of all others; the second gets
few of its rows and most of all others. Scores are put into two bins of equal width, which play the role of labels.

Origin: Jin et al., ICLR 2023, arXiv:2212.09849; choice D19.
"""

from __future__ import annotations

import hashlib
import math
import random
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadData

Integers = npt.NDArray[np.int64]
BINS = 2


def partitions(
    train: Split,
    task: Task,
    seed: int,
    total: int = 2000,
    skew: float = 0.8,
    sizes: Literal["exact", "as_released"] = "exact",
) -> tuple[Split, Split]:
    """Two disjoint partitions of `train`, whose main label is the same, by `seed`, whatever the sizes.

    Args:
        train: rows of the task, labels (rows, 1).
        seed: all that is random depends on it alone.
        total: rows of both partitions together.
        skew: share of the main label's rows that the first partition gets, and of all others that the second gets.
        sizes: `exact`: both have `total // 2` rows, in random order, and shares of labels in proportion to
            skew * n_main and (1 - skew) * n_other (the second: the other way round), n counted in `train`.
            `as_released`: the released code's rows. `total` rows are drawn, of which the first partition gets
            floor(skew * n_main) and floor((1 - skew) * n_other), in random order, and the second all that remain,
            label by label; so their sizes differ, and by how much depends on the labels.

    Errors: `BadData` if `train` has too few rows, too few of one label, or one label only.
    """
    if len(train) < total:
        raise BadData(f"{task.name}: two partitions need {total} rows together, and there are {len(train)}")
    released = sizes == "as_released"
    if released:
        train = train.take(np.random.default_rng(seed).choice(len(train), total, replace=False))
    labels = _bins(train.labels[:, 0]) if task.kind == "regression" else train.labels[:, 0].astype(np.int64)
    if len(labels) == 0 or labels.min() == labels.max():
        raise BadData(f"{task.name}: all {len(train)} rows have one label; partitions by label need two")
    chance = random.Random(seed)
    shuffled = np.unique(labels).tolist()
    chance.shuffle(shuffled)
    main = int(shuffled[0])
    parts = _as_released(labels, main, skew, chance) if released else _exact(labels, main, skew, total // 2, seed, task)
    return train.take(parts[0]), train.take(parts[1])


def _bins(scores: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Integers:
    low, high = scores.min(), scores.max()
    if low == high:
        return np.zeros(len(scores), dtype=np.int64)
    bins: Integers = np.floor((scores - low) / ((high - low) / BINS)).astype(np.int64)
    return np.minimum(bins, BINS - 1)  # the highest score is in the last bin


def _as_released(labels: Integers, main: int, skew: float, chance: random.Random) -> tuple[list[int], list[int]]:
    """Same calls of `random.Random` in the same order as the released code, hence the same rows from the same draw."""
    rows: dict[int, list[int]] = {}  # in the order in which labels are met, which is the second partition's order
    for at, label in enumerate(labels.tolist()):
        rows.setdefault(label, []).append(at)
    first: list[int] = []
    for label in (main, *(label for label in sorted(rows) if label != main)):
        share = skew if label == main else 1 - skew  # a float below 0.2 for 0.8: 1000 rows give 199
        first += chance.sample(rows[label], math.floor(share * len(rows[label])))
    chance.shuffle(first)
    taken = set(first)
    return first, [at for own in rows.values() for at in own if at not in taken]


def _exact(labels: Integers, main: int, skew: float, size: int, seed: int, task: Task) -> tuple[Integers, Integers]:
    found, counts = np.unique(labels, return_counts=True)
    share = np.where(found == main, skew, 1 - skew)
    wanted = _apportion(share * counts, size), _apportion((1 - share) * counts, size)
    digest = hashlib.sha256(f"partition:{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    parts: tuple[list[Integers], list[Integers]] = ([], [])
    for k, label in enumerate(found.tolist()):
        a, b = int(wanted[0][k]), int(wanted[1][k])
        if a + b > counts[k]:
            raise BadData(f"{task.name} needs {a + b} rows of {_called(task, label)} and has {counts[k]}")
        rows = rng.permutation(np.flatnonzero(labels == label))
        parts[0].append(rows[:a])
        parts[1].append(rows[a : a + b])
    return rng.permutation(np.concatenate(parts[0])), rng.permutation(np.concatenate(parts[1]))


def _apportion(weights: npt.NDArray[np.float64], seats: int) -> Integers:
    """Whole numbers in proportion to the weights that sum to `seats`: largest remainders, the first of equals."""
    quotas = seats * weights / weights.sum()
    whole: Integers = np.floor(quotas).astype(np.int64)
    order = np.argsort(whole - quotas, kind="stable")
    whole[order[: seats - int(whole.sum())]] += 1
    return whole


def _called(task: Task, label: int) -> str:
    return f"the {('lower', 'upper')[label]} half of scores" if task.kind == "regression" else task.outputs[label]
