"""Who scores: on development rows while something is chosen, on test rows once at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness import devices
from harness.cells.cell import Cell, PopulationKey, Source
from harness.cells.devrows import cut, missing, share_within
from harness.cells.rowbook import RowBook
from harness.cells.unlabelled import DevEntropy, Unlabelled
from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadData
from harness.families.asked import Asked
from harness.families.batches import Batches, prepare, shortened
from harness.families.encoder import within
from harness.families.subject import Subject
from harness.judging.chorus import view
from harness.judging.live import LiveModel
from harness.judging.reply import Questions
from harness.judging.scoring import DevScorer, Examiner
from harness.judging.sheet import Sheet
from harness.judging.written import AskersSheet, WrittenSheet, to_choose
from harness.protocol.parts import Search, SearchBy
from harness.protocol.told import PLAIN, Told
from harness.spread.limits import WHOLE
from harness.suites.setting import corpus_of
from methods import NotApplicable, Weights

FEW = 0.05  # of a split's rows, that may be cut without a word
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Developers(NamedTuple):
    """Who scores on development rows while something is searched."""

    search: DevScorer  # on the rows that candidates are scored on
    apart: DevScorer | None  # on those kept apart from it, if there are any; by the task's metric
    both: DevScorer  # by the task's metric
    rows: int  # that the corpora have in all
    seen: tuple[float, float]  # the share of each corpus' rows that candidates are scored on; with those kept apart


class Judges:
    """The judges of one laboratory, who share one module for each task and the tokenised rows."""

    def __init__(self, subject: Subject, rows: RowBook, told: Told, say: Callable[[str], None]) -> None:
        self._subject, self._rows, self._told, self._say = subject, rows, told, say
        self._prepared: dict[tuple[Task, str], Batches] = {}
        self._live: dict[Task, LiveModel] = {}
        self._measured: set[tuple[str, str]] = set()  # splits whose cut rows were counted

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
            model = self._outline(task)
            dtype = DTYPES[self._told.scoring.dtype]
            self._live[task] = made = LiveModel(self._subject.family, task, model, dtype, devices.current())
            if made.spread:
                self._say(f"{self._subject}: {made.seats}")
        return self._live[task]

    def _outline(self, task: Task) -> nn.Module:
        """A module to be pointed at weights. Of a model that answers every task it is a view of the one that members
        start from, which is in memory as it is: no second one is read."""
        if not self._subject.generative:
            return self._subject.fresh(task, seed=1).model
        one = next(iter(self._live.values()), None)
        if one is not None:
            return one.model
        model = self._subject.ancestor(task, seed=1).model
        return view(model, {name: parameter.detach() for name, parameter in model.named_parameters()})

    def asked(self, task: Task, split: Split, weights: Weights) -> Tensor:
        """(rows, outputs): the logits of these weights."""
        live = self.live(task)
        with live.turn:
            live.point_at(weights)
            return live.logits(self.prepared(task, split))

    def _sheet(self, corpus: str, split: Split, heads: Mapping[str, Weights]) -> Questions:
        """The rows, and who asks them: somebody else's harness; the model, who writes; or its logits are read."""
        task, asker = self._rows.task(corpus), self._rows.corpora[corpus_of(corpus)].asker
        live, own = self.live(task), (corpus, heads.get(corpus, {}))
        if asker is not None:
            return AskersSheet(live, asker, split, *own)
        rows = self.prepared(task, split)
        self._tell_cut(corpus_of(corpus), task, split)
        if task.kind == "generation" and isinstance(live.family, Asked):
            return WrittenSheet(live, live.family, rows, split, self._told.protocol.batch_tokens, *own)
        return Sheet(live, rows, self._told.scoring.threshold, *own)

    def _tell_cut(self, corpus: str, task: Task, split: Split) -> None:
        """Say once of each split how much of it is cut, if that is more than a few rows."""
        if (corpus, split.fingerprint) in self._measured:
            return
        self._measured.add((corpus, split.fingerprint))
        at, limit = self._told.scoring.max_length, self._subject.family.limit
        cut, enough, full = shortened(self._subject.family, task, split, at)
        if full > FEW * len(split):
            self._say(
                f"{corpus}: {full:,} of {len(split):,} rows fill all {limit} tokens that the model can read; what is "
                "longer is cut, and no option mends that"
            )
        if cut > FEW * len(split):
            whole = "as much of them as the model can" if limit is not None and enough >= limit else "them whole"
            self._say(
                f"{corpus}: {cut:,} of {len(split):,} rows do not fit {at} tokens and are cut; "
                f"--set max_length={within(enough, limit)} reads {whole}, which members that were trained so need"
            )

    def trainer(self, source: Source) -> DevScorer | None:
        """Chooses the weights of a training; None where a corpus has no development rows, and the last are taken."""
        corpora, choosing = dict.fromkeys(map(corpus_of, source.members)), self._told.choosing
        rows = {c: self._rows.dev(c, source.draw) for c in corpora}
        if not all(map(len, rows.values())):
            return None
        sheets = {c: to_choose(self._sheet(c, split, {})) for c, split in rows.items()}
        return DevScorer(sheets, choosing.fitness, choosing.fitness_digits)

    def developer(self, key: PopulationKey, heads: Mapping[str, Weights]) -> DevScorer:
        """Scores on the development rows of the corpora that are chosen on."""
        return self.developers(key, heads, PLAIN.search, 0.0).search

    def developers(self, key: PopulationKey, heads: Mapping[str, Weights], search: Search, apart: float) -> Developers:
        """Scores on a prefix of each corpus' development rows (D28), on those of them that are kept apart, and on both.

        `apart`: the share that a search wants kept apart.
        """
        splits = {corpus: self._rows.dev(corpus, key.seed) for corpus in key.developed}
        bare = [corpus for corpus, split in splits.items() if not len(split)]
        there = {corpus: split for corpus, split in splits.items() if len(split)}
        counts = {corpus: len(split) for corpus, split in there.items()}
        ends, short = cut(counts, search.dev_fraction, apart)
        if short:
            self._say(
                f"{', '.join(short)}: too few development rows to keep {apart:g} of them apart from a search, so the "
                "best that it finds is not tested again"
            )

        def scorer(begins: Mapping[str, int], part: int, by: SearchBy = "marks") -> DevScorer:
            rows = {c: split.part(begins[c], ends[c][part]) for c, split in there.items()}
            sheets = {c: self._sheet(c, split, heads) for c, split in rows.items()}
            return DevScorer(sheets, search.fitness, search.fitness_digits, bare, by)

        start, rows = dict.fromkeys(there, 0), sum(counts.values())
        seen, both = (share_within(counts, {c: own[part] for c, own in ends.items()}) for part in (0, 1))
        searched = scorer(start, 0, search.search_by)
        if not there or all(seen == whole for seen, whole in ends.values()):
            marked = searched if search.search_by == "marks" else scorer(start, 0)
            return Developers(searched, None, marked, rows, (seen, seen))
        for corpus, split in there.items():
            self._require_mixed(corpus, split, *ends[corpus])
        kept = scorer({c: seen for c, (seen, _) in ends.items()}, 1)
        return Developers(searched, kept, scorer(start, 1), rows, (seen, both))

    def entropy(
        self, key: PopulationKey, heads: Callable[[], Mapping[str, Weights]], search: Search, apart: float
    ) -> DevEntropy:
        """How unsure weights are of the rows that a search would be scored on, whose labels are not looked at.

        `heads` are asked for with the first of them: few methods read any.
        """
        splits = {corpus: self._rows.dev(corpus, key.seed) for corpus in key.developed}
        there = {corpus: len(split) for corpus, split in splits.items() if len(split)}
        ends, _ = cut(there, search.dev_fraction, apart)

        def rows(corpus: str) -> Unlabelled:
            if corpus not in there:
                raise NotApplicable(f"it learns from development rows, and {corpus} has none")
            if self._rows.corpora[corpus_of(corpus)].asker is not None:
                raise NotApplicable(f"it learns from how unsure answers are, and {corpus} is asked by another harness")
            task = self._rows.task(corpus)
            batches = self.prepared(task, splits[corpus].part(0, ends[corpus][0]))
            return Unlabelled.of(self._exact(task), batches, corpus, heads().get(corpus, {}))

        return DevEntropy([key.chosen or (corpus_of(member),) for member in key.members], rows, self._say)

    def _exact(self, task: Task) -> LiveModel:
        """The module of this task in float32, which gradients need."""
        if devices.current() == devices.SPREAD:
            raise NotApplicable(f"it learns by gradients, {WHOLE}")
        live = self.live(task)
        if live.dtype == torch.float32:
            return live
        return LiveModel(live.family, task, self._subject.fresh(task, seed=1).model, torch.float32, devices.current())

    def _require_mixed(self, corpus: str, split: Split, begin: int, end: int) -> None:
        """Refuse rows kept apart that stand in an order of labels: who answers nothing else would win there."""
        task = self._rows.task(corpus)
        if task.kind in ("regression", "generation"):
            return
        has = split.labels == (1 if task.kind == "multi_label" else np.arange(len(task.outputs)))
        if lacked := missing(has, begin, end):
            raise BadData(
                f"{corpus}: its development rows are in an order in which the last ones, which a search keeps apart, "
                f"have none of {task.outputs[lacked[0]]}; shuffle the rows, or set search.apart=0"
            )

    def sheet(self, corpus: str, seed: int) -> Questions:
        """The development rows of a corpus, with no head of its own."""
        return self._sheet(corpus, self._rows.dev(corpus, seed), {})

    def examiner(self, cell: Cell, corpora: tuple[str, ...], heads: Mapping[str, Weights]) -> Examiner:
        """The keeper of the test rows of this cell."""
        return Examiner({c: partial(self._sheet, c, self._rows.exam(cell, c), heads) for c in corpora})
