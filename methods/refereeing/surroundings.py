"""What all of a process shares while a method is at work: generators of chance, and settings of torch and numpy."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch

_KINDS = ("cpu", "cuda")  # of devices, whose products may be shortened by autocast


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


class _Setting(NamedTuple):
    """One thing that a process has once, and that decides what others compute."""

    get: Callable[[], Any]
    put: Callable[[Any], object]


def _numpy_errors() -> dict[str, Any]:
    numpy = sys.modules.get("numpy")
    return dict(numpy.geterr()) if numpy else {}


def _put_numpy_errors(how: dict[str, Any]) -> None:
    if how:
        sys.modules["numpy"].seterr(**how)


def _autocast() -> tuple[Any, ...]:
    return tuple((kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in _KINDS)


def _put_autocast(how: tuple[Any, ...]) -> None:
    for kind, enabled, dtype in how:
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)
    torch.clear_autocast_cache()


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


_SETTINGS = (
    _Setting(torch.get_default_device, lambda how: torch.set_default_device(None if how.type == "cpu" else how)),
    _Setting(torch.get_default_dtype, torch.set_default_dtype),
    _Setting(torch.get_num_threads, torch.set_num_threads),
    _Setting(torch.is_grad_enabled, torch.set_grad_enabled),
    _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    _Setting(_autocast, _put_autocast),
    _Setting(_deterministic, lambda how: torch.use_deterministic_algorithms(how[0], warn_only=how[1])),
    _Setting(lambda: torch.backends.mkldnn.enabled, lambda how: setattr(torch.backends.mkldnn, "enabled", how)),
    _Setting(_numpy_errors, _put_numpy_errors),
)
_OUTSIDE: ContextVar[tuple[Any, ...] | None] = ContextVar("outside", default=None)  # while a method is at work


def settings() -> tuple[Any, ...]:
    """What is set now."""
    return tuple(setting.get() for setting in _SETTINGS)


def _put(wanted: tuple[Any, ...]) -> None:
    """Set it so again; what is so is left alone."""
    for setting, value in zip(_SETTINGS, wanted, strict=True):
        if setting.get() != value:
            setting.put(value)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Whatever a method sets for the whole process, the next one finds it as it was; what it asks others for, within
    `others_at_work`, is done as if it had set nothing."""
    before = settings()
    token = _OUTSIDE.set(before)
    try:
        with torch.inference_mode(False):  # whose end is that of one that was left open within
            _put(before)
            yield
    finally:
        _OUTSIDE.reset(token)
        _put(before)


@contextmanager
def others_at_work() -> Iterator[None]:
    """Within, others than the method are at work: they may draw, and nothing that the method has set is theirs."""
    numpy = sys.modules.get("numpy")
    ours, pythons, theirs = torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy else None
    gpus, outside, own = _of_gpus(), _OUTSIDE.get(), settings()
    try:
        with ExitStack() as stack:
            if outside is not None and own != outside:
                if torch.is_inference_mode_enabled():
                    stack.enter_context(torch.inference_mode(False))
                _put((own[0], *outside[1:]))
                if own[0] != outside[0]:  # in a scope of its own: the method may have set it by one
                    stack.enter_context(outside[0])
            yield
    finally:
        if outside is not None and own != outside:
            _put(own)
        torch.set_rng_state(ours)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
        random.setstate(pythons)
        if numpy and theirs is not None:
            numpy.random.set_state(theirs)
