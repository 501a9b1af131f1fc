"""Layer swap: whose blocks are where, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods import MergeboardError, NotApplicable, Population, resolve
from methods.contract import toy_blocks
from methods.layer_swap import LayerSwap


def model(depth: int, value: float, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    names = ["embed.weight", *(f"model.layers.{i}.w.weight" for i in range(depth)), "norm.weight", "lm_head.weight"]
    return {name: torch.full((2,), value, dtype=dtype) for name in names}


def swapped(method: LayerSwap, depth: int, members: int = 2) -> list[float]:
    """The first number of each tensor, of experts who hold 0, 1, 2, ... everywhere."""
    parts = tuple(model(depth, float(i)) for i in range(members))
    population = Population(parts, tuple("abcd"[:members]), model(depth, 9.0))
    return [float(x[0]) for x in method.merge(population, None, torch.Generator()).values()]  # type: ignore[arg-type]


def test_of_32_blocks_the_papers_seven_are_the_language_experts() -> None:
    blocks = [0.0] * 5 + [0.5] + [1.0] * 23 + [0.5] + [0.0] * 2
    assert LayerSwap().shares(32) == blocks
    assert swapped(LayerSwap(), 32) == [0.0, *blocks, 0.0, 0.0]


def test_other_depths_have_as_large_a_share_and_a_middle() -> None:
    assert LayerSwap().shares(8) == [0, 0.5, 1, 1, 1, 1, 0.5, 0]
    assert LayerSwap().shares(4) == [0, 1, 1, 0], "no transition where it would take the middle"
    assert LayerSwap().shares(3) == [0, 1, 0]
    assert LayerSwap().shares(64) == [0] * 10 + [0.5] * 2 + [1] * 46 + [0.5] * 2 + [0] * 4
    assert LayerSwap(bottom=1, top=0, transition=0).shares(2) == [0, 1]


@pytest.mark.parametrize(("method", "depth"), [(LayerSwap(), 2), (LayerSwap(bottom=3, top=3, transition=1), 8)])
def test_experts_without_a_middle_are_refused(method: LayerSwap, depth: int) -> None:
    with pytest.raises(NotApplicable, match="layer_swap leaves no block for the middle: "):
        method.shares(depth)


def test_of_more_than_two_members_two_are_swapped_by_their_places() -> None:
    assert swapped(LayerSwap(), 3, members=3) == [0, 0, 1, 0, 0, 0]
    assert swapped(LayerSwap(outer=3, inner=1), 3, members=3) == [2, 2, 0, 2, 2, 2]
    with pytest.raises(MergeboardError, match="are both 2; name two members"):
        resolve("layer_swap", {"layer_swap": {"outer": 2}})


def test_halves_of_half_precision_are_halves() -> None:
    population = toy_blocks(2, torch.bfloat16)
    found: Any = LayerSwap(bottom=1, top=1, transition=1).shares(5)
    assert found == [0, 0.5, 1, 0.5, 0]
    merged: Any = LayerSwap(bottom=0, top=1, transition=1).merge(population, None, torch.Generator())  # type: ignore[arg-type]
    a, b = (member["model.layers.0.mlp.weight"].float() for member in population.members)
    assert torch.equal(merged["model.layers.0.mlp.weight"], ((a + b) / 2).bfloat16())
