"""Spaces to test optimisers on, functions over them whose best point is known, and a search as an engine runs it."""

from __future__ import annotations

from collections.abc import Callable

from methods.optimisers.base import Optimiser
from methods.space import Gene, Point, Space, Variable


def numbers(n: int, low: float = 0.0, high: float = 1.0, start: float = 0.5) -> Space:
    """So many numbers, each of a knob of its own."""
    return Space(tuple(Variable(Gene(f"x{i}", low, high), low, high, start) for i in range(n)))


def coefficients(n: int, group: str = "", start: float | str = "share") -> Space:
    """One number for each of n members."""
    gene = Gene("coefficients", 0.0, 1.0, start, each="member")  # type: ignore[arg-type]
    return Space(tuple(Variable(gene, 0.0, 1.0, 1 / n, f"m{i}", group) for i in range(n)))


def choices(n: int, of: tuple[str | bool, ...] = (False, True), start: float = 0.0) -> Space:
    """So many choices."""
    return Space(tuple(Variable(Gene(f"c{i}", choices=of), 0.0, len(of) - 1.0, start) for i in range(n)))


def joined(*spaces: Space) -> Space:
    """One space of all their variables."""
    return Space(tuple(v for space in spaces for v in space.variables))


def sphere(centre: float) -> Callable[[Point], float]:
    """0 where every number is `centre`, below everywhere else."""
    return lambda point: -sum((x - centre) ** 2 for x in point)


def ones(point: Point) -> float:
    """How many of the choices are the last of two."""
    return sum(point)


Evaluated = list[tuple[Point, float]]


def search(
    optimiser: Optimiser, space: Space, function: Callable[[Point], float], budget: int, seed: int = 0
) -> Evaluated:
    """Every point that was scored, the start first, with its score; what is left of a generation is not told."""
    seen = [(space.start, function(space.start))]
    running = optimiser.begin(space, seed, budget - 1, seen[0][1])
    while len(seen) < budget and (asked := list(running.ask())):
        scored = [(point, function(point)) for point in asked[: budget - len(seen)]]
        seen += scored
        if len(scored) == len(asked):
            running.tell(asked, [score for _, score in scored])
    return seen


def best(seen: Evaluated) -> float:
    """The best score."""
    return max(score for _, score in seen)
