"""Which rows are trained on, chosen on and examined on: the only place where a protocol meets a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.cells.cell import Cell, PopulationKey, Source
from harness.data.corpus import MASKED, Corpus, Split, concatenate
from harness.data.partition import partitions
from harness.data.task import Task
from harness.errors import BadData
from harness.families.prompts import fewer_negatives, one_question_each
from harness.protocol.own import Exam
from harness.protocol.protocol import Protocol
from harness.records.record import LARGEST, canonical
from harness.suites.setting import PART, corpus_of, variant_of


class Repeats(NamedTuple):
    """Rows whose text, with other capitals or blanks or accents written apart perhaps, a member was trained on."""

    rows: npt.NDArray[np.bool_]  # (rows,) of what is asked
    left_out: int


class RowBook:
    """The splits of every member and every exam under one protocol; each is made once."""

    def __init__(self, corpora: Mapping[str, Corpus], protocol: Protocol) -> None:
        self.corpora, self._protocol = corpora, protocol
        self._splits: dict[tuple[object, ...], Split] = {}
        self._masks: dict[tuple[object, ...], npt.NDArray[np.bool_]] = {}

    def task(self, corpus: str) -> Task:
        """What models of this corpus, or of a partition of it, answer."""
        return self.corpora[corpus_of(corpus)].task

    def train(self, member: str, draw: int) -> Split:
        """What a member is fine-tuned on: rows of a corpus, or one of the two partitions that `draw` makes of it."""
        corpus, part = corpus_of(member), member.partition(PART)[2]
        if not part:
            return self._once("train", corpus, make=lambda: self.corpora[corpus].train.first(self._protocol.train_rows))
        p = self._protocol

        def halves() -> tuple[Split, Split]:
            whole = self.corpora[corpus]
            return partitions(whole.train, whole.task, draw, p.partition_rows, p.partition_skew, p.partition_sizes)

        return self._once("partition", member, draw, make=lambda: halves()[int(part) - 1])

    def variant(self, source: Source) -> Mapping[str, Any]:
        """The knobs of training in which a member of a soup differs from what the protocol says."""
        member = source.members[0]
        known = self.corpora[corpus_of(member)].variants if len(source.members) == 1 else {}
        return known.get(variant_of(member), {})

    def training(self, members: Sequence[str], source: Source, generative: bool) -> Split:
        """The rows of these members of one task as the Trainer takes them."""
        splits = [self.train(m, source.draw) for m in members]
        if generative:
            task = self.task(members[0])
            if self._protocol.negatives == "sqrt":
                splits = [fewer_negatives(split, task, source.seed) for split in splits]
            if self._protocol.examples == "one_question":
                splits = [one_question_each(split, task) for split in splits]
        return splits[0] if len(splits) == 1 else concatenate(splits)

    def dev(self, corpus: str, draw: int) -> Split:
        """What checkpoints and candidates are chosen on."""
        p, whole = self._protocol, self.corpora[corpus]
        if p.own.dev == "partitions":
            halves = [f"{corpus}{PART}{k}" for k in (1, 2)]
            return self._once("dev", corpus, draw, make=lambda: concatenate([self.train(m, draw) for m in halves]))
        return self._once(
            "dev", corpus, make=lambda: _annotated(whole.dev.first(p.dev_rows), whole.task, corpus, "development")
        )

    def exam(self, cell: Cell, corpus: str) -> Split:
        """What the merged model is asked, with labels that the setting does not ask masked."""
        task, plan = self.corpora[corpus].task, self._plan(cell)

        def asked() -> Split:
            whole = self._examined(cell, corpus)
            left = ~self._met(whole, cell.key) if self._cuts(corpus) else np.ones(len(whole), dtype=bool)
            if len(whole) and not left.any():
                raise BadData(
                    f"{corpus}: every row of the exam stands in training or development rows of a member, so none is "
                    "left; keep them with --set repeats=kept"
                )
            split = self.corpora[corpus].sample(whole, np.flatnonzero(left), self._protocol.test_rows)
            split = split if plan.outputs is None else masked_but(split, task, plan.outputs)
            _require_readable(split, corpus, task.tokens)
            return _annotated(split, task, corpus, "test")

        trained = (cell.key.members, cell.key.seed) if self._cuts(corpus) else ()
        return self._once("exam", corpus, plan, trained, make=asked)

    def seen(self, cell: Cell, corpus: str) -> Repeats:
        """Which rows of an exam have the text of a member's training row; and how many were left out, for that or for
        being a development row of any member: what chose must not judge."""
        split, whole = self.exam(cell, corpus), self._examined(cell, corpus)
        out = int(self._met(whole, cell.key).sum()) if self._cuts(corpus) else 0
        return Repeats(self._repeated(split, cell.key), out)

    def seen_dev(self, key: PopulationKey, corpus: str) -> Repeats:
        """The same of development rows, of which none is ever left out: they choose, and judge nothing."""
        return Repeats(self._repeated(self.dev(corpus, key.seed), key), 0)

    def _plan(self, cell: Cell) -> Exam:
        """Of which rows an exam is made: test rows, but of a corpus that no member has seen what the suite says."""
        return Exam() if not cell.setting.unseen else self._protocol.own.unseen(cell.key.heads)

    def _examined(self, cell: Cell, corpus: str) -> Split:
        """All rows that an exam may be made of."""
        corpora, rows = self.corpora[corpus], self._plan(cell).rows
        return self._once("examined", corpus, rows, make=lambda: corpora.test if rows == "test" else corpora.everything)

    def _cuts(self, corpus: str) -> bool:
        """Whether rows that members were trained or chosen on are left out of an exam on this corpus."""
        repeats = self._protocol.repeats
        return repeats == "cut" or (repeats == "as_published" and not self.corpora[corpus].published)

    def _met(self, split: Split, key: PopulationKey) -> npt.NDArray[np.bool_]:
        """(rows,): whether a row's text stands in the training rows of a member, or in development rows that chose the
        member or the merge."""
        corpora = dict.fromkeys((*key.corpora, *key.developed))
        chosen = [self.dev(corpus, key.seed).readings for corpus in corpora]
        return self._repeated(split, key) | np.isin(split.readings, np.concatenate(chosen))

    def _repeated(self, split: Split, key: PopulationKey) -> npt.NDArray[np.bool_]:
        """(rows,): whether a row's text stands in the training rows of a member."""
        name = (split.fingerprint, key.members, key.seed)
        if name not in self._masks:
            trained = [self.train(m, key.seed).readings for m in key.members]
            self._masks[name] = np.isin(split.readings, np.concatenate(trained))
        return self._masks[name]

    def _once(self, *name: object, make: Callable[[], Split]) -> Split:
        if name not in self._splits:
            self._splits[name] = make()
        return self._splits[name]


def _annotated(split: Split, task: Task, corpus: str, what: str) -> Split:
    """The split. Errors: `BadData` if no row of it annotates a label: an F1 over nothing is no 0 but a gap."""
    if task.kind == "multi_label" and len(split) and not (split.labels != MASKED).any():
        raise BadData(
            f"{corpus}: none of its {len(split)} {what} rows annotates a label that is asked, so {task.metric} has "
            "nothing to say; take more rows, or leave this corpus out of the data"
        )
    return split


def _require_readable(split: Split, corpus: str, tokens: int) -> None:
    """Refuse an exam whose gold labels, or answers of so many tokens, nobody would read back: known now, and not when
    the answers are there."""
    written = len(split) * (tokens + 40) + sum(len(answer) for answer, _ in split.references or ()) if tokens else 0
    if written > LARGEST:  # a sign for each token, which is few
        raise BadData(
            f"{corpus}: {len(split):,} test rows with answers of up to {tokens:,} tokens are more than the "
            f"{LARGEST / 1e6:.0f} MB that records hold of texts; test on fewer, --set test_rows="
            f"{len(split) * LARGEST // written // 100 * 100 or 1}"
        )
    if 2 * split.labels.size < LARGEST // 10:  # most are; none has so few signs
        return
    size = len(canonical(split.labels.tolist()))
    if size > LARGEST:
        fits = len(split) * LARGEST // size // 1000 * 1000
        raise BadData(
            f"{corpus}: the gold labels of {len(split):,} test rows are {size / 1e6:.0f} MB, and records hold up to "
            f"{LARGEST / 1e6:.0f}; test on fewer, --set test_rows={fits}"
        )


def masked_but(split: Split, task: Task, keep: tuple[str, ...]) -> Split:
    """The same rows of a multi-label task with every label but these masked."""
    labels = np.array(split.labels, dtype=np.int64)
    labels[:, [i for i, label in enumerate(task.outputs) if label not in keep]] = MASKED
    return split.asked(labels)
