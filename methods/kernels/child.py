"""Evolver children on a GPU in one launch for a whole model: draws, mutation and crossover in one pass over memory.

Four scalars share a 64-bit hash (methods/tensors/draws.py), so a tile has four columns and a hash for each row. Every
step is rounded by itself, as in methods/tensors/child.py, so the compiler may not fuse a product and a sum.
"""

from __future__ import annotations

from array import array
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


@triton.jit(do_not_specialize=["threshold", "count"])  # type: ignore[untyped-decorator, unused-ignore]
def _breed(  # type: ignore[no-untyped-def]
    table,  # (6, tensors) int64: addresses of out, x, a, b, goal; streams
    layout,  # (2, tensors) int64: scalars; first program
    owners,  # (programs,) int32: whose tensor it works on
    count,  # tensors
    scale,
    rest,  # 1 - scale
    threshold,
    mode: tl.constexpr,
    kind: tl.constexpr,
    rows: tl.constexpr,
):
    program = tl.program_id(0)
    owner = tl.load(owners + program).to(tl.int64)
    own = table + owner
    size, begin = tl.load(layout + owner), tl.load(layout + count + owner)
    stream = tl.load(own + 5 * count)
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
    x = tl.load(tl.multiple_of(tl.load(own + count).to(pointer), 16) + at, mask=there)
    parent = x.to(tl.float32)
    a = tl.load(tl.multiple_of(tl.load(own + 2 * count).to(pointer), 16) + at, mask=there).to(tl.float32)
    if mode == 1:
        mutant = parent * rest + a * scale
    else:
        b = tl.load(tl.multiple_of(tl.load(own + 3 * count).to(pointer), 16) + at, mask=there).to(tl.float32)
        step = b - a
        if mode == 2:
            goal = tl.load(tl.multiple_of(tl.load(own + 4 * count).to(pointer), 16) + at, mask=there).to(tl.float32)
            step = step + (parent - goal)
        mutant = parent - step * scale
    child = tl.where(lane < threshold, mutant.to(kind), x)
    tl.store(tl.multiple_of(tl.load(own).to(pointer), 16) + at, child, mask=there)


def breed(tensors: Sequence[Sequence[Tensor]], streams: Sequence[int], mode: int, scale: float, threshold: int) -> None:
    """Write the children of all tensors in one launch.

    Args:
        tensors: of out, x, a, b and goal, as many as the mode has, each a model's, contiguous, at multiples of 16
            bytes, of one type and on one GPU.
        streams: where the draws of each tensor begin.
        threshold: lanes below it take the mutant, of 65536.
    """
    out, count = tensors[0], len(streams)
    owners, layout = _programs(tuple(x.numel() for x in out), out[0].device)
    table = array("q")
    for own in tensors:
        table.extend(x.data_ptr() for x in own)
    table.extend([0] * (count * (5 - len(tensors))))
    table.extend(streams)
    there = torch.frombuffer(table, dtype=torch.int64).to(out[0].device)
    launch: Any = _breed[(len(owners),)]
    launch(
        *(there, layout, owners, count, float(scale), 1 - scale, threshold),
        **{"mode": mode, "kind": TYPES[out[0].dtype], "rows": ROWS, "num_warps": 8, "enable_fp_fusion": False},
    )


@lru_cache(maxsize=8)
def _programs(sizes: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Whose tensor every program works on; and of each tensor its scalars and first program: the same for all children
    of a model."""
    counts = torch.tensor([-(-size // (LANES * ROWS)) for size in sizes])
    owners = torch.repeat_interleave(torch.arange(len(sizes), dtype=torch.int32), counts)
    layout = torch.stack([torch.tensor(sizes), counts.cumsum(0) - counts])
    return owners.to(device), layout.to(device)
