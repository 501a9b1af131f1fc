"""Who scores: on development rows while something is chosen, on test rows once at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch

from harness.cells.cell import Cell, PopulationKey, Source
from harness.cells.rowbook import RowBook
from harness.data.corpus import Split
from harness.data.task import Task
from harness.families.batches import Batches, prepare
from harness.families.subject import Subject
from harness.judging.progress import Progress
from harness.judging.scoring import DevScorer, Examiner, LiveModel, Sheet
from harness.protocol.parts import Search
from harness.protocol.told import PLAIN, Told
from harness.suites.setting import corpus_of
from methods import Weights

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Judges:
    """The judges of one laboratory, who share one module for each task and the tokenised rows."""

    def __init__(self, subject: Subject, rows: RowBook, told: Told, say: Callable[[str], None]) -> None:
        self._subject, self._rows, self._told, self._say = subject, rows, told, say
        self._prepared: dict[tuple[Task, str], Batches] = {}
        self._live: dict[Task, LiveModel] = {}

    def prepared(self, task: Task, split: Split) -> Batches:
        """The split's batches; tokenised once in the laboratory's life."""
        name = task, split.fingerprint
        if name not in self._prepared:
            longest, most = self._told.scoring.max_length, self._told.protocol.batch_tokens
            self._prepared[name] = prepare(self._subject.family, task, split, longest, most)
        return self._prepared[name]

    def live(self, task: Task) -> LiveModel:
        """The module that every score of this task is computed with."""
        if task not in self._live:
            one = next(iter(self._live.values()), None) if self._subject.generative else None  # answers every task
            model = self._subject.fresh(task, seed=1).model if one is None else one.model
            dtype = DTYPES[self._told.scoring.dtype]
            self._live[task] = LiveModel(self._subject.family, task, model, dtype, device())
        return self._live[task]

    def _sheet(self, corpus: str, split: Split, heads: Mapping[str, Weights]) -> Sheet:
        task, threshold = self._rows.task(corpus), self._told.scoring.threshold
        return Sheet(self.live(task), self.prepared(task, split), threshold, task.name, heads.get(corpus, {}))

    def trainer(self, source: Source) -> DevScorer | None:
        """Chooses the weights of a training; None where a corpus has no development rows, and the last are taken."""
        corpora, choosing = dict.fromkeys(map(corpus_of, source.members)), self._told.choosing
        rows = {c: self._rows.dev(c, source.draw) for c in corpora}
        if not all(map(len, rows.values())):
            return None
        sheets = {c: self._sheet(c, split, {}) for c, split in rows.items()}
        return DevScorer(sheets, choosing.fitness, choosing.fitness_digits)

    def developer(self, key: PopulationKey, heads: Mapping[str, Weights], search: Search = PLAIN.search) -> DevScorer:
        """Scores on the development rows of the members' corpora, or on a prefix of each (D28)."""
        sheets, bare = {}, list[str]()
        for corpus in key.corpora:
            split = self._rows.dev(corpus, key.seed)
            if not len(split):
                bare.append(corpus)
                continue
            rows = split.first(max(1, round(search.dev_fraction * len(split))))
            sheets[corpus] = self._sheet(corpus, rows, heads)
        progress = Progress(self._say, f"searching with {self._subject} on {'+'.join(key.members)}")
        return DevScorer(sheets, search.fitness, search.fitness_digits, progress, bare)

    def examiner(self, cell: Cell, corpora: tuple[str, ...], heads: Mapping[str, Weights]) -> Examiner:
        """The keeper of the test rows of this cell."""
        return Examiner({c: partial(self._sheet, c, self._rows.exam(cell, c), heads) for c in corpora})


def device() -> str:
    """Where fine-tuning and scoring run; merging and statistics stay on the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
