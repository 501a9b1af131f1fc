"""What fine-tuning changed, t = x - x_0: never held as a whole, but made piece by piece and looked through.

Task vectors are float32 whatever the storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from methods.base import Population, Weights, working_dtype
from methods.errors import Misfit, NotApplicable
from methods.loops import changes
from methods.loops.sweep import suited, sweep, sweep_in_turns
from methods.tensors import pieces as cutting
from methods.tensors.pieces import pieces


def tensors_in_common(method: str, population: Population) -> list[str]:
    """The tensors that have a task vector, sorted: nothing may depend on the order of a dictionary.

    Errors: `NotApplicable` if there is none, `Misfit` where the ancestor has another shape.
    """
    first, ancestor = population.members[0], population.ancestor
    shared = sorted(key for key, tensor in first.items() if tensor.is_floating_point() and key in ancestor)
    if not shared:
        raise NotApplicable(f"{method} needs the ancestor that the members were fine-tuned from; none was provided")
    for key in shared:
        if first[key].shape != ancestor[key].shape:
            shapes = tuple(first[key].shape), tuple(ancestor[key].shape)
            raise Misfit(f"{key} is {shapes[0]} in the members and {shapes[1]} in the ancestor; they must agree")
    return shared


class TaskVector:
    """The changes of one member in the tensors `keys`, in their order; `whole` scalars are all that it is a part of."""

    def __init__(self, member: Weights, ancestor: Weights, keys: Sequence[str], whole: int | None = None) -> None:
        self._member, self._ancestor, self._keys = member, ancestor, keys
        self.sizes = {key: member[key].numel() for key in keys}
        self.size = sum(self.sizes.values())
        self._swept = suited({key: (member[key], ancestor[key]) for key in keys}, whole)

    def piece(self, key: str, piece: slice, buffer: Tensor) -> Tensor:
        """These scalars of one tensor, written into the buffer."""
        x, origin = self._member[key].reshape(-1)[piece], self._ancestor[key].reshape(-1)[piece]
        # Subtract in the working type: the difference of two half-precision numbers needs more bits than either.
        work = working_dtype(x)
        if work == buffer.dtype:
            return torch.sub(x.to(work), origin.to(x.device, work), out=buffer[: x.numel()])
        return buffer[: x.numel()].copy_(x - origin.to(x.device, work))

    def of(self, key: str) -> Iterator[tuple[int, Tensor]]:
        """One tensor's pieces, each after the index of its first scalar. Every piece overwrites the last."""
        buffer = torch.empty(min(cutting.CHUNK, self.sizes[key]), device=self._member[key].device)
        for piece in pieces(self._member[key], cutting.CHUNK):
            yield piece.start, self.piece(key, piece, buffer)

    def __iter__(self) -> Iterator[Tensor]:
        """All pieces, in order of the keys. Every piece overwrites the last."""
        return (task for key in self._keys for _, task in self.of(key))

    def sample(self, count: int) -> Tensor:
        """Magnitudes of about `count` scalars, evenly spread, sorted from the largest."""
        stride = self.size // count | 1  # odd: tensors are cut in even widths, a sample should not be
        spread = [task.float().abs_().cpu() for task in self.spread(stride)]
        found = torch.cat(spread)
        found.numpy().view(
            "int32"
        ).sort()  # as bits, which order alike: NaN is the largest; and faster than torch's sort
        return found.flip(0)

    def spread(self, stride: int) -> Iterable[Tensor]:
        """Every stride-th change of each tensor, in new tensors."""
        for key in self._keys:
            x, origin = self._member[key].reshape(-1)[::stride], self._ancestor[key].reshape(-1)[::stride]
            yield x.float() - origin.to(x.device).float()

    def sift(self, low: float, high: float) -> Iterator[tuple[int, Tensor]]:
        """Of all scalars, part by part: how many magnitudes lie above `high`, and those from `low` to `high`."""
        looked_through = {key: (*some, low, high) for key, some in self._swept.items()}
        for _, _, (above, inside) in sweep_in_turns(changes.sift, looked_through):
            yield above, torch.from_numpy(inside)
        for key in self._keys:
            if key not in self._swept:
                yield from (_sift(task.abs_(), low, high) for _, task in self.of(key))

    def count(self, magnitude: float) -> dict[str, int]:
        """How many scalars of each tensor have this magnitude."""
        counts = dict.fromkeys(self._keys, 0)
        for key, _, count in sweep(changes.count, {key: (*some, magnitude) for key, some in self._swept.items()}):
            counts[key] += count
        for key in self._keys:
            if key not in self._swept:
                counts[key] = sum(len(places(task, magnitude)) for _, task in self.of(key))
        return counts

    def by_bits(self, top: int = -1) -> Iterator[Tensor]:
        """Part by part (2^16,): how many magnitudes have each upper half of a float32's bits.

        `top`: of those of this upper half, how many have each lower half.
        """
        looked_through = {key: (*some, top) for key, some in self._swept.items()}
        for _, _, counts in sweep_in_turns(changes.by_bits, looked_through):
            yield torch.from_numpy(counts)
        for key in self._keys:
            if key not in self._swept:
                yield from (_by_bits(task, top) for _, task in self.of(key))

    def nth(self, key: str, magnitude: float, n: int) -> int:
        """The index, in its tensor, of the n-th scalar of this magnitude; 1 is the first."""
        for start, task in self.of(key):
            found = places(task, magnitude)
            if n <= len(found):
                return start + int(found[n - 1])
            n -= len(found)
        raise IndexError(f"{key} has fewer scalars of this magnitude")


def places(task: Tensor, magnitude: float) -> Tensor:
    """The indices of the scalars of this magnitude."""
    if task.device.type != "cpu":
        return (task.abs() == magnitude).nonzero().flatten()
    array = task.numpy()  # which compares and picks several times faster than torch does on a CPU
    equal = (array == magnitude) | (array == -magnitude)
    return torch.from_numpy(equal.nonzero()[0])


def _by_bits(task: Tensor, top: int) -> Tensor:
    bits = task.view(torch.int32) & 0x7FFFFFFF
    upper = bits >> 16
    return torch.bincount(upper if top < 0 else bits[upper == top] & 0xFFFF, minlength=1 << 16)


def _sift(magnitudes: Tensor, low: float, high: float) -> tuple[int, Tensor]:
    if magnitudes.device.type != "cpu":
        return int((magnitudes > high).sum()), magnitudes[(magnitudes >= low) & (magnitudes <= high)]
    array = magnitudes.numpy()
    inside = (array >= low) & (array <= high)
    return int((array > high).sum()), torch.from_numpy(array[inside])
