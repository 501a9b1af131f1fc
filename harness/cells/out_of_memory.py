"""What a test says that found no memory left, and what it leaves behind for those that come after it.

torch keeps what was freed on a GPU for itself. Where several workers share one, the others cannot have it: one came to
hold 23 GiB for a model of 0.5, and tests failed for want of 0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness import devices
from methods.errors import MergeboardError
from methods.exhausted import exhausted

ON_GPU = (
    "the GPU has no memory left; use fewer workers, --set dtype=bf16 or --device=cpu, or end what else computes there"
)
SPREAD = (
    "the GPUs have no memory left; name smaller rooms, --device-map=0=10GiB, use --set dtype=bf16 or --device=cpu, or "
    "end what else computes there"
)
IN_MAIN = "this machine has no memory left; use fewer workers or members, --set dtype=bf16, or end what else runs"

LINES = {"gpu": ON_GPU, "main": IN_MAIN}


@contextmanager
def told(what: object) -> Iterator[None]:
    """Within, an error for want of memory becomes one line that says what to do; then what is free on a GPU is given
    back. Errors: `MergeboardError`."""
    try:
        yield
    except Exception as error:
        if line := _line(error):
            raise MergeboardError(f"{what}: {line}") from error
        raise
    finally:
        devices.give_back()


def _line(error: BaseException) -> str:
    """The line, if this error or one that it was made of is for want of memory; else nothing."""
    one: BaseException | None = error
    while one is not None:
        if where := exhausted(one):
            return SPREAD if where == "gpu" and devices.current() == devices.SPREAD else LINES[where]
        one = one.__cause__
    return ""
