"""What all of a process shares while a method is at work: generators of chance, and torch's settings."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def generators() -> tuple[Any, ...]:
    """Where the generators stand that all of a process share."""
    numpy = sys.modules.get("numpy")  # a method can only have drawn from it if somebody has imported it
    states = numpy.random.get_state(legacy=False)["state"] if numpy else {}
    return (
        torch.get_rng_state().numpy().tobytes(),
        *(state.numpy().tobytes() for state in _of_gpus()),
        random.getstate(),
        tuple(part.tobytes() if hasattr(part, "tobytes") else part for part in states.values()),
    )


def _of_gpus() -> list[torch.Tensor]:
    """The states of the GPUs' own generators, if anybody uses a GPU."""
    return list(torch.cuda.get_rng_state_all()) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]


@contextmanager
def generators_kept() -> Iterator[None]:
    """Within, others than the method may draw."""
    numpy = sys.modules.get("numpy")
    ours, pythons, theirs = torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy else None
    gpus = _of_gpus()
    try:
        yield
    finally:
        torch.set_rng_state(ours)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
        random.setstate(pythons)
        if numpy and theirs is not None:
            numpy.random.set_state(theirs)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Whatever a method sets for the whole process, the next one finds it as it was."""
    dtype, threads, graded = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(graded)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
