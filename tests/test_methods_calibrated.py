"""One number added to each output: what is fitted, what stays, and in what form it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Merged, NotApplicable, Offset, Population, Weights, describe, paper_of, resolve
from methods.asking import Answered
from methods.calibrated import Calibrated
from methods.catalogue import is_registered
from methods.contract import check_method, same_bits, toy_population, toy_score
from methods.errors import Breach
from methods.merged import beside, heart_of, models_of, passes, stored_parameters, trace_of
from methods.naming.names import all_parts_of, is_built_in, parts_of, require
from methods.naming.tuned import tuned
from methods.refereeing.referee import Referee
from methods.refereeing.toys import ToyScore
from methods.searching.offsets import fitted
from methods.simple import Simple

BIAS = "head.bias"


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass
class Rows:
    """Rows whose logits are known (implements methods.asking.Said); a score is the share that is answered right."""

    corpora: Mapping[str, Answered]
    asked: int = 0

    @property
    def answered(self) -> Mapping[str, Answered]:
        return self.corpora

    def score(self, offsets: Mapping[str, Tensor]) -> float:
        self.asked += 1
        return sum(self._right(own, offsets.get(own.layer)) for own in self.corpora.values()) / len(self.corpora)

    def _right(self, own: Answered, offsets: Tensor | None) -> float:
        logits = own.logits if offsets is None else own.logits + offsets
        if own.kind == "multi_label":
            there = own.labels >= 0
            return float(((logits >= own.threshold) == (own.labels == 1))[there].double().mean())
        if own.kind == "classification":
            return float((logits.argmax(1) == own.labels).double().mean())
        return float(torch.corrcoef(torch.stack([logits[:, 0].double(), own.labels.double()]))[0, 1])


def labelled(logits: Tensor, threshold: float = 0.5, layer: str = "task") -> Answered:
    """Labels that these logits answer rightly."""
    return Answered("multi_label", logits, (logits >= threshold).long(), threshold, layer)


def classed(logits: Tensor, layer: str = "task") -> Answered:
    return Answered("classification", logits, logits.argmax(1), 0.0, layer)


# -- what is fitted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [(1.5, -0.75, 0.0), (-8.0, 8.0, 0.3)])
@pytest.mark.parametrize("made", [labelled, classed])
def test_a_shift_that_was_put_on_the_bias_is_taken_back(made: Any, shift: tuple[float, ...]) -> None:
    right = made(drawn(60, 3))
    moved = Rows({"a": replace(right, logits=right.logits + torch.tensor(shift))})
    assert moved.score({}) < 1
    assert moved.score(fitted(moved)) == 1


def test_a_label_s_number_is_near_the_shift() -> None:
    right = labelled(drawn(400, 2))
    (found,) = fitted(Rows({"a": replace(right, logits=right.logits + torch.tensor([1.5, 0.0]))})).values()
    assert found.tolist() == pytest.approx([-1.5, 0.0], abs=0.05)


@pytest.mark.parametrize("made", [labelled, classed])
def test_what_cannot_gain_stays_where_it_is(made: Any) -> None:
    assert fitted(Rows({"a": made(drawn(50, 3))})) == {"task": pytest.approx(torch.zeros(3))}


def test_of_equals_the_least_is_taken_and_it_lies_between_two_rows() -> None:
    logits = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    wrong = Answered("multi_label", logits, torch.tensor([[0], [0], [0], [1]]), 0.5, "task")
    assert fitted(Rows({"a": wrong}))["task"].tolist() == [0.5 - (2.0 + 9.0) / 2]


def test_rows_that_rounding_could_tell_apart_change_together() -> None:
    logits = torch.tensor([[1.0], [1.00001]])
    apart = Answered("multi_label", logits, torch.tensor([[0], [1]]), 0.5, "task")
    assert fitted(Rows({"a": apart}))["task"].tolist() == [0.0]


def test_labels_that_nobody_annotated_have_no_part() -> None:
    logits = torch.tensor([[3.0], [4.0], [5.0]])
    masked = Answered("multi_label", logits, torch.full((3, 1), -100), 0.5, "task")
    other = labelled(drawn(9, 1), layer="other")
    assert fitted(Rows({"a": masked, "b": other}).__class__({"b": other, "a": masked}))["task"].tolist() == [0.0]


def test_a_score_is_moved_by_its_mean_error() -> None:
    gold = drawn(30)
    said = Answered("regression", gold[:, None] + 0.25, gold, 0.0, "task")
    assert fitted(Rows({"a": said}))["task"].tolist() == pytest.approx([-0.25])


def test_corpora_of_one_layer_share_their_numbers_and_others_do_not() -> None:
    right, moved = labelled(drawn(40, 1)), torch.tensor([2.0])
    shifted = replace(right, logits=right.logits + moved)
    found = fitted(Rows({"a": shifted, "b": shifted, "c": replace(right, layer="c")}))
    assert set(found) == {"task", "c"} and found["c"].tolist() == [0.0] and found["task"].item() < -1


def test_many_rows_cost_no_more_than_a_hundred_tries_of_each_output() -> None:
    rows = Rows({"a": Answered("multi_label", drawn(3000, 1), torch.randint(2, (3000, 1)), 0.5, "task")})
    fitted(rows)
    assert rows.asked <= 1 + 5 * 100


# -- the method --------------------------------------------------------------------------------------------------------


@dataclass
class Head(ToyScore):
    """A development score whose logits are a head's on made-up inputs, whose labels another bias would answer."""

    bias: str = BIAS
    shift: Tensor = field(default_factory=lambda: torch.tensor([1.0, -1.0, 0.5, 0.0]))
    calls: int = 0

    def __post_init__(self) -> None:
        super().__init__({})

    def logits(self, weights: Weights) -> Tensor:
        return (drawn(50, 5, seed=7) @ weights["head.weight"].double().T.float()) + weights[BIAS].float()

    def answers(self, merged: Merged) -> Rows:
        self.calls += 1
        logits = self.logits(merged.stand_in() if not isinstance(merged, Mapping) else merged)
        right = (logits + self.shift >= 0.5).long()
        return Rows({"a": Answered("multi_label", logits, right, 0.5, "task", self.bias)})


def merge(method: Any, score: Any, population: Population | None = None) -> Merged:
    some = toy_population(3) if population is None else population
    return method.merge(some, score, torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("name", "bias"), [("dare_linear", BIAS), ("emr", ""), ("simple_evolver", BIAS)])
def test_a_calibrated_method_keeps_the_contract(name: str, bias: str) -> None:
    method = resolve(f"{name}_calibrated", {"evolver": {"generations": 1}})
    check_method(method, score=lambda: Head(bias=bias))


def test_where_the_merge_has_the_bias_it_is_moved_as_by_hand() -> None:
    plain, score = merge(Simple(), None), Head()
    calibrated = merge(Calibrated(Simple()), score)
    trace = trace_of(calibrated)
    assert isinstance(calibrated, Mapping) and trace is not None and score.calls == 1
    moved = torch.tensor(trace["offsets"]["task"], dtype=torch.float64)
    for name, tensor in calibrated.items():
        by_hand = (plain[name].double() + moved).float() if name == BIAS else plain[name]  # type: ignore[index]
        assert torch.equal(tensor, by_hand), name
    rows = score.answers(plain)
    assert trace["start"] == rows.score({}) < trace["final"] == rows.score({"task": moved}) == 1


def test_elsewhere_the_numbers_stand_beside_the_merge() -> None:
    calibrated = merge(Calibrated(Simple()), Head(bias=""))
    assert isinstance(calibrated, Offset) and same_bits(heart_of(calibrated), merge(Simple(), None))
    assert passes(calibrated) == 1 and len(models_of(calibrated)) == 1
    assert stored_parameters(calibrated) == stored_parameters(heart_of(calibrated)) + 4
    assert beside(calibrated) != beside(replace(calibrated, offsets={"task": (0.0,) * 4}))


def test_a_bias_whose_rounding_would_change_an_answer_is_left_alone() -> None:
    head = Head(shift=torch.tensor([1.0, 0.0, 0.0, 0.0]))
    near = head.logits(merge(Simple(), None)) * 0  # type: ignore[arg-type]
    near[:, 0] = 300 + torch.linspace(0, 0.01, 50)  # a half-precision bias near -300 has steps of 0.25
    head.logits = lambda weights: near  # type: ignore[method-assign]
    right = Answered("multi_label", near, (near > 300.005).long(), 0.5, "task", BIAS)
    head.answers = lambda merged: Rows({"a": right})  # type: ignore[method-assign]
    assert isinstance(merge(Calibrated(Simple()), head), Mapping)
    assert isinstance(merge(Calibrated(Simple()), head, toy_population(3, torch.float16)), Offset)


def test_without_logits_there_is_nothing_to_calibrate() -> None:
    with pytest.raises(NotApplicable, match="asks what a merge answers to development rows, and nothing here tells"):
        merge(Calibrated(Simple()), toy_score())


def test_a_candidate_that_is_not_finite_is_not_asked() -> None:
    class Explodes:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
            return {name: x / 0 for name, x in population.members[0].items()}

    score = Head()
    referee = Referee("it", Calibrated(Explodes()), toy_population(2), score)
    with pytest.raises(Exception, match="asks what a merge answers that is not finite"):
        referee.merge(torch.Generator().manual_seed(0))
    assert score.calls == 0


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        ({}, "has no offsets"),
        ({"task": ()}, "it must be a tuple of plain numbers"),
        ({"task": ("1",)}, "it must be a tuple of plain numbers"),
        ({3: (1.0,)}, "a corpus or task is told by its name"),
        ({"task": (float("nan"),)}, "offset 0 of task is nan"),
    ],
)
def test_offsets_that_are_none_are_refused(offsets: Any, said: str) -> None:
    class Adds:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Offset:
            return Offset(population.members[0], offsets)

    referee = Referee("it", Adds(), toy_population(2), toy_score())
    with pytest.raises(Breach, match=said):
        referee.settle(referee.merge(torch.Generator()))


# -- the name ----------------------------------------------------------------------------------------------------------


def test_a_calibration_is_around_whatever_its_name_begins_with() -> None:
    assert parts_of("ties_evolver_calibrated") == ("ties_evolver", "calibrated")
    assert parts_of("ties_grid_calibrated") == ("ties_grid", "calibrated")
    assert all_parts_of("ties_cma_calibrated") == [
        *("ties_cma_calibrated", "calibrated", "ties_cma", "cma", "search", "ties")
    ]
    assert tuned("ties_calibrated", "grid") == ("ties_grid_calibrated", "")
    assert tuned("ties_evolver_calibrated", "grid") == ("", "an evolution")
    assert is_built_in("ties_calibrated") and is_built_in("evolver_calibrated") and not is_built_in("calibrated")
    assert paper_of("ties_calibrated").startswith("Lipton et al.") and "Yadav" in paper_of("ties_calibrated")


def test_knobs_reach_what_is_calibrated_and_the_description_nests() -> None:
    method = resolve("ties_evolver_calibrated", {"ties": {"k": 0.4}, "evolver": {"generations": 2}})
    evolver = describe(method)["knobs"]["inner"]
    assert evolver["knobs"]["generations"] == 2 and evolver["knobs"]["inner"]["knobs"]["k"] == 0.4
    assert is_registered(method)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("calibrated", "name it with one, as <method>_calibrated"),
        ("ties_calibrated_evolver", "use 'ties_evolver_calibrated'"),
        ("ties_calibrated_cma", "use 'ties_cma_calibrated'"),
        ("ties_calibrated_calibrated", "use 'ties_calibrated'"),
    ],
)
def test_a_calibration_comes_last_and_once(name: str, said: str) -> None:
    with pytest.raises(NotApplicable, match=said):
        require(name)


def test_a_misspelt_calibration_is_guessed() -> None:
    with pytest.raises(Exception, match="Did you mean 'ties_calibrated'"):
        require("ties_calibratd")
