"""Members by hand: an ancestor, and what each of them changed."""

from __future__ import annotations

from typing import Any

import torch

from methods import Population, Weights
from methods.contract import toy_score

ANCESTOR = torch.tensor([1.0, 2.0, 3.0, 4.0])
CHANGES = ([0.4, -0.2, 0.1, 0.0], [0.2, 0.6, -0.3, 0.1], [-0.1, 0.2, 0.3, -0.5])


def around(ancestor: Weights, *changes: Weights) -> Population:
    """Members a, b, ... around an ancestor."""
    members = tuple({name: x + change[name] for name, x in ancestor.items()} for change in changes)
    return Population(members, tuple("abcde"[: len(changes)]), ancestor)


def by_hand() -> Population:
    """Three members of one tensor of four."""
    return around({"w": ANCESTOR}, *({"w": torch.tensor(change)} for change in CHANGES))


def merge(method: Any, population: Population) -> Weights:
    """The method's weights."""
    found = method.merge(population, toy_score(), torch.Generator().manual_seed(0))
    assert isinstance(found, dict)
    return found
