"""lm-eval works inside of this: what it does to generators, the environment and logs is put back, and it is quiet."""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import datasets
import numpy as np
import torch

SEED = 1234  # lm-eval's own, of torch and of examples


@contextmanager
def undisturbed() -> Iterator[None]:
    """Generators begin at the same place for whoever works inside, so that a task that draws draws the same again."""
    drawn, numbers, environment = random.getstate(), np.random.get_state(), dict(os.environ)
    logs = {name: logging.getLogger(name).level for name in ("lm_eval", "datasets", "transformers")}
    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        for name in logs:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.random.fork_rng(range(torch.cuda.device_count())):
            warnings.simplefilter("ignore")
            random.seed(0)
            np.random.seed(SEED)
            torch.manual_seed(SEED)
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(numbers)
        for name, level in logs.items():
            logging.getLogger(name).setLevel(level)
        if bars:
            datasets.enable_progress_bars()
        _put_back(environment)


def _put_back(environment: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
