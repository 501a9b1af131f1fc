"""What a record says of the search or evolution that found it: around which method, by what, at which budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from harness.records.record import RunRecord

EVOLVER, SEARCH = "evolver", "search"  # methods that are made around another one, and called so
CALIBRATED = "calibrated"  # so is this one, which neither searches nor evolves
NUMBERED = "source"  # a member by its place: source_1
MARKS = "marks"
OF_STAGES = ("evaluations", "variables", "optimiser", "winner", "again")
RANDOM = "random"  # the optimiser that every other one is held against


def called(method: Mapping[str, Any]) -> str:
    """The name by which a recipe's method is called: `ties`, `ties_evolver`, `ties_cma`, `dfs`, `source_2`."""
    name, inner = str(method.get("name")), _inner(method)
    if name == NUMBERED:
        return f"{name}_{part(method, 'knobs').get('number', 1)}"
    return f"{called(inner)}_{around(method)}" if inner and name in (EVOLVER, SEARCH, CALIBRATED) else name


def around(method: Mapping[str, Any]) -> str:
    """What a recipe's method is made by, around another one: `evolver`, `cma`, `calibrated`; "" where there is none."""
    if not _inner(method):
        return ""
    if method.get("name") in (EVOLVER, CALIBRATED):
        return str(method["name"])
    return str(part(part(method, "knobs"), "optimiser").get("name", ""))


def is_search(record: RunRecord) -> bool:
    """Whether an optimiser asked for its candidates, whatever it is called: `ties_cma`, `dfs`."""
    return searcher_of(record) not in ("", EVOLVER)


def is_named(record: RunRecord) -> bool:
    """Whether it is a search that has a name of its own, `dfs`, and not that of a method and an optimiser."""
    return is_search(record) and part(record.recipe, "method").get("name") != SEARCH


def is_calibrated(record: RunRecord) -> bool:
    """Whether the outputs of another method's merge were moved by development rows."""
    return part(record.recipe, "method").get("name") == CALIBRATED


def within(record: RunRecord) -> RunRecord:
    """The record as one of the method inside would tell of itself: what it was made by, at which budget."""
    inner = _inner(part(record.recipe, "method"))
    return replace(record, method=called(inner), knobs=inner_knobs(record), recipe={**record.recipe, "method": inner})


def inner_of(record: RunRecord) -> str:
    """The method that a record's own is made around: `ties` of `ties_cma`; "" where there is none."""
    inner = _inner(part(record.recipe, "method"))
    return called(inner) if inner else ""


def searcher_of(record: RunRecord) -> str:
    """By what the record's method searched: an optimiser's name, or `evolver`; "" where it is neither."""
    method = part(record.recipe, "method")
    if method.get("name") == CALIBRATED:
        return ""  # what it calibrates may have searched; it did not
    return EVOLVER if method.get("name") == EVOLVER else around(method)


def own_knobs(record: RunRecord) -> set[str]:
    """The knobs in a recipe that belong to what is around a method, and so not to the method inside."""
    knobs = part(part(record.recipe, "method"), "knobs")
    of_rows = part(part(record.recipe, "protocol"), "search")
    if is_calibrated(record):
        alone = record.dev.get("calls") == 1 and "unlabelled" not in record.dev  # nobody else read development rows
        return {*knobs, *(of_rows if alone else ())}
    told = {*knobs, *part(part(knobs, "optimiser"), "knobs"), *of_rows}
    if is_named(record):
        told -= {"preset"}  # which says what it searches, as it does of `route_random`
    return told | {"budget"}  # it is set for a whole session, perhaps to what is a method's own value


def inner_knobs(record: RunRecord) -> dict[str, Any]:
    """What the method inside was given, by the words of a row of its own."""
    prefix = f"{_inner(part(record.recipe, 'method')).get('name')}."  # how it is told that has the name of an outer one
    outer = own_knobs(record)
    return {k.removeprefix(prefix): v for k, v in record.knobs.items() if k not in outer}


def budget_of(record: RunRecord) -> int | None:
    """How many development evaluations it might ask for; of an evolution that was given none, how many it took."""
    method, told = part(record.recipe, "method"), (record.trace or {}).get("budget")
    found = part(method, "knobs").get("budget", told)
    if found is None and searcher_of(record) == EVOLVER:
        found = record.dev.get("calls")
    return whole(found)


def is_budgeted(record: RunRecord) -> bool:
    """Whether it was told a budget, as every search is, and an evolution only if the user gives it one."""
    method = part(record.recipe, "method")
    return is_search(record) or (method.get("name") == EVOLVER and "budget" in part(method, "knobs"))


def evaluations_of(record: RunRecord) -> int | None:
    """How many evaluations were made of its budget; a point that was asked for again counts, too."""
    told = whole((record.trace or {}).get("evaluations"))
    return whole(record.dev.get("calls")) if told is None else told


def again_of(record: RunRecord) -> int:
    """How many of them examined a candidate again, on rows kept apart."""
    trace = record.trace or {}
    told = [stage.get("again") for stage in stages_of(trace)] or [trace.get("again")]
    return sum(len(looks) if isinstance(looks, list) else whole(looks) or 0 for looks in told)


def kept_start(record: RunRecord) -> bool:
    """Whether nothing that the search found was better than where it began, in any stage."""
    trace = record.trace or {}
    return all(stage.get("winner") == "start" for stage in stages_of(trace) or [trace])


def stages_of(trace: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What each stage of a search told by itself, where it had several, one after the other."""
    told = trace.get("stages")
    return told if isinstance(told, list) and all(isinstance(stage, Mapping) for stage in told) else []


def shown_of(trace: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What tables and figures need of a search's trace, which may hold thousands of births; None of any other trace."""
    if trace is None or not isinstance(scores := trace.get("scores"), list):
        return None
    found = {name: trace[name] for name in ("budget", "evaluations", "winner") if name in trace}
    found["again"] = len(again) if isinstance(again := trace.get("again"), list) else 0
    told = trace.get("variables")
    variables = len(told) if isinstance(told, list) else whole(told)
    if stages := stages_of(trace):
        found["stages"] = [{name: stage.get(name) for name in OF_STAGES} for stage in stages]
    return {**found, "course": course(scores), **({} if variables is None else {"variables": variables})}


def course(scores: Iterable[Any]) -> list[float | None]:
    """The best score so far after each evaluation; None as long as all have failed."""
    best, found = -math.inf, list[float | None]()
    for score in scores:
        best = max(best, score) if is_number(score) else best
        found.append(round(best, 6) if best > -math.inf else None)
    return found


def told_by(record: RunRecord) -> str:
    """What a search was told of its candidates: their "marks", which are the scores that are shown; of written answers
    perhaps a stand-in, the "likelihood" of right ones, or "both"."""
    return str(part(part(record.recipe, "protocol"), "search").get("search_by", MARKS))


def best_so_far(record: RunRecord) -> list[tuple[int, float]]:
    """How many evaluations were made, and the best score by then; of a record that tells it by generations, after each.

    Empty for what is no search, and where nothing can be read. It is of whatever the search was told by.
    """
    calls, trace = evaluations_of(record), record.trace or {}
    by_score = trace.get("course")
    told: Any = by_score or record.dev.get("history")
    if not searcher_of(record) or not isinstance(told, list) or not told or not calls:
        return []
    if by_score or is_search(record):
        looks = len(told) + again_of(record)
        first = each = max(1, calls // looks)  # more than one where the method inside asks for some
    else:
        each = len(record.members)
        first = calls - each * (len(told) - 1)
    return [(first + each * k, float(best)) for k, best in enumerate(told) if is_number(best) and first > 0]


def by_generation(record: RunRecord) -> list[float]:
    """The course of what is told by generations, as evolutions without a budget once were; empty for any other."""
    history, told = record.dev.get("history"), (record.trace or {}).get("course") or []
    if is_search(record) or not isinstance(history, list) or len(history) < 2:
        return []
    if told_by(record) != MARKS:
        return []
    known = [float(v) for v in history if is_number(v)]
    return known if len(known) == len(history) and len(known) != len(told) else []


def whole(value: Any) -> int | None:
    """A count; None of anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is finite, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside another one; an empty one where it is not there, or no object."""
    found = of.get(name)
    return found if type(found) is dict or isinstance(found, Mapping) else {}  # the first at a tenth of the time


def _inner(method: Mapping[str, Any]) -> Mapping[str, Any]:
    return part(part(method, "knobs"), "inner")
