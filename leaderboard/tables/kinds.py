"""Which rows may be held against each other: those at their defaults, and those tuned alike on development rows.

A search, an evolution and a calibration choose by development rows what a method at its defaults does not, and so does
a method whose own rule asks for scores, as that of greedy soup. A method that makes a model for each task must know a
row's task, which no other asks for. A score of the one says nothing about the other method.
Rows are compared, marked and ranked within their kind; where two kinds meet, what is said names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.tables.rows import Rows, once
from leaderboard.tables.searches import EVOLVER, budget_of, is_budgeted, is_calibrated, part, searcher_of, whole, within

DEFAULT = ""  # the kind of what was not tuned; every other kind says by how much it was
CONTROL = "calibrated"
OWN = "its own rule"  # of a method that asks for scores on development rows as it merges
BY_TASK = "a model for each task"  # of a method that must know each row's task, as others need not


def kind_of(record: RunRecord) -> str:
    """ "" of a method at its defaults, `its own rule` of one that asks for scores as it merges, `12 evaluations` of a
    search, `15 generations` of an evolution without a budget, `calibrated` and `12 evaluations, calibrated` of what was
    calibrated afterwards; `a model for each task`, alone or before these."""
    told = [BY_TASK] if record.cost.get("tasks") and not words.yardstick(record.method) else []
    if is_calibrated(record):
        told += [_tuned(within(record)), CONTROL]
    else:
        asks = whole(record.dev.get("calls")) and not words.yardstick(record.method)
        told.append(_tuned(record) or (OWN if asks else DEFAULT))
    return ", ".join(filter(None, told))


@once
def kinds(rows: Rows) -> Mapping[str, str]:
    """Row -> its kind; of a row whose records were tuned to different extents, all of them."""
    return {row: " or ".join(sorted(set(map(kind_of, own)))) for row, own in rows.items()}


_SAID = {
    DEFAULT: "at its defaults",
    OWN: f"by {OWN}",
    BY_TASK: BY_TASK,
    CONTROL: f"{CONTROL} on development rows",
}


def each(told: Iterable[str]) -> list[str]:
    """The kinds that are there: defaults first, then by how much was tuned."""
    return sorted(set(told), key=_extent)


def says(kind: str) -> str:
    """A kind in words: `at its defaults`, `by its own rule`, `tuned on development rows (12 evaluations)`."""
    if kind in _SAID:
        return _SAID[kind]
    first, _, rest = kind.partition(", ")
    return f"{BY_TASK}, {says(rest)}" if first == BY_TASK else f"tuned on development rows ({kind})"


def named(row: str, kind: str) -> str:
    """A row by its name and, of what was tuned, by how much: `ties_cma (tuned on development rows: 12 evaluations)`."""
    if kind == DEFAULT:
        return words.shown(row)
    name, told = words.shown(row, kind.split(", ")), says(kind)
    return f"{name} (tuned on development rows: {kind})" if told.endswith(f" ({kind})") else f"{name} ({told})"


def beside(pairs: Iterable[tuple[str, str]]) -> str:
    """What was held against what: `both at their defaults`, `5 generations beside defaults`."""
    told = []
    for one, other in dict.fromkeys(pairs):
        if one == other:
            told.append(f"both {one or 'at their defaults'}")
        else:
            told.append(f"{one or 'defaults'} beside {other or 'defaults'}")
    return "; ".join(told)


def of_several(kind: str) -> str:
    """The same of several: `at their defaults`."""
    return "at their defaults" if kind == DEFAULT else says(kind)


def _tuned(record: RunRecord) -> str:
    by, method = searcher_of(record), part(record.recipe, "method")
    if not by:
        return DEFAULT
    generations = whole(part(method, "knobs").get("generations"))
    if by == EVOLVER and not is_budgeted(record) and generations is not None:
        return _counted(generations, "generation")
    budget = budget_of(record)
    return _counted(budget, "evaluation") if budget is not None else "evolution" if by == EVOLVER else "search"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _extent(kind: str) -> tuple[bool, bool, int, str]:
    digits = "".join(c for c in kind.partition(" ")[0] if c.isdigit())
    return kind != DEFAULT, kind.endswith(CONTROL), int(digits or 0), kind
