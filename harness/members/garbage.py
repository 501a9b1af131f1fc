"""What was imported is never garbage, so the collector is spared looking at it again and again.

transformers' Trainer has all garbage collected whenever a training begins. With torch and transformers in memory that
takes up to half a second, as long as fifty steps of a tiny model.
"""

from __future__ import annotations

import gc
from functools import cache


@cache
def imports_left_out() -> None:
    """Leave out what lives now, for good; once in a process, and before the model that is trained is loaded."""
    gc.collect()
    gc.freeze()
