"""A record's merge, made again from what it was made of, and known by its hash."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.recipe import merge_part, recipe_of, running_key, used_by
from harness.cells.recorded import weights_sha256
from harness.cells.rows import ROWS
from harness.cells.run import merged_by
from harness.checkpoints.names import ModelName
from harness.export.rows import NO_MODEL
from harness.records.record import RunRecord, Store
from harness.storage import journal
from harness.suites.setting import Setting, corpus_of
from methods import Merged
from methods.errors import Misfit


@dataclass(frozen=True)
class Remembered(PopulationKey):
    """A population as its record names it; the seeds of its members were dealt then."""

    dealt: tuple[int, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed that each member is trained with."""
        return self.dealt


def cell_of(record: RunRecord, model: ModelName) -> Cell:
    """The cell that a record answers, for a model at hand. Errors: `Misfit` if the recipe names no population."""
    try:
        told = record.recipe["population"]
        members, seeds, heads = tuple(told["members"]), tuple(told["seeds"]), told["heads"]
        asked, seed = record.recipe["setting"], int(record.recipe["seed"])
        version, named = int(asked["version"]), (asked["suite"], asked["name"])
    except (KeyError, TypeError, ValueError):
        raise Misfit(f"{record.path}: its recipe does not say whom it merged; run its test again") from None
    said = (record.suite, record.setting), tuple(record.members), record.heads, record.seed
    if (named, members, heads, seed) != said:
        raise Misfit(f"{record.path}: it says of itself another test than its recipe; the file was edited or damaged")
    own = set(map(corpus_of, members))
    elsewhere = tuple(c for c in record.scores if c not in own) or None
    chosen = tuple(told.get("chosen", ()))
    examined = tuple(record.scores) if chosen else elsewhere
    setting = Setting(
        record.suite, record.setting, members, (members,), examined, (heads,), version, chosen=chosen or None
    )
    key = Remembered(model, record.suite, members, members, seed, heads, chosen=chosen, dealt=seeds)
    return Cell(setting, key, record.method)


def remade(cell: Cell, lab: Lab, record: RunRecord, results: Store) -> Merged:
    """The merge of this cell, of which the record is known; a search is replayed from its trace where it has one.

    `results`: the store beside which a search that has no trace keeps its journal.

    Errors: `Misfit` in one line if the members, rows or choices at hand are others, or other weights come out.
    """
    if (what := NO_MODEL.get(cell.method)) is not None:
        raise Misfit(f"{record.path}: {cell.method} is {what}, no model that could be written; name another record")
    needed = dict.fromkeys((*cell.key.corpora, *cell.key.developed))
    if lacking := [c for c in needed if c not in lab.rows.corpora]:
        what = "on which its members were trained or it was chosen"
        raise Misfit(f"{record.path}: the data at hand lack {', '.join(lacking)}, {what}")
    _require_same(cell, lab, record)
    if cell.method in ROWS:
        merged: Merged = lab.workshop.member(cell.key.together)
    else:
        merged = merged_by(cell, lab, results, before=record).merged
        journal.forget(results.root, running_key(cell, lab))
    lab.subject.forget()  # the ancestor: from here on one model is held
    if record.weights_sha256 and (found := weights_sha256(merged)) != record.weights_sha256:
        raise Misfit(
            f"{record.path}: merging again gives other weights, {found[:12]} and not {record.weights_sha256[:12]}; "
            "members, code or machine are not those of the record"
        )
    return merged


def _require_same(cell: Cell, lab: Lab, record: RunRecord) -> None:
    """Refuse what cannot give the record's weights before anything is merged, and say what is different."""
    recipe = recipe_of(cell, lab, used_by(record.recipe))
    own = {lab.rows.task(corpus).name for corpus in (*cell.key.members, *cell.key.developed)}
    ours, theirs = ({**merge_part(told), "tasks": _tasks(told, own)} for told in (recipe, record.recipe))
    odd = next((name for name in _SAID if ours.get(name) != theirs.get(name)), None)
    if odd is None:
        return
    said = _SAID[odd].format(names=", ".join(_differing(ours.get(odd), theirs.get(odd), cell)))
    command = record.environment.get("command")
    raise Misfit(f"{record.path}: {said}" + (f". It was made by: {command}" if command else ""))


_SAID: Mapping[str, str] = {  # part of the recipe -> what to do, in the order in which one looks
    "model": "the model at hand is another ({names} differ); name the same with --model",
    "tasks": "the task {names} is another (its labels, their order, or how it is scored); give --task, or take the "
    "version, of then",
    "dev": "the development rows of {names} are others; give --data and --task as then",
    "protocol": "the protocol differs in {names}; give --protocol and --set as then",
    "members": "{names}: another checkpoint than then; give --member, --cache and --data as then, on such a machine",
    "population": "the members are others",
    "fisher": "the rows of its Fisher statistics are others; give --data as then",
    "gram": "the rows of its Gram matrices are others; give --data as then",
    "method": "the method is another ({names} differ); use the version, the code and the --set of then",
    "seed": "its seed is another",
}


def _tasks(recipe: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """What a recipe says of the tasks that members answer or are chosen by; the others change no weight."""
    return {name: told for name, told in recipe.get("data", {}).get("tasks", {}).items() if name in own}


def _differing(ours: Any, theirs: Any, cell: Cell) -> list[str]:
    """The names of what differs; members by their names."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs) == len(cell.key.members):
        return [m for m, a, b in zip(cell.key.members, ours, theirs, strict=True) if a != b]
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        names = [n for n in dict.fromkeys((*theirs, *ours)) if ours.get(n) != theirs.get(n)]
        inner = [_differing(ours.get(n), theirs.get(n), cell) for n in names]
        return [n if not below else ", ".join(below) for n, below in zip(names, inner, strict=True)]
    return []
