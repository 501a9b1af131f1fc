"""Whether what a record says of its search can be: scores that are some, a course that never falls, a winner of them.

Asked while the trace is at hand, which tables do without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from harness.records.record import RunRecord
from leaderboard.stats.chance import ROUNDING
from leaderboard.tables.searches import (
    MARKS,
    course,
    is_number,
    is_search,
    part,
    searcher_of,
    stages_of,
    told_by,
    whole,
)

WINNER = re.compile(r"start|mean|candidate \d{1,7}")


def contradiction(record: RunRecord) -> str:
    """The first thing in which a search contradicts itself, as one line; empty where there is none, or no search."""
    if not searcher_of(record):
        return ""
    trace = record.trace or {}
    return next(_contradictions(record, trace, trace.get("scores")), "")


def _contradictions(record: RunRecord, trace: Mapping[str, Any], scores: Any) -> Iterator[str]:
    fits, wanted = _TOLD.get(told_by(record), (is_number, "a number"))
    for name, history in (("dev.history", record.dev.get("history")), ("trace.history", trace.get("history"))):
        yield from _course(name, history, fits, wanted)
    for name, (well, this) in (("best", (fits, wanted)), ("apart", _TOLD[MARKS])):
        if (told := record.dev.get(name)) is not None and not well(told):
            yield f"dev.{name} is {told!r:.40}, wanted {this}"
    if (seen := record.dev.get("seen")) is not None and not (is_number(seen) and 0 <= seen <= 1):
        yield f"dev.seen is {seen!r:.40}, wanted a share from 0 to 1"
    calls, asked = trace.get("calls"), record.dev.get("calls")
    if calls is not None and calls != asked:
        yield f"dev.calls is {asked!r:.40}, and its trace counts {calls!r:.40}"
    if scores is None:
        return
    if not isinstance(scores, list) or not scores or not all(s is None or fits(s) for s in scores):
        yield f"trace.scores are not {wanted}, or null, for each evaluation"
        return
    yield from _spent(part(part(record.recipe, "method"), "knobs").get("budget"), trace, len(scores))
    best = max((s for s in scores if s is not None), default=None)
    told = record.dev.get("best")  # a method that asks for scores itself may have been told of more
    if trace.get("inner") is None and is_number(told) and (best is None or abs(told - best) > ROUNDING):
        yield f"dev.best is {told}, and the best of trace.scores is {best}"
    if is_search(record):
        yield from _of_history(trace.get("history"), scores)
        if "stages" in trace:
            yield from _staged(trace, scores)
        else:
            yield from _chosen(trace, scores)
        found, told = apart_of(trace), record.dev.get("apart")
        if found is not None and is_number(told) and abs(told - found) > ROUNDING:
            yield f"dev.apart is {told}, and its winner scored {found} on the rows kept apart"
    yield from _same_course(record.dev.get("history"), trace.get("history"))


def _course(name: str, history: Any, fits: Callable[[Any], bool], wanted: str) -> Iterator[str]:
    if history is None:
        return
    known = [h for h in history if h is not None] if isinstance(history, list) else None
    if known is None or not all(map(fits, known)):
        yield f"{name} is not a list, each of it {wanted}"
    elif any(after < before - ROUNDING for before, after in pairwise(known)):
        yield f"{name} falls, and the best score so far cannot"


def _same_course(told: Any, traced: Any) -> Iterator[str]:
    if not isinstance(told, list) or not isinstance(traced, list):
        return
    known = [h for h in traced if h is not None]
    if len(told) != len(known) or any(abs(a - b) > ROUNDING for a, b in zip(told, known, strict=True)):
        yield "dev.history is not that of its trace"


def _spent(given: Any, trace: Mapping[str, Any], scored: int) -> Iterator[str]:
    """What is wrong with its counts; `given`: the budget in its recipe, if that has one."""
    told = [budget for budget in (given, trace.get("budget")) if budget is not None]
    made = trace.get("evaluations", scored)
    if whole(made) is None or made < scored:
        yield f"trace.evaluations is {made!r:.40}, and it has {scored} scores"
    elif any(whole(budget) is None for budget in told) or len(set(told)) > 1:
        yield f"its budget is {' and '.join(map(str, told)):.60}; wanted one whole number"
    elif told and made > told[0]:
        yield f"it made {made} evaluations, and its budget is {told[0]}"


def _of_history(history: Any, scores: list[float | None]) -> Iterator[str]:
    if isinstance(history, list) and len(history) == len(scores):
        pairs = [(told, meant) for told, meant in zip(history, course(scores), strict=True) if meant is not None]
        if any(told is None or abs(told - meant) > ROUNDING for told, meant in pairs):
            yield "trace.history is not the best of trace.scores so far"


def _chosen(trace: Mapping[str, Any], scores: list[float | None]) -> Iterator[str]:
    """What is wrong with the winner of a search, or of a stage of one."""
    best = max((s for s in scores if s is not None), default=None)
    winner, again = trace.get("winner"), trace.get("again") or []
    if best is None:
        return
    if not isinstance(winner, str) or not WINNER.fullmatch(winner) or _number(winner) >= len(scores):
        yield f"its winner is {winner!r:.40}, wanted start, mean or one of {len(scores)} candidates"
        return
    if not again:
        own = None if winner == "mean" else scores[_number(winner)]
        if winner != "mean" and (own is None or own < best - ROUNDING):
            yield f"its winner, {winner}, scored {own}, and another one {best}"
        return
    apart = {_named(a.get("candidate")): a.get("apart") for a in again} if _are_objects(again) else {}
    known = [score for score in apart.values() if _is_score(score)]
    if not known or not all(score is None or _is_score(score) for score in apart.values()):
        yield "trace.again does not say what each candidate scored on the rows kept apart"
    elif not _is_score(apart.get(winner)) or apart[winner] < max(known) - ROUNDING:
        yield f"its winner, {winner}, scored {apart.get(winner)} on the rows kept apart, and another one {max(known)}"


def apart_of(trace: Mapping[str, Any]) -> float | None:
    """What its winner scored on the rows kept apart; None where it was not examined there."""
    again = trace.get("again")
    looks: list[Mapping[str, Any]] = list(again or []) if _are_objects(again) else []
    found = next((a.get("apart") for a in looks if _named(a.get("candidate")) == trace.get("winner")), None)
    return found if is_number(found) else None


def _staged(trace: Mapping[str, Any], scores: list[float | None]) -> Iterator[str]:
    """What is wrong with the stages of a search: each is one of its own, and together they are the whole."""
    stages = stages_of(trace)
    counts = [whole(stage.get("scored")) or 0 for stage in stages]
    if not stages or 0 in counts or sum(counts) != len(scores):
        yield f"its stages scored {' and '.join(map(str, counts)) or 'nothing'}, and it has {len(scores)} scores"
        return
    begin = 0
    for place, (stage, count) in enumerate(zip(stages, counts, strict=True), 1):
        own = scores[begin : begin + count]
        for said in (*_spent(None, stage, count), *_chosen(stage, own)):
            yield f"stage {place}: {said}"
        begin += count
    for name in ("evaluations", "budget"):
        told = [whole(stage.get(name)) for stage in stages]
        if None in told or sum(n or 0 for n in told) != trace.get(name):
            yield f"its stages' {name} are {' and '.join(map(str, told))}, and trace.{name} is {trace.get(name)!r:.40}"
    last, before = str(stages[-1].get("winner")), len(scores) - counts[-1]
    meant = last if last == "mean" else f"candidate {before + _number(last)}"
    if trace.get("winner") != meant:
        yield f"its winner is {trace.get('winner')!r:.40}, and that of its last stage is {meant}"


def _number(winner: str) -> int:
    return int(winner.rpartition(" ")[2]) if winner.startswith("candidate") else 0


def _named(candidate: Any) -> str:
    """A candidate as a winner is named, by its number or its name."""
    if isinstance(candidate, str):
        return candidate
    return "start" if candidate == 0 else f"candidate {candidate}"


def _are_objects(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, Mapping) for value in values)


def _is_score(value: Any) -> bool:
    return is_number(value) and -1 - ROUNDING <= value <= 1 + ROUNDING


_TOLD: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    MARKS: (_is_score, "a number from -1 to 1"),
    "likelihood": (lambda value: is_number(value) and value <= ROUNDING, "a logarithm of a probability"),
    "both": (lambda value: is_number(value) and -ROUNDING <= value <= 1.1 + ROUNDING, "a number from 0 to 1.1"),
}
