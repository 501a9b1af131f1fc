"""Whether a model's children can be bred by a kernel: Triton is there and works, and tensors lie as it reads them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from methods.base import Weights

LEAST = 1  # scalars of a tensor that is worth a program
_HALF_AND_WHOLE = (torch.float32, torch.bfloat16, torch.float16)
_failed: list[str] = []


def bred(
    names: Collection[str],
    models: Mapping[str, Weights | None],
    streams: Mapping[str, int],
    scale: float,
    threshold: int,
) -> set[str]:
    """The tensors of `names` whose child was written by a kernel; the others are the plain formula's.

    Args:
        models: `out`, `x`, `a`, and `b` and `goal` where the mutation has them.
        streams: where the draws of a tensor begin.
    """
    there = [weights for weights in models.values() if weights is not None]
    jobs = [(name, tuple(weights[name] for weights in there)) for name in names]
    jobs = [(name, some) for name, some in jobs if _suited(some)]
    if not jobs or _failed or (kernel := _kernel()) is None:
        return set()
    mode = {3: kernel.TO_REFERENCE, 4: kernel.BY_DIFFERENCE, 5: kernel.TO_BEST}[len(there)]

    def place(job: tuple[str, tuple[Tensor, ...]]) -> tuple[int, str]:
        return job[1][0].device.index or 0, str(job[1][0].dtype)

    try:
        for _, group in groupby(sorted(jobs, key=place), key=place):
            own = list(group)
            with torch.cuda.device(own[0][1][0].device):
                kernel.breed([(some, streams[name]) for name, some in own], mode, scale, threshold, own[0][1][0].dtype)
    except Exception as error:  # no compiler beside it, or a GPU that it does not know
        _failed.append(str(error))
        said = " ".join(str(error).split())[:200]
        warnings.warn(f"Triton cannot be used ({said}); children take longer without it", stacklevel=3)
        return set()
    return {name for name, _ in jobs}


def _suited(some: Iterable[Tensor]) -> bool:
    tensors = list(some)
    first = tensors[0]
    return (
        first.is_cuda
        and first.dtype in _HALF_AND_WHOLE
        and first.numel() >= LEAST
        and all(x.dtype == first.dtype and x.device == first.device and x.is_contiguous() for x in tensors)
        and all(x.data_ptr() % 16 == 0 for x in tensors)
    )


@cache
def _kernel() -> Any:
    """The compiled kernels, or None where Triton is not installed."""
    try:
        from methods.kernels import child
    except ImportError:
        return None
    return child
