"""Rows drawn into train, dev and test: by seed and name alone, every class its share, no text in two of them."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from harness.data.corpus import Split
from harness.data.task import Task
from harness.suites.own.described import Shares

Integers = npt.NDArray[np.int64]


def drawn(rows: Split, task: Task, name: str, shares: Shares) -> dict[str, Integers]:
    """The rows of each split, in random order, so that prefixes are random and nested.

    Rows with one text, but for capitals, blanks and how accents are written, go together. Every class is spread over
    the splits by its share, and has a row in train if it has any; of several labels the rarest counts as the class.
    """
    rng = _rng(name, shares.seed)
    groups = np.unique(rows.text_hashes, return_inverse=True)[1]
    order = rng.permutation(len(rows))
    firsts, size = order[np.unique(groups[order], return_index=True)[1]], np.bincount(groups)
    spread = _spread(_classes(rows, task)[firsts], rng)  # (groups,)
    ranked = np.lexsort((rng.random(len(spread)), spread))
    ends = np.empty(len(spread))
    ends[ranked] = size[ranked].cumsum()  # rows up to and with this group
    train, dev, test = _sizes(len(rows), shares)
    first = ends - size
    place = np.where(first < train, 0, np.where(first < train + dev, 1, np.where(first < train + dev + test, 2, 3)))
    return {split: order[place[groups[order]] == k] for k, split in enumerate(("train", "dev", "test"))}


def held_out(
    train: Split, task: Task, name: str, shares: Shares, apart: npt.NDArray[np.bool_]
) -> tuple[Integers, Integers]:
    """Train rows and development rows of given train rows; none of those in `apart`, (rows,), is held out."""
    free = np.flatnonzero(~apart)
    share = shares.dev * len(train) if isinstance(shares.dev, float) else shares.dev
    wanted = Shares(len(free) - min(len(free), round(share)), min(len(free), round(share)), seed=shares.seed)
    found = drawn(train.take(free), task, name, wanted)
    dev = free[found["dev"]]
    kept = np.setdiff1d(np.arange(len(train)), dev)
    return _rng(f"{name} train", shares.seed).permutation(kept), dev


def shuffled(rows: Split, shares: Shares) -> Integers:
    """The rows of a split that is given, in an order that their texts and the seed alone say: the first so many of a
    sorted file are others than the rest. Corpora that share an exam, in whatever order, are asked the same of it."""
    salt = np.uint64(_rng("order", shares.seed).integers(2**63))
    return np.argsort(rows.text_hashes ^ salt, kind="stable")


def _sizes(rows: int, shares: Shares) -> tuple[int, int, int]:
    """Rows of train, dev and test; a share is one of all rows, at cumulative floors."""
    edges, total = [], 0.0
    for size in (shares.train, shares.dev, shares.test):
        total = rows if size is None else total + (size * rows if isinstance(size, float) else size)
        edges.append(min(rows, int(total + 1e-6)))
    return edges[0], edges[1] - edges[0], edges[2] - edges[1]


def _classes(rows: Split, task: Task) -> Integers:
    """(rows,): what is to be spread evenly."""
    if task.kind == "classification":
        return rows.labels[:, 0].astype(np.int64)
    if task.kind == "regression" or not len(rows):
        return np.zeros(len(rows), dtype=np.int64)
    there = rows.labels == 1
    rank = np.where(there, there.sum(axis=0), len(rows) + 1)
    return np.where(there.any(axis=1), rank.argmin(axis=1), -1).astype(np.int64)


def _spread(classes: Integers, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(groups,) from 0 to 1: even within each class, and the first of a class is 0."""
    found = np.zeros(len(classes))
    for label in np.unique(classes):
        own = np.flatnonzero(classes == label)
        places = (rng.permutation(len(own)) + 0.5) / len(own)
        places[places.argmin()] = 0
        found[own] = places
    return found


def _rng(name: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"own:{seed}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))
