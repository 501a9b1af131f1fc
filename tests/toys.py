"""Which made-up population a method is tried on: those that are about blocks need models that have some."""

from __future__ import annotations

from collections.abc import Callable

import torch

from methods import Population, known
from methods.contract import toy_blocks, toy_population

OF_BLOCKS = frozenset({"dfs", "layer_swap", "lines", "ps_dfs", "route"})
OF_TENSORS = [name for name in known() if name not in OF_BLOCKS]  # whose members may be of any kind


def toys_of(name: str) -> Callable[[int, torch.dtype], Population]:
    """What makes n members of a dtype for the method of this name."""
    return toy_blocks if any(name == some or name.startswith(f"{some}_") for some in OF_BLOCKS) else toy_population


QUICK = {"evolver": {"generations": 2}, "adamerging": {"steps": 2}}  # knobs with which a method is soon done
