"""The optimiser contract: what any optimiser must keep, as one call that its author can put into a test.

    from methods.optimisers.contract import check_optimiser
    check_optimiser(MyOptimiser())

It searches small made-up spaces as a search of models does, and says in one sentence which promise is broken. A space
that the optimiser refuses by `NotApplicable` is left out; one of two numbers at least has to be taken.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from methods.catalogue import describe
from methods.errors import NotApplicable
from methods.optimisers.base import Optimiser, Running
from methods.space import Gene, Point, Space, Variable

BUDGET = 90  # evaluations beside the start, of which a tenth or so are never told
LONGEST = 5_000  # points of one generation; more would not fit a budget that anybody has


def _number(name: str, low: float = 0.0, high: float = 1.0, start: float = 0.5) -> Variable:
    return Variable(Gene(name, low, high), low, high, start)


def _choice(name: str, *of: str | bool, chances: tuple[float, ...] = ()) -> Variable:
    return Variable(Gene(name, choices=of), 0.0, len(of) - 1.0, 0.0, prior=chances)


_SHARE = Gene("coefficients", 0.0, 1.0, "share", each="member")
SPACES = {
    "two numbers": Space((_number("k"), _number("lambda", 0.0, 2.0, 1.0))),
    "one number": Space((_number("k"),)),
    "bounds below zero, and a start on one of them": Space(tuple(_number(f"x{i}", -3.0, -1.0, -1.0) for i in range(5))),
    "the shares of three members": Space(tuple(Variable(_SHARE, 0.0, 1.0, 1 / 3, name) for name in "abc")),
    "choices": Space(tuple(_choice(f"c{i}", False, True) for i in range(4))),
    "choices of which one is likelier": Space(
        (_choice("on", False, True, chances=(0.9, 0.1)), _choice("order", "a", "b", "c"), _number("k"))
    ),
    "numbers and choices": Space((_number("k"), _choice("order", "a", "b", "c"), _number("density", 0.1, 0.9, 0.1))),
}
Told = list[tuple[list[Point], list[float]]]


def check_optimiser(optimiser: Optimiser) -> None:
    """Raise `AssertionError` with one sentence if the optimiser breaks a promise of `methods/optimisers/base.py`."""
    described = describe(optimiser)  # type: ignore[arg-type]
    _promise(json.loads(json.dumps(described, allow_nan=False)) == described, "its options do not survive JSON")
    for where, space in SPACES.items():
        try:
            optimiser.begin(space, 0, BUDGET, 0.0)
        except NotApplicable as error:
            _promise(where != "two numbers", f"{where}: it refuses a plain space: {error}")
            continue
        for kind, score in SCORES.items():
            _check(optimiser, f"{where}, {kind}", space, score)


def _check(optimiser: Optimiser, where: str, space: Space, score: Callable[[Point], float]) -> None:
    with _nothing_drawn(where):
        first = _search(optimiser, where, space, score)

    def among_others(point: Point) -> float:
        _draw_from_all()
        return score(point)

    disturbed = _search(optimiser, where, space, among_others)
    _promise(first == disturbed, f"{where}: the same seed gives another search when somebody draws numbers in between")
    _promise(bool(first), f"{where}: it asks for nothing")


def _search(optimiser: Optimiser, where: str, space: Space, score: Callable[[Point], float]) -> Told:
    """All that was asked and told."""
    running, left, seen = optimiser.begin(space, 3, BUDGET, score(space.start)), BUDGET, Told()
    while left > 0:
        asked = running.ask()
        _check_points(where, space, asked)
        points = list(asked)
        if not points:
            break
        scores = [score(point) for point in points]
        seen.append((points, scores))
        left -= len(points)
        if left >= 0:
            _tell(where, running, points, scores)
            mean = running.mean()
            _check_points(f"{where}: its mean", space, [] if mean is None else [mean])
    return seen


def _tell(where: str, running: Running, points: list[Point], scores: list[float]) -> None:
    told, heard = list(points), list(scores)
    running.tell(told, heard)
    _promise(told == points and heard == scores, f"{where}: it writes into the lists that it is told; copy them")


def _check_points(where: str, space: Space, points: Sequence[Point]) -> None:
    _promise(len(points) <= LONGEST, f"{where}: it asks for {len(points)} points at once; ask for few at a time")
    for point in points:
        plain = isinstance(point, tuple) and all(type(x) is float for x in point)
        _promise(plain, f"{where}: {point!r} is no tuple of Python floats")
        _promise(len(point) == len(space), f"{where}: a point has {len(point)} numbers for {len(space)} variables")
        for variable, x in zip(space.variables, point, strict=True):
            if variable.choices:
                _promise(x in range(len(variable.choices)), f"{where}: {x} is no place among {variable.choices}")
            _promise(variable.low <= x <= variable.high, f"{where}: {x} is outside {variable.low}..{variable.high}")


def _slope(point: Point) -> float:
    return sum(point)


def _hill(point: Point) -> float:
    """With ties, and a fall that is as deep as that of a candidate that failed."""
    return round(-sum((x - 0.3) ** 2 for x in point), 1) - 9.0 * (point[0] > 0.8)


def _flat(point: Point) -> float:
    return 0.25


SCORES = {"a slope": _slope, "a hill": _hill, "scores that are all equal": _flat}


@contextmanager
def _nothing_drawn(where: str) -> Iterator[None]:
    """Raise if a generator that all share was drawn from."""
    before = _shared()
    yield
    _promise(before == _shared(), f"{where}: it draws from a generator that all share; make one from the seed")


def _shared() -> list[object]:
    """The states of all generators that whoever draws without one of his own draws from."""
    import numpy as np

    numpys = np.random.get_state(legacy=False)["state"]
    states: list[object] = [random.getstate(), numpys["key"].tobytes(), numpys["pos"]]
    if (torch := sys.modules.get("torch")) is not None:  # which no optimiser needs
        states.append(bytes(torch.get_rng_state().tolist()))
    return states


def _draw_from_all() -> None:
    """As somebody else may while a candidate is scored."""
    import numpy as np

    random.seed(7)
    np.random.seed(7)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(7)


def _promise(kept: bool, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)
