"""The cells of a session as jobs: what each asks, what is there already, and what has to be made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.checkpoints.names import ModelName
from harness.planning import observed, sizes
from harness.planning.appetite import evaluations, statistics
from harness.planning.costs import Asked, Costs
from harness.planning.holdings import WIDTH, Holding, holding
from harness.planning.jobs import Job
from harness.session.lacking import Lacking
from harness.suites import resolve
from harness.suites.setting import Setting
from methods.catalogue import RESERVED
from methods.errors import MergeboardError
from methods.naming.names import outlined

if TYPE_CHECKING:
    from harness.cells.lab import Lab
    from harness.protocol.protocol import Protocol
    from harness.records.record import RunRecord
    from harness.session.bench import Bench

LARGEST = 4 << 30  # bytes of a model's files: to hash more, which tells what is answered, takes longer than a plan may


class _Told(NamedTuple):
    """What a method says that it will ask for."""

    kind: str  # as in costs.Asked
    calls: int
    reads: tuple[str, ...]
    width: int  # bytes of a scalar of the model that answers

    def holding(self, cell: Cell, size: sizes.Size | None) -> Holding | None:
        """What the cell holds; None for a model of unknown size."""
        if size is None:
            return None
        members, reads = len(cell.key.members), bool(self.reads)
        return holding(cell.method, self.kind, members, size.parameters, reads, self.width)


class Survey:
    """What is known of a session before it runs. Nothing is trained, fetched or written for it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._sizes: dict[ModelName, sizes.Size | None] = {}
        self._at_hand: dict[tuple[ModelName, str], bool] = {}
        self._known: dict[tuple[object, ...], _Told] = {}
        self._protocols: dict[tuple[ModelName, Setting], Protocol] = {}
        self._lacking = Lacking(bench.options)
        self.unseen: dict[ModelName, None] = {}  # models of which nobody can tell what is answered

    def known(self) -> tuple[Costs, list[Mapping[str, Any]]]:
        """What is known of costs, from the results folder and the zoo; and what the records say."""
        options, sizes_ = self._bench.options, dict[str, int]()
        made = list(observed.made(options.zoo, sizes_))
        records = list(observed.records(options.results, [m.display for m in options.models]))
        spent = [cell for record in records if (cell := observed.of_record(record, sizes_)) is not None]
        return Costs(spent, made), records

    def jobs(self, items: Sequence[pytest.Item]) -> list[Job]:
        """The session's cells; those that are skipped in any case are none."""
        found = []
        for place, item in enumerate(items):
            cell = cell_of(item)
            if cell is not None:
                found.append(self._job(place, cell, item.nodeid))
        return found

    def size(self, model: ModelName) -> sizes.Size | None:
        """The model's size, by the headers of its files; None where they are not here."""
        if model not in self._sizes:
            folder = self._folder(model)
            self._sizes[model] = None if folder is None else sizes.of_folder(folder)
        return self._sizes[model]

    def _job(self, place: int, cell: Cell, name: str) -> Job:
        key, setting = cell.key, cell.setting
        told, size, lab = self._told(cell), self.size(key.model), self._lab(cell)
        parameters = None if size is None else size.parameters
        who = setting.suite, setting.name, key.model.display, cell.method
        return Job(
            place,
            Asked(*who, told.kind, len(key.members), told.calls, parameters),
            (key.model.display, setting.suite, setting.name, key.heads),
            key.seed,
            key.population,
            name.partition("[")[0] + str(key),
            tuple(self._lacking.of(cell, lab, told.reads, size)),
            None if lab is None else self._answer(cell, lab),
            not setting.role,
            told.holding(cell, size),
        )

    def _told(self, cell: Cell) -> _Told:
        """What the method says of its appetite, once for all populations of as many members."""
        place = cell.key.model, cell.setting, cell.method, len(cell.key.members)
        if place not in self._known:
            self._known[place] = self._asks(cell)
        return self._known[place]

    def _asks(self, cell: Cell) -> _Told:
        where, method = (cell.key.model, cell.setting), None
        if where not in self._protocols:
            self._protocols[where] = self._bench.has.protocol(*where)
        protocol = self._protocols[where]
        if cell.method not in RESERVED:
            with suppress(MergeboardError):  # the cell itself says so
                method = outlined(cell.method, protocol.methods)
        calls, reads = evaluations(method, len(cell.key.members)), statistics(method)
        kind = "search" if calls else "statistics" if reads else "merge"
        width = 2 if protocol.dtype == "bf16" else WIDTH
        return _Told(cell.method if cell.method in RESERVED else kind, calls, reads, width)

    def _answer(self, cell: Cell, lab: Lab) -> RunRecord | None:
        """The record of a cell that is answered."""
        from harness.cells.recipe import keys_of

        if self._bench.options.rerun:
            return None
        setting, key = cell.setting, cell.key
        there = self._bench.store.answers(setting.suite, setting.name, key.model.display, cell.method, key.seed)
        if not there:
            return None
        try:
            place = (setting.suite, setting.name, key.model.display, cell.method, key.seed)
            return self._bench.store.find(*place, *keys_of(cell, lab))
        except (MergeboardError, ValueError, OSError):  # which the cell itself will meet
            return None

    def _lab(self, cell: Cell) -> Lab | None:
        """The laboratory that knows the cell's recipe; None where it cannot be had without making something."""
        model, suite = cell.key.model, cell.setting.suite
        if not self._can_tell(model, suite):
            return None
        try:
            found: Lab = self._bench.lab(model, cell.setting)
            _ = found.subject.identity  # which reads its files
            return found
        except (MergeboardError, OSError):
            self._at_hand[model, suite] = False
            return None

    def _can_tell(self, model: ModelName, suite: str) -> bool:
        place = model, suite
        if place not in self._at_hand:
            size, folder = self.size(model), self._folder(model)
            rows = model.tiny or resolve(suite).at_hand or not self._bench.has.where(model).nowhere
            rows = rows and self._members_at_hand() and (folder is not None and not self._would_fetch(model))
            safe = folder is not None and any(folder.glob("*.safetensors"))
            self._at_hand[place] = rows and safe and size is not None and size.file_bytes <= LARGEST
            if not self._at_hand[place] and not model.tiny:
                self.unseen[model] = None
        return self._at_hand[place]

    def _would_fetch(self, model: ModelName) -> bool:
        """Whether to look at this model would ask the hub, which a plan does not."""
        planned = self._bench.options.plan is not None
        return planned and not model.tiny and not Path(model.where).is_dir()

    def _members_at_hand(self) -> bool:
        """Whether all members that are brought lie here, and are small enough to be hashed."""
        if not (given := self._bench.options.given):
            return True
        found = [sizes.of_folder(Path(where)) if Path(where).is_dir() else None for where in given.values()]
        planned = self._bench.options.plan is not None
        known = [size.file_bytes for size in found if size is not None]
        return (len(known) == len(found) or not planned) and sum(known) <= LARGEST

    def _folder(self, model: ModelName) -> Path | None:
        """Where the model's files lie on this machine; None if they would have to be made or fetched."""
        from harness.checkpoints.hub import cached

        if not model.tiny:
            return Path(model.where) if Path(model.where).is_dir() else cached(model.where)
        if not (self._bench.options.zoo / "tiny").is_dir():
            return None  # none was ever made, and what makes them takes a second to import
        from harness.data import world
        from harness.members import tiny, tiny_llama
        from harness.storage.zoo import Zoo
        from harness.suites.recipes.world import Land

        keep = Zoo(self._bench.options.zoo)
        llama = model.where == tiny_llama.NAME
        recipe = tiny_llama.recipe(Land()) if llama else tiny.recipe(model.where, world.World())
        return keep.path("tiny", recipe) if keep.has("tiny", recipe) else None


def cell_of(item: pytest.Item) -> Cell | None:
    """The cell that a test asks about, if it will; None of anything else."""
    marker, spec = item.get_closest_marker("setting"), getattr(item, "callspec", None)
    params: dict[str, Any] = {} if spec is None else spec.params
    key, method = params.get("population"), params.get("method")
    if marker is None or item.get_closest_marker("skip") is not None:
        return None
    if not isinstance(key, PopulationKey) or not isinstance(method, str):
        return None
    setting: Setting = marker.args[0]
    return Cell(setting.with_options(params.get("options", ())), key, method)
