"""Which rows are trained on, chosen on and examined on: the only place where a protocol meets a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.cells import Cell, Source
from harness.data.corpus import MASKED, Corpus, Split, concatenate
from harness.data.emotion import BASIC, LABELS, TASK
from harness.data.partition import partitions
from harness.families.prompts import fewer_negatives, one_question_each
from harness.protocols import Protocol
from harness.settings import PART, corpus_of


class RowBook:
    """The splits of every member and every exam under one protocol; each is made once."""

    def __init__(self, corpora: Mapping[str, Corpus], protocol: Protocol) -> None:
        self._corpora, self._protocol = corpora, protocol
        self._splits: dict[tuple[object, ...], Split] = {}

    def train(self, member: str, draw: int) -> Split:
        """What a member is fine-tuned on: rows of a corpus, or one of the two partitions that `draw` makes of it."""
        corpus, _, part = member.partition(PART)
        if not part:
            return self._once(
                "train", corpus, make=lambda: self._corpora[corpus].train.first(self._protocol.train_rows)
            )
        p = self._protocol

        def halves() -> tuple[Split, Split]:
            whole = self._corpora[corpus]
            return partitions(whole.train, whole.task, draw, p.partition_rows, p.partition_skew, p.partition_sizes)

        return self._once("partition", member, draw, make=lambda: halves()[int(part) - 1])

    def training(self, members: Sequence[str], source: Source, generative: bool) -> Split:
        """The rows of these members of one task as the Trainer takes them."""
        splits = [self.train(m, source.draw) for m in members]
        if generative:
            task = self._corpora[corpus_of(members[0])].task
            if self._protocol.negatives == "sqrt":
                splits = [fewer_negatives(split, task, source.seed) for split in splits]
            if self._protocol.examples == "one_question":
                splits = [one_question_each(split, task) for split in splits]
        return splits[0] if len(splits) == 1 else concatenate(splits)

    def dev(self, corpus: str, draw: int) -> Split:
        """What checkpoints and candidates are chosen on."""
        p, whole = self._protocol, self._corpora[corpus]
        if whole.task != TASK and p.glue_dev == "partitions":  # the released code's choice, D7
            halves = [f"{corpus}{PART}{k}" for k in (1, 2)]
            return self._once("dev", corpus, draw, make=lambda: concatenate([self.train(m, draw) for m in halves]))
        return self._once("dev", corpus, make=lambda: whole.dev.first(p.dev_rows))

    def exam(self, cell: Cell, corpus: str) -> Split:
        """What the merged model is asked, with labels that the setting does not ask masked."""
        rows, p = self._corpora[corpus], self._protocol
        if cell.setting.examined is None:
            return self._once("test", corpus, make=lambda: rows.test.first(p.test_rows))
        only_test = p.ood_rows == "test_if_diff" and cell.key.heads == "diff"  # D12

        def unseen() -> Split:
            split = (rows.test if only_test else rows.everything).first(p.test_rows)
            basic = p.ood_labels == "basic" and rows.task == TASK  # D11
            return masked_but(split, BASIC) if basic else split

        return self._once("unseen", corpus, only_test, make=unseen)

    def _once(self, *name: object, make: Callable[[], Split]) -> Split:
        if name not in self._splits:
            self._splits[name] = make()
        return self._splits[name]


def masked_but(split: Split, keep: tuple[str, ...]) -> Split:
    """The same rows of an emotion corpus with every label but these masked."""
    labels = np.array(split.labels, dtype=np.int64)
    labels[:, [i for i, label in enumerate(LABELS) if label not in keep]] = MASKED
    return split.asked(labels)
