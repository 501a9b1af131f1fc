"""Sweeps are told from recipes, whoever ran them."""

from __future__ import annotations

from typing import Any

from harness.records.record import RunRecord
from harness.suites.emotion.ablations import ALPHA, BUDGET, DEV_ROWS, F
from leaderboard.tables.sweeps import sweeps, value_of
from tests.test_leaderboard_table import record


def evolved(value: float | None, seed: int = 1, score: float = 0.5, **more: Any) -> RunRecord:
    """`simple_evolver` at this F, or at its own."""
    set_ = {} if value is None else {"F": value}
    method = {
        "name": "evolver",
        "version": 1,
        "knobs": {**set_, "inner": {"name": "simple", "version": 1, "knobs": {}}},
    }
    return record("simple_evolver", seed, score, knobs=set_, recipe={"method": method}, **more)


def test_a_value_is_read_from_the_recipe_however_deep_its_method_lies() -> None:
    inner = {"name": "regmean", "knobs": {"alpha": 0.7}}
    deep = {"name": "search", "knobs": {"budget": 8, "inner": {"name": "evolver", "knobs": {"inner": inner}}}}
    found = record("regmean_evolver_cma", recipe={"method": deep})
    assert (value_of(found, ALPHA), value_of(found, BUDGET), value_of(found, F)) == (0.7, None, 0.5)
    assert value_of(record("regmean"), ALPHA) == 0.1, "where it says nothing, it is the method's own"
    assert value_of(record("simple"), ALPHA) is None and value_of(record("simple"), DEV_ROWS) is None
    searching = record("simple_evolver", protocol={"name": "quick", "search": {"dev_fraction": 0.25}})
    assert value_of(searching, DEV_ROWS) == 0.25


def test_three_values_are_a_sweep_and_two_are_two_rows() -> None:
    two = [evolved(None), evolved(0.9)]
    assert sweeps(two) == []
    (sweep,) = sweeps([*two, evolved(0.1)])
    assert sweep.ablation is F and list(sweep.lines) == ["simple_evolver"]
    assert list(sweep.lines["simple_evolver"]) == [0.1, 0.5, 0.9]
