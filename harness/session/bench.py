"""The session's bench: finds cells in the store or makes them in the laboratory of their model, one at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import devices
from harness.cells.cell import Cell, PopulationKey, Source
from harness.checkpoints.names import ModelName
from harness.data import world
from harness.data.corpus import Corpus
from harness.errors import LeftOut
from harness.protocol.protocol import Protocol
from harness.records.record import BadRecord, RunRecord, Store
from harness.records.there import There
from harness.session.holdings import Holdings
from harness.session.matrix import Matrix
from harness.session.options import Options
from harness.session.trials import Trials
from harness.storage import journal
from harness.suites import resolve
from harness.suites.setting import Setting
from methods.errors import MergeboardError, NotApplicable


class Bench:
    """Finds, makes and keeps the answers of cells. Heavy things are made on first touch and kept for one model."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options, self.say = options, say
        self.store = Store(options.results)
        self._zoo_there = There(options.zoo)
        self.has = Holdings(options)
        self.matrix = Matrix(options, self.has)
        self.late: Callable[[Cell], str] = lambda cell: (
            ""
        )  # why a cell is not begun any more, of sessions with a budget
        self.last_words: Callable[[str], None] = say  # takes the line of a session that ends in the midst of its work
        self.crowd: Callable[[int], None] = lambda workers: None  # told how many share the cells, once that is known
        self.running: Callable[[int, float | None], None] = lambda number, left: (
            None
        )  # how many cells run and the seconds left, told by engines whose workers are none of pytest's
        self._trials = Trials(options, self._lab_to_try, lambda line: self.say(self.told(line)))
        self._lab: tuple[object, object] | None = None
        self._asked: tuple[ModelName, Setting] | None = None  # who the laboratory was last wanted for
        self._told: set[str] = set()  # methods whose code changed, and the user knows
        self._dead: dict[PopulationKey, str] = {}  # of a made-up world -> why it ranks nothing, or ""
        self._diagnosed: dict[PopulationKey, Path | None] = {}
        self._copies: dict[Path, Path] = {}  # in the zoo, of folders with pickles

    def stored(self, cell: Cell) -> RunRecord | None:
        """The record of a cell, if it is there and may be believed; None where all cells are to be made again."""
        if "torch" not in sys.modules:
            self.say("loading torch")  # which takes seconds
        from harness.cells.recipe import keys_of

        if self.options.rerun:
            return None
        lab = self.lab(cell.key.model, cell.setting)
        place = (cell.setting.suite, cell.setting.name, cell.key.model.display, cell.method, cell.key.seed)
        keys = keys_of(cell, lab)
        try:
            stored = self.store.find(*place, *keys)
        except BadRecord as error:
            self.say(f"damaged record, made again: {error}")
            stored = None
        if stored is None:
            self._tell_of_changed_code(cell, lab)
        else:
            journal.forget(self.store.root, keys[-1])  # of a run that was killed as it stored this
        return stored

    def made(self, cell: Cell, store: Store) -> RunRecord:
        """The record of a cell that is run now; its gold labels and texts go to `store`, the record itself to nobody.

        Errors: whatever a run raises. A failure is never stored.
        """
        from harness.cells.run import run

        lab = self.lab(cell.key.model, cell.setting)
        self._trials.require(cell, lab)
        self._require_alive(cell, lab)
        return run(cell, lab, store, replay=not self.options.rerun)

    def require_time(self, cell: Cell) -> None:
        """Raise `LeftOut` if the session's budget leaves no time for this cell."""
        if reason := self.late(cell):
            raise LeftOut(reason)

    def keep(self, cell: Cell, record: RunRecord) -> RunRecord:
        """Store the record of a cell, which needs no journal any more."""
        return self.stands(cell, kept(record, self.store, self.say))

    def stands(self, cell: Cell, record: RunRecord) -> RunRecord:
        """The record, which is stored and so needs no journal any more."""
        from harness.cells.recipe import running_key

        journal.forget(self.store.root, running_key(cell, self.lab(cell.key.model, cell.setting)))
        return record

    def was_asked(self, cell: Cell) -> bool:
        """Whether the store has any answer of this cell's method here, of whatever recipe; needs no laboratory."""
        key, setting = cell.key, cell.setting
        there = self.store.answers(setting.suite, setting.name, key.model.display, cell.method, key.seed)
        return bool(there) and not self.options.rerun

    def needs(self, cell: Cell) -> tuple[tuple[RunRecord, ...], dict[str, Source]]:
        """What a cell that is not stored waits for: an earlier record of its very merge, and the members that are
        not there, by their keys. Errors: `NotApplicable` where it is known before anything is trained."""
        from harness.cells.replayed import before
        from harness.cells.run import require_asked

        lab = self.lab(cell.key.model, cell.setting)
        require_asked(cell, lab)
        merge = None if self.options.rerun else before(cell, lab, self.store)
        sources = cell.sources(judged=resolve(cell.setting.suite).judges)
        missing = {key: source for source in sources if (key := lab.workshop.missing(source))}
        return (() if merge is None else (merge,)), missing

    def member(self, cell: Cell, source: Source) -> None:
        """Make a member that this cell waits for, if it is not there."""
        lab = self.lab(cell.key.model, cell.setting)
        self._trials.require(cell, lab)
        lab.workshop.member(source)

    def told(self, what: object) -> str:
        """A line, or an error's, that names folders as the user gave them, not what the zoo keeps of them."""
        from harness.checkpoints.pickles import as_given

        return as_given(str(what), self._copies)

    def _require_alive(self, cell: Cell, lab: Any) -> None:
        """Refuse to rank anything in a made-up world that is dead, or of members that descend from another model.

        Errors: `MergeboardError` in one line.
        """
        from harness.cells.gates import dead

        suite, key = resolve(cell.setting.suite), cell.key
        if not suite.judges:
            return
        if key not in self._dead:
            self._dead[key] = dead(suite, key, lab)
        if self._dead[key]:
            raise MergeboardError(self._dead[key])

    def _tell_of_changed_code(self, cell: Cell, lab: Any) -> None:
        """Say once of each method that it answered this very question before its code was edited."""
        from harness.cells.recipe import earlier_code

        before = None if cell.method in self._told else earlier_code(cell, lab, self.store)
        if before is not None:
            self._told.add(cell.method)
            self.say(f"{cell.method}: its code changed since {before.path} was made, so it is made again")

    def landscape(self, setting: Setting, key: PopulationKey, points: int) -> Path:
        """The file of a survey of this pair's plane, made unless it is there; rows and ensembles have no place."""
        from harness.cells.landscape import stored, survey
        from harness.cells.recipe import running_key
        from harness.cells.rows import ROWS
        from harness.records import terrain

        lab = self.lab(key.model, setting)
        methods = tuple(m for m in self.options.methods_of(setting.suite) if m not in (*ROWS, "ensemble"))
        there = None if self.options.rerun else stored(setting, key, methods, lab, points, self.store.root)
        if there is None:
            there = terrain.put(self.store, survey(setting, key, methods, lab, self.store, points))
            for method in methods:
                journal.forget(self.store.root, running_key(Cell(setting, key, method), lab))
        return there

    def diagnosis(self, setting: Setting, key: PopulationKey) -> Path | None:
        """The file, relative to the store, of what is said of this population, made unless it is there; None of
        members without an ancestor."""
        from harness.cells.diagnosis import made, stored
        from harness.records import diagnosis

        if key not in self._diagnosed:
            lab = self.lab(key.model, setting)
            found = None if self.options.rerun else stored(setting, key, lab, self.store)
            try:
                if found is None:
                    diagnosis.put(self.store, found := made(setting, key, lab))
            except NotApplicable as reason:
                lab.say_once(f"{key}: {reason}")
            self._diagnosed[key] = found.path if found else None
        return self._diagnosed[key]

    def lab(self, model: ModelName, setting: Setting):  # type: ignore[no-untyped-def]  # harness.cells.lab needs torch
        """The laboratory of this model and protocol; another's is let go first."""
        if self._asked != (model, setting):
            usual = self.options.protocol_of(model, setting.suite, self.has.tags(model, setting), settings=())
            wanted = (model, self.has.protocol(model, setting), usual, setting.suite)
            if self._lab is None or self._lab[0] != wanted:
                self._asked = self._lab = None
                self._lab = (wanted, self._make_lab(*wanted))
            self._asked = (model, setting)
        assert self._lab is not None
        return self._lab[1]

    def _lab_to_try(self, model: ModelName, setting: Setting, corpora: Mapping[str, Corpus]):  # type: ignore[no-untyped-def]
        return self._make_lab(model, self.has.protocol(model, setting), None, setting.suite, corpora)

    def _make_lab(  # type: ignore[no-untyped-def]
        self,
        model: ModelName,
        protocol: Protocol,
        usual: Protocol | None,
        suite: str,
        corpora: Mapping[str, Corpus] | None = None,
    ):
        import torch

        from harness.cells.lab import Lab
        from harness.checkpoints import pickles
        from harness.checkpoints.names import folder_of
        from harness.judging import precision
        from harness.members import tiny
        from harness.storage import zoo

        device = devices.settle(self.options.device, self.options.device_map)
        threads = self.options.threads or (1 if model.tiny else None)
        if threads:
            torch.set_num_threads(threads)
        keep = zoo.Zoo(self.options.zoo, self.say, self._zoo_there)
        folder = tiny.build(model.where, world.World(), keep) if model.tiny else folder_of(model.where)
        corpora = self.has.corpora(suite, model) if corpora is None else corpora
        protocol = precision.believed(protocol, device, keep, self.say)
        trusted = {f for key, f in self.has.brought.items() if self.options.given[key] in self.options.trust}
        trusted |= {folder} if model.where in self.options.trust else set()
        minutes, any_config = self.options.checkpoint_minutes, self.options.trust_configs
        self._copies |= pickles.copies_of((folder, *self.has.brought.values()), keep)

        def say(line: str) -> None:
            self.say(self.told(line))

        return Lab(model, folder, protocol, corpora, keep, self.has.brought, say, trusted, usual, minutes, any_config)


def kept(record: RunRecord, store: Store, say: Callable[[str], None]) -> RunRecord:
    """Store the record; without its trace where that has no JSON form, since an answer is worth more."""
    try:
        store.put(record)
    except (TypeError, ValueError, RecursionError) as error:
        if record.trace is None:
            raise
        say(f"{record.path}: its trace cannot be stored ({error}), so it is stored without and not replayed")
        record = replace(record, trace=None)
        store.put(record)
    return record
