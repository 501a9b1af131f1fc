"""The referee in a session: a breach fails its cell in one line, and cells after it are what they would have been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from harness.cells.workshop import Workshop
from methods import NotApplicable, Population, Traced, register
from tests.emotion_cells import forbid
from tests.small_world import Project


def in_place(tensor: torch.Tensor) -> None:
    tensor.mul_(0.3)


def by_data(tensor: torch.Tensor) -> None:
    tensor.data.mul_(0.3)


def by_numpy(tensor: torch.Tensor) -> None:
    tensor.numpy()[...] *= 0.3


@pytest.mark.parametrize("write", [in_place, by_data, by_numpy])
def test_a_method_that_spoils_the_ancestor_fails_in_one_line_and_the_next_cell_is_what_it_was(
    write: Callable[[torch.Tensor], None], answered: Project, own_methods: None
) -> None:
    @register("aa_spoils", paper="none")
    @dataclass(frozen=True)
    class Spoils:
        and_raises: bool = False

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            for tensor in population.ancestor.values():
                write(tensor)
            if self.and_raises:
                raise NotApplicable("after all")
            return population.members[0]

    words = ("--heads=same", "-k", "in_domain", "--method=aa_spoils", "--method=ties", f"--results={write.__name__}")
    for raising in ("false", "true"):
        result = answered.run(*words, f"--set=aa_spoils.and_raises={raising}", "--rerun")
        result.assert_outcomes(failed=1, passed=1, deselected=22)
        said = [line for line in result.outlines if "aa_spoils writes into" in line]
        assert len(said) == 2 and "of the ancestor; a method must make new tensors" in said[0]
        (found,) = answered.records(write.__name__).values()
        assert found.weights_sha256 == answered.records()["in_domain/same/all/ties"].weights_sha256


def test_what_a_search_says_of_itself_never_costs_it_its_record(project: Project, own_methods: None) -> None:
    @register("says_much", paper="none")
    @dataclass(frozen=True)
    class SaysMuch:
        what: str = "numbers"

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            best = np.float32(score(population.members[0]))
            numbers = {"best": best, "history": (float("-inf"), float(best)), "torch": torch.tensor([1, 2])}
            said = {"numbers": numbers, "objects": {"rng": rng}, "surrogates": {"text": "\ud800"}, "circles": {}}[
                self.what
            ]
            if self.what == "circles":
                said["itself"] = said
            return Traced(population.members[0], said)

    words = ("--heads=same", "-k", "in_domain", "--method=says_much", "--rerun")
    traces = {}
    for what in ("numbers", "objects", "surrogates", "circles"):
        result = project.run(*words, f"--set=says_much.what={what}", f"--results={what}")
        result.assert_outcomes(passed=1, deselected=11)
        (record,) = project.records(what).values()
        traces[what] = record.trace
        said = "stored as null: trace['history'][0] is -inf" if what == "numbers" else "so the record has none"
        assert any("says_much: " in line and said in line for line in result.outlines)
    assert traces["numbers"]["history"][0] is None and traces["numbers"]["torch"] == [1, 2]
    assert [traces[what] for what in ("objects", "surrogates", "circles")] == [None] * 3


def test_numbers_that_are_not_one_for_each_member_end_before_anything_is_trained(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, (Workshop, "member"))
    result = project.run("--method=simple", "--heads=same", "-k", "in_domain", "--set=simple.coefficients=1,2")
    result.assert_outcomes(failed=1, deselected=11)
    result.stdout.fnmatch_lines(["in_domain[[]*simple.coefficients was given 2 numbers for 5 members; give one *"])
