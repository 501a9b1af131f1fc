"""Half precision as loops meet it: raised to float32 when it is read, rounded once to nearest even when written.

Numba knows neither kind on a CPU, so a loop is given the bits: unsigned ones of bfloat16, signed ones of float16.

    bfloat16    sign, 8 bits of exponent,  7 of fraction: the upper half of a float32
    float16     sign, 5 bits of exponent, 10 of fraction; subnormals are multiples of 2^-24

What is no number stays none, whichever of its bits are set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from methods.loops import native
from methods.loops.compiled import ByKind

_HALF, _SIGN, _REST = np.uint32(16), np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_INFINITY, _NAN = np.uint32(0x7F800000), np.uint32(0x7FC00000)
_ONE, _ALMOST_HALF = np.uint32(1), np.uint32(0x7FFF)  # of what is cut off of a float32

_SHIFT = np.uint32(13)  # fractions of float16 are so many bits shorter
_SHORT, _EXPONENT = np.uint32(0x7FFF), np.uint32(0x7C00)
_REBIASED = np.uint32((127 - 15) << 23)  # what an exponent of float32 is larger
_REBIASED_LAST = np.uint32((255 - 31) << 23)  # that of infinities
_SMALLEST_NORMAL, _AS_FLOAT = np.uint32((127 - 14) << 23), np.float32(2**-14)
_TOO_LARGE = np.uint32((127 + 16) << 23)  # 2^16
_UNIT, _UNIT_AS_FLOAT = np.uint32((127 - 1) << 23), np.float32(0.5)  # the last bit of its fraction is 2^-24
_ALMOST_HALF_OF_13 = np.uint32(0x0FFF)
_INFINITE_16, _NAN_16 = np.uint32(0x7C00), np.uint32(0x7E00)


def _as_it_is(x: Any) -> Any:
    return x


def _from_bfloat16(x: Any) -> Any:
    return np.uint32(np.uint32(x) << _HALF).view(np.float32)


def from_float16(x: Any) -> Any:
    """Of the bits, by whole numbers alone."""
    bits = np.uint32(np.uint16(x))
    size = np.uint32(np.uint32(bits & _SHORT) << _SHIFT)
    exponent = np.uint32(bits & _EXPONENT)
    normal = np.uint32(size + (_REBIASED_LAST if exponent == _EXPONENT else _REBIASED))
    # A subnormal is read as if its fraction belonged to 2^-14, which is then taken off again: exactly.
    subnormal = np.float32(np.uint32(size + _SMALLEST_NORMAL).view(np.float32) - _AS_FLOAT)
    found = np.float32(subnormal).view(np.uint32) if exponent == np.uint32(0) else normal
    return np.uint32(found | np.uint32(np.uint32(bits >> np.uint32(15)) << np.uint32(31))).view(np.float32)


def _to_float32(value: Any, out: Any) -> Any:
    return value


def _to_bfloat16(value: Any, out: Any) -> Any:
    bits = np.float32(value).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> _HALF) & _ONE)
    rounded = np.uint32(bits + np.uint32(_ALMOST_HALF + odd))
    kept = _NAN if np.uint32(bits & _REST) > _INFINITY else rounded
    return np.uint16(np.uint32(kept >> _HALF))


def to_float16(value: Any, out: Any) -> Any:
    """The bits, by whole numbers alone."""
    bits = np.float32(value).view(np.uint32)
    size = np.uint32(bits & _REST)
    odd = np.uint32(np.uint32(size >> _SHIFT) & _ONE)
    rounded = np.uint32(np.uint32(size - _REBIASED) + np.uint32(_ALMOST_HALF_OF_13 + odd))
    normal = np.uint32(rounded >> _SHIFT)
    # What is added to 0.5 is rounded to multiples of 2^-24 by the addition itself.
    subnormal = np.uint32(np.float32(np.uint32(size).view(np.float32) + _UNIT_AS_FLOAT).view(np.uint32) - _UNIT)
    kept = subnormal if size < _SMALLEST_NORMAL else normal
    kept = kept if size < _TOO_LARGE else _INFINITE_16
    kept = kept if size <= _INFINITY else _NAN_16
    return np.int16(np.uint16(np.uint32(kept | np.uint32(np.uint32(bits >> _HALF) & np.uint32(0x8000)))))


raised = ByKind({"int16": native.from_float16}, float32=_as_it_is, uint16=_from_bfloat16, int16=from_float16)
"""raised(x): one scalar of a model, as float32."""

rounded = ByKind({"int16": native.to_float16}, float32=_to_float32, uint16=_to_bfloat16, int16=to_float16)
"""rounded(value, out): a float32 as the array `out` holds its scalars."""
