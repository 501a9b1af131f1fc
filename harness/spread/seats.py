"""Where a module's parameters lie, and a module brought there: whole on one device, or spread over several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Seats:
    """Of the parameters of one module."""

    main: str  # where it is asked, and answers
    of: Mapping[str, str]  # parameter -> where its numbers lie
    parts: int = 1
    lent: int = 0  # parts whose weights stay in main memory and are copied for every call

    def __str__(self) -> str:
        places = len({place for place in self.of.values() if place != HOST} | {self.main})
        lent = f", {self.lent} of its {self.parts} parts lent from main memory" if self.lent else ""
        return f"spread over {places} GPU{'s' * (places > 1)}{lent}"


_SPREAD: WeakKeyDictionary[nn.Module, Seats] = WeakKeyDictionary()  # a second time its parts would be lent twice


def seated(model: nn.Module, device: str, dtype: torch.dtype | None = None) -> Seats:
    """Bring the module to this device, or to the GPUs that `--device-map` allows where it is `devices.SPREAD`.

    Its parameters stay the same objects, so whoever points them at other numbers still may, as long as those lie where
    `of` says. A module that is spread already stays so. Errors: `MergeboardError` in one line where a part has no room.
    """
    if device != devices.SPREAD:
        model.to(device, dtype)
        return Seats(device, dict.fromkeys((name for name, _ in model.named_parameters()), device))
    if model in _SPREAD:
        return _SPREAD[model]
    kind = next(model.parameters()).dtype if dtype is None else dtype
    found = spread(model, parts_of(model, devices.room(), kind), kind, devices.name)
    try:
        run(model)
    except Exception as error:
        if exhausted(error):
            raise
        said = " ".join(str(error).split())[:120]
        raise MergeboardError(
            f"--device-map: {type(model).__name__} does not work spread over several devices ({said}); leave it out, "
            "or write --device=cpu"
        ) from None
    _SPREAD[model] = found
    return found


def spread(model: nn.Module, parts: Parts, dtype: torch.dtype, name: Any = devices.name) -> Seats:
    """Bring each part to its place. `name`: a GPU's number -> torch's name of it."""
    main = name(min((place for place in parts.values() if place != HOST), default=0))
    skip = _skipped(model)
    for part, place in parts.items():
        device = main if place == HOST else name(place)
        module = _module(model, part)
        if module is None:
            _settle_one(model, part, main, dtype)
            continue
        if place == HOST:
            module.to(dtype=dtype)
            loan = Loan(device, skip)
            module.register_forward_pre_hook(loan, with_kwargs=True)
            module.register_forward_hook(loan.back, always_call=True)
            for owner in module.modules():
                for key, buffer in owner._buffers.items():
                    owner._buffers[key] = None if buffer is None else buffer.to(device)
        else:
            module.to(device, dtype)
            module.register_forward_pre_hook(Arrival(device, skip), with_kwargs=True)
    whole = Return(main, skip)
    model.register_forward_pre_hook(whole.comes, with_kwargs=True, prepend=True)
    model.register_forward_hook(whole.goes)
    of = {key: str(parameter.device) for key, parameter in model.named_parameters()}
    weighty = [place for part, place in parts.items() if parameters_in(model, part)]
    return Seats(main, of, len(weighty), weighty.count(HOST))


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
