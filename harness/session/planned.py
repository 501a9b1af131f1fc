"""The cells of a session as jobs: what each asks, what is there already, and what has to be made for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.checkpoints.names import ModelName
from harness.planning import observed, sizes
from harness.planning.costs import Asked, Costs
from harness.planning.holdings import WIDTH, holding
from harness.planning.jobs import Job
from harness.session.lacking import Lacking
from harness.suites.setting import Setting
from methods.catalogue import RESERVED
from methods.errors import MergeboardError

if TYPE_CHECKING:
    from harness.cells.lab import Lab
    from harness.session.bench import Bench

LARGEST = 4 << 30  # bytes of a model's files: to hash more, which tells what is answered, takes longer than a plan may
STATISTICS = ("fisher", "gram")


class Survey:
    """What is known of a session before it runs. Nothing is trained, fetched or written for it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._sizes: dict[ModelName, sizes.Size | None] = {}
        self._at_hand: dict[ModelName, bool] = {}
        self._lacking = Lacking(bench.options)
        self.unseen: dict[ModelName, None] = {}  # models of which nobody can tell what is answered

    def costs(self) -> Costs:
        """What is known of costs: from the results folder and the zoo."""
        options, known = self._bench.options, dict[str, int]()
        made = list(observed.made(options.zoo, known))
        return Costs(observed.cells(options.results, [m.display for m in options.models], known), made)

    def jobs(self, items: Sequence[pytest.Item]) -> list[Job]:
        """The session's cells; those that are skipped in any case are none."""
        found = []
        for place, item in enumerate(items):
            cell = cell_of(item)
            if cell is not None and item.get_closest_marker("skip") is None:
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
        method, reads = self._method(cell)
        calls = _scores(method, len(key.members))
        row = cell.method if cell.method in RESERVED else ""
        kind = row or ("search" if calls else "statistics" if reads else "merge")
        size, lab = self.size(key.model), self._lab(cell)
        parameters = None if size is None else size.parameters
        asked = Asked(
            setting.suite, setting.name, key.model.display, cell.method, kind, len(key.members), calls, parameters
        )
        wanted = 2 if self._bench.has.protocol(key.model, setting).dtype == "bf16" else WIDTH
        return Job(
            place,
            asked,
            (key.model.display, setting.suite, setting.name, key.heads),
            key.seed,
            key.population,
            name.partition("[")[0] + str(key),
            tuple(self._lacking.of(cell, lab, reads, size)),
            lab is not None and self._answered(cell, lab),
            None
            if size is None
            else holding(cell.method, kind, len(key.members), size.parameters, bool(reads), wanted),
        )

    def _method(self, cell: Cell) -> tuple[object, tuple[str, ...]]:
        """The method with its knobs, and the kinds of statistics that it reads."""
        from methods import resolve

        if cell.method in RESERVED:
            return None, ()
        try:
            method = resolve(cell.method, self._bench.has.protocol(cell.key.model, cell.setting).methods)
        except MergeboardError:
            return None, ()  # the cell itself says so
        needs = _needs_of(method)
        return method, tuple(kind for kind in STATISTICS if kind in needs)

    def _answered(self, cell: Cell, lab: Lab) -> bool:
        from harness.cells.recipe import keys_of

        if self._bench.options.rerun:
            return False
        setting, key = cell.setting, cell.key
        there = self._bench.store.answers(setting.suite, setting.name, key.model.display, cell.method, key.seed)
        if not there:
            return False
        try:
            place = (setting.suite, setting.name, key.model.display, cell.method, key.seed)
            return self._bench.store.find(*place, *keys_of(cell, lab)) is not None
        except (MergeboardError, ValueError, OSError):  # which the cell itself will meet
            return False

    def _lab(self, cell: Cell) -> Lab | None:
        """The laboratory that knows the cell's recipe; None where it cannot be had without making something."""
        model = cell.key.model
        if not self._can_tell(model):
            return None
        try:
            found: Lab = self._bench.lab(model, cell.setting)
            _ = found.subject.identity  # which reads its files
            return found
        except (MergeboardError, OSError):
            self._at_hand[model] = False
            return None

    def _can_tell(self, model: ModelName) -> bool:
        if model not in self._at_hand:
            size, folder = self.size(model), self._folder(model)
            rows = model.tiny or not self._bench.has.where(model).nowhere
            safe = folder is not None and any(folder.glob("*.safetensors"))
            self._at_hand[model] = rows and safe and size is not None and size.file_bytes <= LARGEST
            if not self._at_hand[model] and not model.tiny:
                self.unseen[model] = None
        return self._at_hand[model]

    def _folder(self, model: ModelName) -> Path | None:
        """Where the model's files lie on this machine; None if they would have to be made or fetched."""
        from harness.checkpoints.hub import cached

        if not model.tiny:
            return Path(model.where) if Path(model.where).is_dir() else cached(model.where)
        from harness.data import world
        from harness.members import tiny, tiny_llama
        from harness.storage.zoo import Zoo
        from harness.suites.recipes.world import Land

        keep = Zoo(self._bench.options.zoo)
        llama = model.where == tiny_llama.NAME
        recipe = tiny_llama.recipe(Land()) if llama else tiny.recipe(model.where, world.World())
        return keep.path("tiny", recipe) if keep.has("tiny", recipe) else None


def cell_of(item: pytest.Item) -> Cell | None:
    """The cell that an item asks; None of anything else."""
    marker, spec = item.get_closest_marker("setting"), getattr(item, "callspec", None)
    params: dict[str, Any] = {} if spec is None else spec.params
    key, method = params.get("population"), params.get("method")
    if marker is None or not isinstance(key, PopulationKey) or not isinstance(method, str):
        return None
    setting: Setting = marker.args[0]
    return Cell(setting, key, method)


def _scores(method: object, members: int) -> int:
    """How many development evaluations it asks for, as far as it says."""
    from methods.asking import asks

    budget = getattr(method, "budget", None)
    if isinstance(budget, int):
        return budget
    inner, generations = getattr(method, "inner", None), getattr(method, "generations", None)
    if isinstance(generations, int):
        return (members if inner is None else 1) + generations * members
    try:
        return asks(method, members) or (0 if inner is None else _scores(inner, members))
    except MergeboardError:
        return 0


def _needs_of(method: object) -> set[str]:
    """What it and the methods that it is made around need."""
    found = set(getattr(method, "needs", ()))
    for part in ("inner", "first_stage"):
        if (within := getattr(method, part, None)) is not None:
            found |= _needs_of(within)
    return found
