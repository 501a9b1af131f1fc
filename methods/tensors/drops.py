"""DARE's first two steps: which scalars of a change are kept, and by how much what is kept is scaled up.

A scalar is kept where its lane (methods/tensors/draws.py) lies below round(65536 density). A lane belongs to the seed
of the masks, the member's name, the tensor's name and the scalar's index, and to nothing else. So masks are nested: a
larger density keeps all that a smaller one keeps and more, and neither another member nor another tensor moves them.
Where everything is kept nothing is drawn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from methods.base import Weights
from methods.loops import drops as loops
from methods.loops.sweep import suited, sweep_in_turns
from methods.tensors.draws import Crossover, Draws
from methods.tensors.pieces import Buffers
from methods.tensors.task_vector import TaskVector

Rescale = Literal["inverse", "l1", "none"]

LEAST = 1e-7  # a sum of magnitudes below which nothing is scaled to it
EXPONENTS = 256  # of float32
_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
_MASK = Buffers(1, torch.int32)


class Mask(Draws):
    """The scalars of one member's change that are kept: each with the chance `density`."""

    def __init__(self, seed: int, member: str, density: float) -> None:
        super().__init__(seed, density)
        self._member = member

    @property
    def keeps_all(self) -> bool:
        """Whether no draw drops anything."""
        return self.threshold >= 1 << 16

    def stream(self, name: str) -> int:
        """Where the hashes of a parameter of this member begin."""
        return super().stream(json.dumps([self._member, name]))


class Dropped(TaskVector):
    """The changes of one member in `keys`, all that is not kept set to 0; `keep` None keeps everything.

    `keep` writes to `out` -1 where a scalar is kept, else 0, as a crossover does where the mutant is taken.
    """

    def __init__(
        self,
        member: Weights,
        ancestor: Weights,
        keys: Sequence[str],
        keep: Crossover | None,
        whole: int | None = None,
    ) -> None:
        super().__init__(member, ancestor, keys, whole)
        self._keep = keep
        if keep is not None:
            self._swept = {}  # the loops of task vectors know of no masks

    def piece(self, key: str, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of one tensor, written into the buffer."""
        task = super().piece(key, piece, buffer)
        if self._keep is not None:
            (mask,) = _MASK.like(task)
            self._keep(key, piece.start, mask)
            bits = task.view(_BITS[task.dtype])
            bits.bitwise_and_(mask.to(bits.dtype))
        return task

    def spread(self, stride: int) -> Iterable[Tensor]:
        """Every stride-th change of each tensor."""
        for key in self._keys:
            yield from (task[-start % stride :: stride].clone() for start, task in self.of(key))


def stretches(member: Weights, ancestor: Weights, keys: Sequence[str], keep: Crossover) -> dict[str, float]:
    """For every tensor sum |t| / sum |kept t|; 1 where either is next to nothing."""
    sums = {
        key: torch.zeros(2, EXPONENTS, dtype=torch.int64) for key in keys
    }  # of what is dropped, and of what is kept
    swept = {}
    if isinstance(keep, Mask):
        swept = suited({key: (member[key], ancestor[key]) for key in keys})
        drawn = {key: (*some, keep.stream(key), keep.threshold) for key, some in swept.items()}
        for key, _, found in sweep_in_turns(loops.magnitudes, drawn):
            sums[key] += torch.from_numpy(found)
    for key in keys:
        if key not in swept:
            everything, kept = (Dropped(member, ancestor, [key], some) for some in (None, keep))
            for (_, task), (_, part) in zip(everything.of(key), kept.of(key), strict=True):
                sizes = torch.stack([magnitudes(task), magnitudes(part)])
                sums[key] += torch.stack([sizes[0] - sizes[1], sizes[1]])
    return {key: stretch(*found) for key, found in sums.items()}


def magnitudes(task: Tensor) -> Tensor:
    """(256,) int64: the sums of the mantissas of all |t| by exponent, after rounding to float32.

    Whole numbers add up to the same whichever comes first, so no sum depends on pieces or threads.
    """
    bits = task.float().view(torch.int32) & 0x7FFFFFFF
    exponents = bits >> 23
    mantissas = (bits & 0x7FFFFF) + ((exponents > 0).int() << 23)
    sums = torch.bincount(exponents, weights=mantissas.double(), minlength=EXPONENTS)  # exact below 2^53
    return sums.long().cpu()


def stretch(dropped: Tensor, kept: Tensor) -> float:
    """sum |t| / sum |kept t| of such sums; 1 where either is next to nothing."""
    if dropped[-1] + kept[-1]:  # an infinity, or no number
        return math.nan
    whole, part = _exact(dropped + kept), _exact(kept)
    return whole / part if part / 2**149 >= LEAST else 1.0


def _exact(sums: Tensor) -> int:
    """The sum in units of 2^-149, the smallest float32."""
    return sum(mantissas << max(exponent - 1, 0) for exponent, mantissas in enumerate(sums.tolist()))
