"""float16 by the processor's own instructions, where it surely has them: the same bits as by whole numbers, sooner.

Rounding is to nearest even, whatever is set for subnormals of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def float16_instructions() -> bool:
    """Whether Numba compiles for this very processor, and it is an x86 with F16C."""
    from llvmlite.binding import get_host_cpu_features
    from numba import config

    elsewhere = any(getattr(config, name) is not None for name in ("CPU_NAME", "CPU_FEATURES"))
    if elsewhere:  # it was told to compile for another one
        return False
    return bool(get_host_cpu_features().get("f16c"))


def from_float16() -> Callable[..., Any] | None:
    """A function of the bits, for Numba to compile; None where there are no such instructions."""
    if not float16_instructions():
        return None
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    def widened(_context: Any, x: Any) -> Any:
        def made(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
            return builder.fpext(builder.bitcast(operands[0], ir.HalfType()), ir.FloatType())

        return types.float32(x), made

    instruction: Any = intrinsic(widened)

    def from_bits(x: Any) -> Any:
        return instruction(x)

    return from_bits


def to_float16() -> Callable[..., Any] | None:
    """The same of a float32 that is rounded to the bits."""
    if not float16_instructions():
        return None
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    def narrowed(_context: Any, value: Any) -> Any:
        def made(_context: Any, builder: Any, _signature: Any, operands: Any) -> Any:
            return builder.bitcast(builder.fptrunc(operands[0], ir.HalfType()), ir.IntType(16))

        return types.int16(types.float32), made

    instruction: Any = intrinsic(narrowed)

    def to_bits(value: Any, out: Any) -> Any:
        return instruction(value)

    return to_bits
