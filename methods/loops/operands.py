"""What a loop is called on, piece by piece: flat arrays without gaps, and for any number of members one operand.

Half precision is handed over as its bits (methods/loops/half.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from methods.loops.compiled import Supplied

Operands = tuple[Any, ...]
"""What a loop is called on: tensors and tuples of tensors of one size, which are cut alike, and numbers and tuples of
numbers. A loop that writes does so to the first one."""

KINDS = {torch.float32: np.float32, torch.bfloat16: np.uint16, torch.float16: np.int16}

Cut = Callable[[slice], Any]  # what a loop is given of an operand for a piece


@dataclass(frozen=True)
class Uncut:
    """An operand that every piece is given as a whole."""

    tensor: Tensor


class Many(NamedTuple):
    """Arrays of one kind, as a loop has them: it is compiled once, however many there are."""

    addresses: Any  # (members,) int64: where each begins
    like: Any  # (0,), of that kind


def _taking() -> Callable[..., Any]:
    import numba
    from numba.extending import intrinsic

    types: Any = numba.types

    def pointing(_context: Any, address: Any, like: Any) -> Any:
        pointer = types.CPointer(like.dtype)

        def made(context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
            return builder.inttoptr(operands[0], context.get_value_type(pointer))

        return pointer(types.int64, like), made

    pointer_to: Any = intrinsic(pointing)
    carray: Any = vars(numba)["carray"]

    def scalars(many: Many, i: int, begin: int, size: int) -> Any:
        return carray(pointer_to(many.addresses[i] + begin * many.like.itemsize, many.like), (size,))

    return scalars


taken = Supplied(_taking)
"""taken(many, i, begin, size): that many scalars of array i, from index `begin` on."""


def readable(one: Any) -> bool:
    """Whether an operand is no tensor, or one that loops can read, or a tuple of such of one type."""
    if isinstance(one, tuple):
        return all(map(readable, one)) and len({x.dtype for x in one if isinstance(x, Tensor)}) <= 1
    if not isinstance(one, Tensor):
        return True
    return one.dtype in KINDS and one.device.type == "cpu" and one.layout == torch.strided


def tensors_of(operands: Operands) -> Iterator[Tensor]:
    """All that are cut."""
    for one in operands:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, tuple):
            yield from tensors_of(one)


def cutting(one: Any) -> Cut:
    """How an operand is cut; what it needs for it, it holds."""
    if isinstance(one, Tensor):
        array = array_of(one)
        return lambda piece: array[piece]
    if isinstance(one, tuple) and isinstance(one[0], Tensor):
        return _many([array_of(x) for x in one])
    if isinstance(one, tuple) and isinstance(one[0], Uncut):
        cut = _many([x.tensor.numpy() for x in one])
        return lambda _piece: cut(slice(0, None))
    whole = np.array(one) if isinstance(one, tuple) else one.tensor.numpy() if isinstance(one, Uncut) else one
    return lambda _piece: whole


def array_of(x: Tensor) -> Any:
    """Its scalars in order, of half precision the bits."""
    flat, kind = x.detach().reshape(-1).contiguous(), KINDS[x.dtype]
    return flat.numpy() if kind is np.float32 else flat.view(torch.int16).numpy().view(kind)


def _many(arrays: Sequence[Any]) -> Cut:
    addresses, like = np.array([x.ctypes.data for x in arrays], np.int64), np.empty(0, arrays[0].dtype)

    def cut(piece: slice) -> Many:
        assert arrays  # which keeps them where they are
        return Many(addresses + piece.start * like.itemsize, like)

    return cut
