"""What a labelled corpus is: texts, label rows, and three splits that never mix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from unicodedata import category, normalize

import numpy as np
import numpy.typing as npt

from harness.data.task import Task
from harness.errors import BadData

MASKED = -100  # a label that the corpus does not annotate: no loss, no score

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]
"""(rows, task.width): 1, 0 or MASKED for every label; or one class number; or one score."""


class Reference(NamedTuple):
    """What a row's answer is held against, where models write their answers."""

    answer: str
    language: str = ""  # that the answer must be in, where a grader asks that


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one corpus: texts, or pairs of texts, and their labels, (rows, task.width).

    Where models write answers, the label of a row is the mark of a right one, 1.0, and its reference is the answer.
    """

    texts: tuple[str, ...]
    labels: Labels
    seconds: tuple[str, ...] | None = None  # the second text of every row, if rows are pairs
    references: tuple[Reference, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Split:
        """The rows at these indices, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        seconds = None if self.seconds is None else tuple(self.seconds[int(i)] for i in chosen)
        references = None if self.references is None else tuple(self.references[int(i)] for i in chosen)
        return Split(tuple(self.texts[int(i)] for i in chosen), self.labels[chosen], seconds, references)

    def first(self, rows: int | None) -> Split:
        """The first `rows` rows (all, if None): prefixes of one fixed shuffle, so smaller subsets are nested."""
        return self if rows is None or rows >= len(self) else self.take(range(rows))

    def part(self, begin: int, end: int) -> Split:
        """The rows from one place of that shuffle up to another."""
        return self.take(range(begin, end)) if begin else self.first(end)

    def asked(self, labels: Labels) -> Split:
        """The same texts with other labels."""
        return replace(self, labels=labels)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the content: the same rows in the same order, and nothing else, give the same."""
        rows = "texts" if self.seconds is None else "pairs"
        digest = hashlib.sha256(f"{rows} {self.labels.dtype.str} {self.labels.shape}:".encode() + self.labels.tobytes())
        written = (word for reference in self.references or () for word in reference)
        for text in (*self.texts, *(self.seconds or ()), *written):
            digest.update(_told_apart(text))
        return digest.hexdigest()[:16]

    @cached_property
    def text_hashes(self) -> npt.NDArray[np.uint64]:
        """(rows,): equal for rows whose texts, of pairs both, differ at most in capitals, blanks and whether accents
        are signs of their own."""
        return _hashed(self._parts, _lowered)

    @cached_property
    def readings(self) -> npt.NDArray[np.uint64]:
        """(rows,): equal also for rows that a tokenizer may read as one: forms of letters that Unicode calls
        compatible, and signs that are not seen, do not tell them apart. What was trained on is told by these."""
        return _hashed(self._parts, _read)

    @property
    def _parts(self) -> tuple[Sequence[str], ...]:
        return (self.texts,) if self.seconds is None else (self.texts, self.seconds)


def _hashed(parts: Sequence[Sequence[str]], told: Callable[[str], str]) -> npt.NDArray[np.uint64]:
    raw = (b"".join(_told_apart(" ".join(told(text).split())) for text in row) for row in zip(*parts, strict=True))
    found = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in raw)
    return np.frombuffer(found, dtype=np.uint64)


def _lowered(text: str) -> str:
    return text.lower() if text.isascii() else normalize("NFC", text.lower())


def _read(text: str) -> str:
    """Without signs that are not seen (a byte order mark, zero-width and soft hyphens), wide letters as usual ones."""
    if text.isascii() and text.isprintable():
        return text.lower()
    plain = normalize("NFKC", normalize("NFKC", text).casefold())
    return "".join(sign for sign in plain if category(sign) not in ("Cf", "Cc") or sign.isspace())


def _told_apart(text: str) -> bytes:
    """A text with its length in front: no text runs into the next one."""
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw).to_bytes(8, "little") + raw


def concatenate(splits: Sequence[Split]) -> Split:
    """All rows of several splits of one task, one after the other."""
    pairs = all(s.seconds is not None for s in splits)
    seconds = tuple(t for s in splits for t in s.seconds or ()) if pairs else None
    written = all(s.references is not None for s in splits)
    references = tuple(r for s in splits for r in s.references or ()) if written else None
    texts = tuple(t for s in splits for t in s.texts)
    return Split(texts, np.concatenate([s.labels for s in splits]), seconds, references)


@dataclass(frozen=True, eq=False)
class Corpus:
    """One data domain of one task with its three splits."""

    name: str
    task: Task
    train: Split
    dev: Split
    test: Split
    annotated: tuple[bool, ...]  # (outputs,): which labels this corpus has an opinion on
    published: bool = False  # whether the paper has numbers for these rows, so that by default none is left out
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # "2b" -> knobs of training, of soups
    test_order: npt.NDArray[np.int64] | None = None  # test rows at random, where they stand as in somebody's file
    source: str = ""  # org/name@commit of the hub's data set that its rows come from; empty for files
    asker: Any = None  # who asks and marks its rows in the families' place; harness/judging/reply.py, `Asker`

    @property
    def everything(self) -> Split:
        """All rows: what an out-of-domain corpus is examined on."""
        return concatenate([self.train, self.dev, self.test])

    def sample(self, examined: Split, left: npt.NDArray[np.int64], rows: int | None) -> Split:
        """As many rows of an exam as are asked, of those that are left: the first ones; of a file in somebody's order
        some at random, which keep it. Smaller samples lie within larger ones."""
        if rows is None or rows >= len(left):
            return examined.take(left)
        if self.test_order is None or examined is not self.test:
            return examined.take(left[:rows])
        return examined.take(np.sort(self.test_order[np.isin(self.test_order, left)][:rows]))


def cut(rows: Split, name: str, task: Task, annotated: tuple[bool, ...], seed: int, published: bool = False) -> Corpus:
    """Shuffle and cut 70/10/20 at cumulative floors, which reproduces the published split sizes (paper, Table 7).

    The shuffle depends on the corpus' name and the seed alone. Bounds are computed in integers: 0.7 * n in floating
    point misses the published size of one corpus by a row.
    """
    n = len(rows)
    digest = hashlib.sha256(f"split:{seed}:{name}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest[:8], "little")).permutation(n)
    a, b = 7 * n // 10, 8 * n // 10
    return Corpus(name, task, rows.take(order[:a]), rows.take(order[a:b]), rows.take(order[b:]), annotated, published)


def _has_words(text: str) -> bool:
    """Whether there is anything to read: a NUL or a line's end is nothing."""
    return any(sign.isprintable() and not sign.isspace() for sign in text)


def require_learnable(name: str, rows: Split) -> None:
    """Refuse a corpus without a text, or in which no label, or no answer, changes: nothing can be learned, and scores
    mean nothing."""
    if not any(map(_has_words, (*rows.texts, *(rows.seconds or ())))):
        raise BadData(f"{name}: all {len(rows)} texts are empty; nothing can be learned from it")
    if rows.references is not None:
        if len(set(rows.references)) > 1 or len(rows) == 1:
            return
        raise BadData(f"{name}: all {len(rows)} rows want the same answer; nothing can be learned from it")
    for output in range(rows.labels.shape[1]):
        column = rows.labels[:, output]
        seen = column[column != MASKED]
        if len(seen) and seen.min() != seen.max():
            return
    raise BadData(f"{name}: all {len(rows)} rows have the same labels (one class only); nothing can be learned from it")
