"""Whether a model's children can be bred by a kernel: Triton is there and works, and tensors lie as it reads them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from methods.base import Weights
from methods.exhausted import exhausted
from methods.tensors.draws import Draws

_TYPES = (torch.float32, torch.bfloat16, torch.float16)
_failed: list[str] = []  # why Triton did not work: it is not asked again


def bred(names: Sequence[str], models: Sequence[Weights | None], crossover: Draws, scale: float) -> list[str]:
    """The tensors of `names` whose child was written by a kernel; the others are the plain formula's.

    Args:
        models: out, x, a, and b and goal where the mutation has them.
    """
    if _failed or (kernel := _kernel()) is None:
        return []
    there = [weights for weights in models if weights is not None]
    mode = {3: kernel.TO_REFERENCE, 4: kernel.BY_DIFFERENCE, 5: kernel.TO_BEST}[len(there)]
    written: list[str] = []
    try:
        for group in _groups(names, there[0]):
            tensors = [[weights[name] for name in group] for weights in there]
            if not _suited(tensors):  # one of many lies otherwise
                group = [name for name in group if _suited([[weights[name]] for weights in there])]
                tensors = [[weights[name] for name in group] for weights in there]
            if group:
                with torch.cuda.device(tensors[0][0].device):
                    kernel.breed(tensors, crossover.streams(group), mode, scale, crossover.threshold)
                written += group
    except Exception as error:  # no compiler beside it, or a GPU that it does not know
        if exhausted(error):
            raise
        _failed.append(" ".join(str(error).split())[:200])
        warnings.warn(f"Triton cannot be used ({_failed[0]}); children take longer without it", stacklevel=3)
        return []
    return written


def _groups(names: Sequence[str], out: Weights) -> list[list[str]]:
    """The names by type and device."""
    found: dict[tuple[torch.dtype, int], list[str]] = {}
    for name in names:
        x = out[name]
        found.setdefault((x.dtype, x.get_device()), []).append(name)
    return [group for (dtype, device), group in found.items() if dtype in _TYPES and device >= 0]


def _suited(tensors: Sequence[Sequence[Tensor]]) -> bool:
    """Whether these columns are of one type, on one device, contiguous, and begin where sixteen bytes do."""
    first = tensors[0][0]
    kinds = {x.dtype for own in tensors for x in own}
    places = {x.get_device() for own in tensors for x in own}
    lies = all(all(map(Tensor.is_contiguous, own)) for own in tensors)
    return (
        kinds == {first.dtype}
        and places == {first.get_device()}
        and lies
        and not any(x.data_ptr() & 15 for own in tensors for x in own)
    )


@cache
def _kernel() -> Any:
    """The compiled kernels, or None where Triton is not installed."""
    try:
        from methods.kernels import child
    except ImportError:
        return None
    return child
