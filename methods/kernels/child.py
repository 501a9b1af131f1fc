"""Evolver children on a GPU in one launch for a whole model: draws, mutation and crossover in one pass over memory.

Four scalars share a 64-bit hash (methods/tensors/draws.py), so a tile has four columns and a hash for each row. Every
step is rounded by itself, as in methods/tensors/child.py, so the compiler may not fuse a product and a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from methods.tensors.draws import FIRST, LANES, SECOND, STEP

BY_DIFFERENCE, TO_REFERENCE, TO_BEST = 0, 1, 2
ROWS = 512  # hashes of a program, of four scalars each
TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
_STEP, _FIRST, _SECOND = tl.constexpr(STEP), tl.constexpr(FIRST), tl.constexpr(SECOND)


@triton.jit(do_not_specialize=["threshold"])  # type: ignore[untyped-decorator, unused-ignore]
def _breed(  # type: ignore[no-untyped-def]
    tensors,  # (tensors, 8) int64: addresses of out, x, a, b, goal; scalars; stream; first program
    owners,  # (programs,) int32: whose tensor it works on
    scale,
    rest,  # 1 - scale
    threshold,
    mode: tl.constexpr,
    kind: tl.constexpr,
    rows: tl.constexpr,
):
    program = tl.program_id(0)
    own = tensors + tl.load(owners + program).to(tl.int64) * 8
    size, stream, begin = tl.load(own + 5), tl.load(own + 6), tl.load(own + 7)
    counter = (program - begin) * rows + tl.arange(0, rows).to(tl.int64)
    z = stream.to(tl.uint64) + (counter + 1).to(tl.uint64) * tl.full((), _STEP, tl.uint64)
    z = (z ^ (z >> 30)) * tl.full((), _FIRST, tl.uint64)
    z = (z ^ (z >> 27)) * tl.full((), _SECOND, tl.uint64)
    z = z ^ (z >> 31)
    column = tl.arange(0, 4)
    lane = ((z[:, None] >> (16 * column).to(tl.uint64)[None, :]) & 65535).to(tl.int32)
    at = counter[:, None] * 4 + column.to(tl.int64)[None, :]
    there = at < size
    pointer = tl.pointer_type(kind)
    x = tl.load(tl.multiple_of(tl.load(own + 1).to(pointer), 16) + at, mask=there)
    parent = x.to(tl.float32)
    a = tl.load(tl.multiple_of(tl.load(own + 2).to(pointer), 16) + at, mask=there).to(tl.float32)
    if mode == 1:
        mutant = parent * rest + a * scale
    else:
        b = tl.load(tl.multiple_of(tl.load(own + 3).to(pointer), 16) + at, mask=there).to(tl.float32)
        step = b - a
        if mode == 2:
            goal = tl.load(tl.multiple_of(tl.load(own + 4).to(pointer), 16) + at, mask=there).to(tl.float32)
            step = step + (parent - goal)
        mutant = parent - step * scale
    child = tl.where(lane < threshold, mutant.to(kind), x)
    tl.store(tl.multiple_of(tl.load(own).to(pointer), 16) + at, child, mask=there)


def breed(
    jobs: Sequence[tuple[tuple[Tensor, ...], int]], mode: int, scale: float, threshold: int, dtype: torch.dtype
) -> None:
    """Write children of all tensors in one launch.

    Args:
        jobs: contiguous tensors (out, x, a, b, goal) of one type and size on one GPU, as many as the mode has, and the
            stream of their draws.
        threshold: lanes below it take the mutant, of 65536.
    """
    device = jobs[0][0][0].device
    owners, begins = _programs(tuple(some[0].numel() for some, _ in jobs), device)
    table = [
        [*(x.data_ptr() for x in some), *[0] * (5 - len(some)), some[0].numel(), stream, begin]
        for (some, stream), begin in zip(jobs, begins, strict=True)
    ]
    there = torch.tensor(table, dtype=torch.int64).to(device, non_blocking=True)
    launch: Any = _breed[(len(owners),)]
    launch(
        *(there, owners, float(scale), 1 - scale, threshold),
        **{"mode": mode, "kind": TYPES[dtype], "rows": ROWS, "num_warps": 8, "enable_fp_fusion": False},
    )


@lru_cache(maxsize=8)
def _programs(sizes: tuple[int, ...], device: torch.device) -> tuple[Tensor, tuple[int, ...]]:
    """Whose tensor every program works on, and the first program of each: the same for all children of a model."""
    counts = torch.tensor([-(-size // (LANES * ROWS)) for size in sizes])
    owners = torch.repeat_interleave(torch.arange(len(sizes), dtype=torch.int32), counts)
    return owners.to(device), tuple((counts.cumsum(0) - counts).tolist())
