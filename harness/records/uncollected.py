"""Work that makes millions of objects and few cycles, without the collector that looks for cycles among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Within, only reference counts let go of objects: of thousands of records the collector walks each again and
    again, a tenth of the time that pages take. Also a decorator."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
