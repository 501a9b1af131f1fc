"""Where a module's parameters lie, and a module brought there: whole on one device, or spread over several.

One module at a time is spread over all room that there is. Whoever wants to ask another has it seated, and the one
before goes home to main memory; so whoever asks a module seats it first, and holds the turn until it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from harness import devices
from harness.families.hops.trial import run
from harness.spread.parts import HOST, Parts, parameters_in, parts_of
from harness.spread.visits import Arrival, Loan, Return
from methods.errors import MergeboardError
from methods.exhausted import exhausted

_TURN = RLock()  # of all spread modules


@dataclass(frozen=True)
class Seats:
    """Of the parameters of one module."""

    main: str  # where it is asked, and answers
    of: Mapping[str, str]  # parameter -> where its numbers lie
    parts: int = 1
    lent: int = 0  # parts whose weights stay in main memory and are copied for every call
    handles: Sequence[Any] = field(default=(), repr=False, compare=False)  # of its hooks

    @property
    def gpus(self) -> int:
        """How many of them it is spread over."""
        return len({place for place in self.of.values() if place != HOST} | {self.main})

    def __str__(self) -> str:
        lent = f", {self.lent} of its {self.parts} parts lent from main memory" if self.lent else ""
        return f"spread over {self.gpus} GPU{'s' * (self.gpus > 1)}{lent}"


_SPREAD: WeakKeyDictionary[nn.Module, Seats] = WeakKeyDictionary()  # one module, or none


def turn_of(device: str) -> AbstractContextManager[Any]:
    """What is held from seating a module to its last answer; the same for all that are spread."""
    return _TURN if device == devices.SPREAD else Lock()


def seated(model: nn.Module, device: str, dtype: torch.dtype | None = None) -> Seats:
    """Bring the module to this device, or to the GPUs that `--device-map` allows where it is `devices.SPREAD`.

    Its parameters stay the same objects, so whoever points them at other numbers still may, as long as those lie where
    `of` says. What is spread already stays so, and any other module that is goes home.

    Errors: `MergeboardError` in one line where a part has no room, or the module's own code does not work so.
    """
    if device != devices.SPREAD:
        model.to(device, dtype)
        return Seats(device, dict.fromkeys((name for name, _ in model.named_parameters()), device))
    if model not in _SPREAD:
        for other in list(_SPREAD):
            _home(other)
        kind = next(model.parameters()).dtype if dtype is None else dtype
        _SPREAD[model] = spread(model, parts_of(model, devices.room(), kind), kind, devices.name)
        _require_works(model)
    return _SPREAD[model]


def in_use() -> int:
    """How many GPUs the module is spread over that was seated last; 0 where none is."""
    return max((seats.gpus for seats in _SPREAD.values()), default=0)


def spread(model: nn.Module, parts: Parts, dtype: torch.dtype, name: Callable[[int], str] = devices.name) -> Seats:
    """Bring each part to its place. `name`: a GPU's number -> torch's name of it."""
    main, skip, handles, met = name(parts.main), _skipped(model), list[Any](), set[int]()
    for part, place in parts.of.items():
        module = _module(model, part)
        if module is None:
            _settle_one(model, part, main, dtype)
        elif id(module) not in met:  # some models have one module under two names
            met.add(id(module))
            handles += _lent(module, main, dtype, skip) if isinstance(place, str) else []
            handles += [] if isinstance(place, str) else _placed(module, name(place), dtype, skip)
    for above in _above(parts.of):
        whole = Return(main, skip)
        module = model.get_submodule(above)
        handles.append(module.register_forward_pre_hook(whole.comes, with_kwargs=True, prepend=True))
        handles.append(module.register_forward_hook(whole.goes))
    of = {key: str(parameter.device) for key, parameter in model.named_parameters()}
    weighty = [place for part, place in parts.of.items() if parameters_in(model, part)]
    return Seats(main, of, len(weighty), weighty.count(HOST), handles)


def _placed(module: nn.Module, device: str, dtype: torch.dtype, skip: Sequence[str]) -> list[Any]:
    """Its hooks, of a part that has a place of its own."""
    module.to(device, dtype)
    return [module.register_forward_pre_hook(Arrival(device, skip), with_kwargs=True)]


def _lent(module: nn.Module, device: str, dtype: torch.dtype, skip: Sequence[str]) -> list[Any]:
    """Of a part that is lent; its buffers, which are small, stay where they are used."""
    module.to(dtype=dtype)
    for owner in module.modules():
        for key, buffer in owner._buffers.items():
            owner._buffers[key] = None if buffer is None else buffer.to(device)
    loan = Loan(device, skip)
    back = module.register_forward_hook(loan.back, always_call=True)
    return [module.register_forward_pre_hook(loan, with_kwargs=True), back]


def _above(parts: Mapping[str, Any]) -> list[str]:
    """The modules that hold parts and are none, the whole one among them: what they work out between parts, they work
    out on the main GPU."""
    found = {""}
    for part in parts:
        above = part
        while above := above.rpartition(".")[0]:
            found.add(above)
    return [above for above in sorted(found) if above not in parts or above == ""]


def _require_works(model: nn.Module) -> None:
    """Raise one line where the module's own code stumbles over its parts, or leaves parameters of others behind."""
    before = dict(model.named_parameters())
    try:
        run(model)
    except Exception as error:
        _home(model)
        if exhausted(error):
            raise
        said = f" ({' '.join(str(error).split())[:120]})"
    else:
        after = dict(model.named_parameters())
        if after.keys() == before.keys() and all(after[name] is parameter for name, parameter in before.items()):
            return
        _home(model)
        said = ""
    raise MergeboardError(
        f"--device-map: {type(model).__name__} does not work spread over several devices{said}; leave it out, or write "
        "--device=cpu"
    )


def _home(model: nn.Module) -> None:
    """To main memory, whole again."""
    if (seats := _SPREAD.pop(model, None)) is not None:
        for handle in seats.handles:
            handle.remove()
        model.to(HOST)


def _module(model: nn.Module, part: str) -> nn.Module | None:
    try:
        return model.get_submodule(part)
    except AttributeError:  # a parameter or a buffer of a module that is itself in parts
        return None


def _settle_one(model: nn.Module, part: str, device: str, dtype: torch.dtype) -> None:
    """A tensor beside modules is used where the model itself works."""
    above, _, key = part.rpartition(".")
    owner = model.get_submodule(above)
    buffer = owner._buffers.get(key)
    if buffer is not None:
        owner._buffers[key] = buffer.to(device, dtype if buffer.is_floating_point() else None)
    else:
        parameter = owner.get_parameter(key)
        parameter.data = parameter.data.to(device, dtype)


def _skipped(model: nn.Module) -> tuple[str, ...]:
    """Names of arguments that its class wants left where they are."""
    found = getattr(model, "_skip_keys_device_placement", None) or ()
    return (found,) if isinstance(found, str) else tuple(found)
