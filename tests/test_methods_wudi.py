"""WUDI: hand-worked cases, the minimum and the authors' steps, and matrices that leave directions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, NotApplicable, Population, Weights
from methods.contract import check_method, toy_blocks, toy_population, toy_score
from methods.simple import Simple
from methods.wudi import Wudi

NAME = "layer.weight"
CLOSED, ADAM = Wudi(), Wudi(solver="adam")


def tensor(*rows: Sequence[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def changed(method: Wudi, *changes: Tensor, origin: Tensor | None = None, **more: Any) -> Tensor:
    """What a merge changes in the ancestor, which is 0 if none is given."""
    base = torch.zeros_like(changes[0]) if origin is None else origin
    members = tuple({NAME: base + change} for change in changes)
    some = Population(members, tuple(map(str, range(len(changes)))), {NAME: base}, **more)
    return merged(method, some)[NAME] - base


def merged(method: Wudi, some: Population) -> Weights:
    found = method.merge(some, toy_score(), torch.Generator())
    assert isinstance(found, dict)
    return found


def loss(found: Tensor, *changes: Tensor) -> float:
    return float(sum(((found - t) @ t.T).square().sum() / t.square().sum() for t in changes))


PAIR = tensor([0.010, 0], [0, 0.004]), tensor([0.006, 0], [0.008, 0])


@pytest.mark.parametrize(
    ("method", "wanted", "left"),
    [
        (CLOSED, tensor([0.007852, 0], [0.004296, 0.004]), 3.704e-5),
        (ADAM, tensor([0.013255, 0], [0.005606, 0.004]), 9.459e-5),
        (Wudi(solver="adam", steps=3000), tensor([0.007852, 0], [0.004296, 0.004]), 3.704e-5),
        (Wudi(solver="adam", steps=0), tensor([0.016, 0], [0.008, 0.004]), 1.862e-4),
    ],
    ids=["closed", "adam", "adam to its end", "the sum"],
)
def test_two_members_by_hand(method: Wudi, wanted: Tensor, left: float) -> None:
    found = changed(method, *PAIR)
    assert torch.allclose(found, wanted, atol=1e-6, rtol=0)
    assert loss(found, *PAIR) == pytest.approx(left, rel=1e-3)
    assert changed(CLOSED, *PAIR)[0, 0] == pytest.approx((0.010 * 0.862069 + 0.006) / 1.862069, rel=1e-6)


def test_equal_members_come_back_from_the_minimum_and_not_from_the_steps() -> None:
    twice = [tensor([0.010, 0], [0, 0.004])] * 2
    assert torch.allclose(changed(CLOSED, *twice), twice[0], atol=1e-15)
    assert torch.allclose(changed(ADAM, *twice), tensor([0.017205, 0], [0, 0.005556]), atol=1e-6, rtol=0)
    assert torch.equal(changed(CLOSED, twice[0]), twice[0]), "and so does one alone"
    assert ADAM.moves_equal_members and not CLOSED.moves_equal_members


@pytest.mark.parametrize(("outputs", "inputs"), [(12, 9), (5, 7), (2, 11), (1, 3)])
def test_the_closed_form_is_the_shortest_of_the_best(outputs: int, inputs: int) -> None:
    changes = [noise(outputs, inputs, seed=i) for i in range(3)]
    grams = [t.T @ t / t.square().sum() for t in changes]
    wanted = sum(t @ g for t, g in zip(changes, grams, strict=True)) @ torch.linalg.pinv(sum(grams), hermitian=True)
    assert torch.allclose(changed(CLOSED, *changes), wanted, atol=1e-9)
    losses = [loss(changed(m, *changes), *changes) for m in (CLOSED, Wudi(solver="adam", rate=1e-3))]
    assert losses[0] <= losses[1] <= loss(sum(changes, torch.zeros(())), *changes)


def test_members_that_act_on_inputs_at_right_angles_are_added_up() -> None:
    a, b = noise(4, 6), noise(4, 6, seed=1)
    a[:, 3:], b[:, :3] = 0, 0
    assert torch.allclose(changed(CLOSED, a, b), a + b, atol=1e-12)
    assert loss(changed(CLOSED, a, b), a, b) < 1e-20


@pytest.mark.parametrize("inputs", [4, 30])
def test_the_closed_form_grows_turns_and_moves_with_the_members(inputs: int) -> None:
    changes = [noise(6, inputs, seed=i) for i in range(3)]
    turn = torch.linalg.qr(noise(6, 6, seed=9))[0]
    plain = changed(CLOSED, *changes)
    assert torch.allclose(changed(CLOSED, *(10 * t for t in changes)), 10 * plain, atol=1e-9)
    assert torch.allclose(changed(CLOSED, *(turn @ t for t in changes)), turn @ plain, atol=1e-9)
    assert torch.allclose(changed(CLOSED, *changes, origin=noise(6, inputs, seed=8)), plain, atol=1e-9)
    assert torch.allclose(changed(Wudi(lambda_=0.5), *changes), plain / 2, atol=1e-12)
    assert torch.equal(changed(Wudi(lambda_=0), *changes), torch.zeros(6, inputs, dtype=torch.float64))
    stored = [t.T.contiguous() for t in changes]
    assert torch.allclose(changed(CLOSED, *stored, transposed=frozenset({NAME})).T, plain, atol=1e-12)
    tenfold = changed(ADAM, *(10 * t for t in changes))
    assert not torch.allclose(tenfold, 10 * changed(ADAM, *changes), rtol=1e-4), "steps have a size of their own"


def test_long_matrices_are_merged_rows_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [noise(50, 6, seed=i) for i in range(3)]
    for method in (CLOSED, ADAM):
        whole = changed(method, *changes)
        monkeypatch.setattr("methods.wudi.ROWS", 7)
        assert torch.allclose(changed(method, *changes), whole, atol=1e-9)
        monkeypatch.undo()


def test_who_changed_nothing_has_no_say() -> None:
    some = [noise(4, 6), noise(4, 6, seed=1)]
    for method in (CLOSED, ADAM):
        assert torch.equal(changed(method, some[0], torch.zeros(4, 6), some[1]), changed(method, *some))
        assert torch.equal(changed(method, *[torch.zeros(4, 6).double()] * 2), torch.zeros(4, 6).double())


def test_inputs_that_nobody_changed_stay_the_ancestors_and_those_of_one_come_back() -> None:
    a, b = noise(8, 6), noise(8, 6, seed=1)
    a[:, 0], b[:, 0], a[:, 1] = 0, 0, 0
    a[:3], b[:3] = 0, 0  # rows that were never seen, as an embedding has them
    found = changed(CLOSED, a, b, origin=noise(8, 6, seed=2))
    assert found[:, 0].abs().max() < 1e-12 and found[:3].abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("outputs", "inputs"), [(48, 48), (16, 96)])
def test_rounding_of_stored_weights_is_no_direction_that_members_act_in(
    dtype: torch.dtype, outputs: int, inputs: int
) -> None:
    origin, low = noise(outputs, inputs, seed=9).to(dtype), range(3)
    exact = [0.3 * noise(outputs, 2, seed=i) @ noise(2, inputs, seed=10 + i) for i in low]  # LoRA members of rank 2
    rounded = [{NAME: (origin.double() + change).to(dtype)} for change in exact]
    some = Population(tuple(rounded), ("a", "b", "c"), {NAME: origin})
    found = merged(CLOSED, some)[NAME].double() - origin.double()
    tolerance = 40 * torch.finfo(dtype).eps * float(origin.double().norm())
    assert float((found - changed(CLOSED, *exact)).norm()) < tolerance


def test_steps_and_rate_are_refused_where_nothing_steps() -> None:
    with pytest.raises(MergeboardError, match="those of adam; set"):
        Wudi(steps=400)
    with pytest.raises(MergeboardError, match=r"wudi.rate is -1; it must lie in 0\.\.1"):
        Wudi(solver="adam", rate=-1)


def test_what_is_no_matrix_inside_a_block_is_averaged_or_left_to_the_ancestor() -> None:
    some, mean = toy_blocks(), Simple().merge(toy_blocks(), toy_score(), torch.Generator())
    assert isinstance(mean, dict)
    outside, inside = "model.embed_tokens.weight", "model.layers.0.mlp.weight"
    linear = merged(Wudi(tensors="linear"), some)
    assert torch.equal(linear[outside], mean[outside]) and torch.equal(
        linear["model.norm.weight"], mean["model.norm.weight"]
    )
    authors = merged(Wudi(tensors="linear", others="ancestor"), some)
    assert torch.equal(authors[outside], some.ancestor[outside])
    every = merged(CLOSED, some)
    assert torch.equal(every[inside], linear[inside]) and torch.equal(every[inside], authors[inside])
    assert not torch.equal(every[outside], linear[outside])
    half = merged(Wudi(tensors="linear", lambda_=0.5), some)
    assert torch.allclose(half[outside], (mean[outside] + some.ancestor[outside]) / 2, atol=1e-6)
    with pytest.raises(NotApplicable, match="this model names none; take matrices"):
        merged(Wudi(tensors="linear"), toy_population())


def test_without_an_ancestor_it_does_not_apply() -> None:
    with pytest.raises(NotApplicable, match="wudi needs the ancestor"):
        merged(CLOSED, replace(toy_population(), ancestor={}))


@pytest.mark.parametrize(
    "method", [CLOSED, Wudi(solver="adam", steps=3), Wudi(solver="adam", steps=3, tensors="linear", others="ancestor")]
)
def test_every_variant_keeps_the_contract(method: Wudi) -> None:
    check_method(method, toy_blocks)
