"""The rows of a column: a method with the knobs that are not its protocol's own, so that two values are two rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, TypeVar

from harness.records.record import RunRecord, canonical
from leaderboard import words
from leaderboard.tables.searches import inner_knobs, inner_of, part

Rows = Mapping[str, tuple[RunRecord, ...]]  # label -> its records, in the order of the table
DECIDES = ("method", "protocol", "setting")  # parts of a recipe that may tell two answers of one method apart
OF_MODELS = {"method": ("member",), "protocol": ("training", "choosing")}
LONGEST = 40  # characters of a value
KEPT = 32  # columns of which is remembered what was found: those of one table and its neighbours

Found = TypeVar("Found")


def once(make: Callable[[Rows], Found]) -> Callable[[Rows], Found]:
    """Remember what `make` found of the last rows that it was asked of; they are known by being these very ones."""
    kept: dict[int, tuple[Rows, Found]] = {}

    @wraps(make)
    def asked(rows: Rows) -> Found:
        there = kept.get(id(rows))
        if there is None or there[0] is not rows:
            if len(kept) >= KEPT:
                del kept[next(iter(kept))]
            there = kept[id(rows)] = rows, make(rows)
        return there[1]

    return asked


def rows_of(records: Iterable[RunRecord]) -> Rows:
    """`ties`, `ties k=0.4`: records of one label differ in nothing but members and seeds. Of repeats, one is shown."""
    named: dict[str, list[RunRecord]] = defaultdict(list)
    for record in _once(records):
        named[label(record.method, record.knobs)].append(record)
    found: dict[str, tuple[RunRecord, ...]] = {}
    for name, own in named.items():
        for further, apart in _apart(own).items():
            found[name + further] = tuple(apart)
    return {name: found[name] for name in in_order(found)}


def in_order(rows: Rows) -> list[str]:
    """The labels as tables show them: a search right below what it searches."""
    return sorted(rows, key=lambda row: words.row_rank(row, inner_of(rows[row][0])))


def label(method: str, knobs: Mapping[str, Any]) -> str:
    """A method's name and what it was given."""
    return method + "".join(_told(knob, knobs[knob]) for knob in sorted(knobs))


def base_of(record: RunRecord) -> str:
    """The row that this record's method evolves or searches, with the same inner knobs: `ties k=0.4`; "" where there is
    none."""
    base = inner_of(record)
    return base and label(base, inner_knobs(record))


def _once(records: Iterable[RunRecord]) -> Iterator[RunRecord]:
    """Without further answers to one recipe: as they were kept when a recipe still held what a cell did not use."""
    seen: set[tuple[str, str, int, str]] = set()
    for record in records:
        cell = record.method, record.population, record.seed, canonical(_decides(record))
        if cell not in seen:
            seen.add(cell)
            yield record


def _decides(record: RunRecord) -> dict[str, Any]:
    return {"knobs": record.knobs, **{kind: record.recipe.get(kind) for kind in DECIDES}}


def decided(record: RunRecord) -> dict[str, Any]:
    """What a recipe says of its cell but for how models were trained, also that of a reference row: they are others for
    each seed, and some of them may have been brought."""
    found = _decides(record)
    for kind, names in OF_MODELS.items():
        found[kind] = {name: value for name, value in part(record.recipe, kind).items() if name not in names}
    return found


def _apart(records: list[RunRecord]) -> dict[str, list[RunRecord]]:
    """Records that would stand in one row, by what differs in their recipes: mostly one row, whose label is whole."""
    told_apart = [decided(r) for r in records]
    if all(told == told_apart[0] for told in told_apart):
        return {"": records}
    recipes = [dict(leaves(told)) for told in told_apart]
    varied = sorted({name for told in recipes for name in told if len({_value(t, name) for t in recipes}) > 1})
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for record, told in zip(records, recipes, strict=True):
        found["".join(_told(name.rsplit(".", 1)[-1], told[name]) for name in varied if name in told)].append(record)
    if len(found) == len({tuple(_value(t, name) for name in varied) for t in recipes}):
        return found
    whole: dict[str, list[RunRecord]] = defaultdict(list)  # two names or values look alike: tell them by a number
    order = sorted({canonical(told) for told in recipes})
    for record, told in zip(records, recipes, strict=True):
        whole[f" recipe={order.index(canonical(told)) + 1}"].append(record)
    return whole


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """`method.knobs.k`: every value of nested objects by its way."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _value(leaves: Mapping[str, Any], name: str) -> str:
    return canonical(leaves[name]) if name in leaves else ""


def _told(name: str, value: Any) -> str:
    words_alone = isinstance(value, list | tuple) and value and all(isinstance(part, str) for part in value)
    said = value if isinstance(value, str) else ",".join(value) if words_alone else canonical(value)
    return f" {name}={said if len(said) <= LONGEST else said[:LONGEST] + '…'}"
