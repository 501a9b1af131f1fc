"""Every built-in optimiser: inside the bounds, the same again, deaf to what others draw, and better than chance."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
import torch

from methods import MergeboardError
from methods.optimisers import OPTIMISERS
from methods.optimisers.base import Optimiser
from methods.optimisers.catcma import CatCma
from methods.optimisers.cma import Cma
from methods.optimisers.coordinate import Coordinate
from methods.optimisers.random import Random
from methods.space import Point, Space
from tests.spaces import best, choices, coefficients, joined, numbers, ones, search, sphere

NAMES = sorted(OPTIMISERS.built_in)
SPACES = {
    "one number": numbers(1),
    "two": numbers(2, -1.0, 3.0, 0.25),
    "a start on a bound": numbers(6, 0.0, 1.0, 1.0),
    "shares": joined(coefficients(3), numbers(2)),
    "choices": choices(5),
    "both": joined(numbers(2, 0.2, 0.7, 0.2), choices(3, ("a", "b", "c"), 2.0)),
    "no width": joined(numbers(1), numbers(1, 0.3, 0.3, 0.3)),
}
PAIRS = [(name, kind) for name in NAMES for kind in SPACES if name != "cma" or not SPACES[kind].mixed]


def optimiser(name: str) -> Optimiser:
    built: Optimiser = OPTIMISERS.resolve(name).cls()
    return built


def searched(
    name: str, space: Space, function: Callable[[Point], float], budget: int = 120, seed: int = 0
) -> list[Point]:
    return [point for point, _ in search(optimiser(name), space, function, budget, seed)]


def bumpy(point: Point) -> float:
    """Ties, slopes and a penalty, without a meaning."""
    return round(-sum((x - 0.3) ** 2 for x in point), 2) - 5.0 * (point[0] > 0.8)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_point_lies_inside_the_bounds(name: str, kind: str) -> None:
    space = SPACES[kind]
    for point in searched(name, space, bumpy):
        assert len(point) == len(space) and all(type(x) is float for x in point)
        for variable, x in zip(space.variables, point, strict=True):
            assert variable.low <= x <= variable.high, variable.name
            assert not variable.choices or x in range(len(variable.choices)), variable.name


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_same_seed_is_the_same_search_whatever_others_draw(name: str, kind: str) -> None:
    def disturbing(point: Point) -> float:
        np.random.seed(7)
        random.seed(7)
        torch.default_generator.manual_seed(7)
        return bumpy(point)

    assert searched(name, SPACES[kind], bumpy) == searched(name, SPACES[kind], disturbing)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_drawn_from_a_generator_of_all(name: str) -> None:
    before = (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state())  # type: ignore[union-attr]
    searched(name, SPACES["shares"], bumpy)
    after = (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state())  # type: ignore[union-attr]
    assert before[:2] == after[:2] and torch.equal(before[2], after[2])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"coordinate", "grid"}))
def test_another_seed_is_another_search_but_where_nothing_is_drawn(name: str) -> None:
    space = SPACES["shares"]
    assert searched(name, space, bumpy, seed=1) != searched(name, space, bumpy, seed=2)
    assert searched(name, space, bumpy, seed=2**63 - 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_search_that_is_asked_again_asks_the_same_wherever_it_was_killed(name: str) -> None:
    whole = search(optimiser(name), SPACES["shares"], bumpy, 40)
    for killed in range(1, len(whole), 3):
        known = dict(whole[:killed])
        made: list[Point] = []

        def again(point: Point, known: dict[Point, float] = known, made: list[Point] = made) -> float:
            if point not in known:
                made.append(point)
            return known[point] if point in known else bumpy(point)

        assert search(optimiser(name), SPACES["shares"], again, 40) == whole
        assert set(made) == {point for point, _ in whole[killed:]} - known.keys()


@pytest.mark.parametrize("name", NAMES)
def test_what_it_is_told_is_not_written_to(name: str) -> None:
    running = optimiser(name).begin(SPACES["shares"], 0, 100, 0.0)
    for round_ in range(3):
        points = list(running.ask())
        scores = [float((i * 7 + round_) % 5) for i in range(len(points))]
        told, heard = list(points), list(scores)
        running.tell(told, heard)
        assert told == points and heard == scores


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_is_a_point_of_the_space(name: str) -> None:
    space = SPACES["a start on a bound"]
    running = optimiser(name).begin(space, 0, 100, 0.0)
    for _ in range(5):
        asked = running.ask()
        running.tell(asked, [sum(point) for point in asked])
    mean = running.mean()
    assert mean is None or (len(mean) == len(space) and all(0 <= x <= 1 for x in mean))


@pytest.mark.parametrize("name", NAMES)
def test_scores_that_are_all_the_same_do_not_end_a_search_badly(name: str) -> None:
    for space in (numbers(2), numbers(1)):
        assert len(searched(name, space, lambda point: 0.25, budget=1_500)) > 10


@pytest.mark.parametrize("centre", [0.5, 0.85, 1.0])
@pytest.mark.parametrize("n", [4, 10])
@pytest.mark.parametrize("name", ["catcma", "cma", "coordinate"])
def test_the_top_of_a_smooth_hill_is_found_much_better_than_by_chance(name: str, n: int, centre: float) -> None:
    """From a start that is not the top, at 50 evaluations for each number."""
    space, hill = numbers(n, start=0.3), sphere(centre)
    ours = [best(search(optimiser(name), space, hill, 50 * n, seed)) for seed in range(5)]
    chance = [best(search(Random(), space, hill, 50 * n, seed)) for seed in range(5)]
    assert median(ours) > median(chance) / 5


@pytest.mark.parametrize("name", ["catcma", "cma", "coordinate", "grid"])
def test_one_number_is_found(name: str) -> None:
    space = numbers(1, 0.0, 2.0, 0.1)
    for seed in range(5):
        assert best(search(optimiser(name), space, sphere(1.4), 60, seed)) > -(0.01**2)


def test_cma_learns_a_direction_that_no_single_variable_has() -> None:
    def ridge(point: Point) -> float:
        return -1000 * (point[0] - point[1]) ** 2 - (point[0] + point[1] - 1.6) ** 2

    ours = [best(search(Cma(), numbers(2, start=0.2), ridge, 200, seed)) for seed in range(5)]
    others = [best(search(Random(), numbers(2, start=0.2), ridge, 200, seed)) for seed in range(5)]
    axes = best(search(Coordinate(), numbers(2, start=0.2), ridge, 200))
    assert median(ours) > median(others) / 5 and median(ours) > axes / 5


def test_choices_are_found_better_than_by_chance() -> None:
    for name in ("catcma", "coordinate"):
        ours = [best(search(optimiser(name), choices(20), ones, 200, seed)) for seed in range(5)]
        chance = [best(search(Random(), choices(20), ones, 200, seed)) for seed in range(5)]
        assert median(ours) == 20 > median(chance)


def test_numbers_and_choices_are_found_together() -> None:
    """The top of the hill moves with every wrong choice."""
    space = joined(numbers(3, start=0.3), choices(4))

    def hill(point: Point) -> float:
        wrong = 4 - sum(point[3:])
        return -sum((x - 0.9 + 0.1 * wrong) ** 2 for x in point[:3]) - 0.1 * wrong

    ours = [best(search(CatCma(), space, hill, 300, seed)) for seed in range(5)]
    chance = [best(search(Random(), space, hill, 300, seed)) for seed in range(5)]
    assert median(ours) > median(chance) / 5


def test_catcma_takes_a_choice_of_one_and_a_space_where_nothing_is_left_to_choose() -> None:
    single = choices(1, ("only",))
    assert all(point[0] == 0 for point, _ in search(CatCma(), joined(single, numbers(2)), bumpy, 50))
    assert len(search(CatCma(), single, bumpy, 50)) == 1


def test_a_mean_at_the_middle_begins_there() -> None:
    space, drawn = numbers(50, start=1.0), []
    for kind in (Cma, CatCma):
        for mean in ("middle", "start"):
            asked = kind(mean=mean, sigma=0.01).begin(space, 0, 100, 0.0).ask()  # type: ignore[arg-type]
            drawn.append([sum(point) / 50 for point in asked])
    assert all(abs(x - 0.5) < 0.01 for x in drawn[0] + drawn[2]) and all(x > 0.98 for x in drawn[1] + drawn[3])


def test_cma_gives_directions_up_above_two_hundred_variables() -> None:
    def kind(knobs: Cma, n: int) -> str:
        return type(knobs.begin(numbers(n), 0, 100, 0.0)._cma).__name__

    assert [kind(Cma(), n) for n in (1, 200, 201)] == ["CMA", "CMA", "SepCMA"]
    assert [kind(Cma(separable="no"), 201), kind(Cma(separable="yes"), 2), kind(Cma(separable="yes"), 1)] == [
        *("CMA", "SepCMA", "CMA")
    ]


def test_cma_adapts_its_rate_if_asked() -> None:
    space = numbers(4)
    plain, adapted = (search(Cma(lr_adapt=lr), space, sphere(0.8), 200) for lr in (False, True))
    assert plain[:9] == adapted[:9] and plain != adapted


def test_cma_starts_again_with_twice_the_population_where_it_has_converged() -> None:
    running = Cma().begin(numbers(2), 0, 10_000, 0.0)
    sizes = []
    for _ in range(120):
        asked = running.ask()
        sizes.append(len(asked))
        running.tell(asked, list(map(sphere(0.7), asked)))
    assert sizes[0] == 6 and 12 in sizes and sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (
            lambda: Cma().begin(choices(2), 0, 9, 0.0),
            "c0 is one of False, True; search it with catcma, random, grid or",
        ),
        (
            lambda: Cma(lr_adapt=True).begin(numbers(201), 0, 99, 0.0),
            "given up for 201 variables; set cma.separable=no",
        ),
        (lambda: Cma(population=50).begin(numbers(3), 0, 49, 0.0), "cma.population is 50 and search.budget leaves 49 "),
        (lambda: CatCma(population=50).begin(numbers(3), 0, 49, 0.0), "catcma.population is 50 and search.budget"),
        (lambda: CatCma(population=3), r"catcma.population is 3; it must lie in 4..1000000"),
        (lambda: Cma(population=3), r"cma.population is 3; it must lie in 4..1000000"),
        (lambda: Cma(sigma=0), r"cma.sigma is 0; it must lie in"),
        (lambda: Coordinate(step=2), r"coordinate.step is 2; it must lie in 0.0001..1"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(begin: Callable[[], object], said: str) -> None:
    with pytest.raises(MergeboardError, match=said) as caught:
        begin()
    assert "\n" not in str(caught.value)


def test_coordinate_changes_one_variable_of_the_best_point_at_every_ask() -> None:
    seen = search(Coordinate(), joined(numbers(3), choices(2)), bumpy, 80)
    for i, (point, _) in enumerate(seen[1:], 1):
        top = max(score for _, score in seen[:i])
        tops = [p for p, score in seen[:i] if score == top]
        assert any(sum(x != y for x, y in zip(p, point, strict=True)) == 1 for p in tops)


def test_coordinate_tries_nothing_twice() -> None:
    seen = [point for point, _ in search(Coordinate(), joined(numbers(2), choices(2)), bumpy, 90)]
    assert len(set(seen)) == len(seen)


def test_coordinate_ends_when_its_steps_are_too_small() -> None:
    assert len(search(Coordinate(least=0.1), numbers(1), lambda point: 0.0, 100)) == 5  # two steps, two ways each
    assert len(search(Coordinate(), choices(3), lambda point: 0.0, 100)) == 4  # the three neighbours of the start
    assert best(search(Coordinate(), choices(8), ones, 9)) == 8


def test_a_line_is_climbed_to_its_end_by_halved_steps() -> None:
    seen = search(Coordinate(), numbers(1, start=0.0), sphere(0.3), 9)
    assert [point[0] for point, _ in seen] == [0, 0.25, 0.5, 0.375, 0.125, 0.3125, 0.34375, 0.28125, 0.328125]


def test_nothing_heavy_is_imported_before_a_search_begins() -> None:
    code = (
        "import sys\n"
        "from methods.optimisers import OPTIMISERS\n"
        "for name in OPTIMISERS.built_in: OPTIMISERS.resolve(name).cls()\n"
        "heavy = {'cmaes', 'numpy', 'torch', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from tests.spaces import numbers\n"
        "for name in OPTIMISERS.built_in: OPTIMISERS.resolve(name).cls().begin(numbers(2), 0, 100, 0.0).ask()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
