"""Which part of a model is worked out where: by accelerate, which fills one GPU after the other in the model's order
and parts no block. What is left stays in main memory, and its weights are lent to the first GPU that is used."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import nn

from harness.families.blocks import blocks
from methods.errors import MergeboardError

HOST = "cpu"
_ENOUGH = 1 << 62  # of main memory: the weights are there already
_SPARED = 8  # steps in which is tried how much of what accelerate keeps free may be filled


@dataclass(frozen=True)
class Parts:
    """`of`: a module, or a parameter or buffer beside modules -> the number of its GPU, or `HOST`. Each tensor belongs
    to one, and those that share one are in one place. `main`: the GPU that is asked and answers, and is lent to."""

    of: Mapping[str, int | str]
    main: int

    @property
    def lent(self) -> tuple[str, ...]:
        """The parts whose weights stay in main memory."""
        return tuple(part for part, place in self.of.items() if place == HOST)


def parts_of(model: nn.Module, room: Mapping[int, int], dtype: torch.dtype) -> Parts:
    """Of all ways that leave out none, one or more of the first GPUs, the one that lends least: a small GPU at the
    front may have no room for what is lent.

    Args:
        room: a GPU's number -> bytes.

    Errors: `MergeboardError` in one line where no GPU has room for the largest part.
    """
    sized, numbers, best = _Sized(model, dtype), sorted(room), None
    for first in range(len(numbers)):
        found = _fitted(sized, {number: room[number] for number in numbers[first:]})
        if found is not None and (best is None or sized.of(*found.lent) < sized.of(*best.lent)):
            best = found
        if best is not None and not best.lent:
            break
    if best is None:
        rooms = ", ".join(f"{_gib(room[number])} of GPU {number}" for number in numbers)
        raise MergeboardError(
            f"--device-map: {sized.largest}, the largest part of this model, takes {_gib(sized.most)} GiB. There is no "
            f"room for it and what must lie beside it in {rooms}; give one of them more, or write --device=cpu"
        )
    return best


def _gib(count: int) -> str:
    return f"{count / 2**30:.3g}"


class _Sized:
    """A model whose parts' sizes are known, in bytes of the parameters, each once."""

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        self.model, self.dtype, self._width = model, dtype, torch.empty((), dtype=dtype).element_size()
        self.whole = _whole(model)
        self.largest = max(called(model, "", self.whole), key=self.of)
        self.most = self.of(self.largest)
        self._buffers = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())

    def of(self, *parts: str) -> int:
        """Bytes of parts together."""
        own = {id(parameter): parameter for part in parts for parameter in parameters_in(self.model, part)}
        return self._width * sum(parameter.numel() for parameter in own.values())

    def own(self, parts: Parts, number: int) -> int:
        """Bytes of the parts that have their place there."""
        return self.of(*(part for part, place in parts.of.items() if place == number))

    def held(self, parts: Parts, number: int) -> int:
        """Bytes that a GPU holds; the main one also the buffers, and the largest part that is lent to it."""
        own = self.own(parts, number)
        return own + (self._buffers + max(map(self.of, parts.lent), default=0) if number == parts.main else 0)


def _fitted(sized: _Sized, room: Mapping[int, int]) -> Parts | None:
    """Parts that fit into these GPUs; None where what is lent fits into none."""
    first, most = min(room), dict(room)
    for spared in range(_SPARED, 0, -1):  # accelerate keeps room for a lent part, also where none is lent
        found = _told(sized, {**room, first: room[first] + sized.most * spared // _SPARED})
        if not found.lent and all(sized.held(found, number) <= room[number] for number in room):
            return found
    while min(most.values()) > 0:
        found = _told(sized, most)
        over = max(sized.held(found, number) - room[number] for number in room)
        if over <= 0:
            return found
        least = min(most[found.main], sized.own(found, found.main) + sized.most)
        most[found.main] = least - max(over, sized.most // 16, 1)  # it may leave too little for what is lent
    return None


def _told(sized: _Sized, most: Mapping[int, int]) -> Parts:
    """What accelerate says for this much room."""
    from accelerate.utils import infer_auto_device_map

    room: dict[int | str, int] = {**{number: most[number] for number in sorted(most)}, HOST: _ENOUGH}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that lent buffers have no room: they are not lent
        told = infer_auto_device_map(sized.model, room, sorted(sized.whole), sized.dtype, clean_result=False)
    found: dict[str, int | str] = {}
    for part, place in told.items():
        found |= dict.fromkeys(called(sized.model, part, sized.whole if place == HOST else None), place)
    weighty = (place for part, place in found.items() if place != HOST and parameters_in(sized.model, part))
    return Parts(found, min((place for place in weighty if isinstance(place, int)), default=min(most)))


def _whole(model: nn.Module) -> Set[str]:
    """The classes that are not parted: its blocks', and those that its own class names."""
    found = set(getattr(model, "_no_split_modules", None) or ())
    with suppress(MergeboardError):
        found |= {type(block).__name__ for block in blocks(model).values()}
    return found


def called(model: nn.Module, part: str, whole: Set[str] | None) -> tuple[str, ...]:
    """The part; or what it holds, where it is a list of modules, which nobody calls, and where it is to be lent, for
    which it is cut down to blocks (`whole`): one is lent at a time."""
    with suppress(AttributeError):  # a parameter or a buffer
        module = model.get_submodule(part)
        a_list = type(module).forward is nn.Module.forward
        own = [name for name, tensor in (*module._parameters.items(), *module._buffers.items()) if tensor is not None]
        divides = whole is not None and (not own or not part) and type(module).__name__ not in whole
        if a_list or (divides and next(module.children(), None) is not None):
            inner = (f"{part}.{name}".removeprefix(".") for name, _ in module.named_children())
            beside = (f"{part}.{name}".removeprefix(".") for name in own)
            return (*beside, *(lower for child in inner for lower in called(model, child, whole)))
    return (part,)


def parameters_in(model: nn.Module, part: str) -> list[nn.Parameter]:
    """Those of a part, each once; of a buffer none."""
    with suppress(AttributeError):
        return list(model.get_submodule(part).parameters())
    with suppress(AttributeError):
        return [model.get_parameter(part)]
    return []
