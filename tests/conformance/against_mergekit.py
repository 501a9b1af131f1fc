"""Merges by methods of ours against those by mergekit, on the same random populations in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from methods import Population, Weights
from methods.tensors.draws import LANES
from methods.tensors.drops import Mask
from tests.conformance.mergekit_cases import CASES, Case
from tests.conformance.shared import FLAT, KERNELS, SEEDS, SHORT, Difference, Row, ours, population


def rows() -> Iterator[Row]:
    """One for each case: the largest difference over all seeds."""
    for case in CASES:
        found = Difference.largest(measured(case, seed) for seed in SEEDS)
        yield Row(told(case.ours, case.knobs), told(case.theirs, case.parameters), found, case.cause, _setting(case))


def alone() -> list[str]:
    """mergekit's methods that nothing here is held against."""
    from mergekit.merge_methods import registered_methods

    return sorted({method.spec.name for method in registered_methods()} - {case.theirs for case in CASES})


def measured(case: Case, seed: int) -> Difference:
    """How far both are apart on one population."""
    some = population(case.members, seed, case.size, case.shapes)
    return Difference.between(ours(case.ours, case.knobs, some), theirs(case, some), some.ancestor)


def theirs(case: Case, some: Population) -> Weights:
    """mergekit's merge, with our draws where it draws."""
    from mergekit.merge_methods import merge_state_dicts

    models: dict[Any, Weights] = dict(enumerate(some.members))
    if case.base == "ancestor":
        models["base"] = some.ancestor
    base = {"ancestor": "base", "first": 0}.get(case.base or "")
    parameters = {name: list(x) if isinstance(x, tuple) else x for name, x in case.parameters.items()}
    with our_draws(some):
        return merge_state_dicts(models, case.theirs, parameters=parameters, base=base, dtype=torch.float32)


@contextmanager
def our_draws(some: Population) -> Iterator[None]:
    """Within, mergekit's draws are those that ours make for the members of this population, in mergekit's order."""
    pending = iter([(name, member) for name in some.members[0] for member in some.names])

    def bernoulli(chances: Tensor) -> Tensor:
        name, member = next(pending)
        return drawn(member, name, chances)

    with mock.patch("mergekit.sparsify.torch.bernoulli", bernoulli):
        yield


def drawn(member: str, name: str, chances: Tensor) -> Tensor:
    """1 where our draws for a member's tensor lie below these chances, else 0."""
    mask = Mask(0, member, 0.5)
    hashes = mask._hashes(mask.stream(name), 0, -(-chances.numel() // LANES), chances.device)
    lanes = hashes.view(torch.int16)[: chances.numel()].int() + (1 << 15)  # 0 to 65535
    return (lanes.reshape(chances.shape) < (chances * 65536).round()).to(chances.dtype)


def told(name: str, knobs: Mapping[str, object]) -> str:
    """As a user writes them."""
    words = [f"`{name}`", *(f"`{knob}={_plain(value)}`" for knob, value in knobs.items())]
    return " ".join(words)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _setting(case: Case) -> tuple[str, str]:
    shapes = {id(SHORT): " in tensors of 3 scalars and 1", id(KERNELS): " in a kernel", id(FLAT): " but no kernel"}
    return str(case.members), f"{case.size:g}{shapes.get(id(case.shapes), '')}"
