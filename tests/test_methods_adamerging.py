"""adamerging: the worked example, what its gradients are, and what it does without steps, rows or an ancestor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import NotApplicable, Population, Weights
from methods.adamerging import AdaMerging, _Adam, _Learner
from methods.base import is_finite
from methods.errors import MergeboardError
from methods.refereeing.toy_services import toy_entropy
from methods.refereeing.toys import toy_population, toy_score
from methods.services import Draw
from methods.task_arithmetic import TaskArithmetic
from methods.tensors.steered import Steered

ONCE = Draw(seed=3)


def said(weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
    """The entropy of W (1, 0), through a softmax."""
    matrix = weights["w"].clone().requires_grad_()
    likely = matrix[:, 0].log_softmax(0)
    entropy = -(likely.exp() * likely).sum()
    (slope,) = torch.autograd.grad(entropy, matrix)
    return float(entropy.detach()), {"w": slope}


ORIGIN = torch.zeros(2, 2, dtype=torch.float64)
CHANGES = ([[1.0, 0.0], [-1.0, 0.0]], [[-0.5, 0.0], [0.5, 0.0]])
EXAMPLE = Population(
    tuple({"w": torch.tensor(change, dtype=torch.float64)} for change in CHANGES),
    ("a", "b"),
    {"w": ORIGIN},
    entropy=said,
)


def merged(population: Population, seed: int = 0, **knobs: Any) -> Any:
    return AdaMerging(**knobs).merge(population, toy_score(), torch.Generator().manual_seed(seed))


def same(a: Weights, b: Weights) -> bool:
    return all(torch.equal(a[name], b[name]) for name in b)


@pytest.mark.parametrize("layers", ["layer_wise", "task_wise"])
def test_the_worked_example(layers: Any) -> None:
    start = merged(EXAMPLE, steps=0, layers=layers)
    torch.testing.assert_close(start["w"][:, 0], torch.tensor([0.15, -0.15], dtype=torch.float64))
    value, gradient = said(start, ONCE)
    learner = _Learner(AdaMerging(layers=layers), EXAMPLE)
    slopes = learner.slopes(torch.full((1, 2), 0.3, dtype=torch.float64), gradient)
    assert value == pytest.approx(0.682022, abs=1e-6)
    assert slopes.tolist() == [pytest.approx([-0.146675, 0.073337], abs=1e-6)]
    found = merged(EXAMPLE, steps=1, layers=layers).trace
    assert found["lambdas"] == [pytest.approx([0.301, 0.299], abs=1e-6)]
    assert found["entropy"] == [pytest.approx(0.682022, abs=1e-6)]


def test_adam_s_steps_are_those_of_its_paper() -> None:
    ours = torch.tensor([0.3, 0.4, 0.5], dtype=torch.float64)
    theirs = ours.clone()
    steps = _Adam(ours, 1e-3)
    mean, square = torch.zeros(2, 3, dtype=torch.float64)
    for t in range(1, 6):
        gradient = torch.tensor([0.1 * t, -1.0 / t, 0.0], dtype=torch.float64)
        steps.step(gradient)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        theirs -= 1e-3 * (mean / (1 - 0.9**t)) / ((square / (1 - 0.999**t)).sqrt() + 1e-8)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    assert float(ours[2]) == 0.5


@pytest.mark.parametrize("layers", ["layer_wise", "task_wise"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_without_steps_it_is_task_arithmetic_and_reads_nothing(layers: Any, dtype: torch.dtype) -> None:
    population = replace(toy_population(3, dtype), entropy=None)
    found = merged(population, steps=0, layers=layers)
    wanted = TaskArithmetic().merge(population, toy_score(), torch.Generator())
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor)


@pytest.mark.parametrize("layers", ["layer_wise", "task_wise"])
def test_the_same_rows_are_answered_more_surely_after_learning(layers: Any) -> None:
    before, after = (merged(toy_population(3), steps=steps, layers=layers) for steps in (0, 30))
    for step in range(3):
        draw = Draw(seed=11, step=step)
        assert toy_entropy(after, draw)[0] < toy_entropy(before, draw)[0]


def test_the_slope_of_one_number_for_a_member_is_the_sum_of_those_of_its_tensors() -> None:
    population = toy_population(3, torch.float64)
    each, whole = (_Learner(AdaMerging(layers=layers), population) for layers in ("layer_wise", "task_wise"))
    start = torch.full((len(each._names), 3), 0.3, dtype=torch.float64)
    gradient = toy_entropy(merged(population, steps=0), ONCE)[1]
    slopes = each.slopes(start, gradient)
    torch.testing.assert_close(whole.slopes(start[:1], gradient), slopes.sum(0, keepdim=True), rtol=1e-12, atol=1e-12)

    name, nudge = "layer.weight", 1e-6  # and each is how much the entropy differs
    steered = Steered(population, each._names)
    for i in range(3):
        values = []
        for by in (nudge, -nudge):
            weights = dict(merged(population, steps=0))
            steered.write(name, [0.3 + by * (k == i) for k in range(3)], weights[name])
            values.append(toy_entropy(weights, ONCE)[0])
        numeric = (values[0] - values[1]) / (2 * nudge)
        assert float(slopes[each._names.index(name), i]) == pytest.approx(numeric, rel=1e-6)


def test_lambdas_are_held_between_zero_and_one_and_learn_nothing_outside() -> None:
    held = merged(EXAMPLE, steps=5, start=1.5)
    assert held.trace["lambdas"] == [[1.5, 1.5]] and held["w"][:, 0].tolist() == [0.5, -0.5]
    free = merged(EXAMPLE, steps=5, start=1.5, clamp=False)
    assert free.trace["lambdas"] != [[1.5, 1.5]] and float(free["w"][0, 0]) > 0.75


def test_a_trim_keeps_the_largest_changes_of_the_whole_model() -> None:
    ancestor = {"v": torch.zeros(2), "w": torch.zeros(3)}
    member = {"v": torch.tensor([0.1, -0.9]), "w": torch.tensor([0.2, 0.8, -0.3])}
    population = Population((member, member), ("a", "b"), ancestor)
    found = merged(population, steps=0, trim=0.4)
    assert found["v"].tolist() == pytest.approx([0, -0.54]) and found["w"].tolist() == pytest.approx([0, 0.48, 0])
    assert same(merged(population, steps=0, trim=1.0), merged(population, steps=0))


def test_the_same_seed_reads_the_same_rows_and_another_reads_others() -> None:
    population = toy_population(3)
    one, again, other = (merged(population, seed, steps=5) for seed in (0, 0, 1))
    assert same(one, again) and one.trace == again.trace
    assert one.trace["entropy"] != other.trace["entropy"]


def test_every_step_reads_rows_of_its_own_and_says_how_many_there_will_be() -> None:
    met: list[Draw] = []

    def noting(weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
        met.append(draw)
        return said(weights, draw)

    merged(replace(EXAMPLE, entropy=noting), steps=3, rows=5, batches=7)
    assert [(draw.step, draw.steps, draw.rows, draw.batches) for draw in met] == [(i, 3, 5, 7) for i in range(3)]
    assert len({draw.seed for draw in met}) == 1


def test_a_trace_is_short_and_makes_the_same_bits_without_a_row() -> None:
    found = merged(toy_population(3), steps=120)
    trace = json.loads(json.dumps(found.trace))
    blind = replace(toy_population(3), entropy=None)
    again = AdaMerging(steps=120).replay(blind, trace, toy_score(), torch.Generator())
    assert same(again, found) and len(trace["entropy"]) == 40


def test_a_member_alone_keeps_its_lambda_where_nothing_depends_on_it() -> None:
    one = Population(EXAMPLE.members[:1], ("a",), EXAMPLE.ancestor, entropy=lambda w, d: (0.0, {}))
    assert merged(one, steps=9, start=1.0).trace["lambdas"] == [[1.0]]


def test_a_view_of_some_members_is_asked_about_their_corpora() -> None:
    met: list[Any] = []

    def noting(weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
        met.append(draw.members)
        return 0.0, {}

    population = replace(toy_population(3), entropy=noting)
    some = population.subset((2, 0)).subset((1,))
    for asked in (population, population.swap(0, population.members[1]), some):
        assert asked.entropy is not None
        asked.entropy(asked.members[0], ONCE)
    assert met == [None, None, (0,)]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3)])
def test_tensors_of_every_shape_are_steered(shape: tuple[int, ...]) -> None:
    ancestor = {"w": torch.zeros(2, 2), "x": torch.ones(shape)}
    members = tuple({"w": torch.ones(2, 2) * i, "x": torch.full(shape, 2.0)} for i in range(2))
    found = merged(Population(members, ("a", "b"), ancestor, entropy=said), steps=2)
    assert found["x"].shape == shape and is_finite(found)


def test_heads_of_labels_are_merged_before_anything_is_learned() -> None:
    knows = torch.tensor([[True, True, False, False], [False, True, True, False], [True, False, False, False]])
    population = replace(toy_population(3), output_layer=("head.weight", "head.bias"), annotated=knows)
    heads = []

    def noting(weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
        heads.append(weights["head.bias"].clone())
        return toy_entropy(weights, draw)

    found = merged(replace(population, entropy=noting), steps=2)
    wanted = TaskArithmetic().merge(population, toy_score(), torch.Generator())["head.bias"]
    assert all(torch.equal(head, wanted) for head in [*heads, found["head.bias"]])


def test_without_rows_without_an_ancestor_and_without_numbers_it_says_so() -> None:
    with pytest.raises(NotApplicable, match=r"^adamerging learns on development rows without labels, and nothing here"):
        merged(replace(EXAMPLE, entropy=None))
    with pytest.raises(NotApplicable, match=r"^adamerging needs the ancestor"):
        merged(replace(EXAMPLE, ancestor={}))
    with pytest.raises(
        MergeboardError, match=r"^adamerging: after 0 steps the merge's answers are no numbers any more"
    ):
        merged(replace(EXAMPLE, entropy=lambda weights, draw: (float("nan"), {})), steps=3)


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"steps": -1}, "adamerging.steps"),
        ({"rows": 0}, "adamerging.rows"),
        ({"batches": 0}, "adamerging.batches"),
        ({"learning_rate": -1e-3}, "adamerging.learning_rate"),
        ({"start": float("nan")}, "adamerging.start"),
        ({"trim": 0.0}, "adamerging.trim is 0.0; it must lie above 0"),
    ],
)
def test_knobs_out_of_bounds_are_refused_in_one_line(knobs: dict[str, Any], line: str) -> None:
    with pytest.raises(MergeboardError, match=line) as error:
        AdaMerging(**knobs)
    assert "\n" not in str(error.value)
