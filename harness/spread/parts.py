"""Which part of a model is worked out where: by accelerate, which fills one GPU after the other in the model's order
and parts no block. What is left stays in main memory, and its weights are lent to the first GPU."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Set
from contextlib import suppress

import torch
from torch import nn

from harness.families.blocks import blocks
from methods.errors import MergeboardError

HOST = "cpu"
Parts = Mapping[str, int | str]
"""A module, or a parameter or buffer beside modules -> the number of its GPU, or `HOST`."""
_ENOUGH = 1 << 62  # of main memory: the weights are there already


def parts_of(model: nn.Module, room: Mapping[int, int], dtype: torch.dtype) -> Parts:
    """Every parameter and buffer belongs to one of these. Parts that share a tensor are in one place.

    Args:
        room: a GPU's number -> bytes.

    Errors: `MergeboardError` in one line where the first GPU has no room for the largest part that would be lent.
    """
    whole, first = _whole(model), min(room)
    most: dict[int | str, int] = {**{number: room[number] for number in sorted(room)}, HOST: _ENOUGH}
    width = torch.empty((), dtype=dtype).element_size()
    largest = width * max(_scalars(model, part) for part in _called(model, "", whole))
    for spared in range(8, 0, -1):  # of what accelerate keeps free for a lent part, which nobody needs if none is lent
        found = _told(model, {**most, first: room[first] + largest * spared // 8}, whole, dtype)
        if HOST not in found.values() and _held(model, found, first, width) <= room[first]:
            return found
    while (over := _over(model, found := _told(model, most, whole, dtype), room[first], first, dtype)) > 0:
        most[first] -= over  # accelerate may leave too little for what is lent
        if most[first] <= 0:
            raise MergeboardError(
                f"--device-map: GPU {first} may be filled up to {room[first] / 2**30:.3g} GiB, which is too "
                "little for the largest part of this model; give it more room, or write --device=cpu"
            )
    return found


def _told(model: nn.Module, most: dict[int | str, int], whole: Set[str], dtype: torch.dtype) -> Parts:
    from accelerate.utils import infer_auto_device_map

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that lent buffers have no room: they are not lent
        told = infer_auto_device_map(model, most, sorted(whole), dtype, clean_result=False)
    found: dict[str, int | str] = {}
    for part, place in told.items():
        found |= dict.fromkeys(_called(model, part, whole if place == HOST else None), place)
    return found


def _whole(model: nn.Module) -> Set[str]:
    """The classes that are not parted: its blocks', and those that its own class names."""
    found = set(getattr(model, "_no_split_modules", None) or ())
    with suppress(MergeboardError):
        found |= {type(block).__name__ for block in blocks(model).values()}
    return found


def _called(model: nn.Module, part: str, whole: Set[str] | None) -> tuple[str, ...]:
    """The part; or what it holds, where it is a list of modules, which nobody calls, and where it is to be lent, for
    which it is cut down to blocks (`whole`): one is lent at a time."""
    with suppress(AttributeError):  # a parameter or a buffer
        module = model.get_submodule(part)
        a_list = type(module).forward is nn.Module.forward
        bare = next(iter((*module._parameters, *module._buffers)), None) is None
        divides = whole is not None and bare and type(module).__name__ not in whole
        if a_list or (divides and next(module.children(), None) is not None):
            inner = (f"{part}.{name}".removeprefix(".") for name, _ in module.named_children())
            return tuple(own for child in inner for own in _called(model, child, whole))
    return (part,)


def _over(model: nn.Module, parts: Parts, room: int, first: int, dtype: torch.dtype) -> int:
    """How many bytes too many the first GPU would hold, with the largest part that is lent to it."""
    width = torch.empty((), dtype=dtype).element_size()
    lent = [width * _scalars(model, part) for part, place in parts.items() if place == HOST]
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    return _held(model, parts, first, width) + buffers + max(lent) - room if lent else 0


def _held(model: nn.Module, parts: Parts, number: int, width: int) -> int:
    """Bytes of the parameters that stay on a GPU, each once."""
    own = {id(p): p for part, place in parts.items() if place == number for p in parameters_in(model, part)}
    return width * sum(parameter.numel() for parameter in own.values())


def _scalars(model: nn.Module, part: str) -> int:
    return sum(parameter.numel() for parameter in parameters_in(model, part))


def parameters_in(model: nn.Module, part: str) -> list[nn.Parameter]:
    """Those of a part, each once; of a buffer none."""
    with suppress(AttributeError):
        return list(model.get_submodule(part).parameters())
    with suppress(AttributeError):
        return [model.get_parameter(part)]
    return []
