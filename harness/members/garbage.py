"""What was imported is never garbage, so the collector is spared looking at it again and again.

transformers' Trainer has all garbage collected whenever a training begins. With torch and transformers in memory that
takes up to half a second, as long as fifty steps of a tiny model. Another half goes into looking while they are
imported, and a whole one when the process ends.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_left_out: list[bool] = []  # whether it was done; to count what is left out takes as long as to look at it


@contextmanager
def imports_left_out() -> Iterator[None]:
    """Leave out what lives by now and what is imported within, for good; once in a process, and before the model that
    is trained is loaded."""
    if _left_out or not gc.isenabled():
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
        gc.freeze()
        _left_out.append(True)
    finally:
        gc.enable()


@cache
def no_last_look() -> None:
    """Let the process end without looking for garbage in all that it holds: the system takes it back anyway."""
    atexit.register(gc.freeze)
