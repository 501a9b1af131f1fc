"""What a method will ask for while it merges, as far as it says: development evaluations, and statistics."""

from __future__ import annotations

from harness.planning.holdings import WIDTH, Holding, holding
from methods.calls import asks
from methods.errors import MergeboardError

STATISTICS = ("fisher", "gram")
PARTS = ("inner", "first_stage")  # knobs that hold another method


def evaluations(method: object, members: int) -> int:
    """How many scores of merges of so many members it asks for; 0 where it asks for none, or does not say."""
    budget, generations = getattr(method, "budget", None), getattr(method, "generations", None)
    if isinstance(budget, int):
        return budget
    inner = getattr(method, "inner", None)
    if isinstance(generations, int):
        return (members if inner is None else 1) + generations * members
    try:
        return asks(method, members) or (0 if inner is None else evaluations(inner, members))
    except MergeboardError:  # a search that has too small a budget says so itself
        return 0


def statistics(method: object) -> tuple[str, ...]:
    """The kinds of statistics that it, or a method that it is made around, reads."""
    needs = _needs(method)
    return tuple(kind for kind in STATISTICS if kind in needs)


def holding_of(name: str, method: object, members: int, parameters: int, score_bytes: int = WIDTH) -> Holding:
    """What a merge by this method, of this name, holds. Who learns from rows without their labels searches too, and who
    walks through training rows makes what others read from files."""
    needs = _needs(method)
    kind = "search" if evaluations(method, members) or needs & {"development scores", "development rows"} else "merge"
    makes = bool(needs & {*STATISTICS, "training rows"})
    return holding(name, kind, members, parameters, makes, score_bytes)


def _needs(method: object) -> set[str]:
    inner = [within for part in PARTS if (within := getattr(method, part, None)) is not None]
    return {*getattr(method, "needs", ()), *(need for within in inner for need in _needs(within))}
