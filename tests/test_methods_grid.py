"""Grid search: the published levels, mixtures of members, what fits a budget, and the order that points come in."""

from __future__ import annotations

from itertools import pairwise

import pytest

from methods import MergeboardError, NotApplicable
from methods.model_stock import ModelStock
from methods.optimisers.grid import Grid
from methods.searching.genes import genes_of
from methods.searching.spaces import space_of
from methods.space import SCALE, Gene, Point, Space, Variable
from methods.task_arithmetic import TaskArithmetic
from tests.spaces import choices, coefficients, joined, numbers

TABLE_5 = [round(0.1 + 0.05 * i, 2) for i in range(17)]


def points(space: Space, budget: int = 99, **knobs: float | bool) -> list[Point]:
    """All points that are walked."""
    running, walked = Grid(**knobs).begin(space, 0, budget, 0.0), []  # type: ignore[arg-type]
    while asked := running.ask():
        walked += asked
        running.tell(asked, [0.0])
    assert len(walked) <= budget and len(set(walked)) == len(walked)
    return walked


def test_one_number_takes_the_levels_of_table_5() -> None:
    assert sorted(x for (x,) in points(numbers(1))) == TABLE_5


def test_levels_are_shares_of_the_bounds() -> None:
    assert sorted(x for (x,) in points(numbers(1, 1.0, 3.0))) == pytest.approx([1 + 2 * x for x in TABLE_5])


@pytest.mark.parametrize(("members", "unit"), [(2, 1 / 2), (5, 1 / 5)])
def test_a_strength_grows_by_one_factor_from_a_quarter_of_its_unit_to_six_times_it(members: int, unit: float) -> None:
    space = space_of(TaskArithmetic(), TaskArithmetic.searched[:1], [str(i) for i in range(members)])
    levels = sorted(x for (x,) in points(space, budget=9))
    assert (levels[0], levels[-1]) == pytest.approx((unit / 4, 6 * unit))
    assert [b / a for a, b in pairwise(levels)] == pytest.approx([24 ** (1 / 8)] * 8, rel=0.02)  # three digits each


def test_a_strength_stays_within_its_bounds_and_bounds_of_a_user_are_walked_evenly() -> None:
    assert max(x for x, _ in points(space_of(ModelStock(), (SCALE,), ["a", "b"]), budget=9)) == 3
    asked = genes_of(TaskArithmetic(), None, ("lambda:0.2:1.2",))
    assert sorted(x for (x,) in points(space_of(TaskArithmetic(), asked, ["a", "b"]))) == pytest.approx(
        [0.2 + x for x in TABLE_5]
    )


def test_two_members_are_mixed_by_c_and_1_minus_c() -> None:
    assert sorted(points(coefficients(2))) == [(x, round(1 - x, 2)) for x in TABLE_5]


def test_mixtures_of_more_members_are_a_lattice_that_leaves_none_out() -> None:
    walked = points(coefficients(5), 94)
    assert len(walked) == 71 and (0.2,) * 5 in walked  # all ways to give 4 parts to 5 members, and the equal shares
    assert all(sum(point) == pytest.approx(1) and min(point) in (0.04, 0.2) for point in walked)
    assert max(map(max, walked)) == pytest.approx(0.84)


def test_corners_alone_are_drawn_half_way_to_the_middle() -> None:
    walked = points(coefficients(5), budget=9)
    assert len(walked) == 6 and tuple([0.2] * 5) in walked
    corners = [point for point in walked if len(set(point)) > 1]
    assert {max(point) for point in corners} == {(0.84 + 0.2) / 2} and all(sum(p) == pytest.approx(1) for p in corners)
    beside = {max(x[:5]) for x in points(joined(coefficients(5), numbers(1)), budget=14, step=0.8)}
    assert beside == {0.2, 0.84}, "beside other knobs they stay where they are"


def test_a_mixture_is_the_same_in_all_layers_and_never_outside_the_bounds() -> None:
    gene = Gene("weights", 0.2, 0.6, 1.0, each="member", relative=True)
    space = Space(tuple(Variable(gene, 0.2, 0.6, 0.5, m, g) for g in ("block 0", "block 1") for m in ("a", "b")))
    walked = points(space)
    assert all(point[:2] == point[2:] for point in walked)
    assert {point[:2] for point in walked} == {
        (min(max(x, 0.2), 0.6), min(max(round(1 - x, 2), 0.2), 0.6)) for x in TABLE_5
    }


def test_beside_other_knobs_equal_shares_come_first() -> None:
    density = Gene("density", each="member")
    dare = joined(coefficients(5), Space(tuple(Variable(density, 0.0, 1.0, 0.5, f"m{i}") for i in range(5))))
    walked = points(dare, 93)
    assert len(walked) == 6 * 15 and sum(point[:5] == (0.2,) * 5 for point in walked) == 15
    weights = Gene("weights", 0.01, 1.0, 1.0, each="member", relative=True)
    ties = joined(Space(tuple(Variable(weights, 0.01, 1.0, 1.0, f"m{i}") for i in range(5))), numbers(2))
    walked = points(ties, 93)
    assert len(walked) == 81 and all(point[:5] == (1.0,) * 5 for point in walked)
    pair = joined(Space(tuple(Variable(weights, 0.01, 1.0, 1.0, m) for m in "ab")), numbers(2))
    assert len(points(pair, 93)) == 5 * 5 * 3


def test_members_that_are_no_shares_take_the_same_level() -> None:
    gene = Gene("density", 0.0, 1.0, each="member")
    space = Space(tuple(Variable(gene, 0.0, 1.0, 0.5, m) for m in "abc"))
    assert sorted(points(space)) == [(x, x, x) for x in TABLE_5]
    assert len(points(space, together=False)) == 4**3


@pytest.mark.parametrize(("axes", "budget", "each"), [(1, 17, 17), (1, 16, 16), (2, 94, 9), (2, 289, 17), (3, 94, 4)])
def test_the_most_levels_that_fit_the_budget_are_taken(axes: int, budget: int, each: int) -> None:
    walked = points(numbers(axes), budget)
    assert len(walked) == each**axes
    for i in range(axes):
        levels = sorted({point[i] for point in walked})
        assert len(levels) == each and levels[0] == 0.1 and levels[-1] == 0.9
        assert [b - a for a, b in pairwise(levels)] == pytest.approx([0.8 / (each - 1)] * (each - 1))


def test_choices_are_taken_all() -> None:
    assert sorted(points(choices(3))) == sorted((a, b, c) for a in (0.0, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0))
    walked = points(joined(numbers(1), choices(1, ("a", "b", "c"))), 50)
    assert len(walked) == 16 * 3 and {point[1] for point in walked} == {0, 1, 2}


def test_the_coarse_lattice_comes_first() -> None:
    walked = points(numbers(1))
    assert sorted(walked[:2]) == [(0.1,), (0.9,)] and walked[2] == (0.5,) and sorted(walked[3:5]) == [(0.3,), (0.7,)]
    plane = points(numbers(2), 94)
    assert {x for point in plane[:4] for x in point} == {0.1, 0.9}
    assert {x for point in plane[:9] for x in point} == {0.1, 0.5, 0.9}
    assert {x for point in plane[:25] for x in point} == {0.1, 0.3, 0.5, 0.7, 0.9}


def test_the_range_and_the_step_can_be_set() -> None:
    assert sorted(points(numbers(1), low=0.0, high=1.0, step=0.5)) == [(0.0,), (0.5,), (1.0,)]
    assert sorted(points(coefficients(2), low=0.0, high=1.0, step=0.02))[:2] == [(0.0, 1.0), (0.02, 0.98)]
    assert len(points(coefficients(2), low=0.0, high=1.0, step=0.02)) == 51  # as in the released code


def test_two_levels_that_do_not_fit_are_refused_with_what_to_do() -> None:
    said = r"for 7 numbers has 128 points, and search\.budget leaves 94 evaluations for it; name fewer"
    with pytest.raises(NotApplicable, match=said):
        points(numbers(7), 94)
    said = r"a grid of two levels for 1 number has 6 points, and search\.budget leaves 5 evaluations"
    with pytest.raises(NotApplicable, match=said):
        points(coefficients(5), 5)
    with pytest.raises(NotApplicable, match=r"set grid\.together=yes, name fewer"):
        points(coefficients(7), 94, together=False)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"low": 0.5, "high": 0.5}, r"grid\.low is 0.5 and grid\.high 0.5; low must be below high"),
        ({"step": 0.0}, r"grid\.step is 0.0; it must lie in"),
        ({"high": 1.5}, r"grid\.high is 1.5; it must lie in 0..1"),
    ],
)
def test_impossible_levels_are_refused(knobs: dict[str, float], said: str) -> None:
    with pytest.raises(MergeboardError, match=said):
        Grid(**knobs)
