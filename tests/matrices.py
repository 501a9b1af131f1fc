"""Populations of one matrix, for methods that merge matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from methods import Population, resolve

NAME = "layer.weight"


def matrix(*rows: Sequence[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def low_rank(m: int, n: int, rank: int, seed: int = 0) -> Tensor:
    return drawn(m, rank, seed=seed) @ drawn(rank, n, seed=seed + 1000)


def rotation(size: int, seed: int = 7) -> Tensor:
    return torch.linalg.qr(drawn(size, size, seed=seed))[0]


def moved(*changes: Tensor, origin: Tensor | None = None, name: str = NAME, **more: Any) -> Population:
    """Members that changed so much in one matrix."""
    start = drawn(*changes[0].shape, seed=99).to(changes[0].dtype) if origin is None else origin
    members = tuple({name: start + change} for change in changes)
    return Population(members, tuple(f"m{i}" for i in range(len(changes))), {name: start}, **more)


def merge(method: str, population: Population, **knobs: Any) -> dict[str, Tensor]:
    """What the method of this name makes of them."""
    made: Any = resolve(method, {method: knobs})
    return dict(made.merge(population, None, torch.Generator()))


def change(method: str, *changes: Tensor, origin: Tensor | None = None, name: str = NAME, **knobs: Any) -> Tensor:
    """What the merge changed."""
    population = moved(*changes, origin=origin, name=name)
    return merge(method, population, **knobs)[name] - population.ancestor[name]


def singular(found: Tensor) -> Tensor:
    return torch.linalg.svdvals(found.double())


def close(a: Tensor, b: Tensor, within: float = 1e-9) -> bool:
    return a.shape == b.shape and float((a.double() - b.double()).abs().max()) <= within
