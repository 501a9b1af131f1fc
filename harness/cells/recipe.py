"""A cell's recipe: everything that decides its outcome, and no more than that.

Which parts of a protocol a cell uses can be told before it runs, but for three: whether its method asks for development
scores, and which statistics it reads. A run notes what it used; a stored record is found by trying each possibility.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from harness.cells.cell import Cell, identity
from harness.cells.lab import Lab
from harness.cells.rows import ROWS
from harness.cells.rows import VERSION as ROWS_VERSION
from harness.protocol.parts import FisherSettings, GramSettings, Heads, Search
from harness.protocol.told import PLAIN, Told
from harness.records.environment import engine
from harness.records.method_recipe import knobs_set, method_recipe
from harness.records.recipe import Recipe, differing, recipe_key, written
from harness.records.record import BadRecord, RunRecord, Store, read
from harness.suites.setting import Setting
from methods import MergeMethod, resolve

NOTED = ("search", "fisher", "gram")  # parts that only a run can tell whether the cell uses


def method_of(cell: Cell, lab: Lab) -> MergeMethod:
    """The merging method of this cell with the protocol's knobs."""
    return resolve(cell.method, lab.protocol.methods)


def possibilities(cell: Cell) -> list[tuple[str, ...]]:
    """All that a run of this cell could note to have used."""
    if cell.method in ROWS:
        return [()]
    return [used for n in range(len(NOTED) + 1) for used in itertools.combinations(NOTED, n)]


def used_by(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """What the run of a stored recipe noted."""
    protocol = recipe.get("protocol")
    return tuple(name for name in NOTED if isinstance(protocol, Mapping) and name in protocol)


def recipe_of(cell: Cell, lab: Lab, used: Collection[str] = NOTED) -> Recipe:
    """The recipe of a cell that used these parts besides those that can be told; the record's key is its hash."""
    return _with_noted(_told(cell, lab), cell, lab, used)


def keys_of(cell: Cell, lab: Lab) -> list[str]:
    """The keys that a record of this cell may have, by what its run came to use; the last is its `running_key`."""
    told = _told(cell, lab)
    return [recipe_key(_with_noted(told, cell, lab, used)) for used in possibilities(cell)]


def _told(cell: Cell, lab: Lab) -> Recipe:
    """The recipe as far as it is known before the cell runs."""
    recipe = question_recipe(cell, lab)
    if cell.method in ROWS:
        return {**recipe, "method": _row(cell, lab)}
    heads = {"heads": written(lab.protocol.heads, PLAIN.heads)} if lab.populations.merges_heads(cell.key) else {}
    method = method_recipe(method_of(cell, lab))
    return {**recipe, "protocol": {**recipe["protocol"], **heads}, "method": method}


def _with_noted(told: Recipe, cell: Cell, lab: Lab, used: Collection[str]) -> Recipe:
    """The same with the parts that only a run can tell."""
    row, protocol, data = cell.method in ROWS, dict(told["protocol"]), dict(told["data"])
    if "search" in used and not row:
        protocol["search"] = written(_search(cell, lab, lab.protocol.search), PLAIN.search)
    for kind in (kind for kind in ("fisher", "gram") if kind in used and not row):
        settings: Any = lab.told.fisher() if kind == "fisher" else lab.told.gram
        made = {"made": lab.identity.statistics_version(kind)}
        protocol[kind] = written(settings, PLAIN.fisher if kind == "fisher" else PLAIN.gram) | made
        data[kind] = [lab.identity.statistics_rows(kind, source).fingerprint for source in cell.key.sources]
    return {**told, "protocol": protocol, "data": data}


def _search(cell: Cell, lab: Lab, search: Search) -> Search:
    """What a search of this cell is told; by what written answers are scored, only where some are written."""
    writes = any(lab.rows.task(corpus).kind == "generation" for corpus in cell.key.developed)
    return search if writes else replace(search, search_by="marks")


def running_key(cell: Cell, lab: Lab) -> str:
    """The key of a cell that runs: of all that it may come to use."""
    return recipe_key(recipe_of(cell, lab))


def question_recipe(cell: Cell, lab: Lab) -> Recipe:
    """What is asked of whom, whatever the method: the model, its members, the rows, and how they are scored."""
    key, corpora = cell.key, cell.setting.exam(cell.key.members, lab.rows.corpora)
    tasks = {
        task.name: task for task in (lab.rows.task(c) for c in dict.fromkeys((*key.corpora, *key.developed, *corpora)))
    }
    protocol = {"name": lab.protocol.name, "scoring": written(lab.told.scoring, PLAIN.scoring)}
    if any(map(lab.identity.trains, (*key.sources, *([key.together] if cell.method == "mtl" else [])))):
        protocol["training"] = lab.told.training_recipe()
        protocol["choosing"] = written(lab.told.choosing, PLAIN.choosing)
    made = any(map(lab.identity.trains, key.sources))  # then the members' keys say by what
    return {
        **({} if made else {"engine": engine()}),
        "model": lab.subject.identity,
        "setting": _setting(cell.setting),
        "population": identity(key),
        "members": [lab.identity.key(source) for source in key.sources],
        "protocol": protocol,
        "data": {
            "dev": {c: lab.rows.dev(c, key.seed).fingerprint for c in key.developed},
            "exam": {c: lab.rows.exam(cell, c).fingerprint for c in corpora},
            "tasks": {name: lab.identity.key(task) for name, task in tasks.items()},
        },
        "seed": key.seed,
    }


def _setting(setting: Setting) -> Recipe:
    return {"suite": setting.suite, "name": setting.name, "version": setting.version}


def _row(cell: Cell, lab: Lab) -> Recipe:
    """A reference row; one that trains a model of its own says which."""
    trained = {"member": lab.identity.key(cell.key.together)} if cell.method == "mtl" else {}
    return {"name": cell.method, "version": ROWS_VERSION, **trained}


def knobs_of(cell: Cell, lab: Lab, used: Collection[str]) -> dict[str, Any]:
    """What this cell was given besides its protocol's own values, and that not every cell beside it shares.

    That are knobs of the method, and those of the protocol's parts that it used and others do not.
    """
    if cell.method in ROWS:
        return {}
    found = knobs_set(method_of(cell, lab), resolve(cell.method, lab.usual.protocol.methods))
    batching = lab.told.scoring.batch_tokens is not None or lab.protocol.batch_tokens == lab.usual.protocol.batch_tokens
    shared = ("max_length", *(["batch_tokens"] if batching else []))
    for part in (
        *(["heads"] if lab.populations.merges_heads(cell.key) else []),
        *(name for name in NOTED if name in used),
    ):
        own, usual = (_part(part, told) for told in (lab.told, lab.usual))
        if isinstance(own, Search) and isinstance(usual, Search):
            own, usual = (_search(cell, lab, search) for search in (own, usual))
        found |= {n: v for n, v in differing(own, usual).items() if n not in shared}
    return found


def _part(name: str, told: Told) -> Heads | Search | FisherSettings | GramSettings:
    if name == "fisher":
        return told.fisher()
    if name == "gram":
        return told.gram
    return told.protocol.search if name == "search" else told.protocol.heads


def earlier_code(cell: Cell, lab: Lab, store: Store) -> RunRecord | None:
    """A stored answer of this cell by a method whose code was another; None for methods that are built in."""
    if cell.method in ROWS or _without_code(method := recipe_of(cell, lab, ())["method"]) == method:
        return None
    place = (cell.setting.suite, cell.setting.name, cell.key.model.display, cell.method, cell.key.seed)
    for path in store.answers(*place):
        try:
            record = read(path)
        except BadRecord:
            continue
        if record is None or record.recipe.get("method") == method:
            continue
        ours = recipe_of(cell, lab, used_by(record.recipe))
        if _without_code(record.recipe) == _without_code(ours):
            return record
    return None


def _without_code(recipe: Any) -> Any:
    """A recipe, or a part of one, as if all methods were built in."""
    if isinstance(recipe, Mapping):
        return {n: _without_code(v) for n, v in recipe.items() if n != "code"}
    return [_without_code(v) for v in recipe] if isinstance(recipe, list) else recipe


def merge_part(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the merged weights: all of the recipe but the exam."""
    part = {
        name: recipe.get(name) for name in ("engine", "model", "population", "members", "protocol", "method", "seed")
    }
    data = recipe.get("data", {})
    return {**part, **{name: data.get(name) for name in ("dev", "fisher", "gram")}}
