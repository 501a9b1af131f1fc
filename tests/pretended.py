"""A GPU that is none: tensors that say they are on one, hold their numbers in main memory, and meet tensors elsewhere
as a real GPU's do, with an error. So code that forgets to bring a tensor along fails where there is no GPU.

    with a_gpu():
        x = torch.ones(3).to(GPU)
        x + torch.ones(3)      RuntimeError: one is on the GPU and one is not
        x.numpy()              TypeError, as of a real GPU

Numbers are those of the CPU, bit for bit. A generator of the CPU draws for the CPU alone, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

GPU, CPU = "privateuseone", torch.device("cpu")  # the name that torch has for whatever device is none of its own
_ATEN = torch.ops.aten
_MADE = torch.tensor
_BROUGHT = {_ATEN._to_copy.default, _ATEN.copy_.default}  # which may read one device and write another


class Away(Tensor):
    """A tensor on the pretended GPU; `held` has the numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Away:
        size, strides, offset = held.size(), held.stride(), held.storage_offset()
        made = Tensor._make_wrapper_subclass(
            cls, size, strides=strides, storage_offset=offset, dtype=held.dtype, layout=held.layout, device=GPU
        )
        made.held = held
        return made

    def data_ptr(self) -> int:
        """Where its numbers begin: two that share them are known by it."""
        return self.held.data_ptr()

    def tolist(self) -> Any:
        """Its numbers, as of any tensor."""
        return self.held.tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            there: Tensor = Away(self.held.clone())
            memo[id(self)] = nn.Parameter(there, self.requires_grad) if isinstance(self, nn.Parameter) else there
        found: Tensor = memo[id(self)]
        return found

    def __repr__(self, **_: Any) -> str:
        return f"Away({self.held!r})"

    @property
    def data(self) -> Tensor:
        """The same numbers."""
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        assert isinstance(other, Away), "a parameter on a GPU is pointed at a tensor that is not there"
        self.held = other.held

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _inference(on: bool = True) -> Any:
    return torch.no_grad() if on else torch.enable_grad()


def _tensor(data: Any, *, device: Any = None, **how: Any) -> Tensor:
    """`torch.tensor`, which is made in C++ where no mode sees it."""
    made = _MADE(data, **how)
    return made if device is None else made.to(device)


class _Everywhere(TorchDispatchMode):
    """Sees what is made as well: `torch.empty(3, device=GPU)` has no tensor among its arguments."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # there is nothing to skip, and to say so imports a compiler, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    given = [*_tensors(args), *_tensors(kwargs.values())]
    away = any(isinstance(x, Away) for x in given)
    target = kwargs.get("device")
    there = away if target is None else torch.device(target).type == GPU
    if away and func not in _BROUGHT:
        _require_together(func, given)
    if there and kwargs.get("generator") is not None:
        raise RuntimeError(f"{func}: Expected a GPU's generator but found one of the CPU")
    inner = {name: CPU if name == "device" and value is not None else _held(value) for name, value in kwargs.items()}
    found = func(*map(_held, args), **inner)
    if writes := _writes(func):
        outs = [args[i] if i < len(args) else kwargs[name] for i, name in writes]
        return outs[0] if len(outs) == 1 else tuple(outs)
    return _away(found) if there else found


def _tensors(given: Iterable[Any]) -> Iterator[Tensor]:
    for x in given:
        if isinstance(x, Tensor):
            yield x
        elif isinstance(x, list | tuple):
            yield from _tensors(x)


def _require_together(func: Any, given: Sequence[Tensor]) -> None:
    """A single number may come from anywhere, and an index from the CPU, as on a real GPU."""
    other = [x for x in given if not isinstance(x, Away) and x.dim() > 0]
    if func in (_ATEN.index.Tensor, _ATEN.index_put_.default, _ATEN.index_put.default, _ATEN._index_put_impl_.default):
        other = [x for x in other if x.dtype not in (torch.long, torch.bool)]
    if other:
        raise RuntimeError(f"{func}: Expected all tensors to be on the same device, but found a GPU's and the CPU's")


@cache
def _writes(func: Any) -> list[tuple[int, str]]:
    """The places of the arguments that an operation writes to and returns."""
    returns, takes = func._schema.returns, func._schema.arguments
    if not returns or not all(r.alias_info is not None and r.alias_info.is_write for r in returns):
        return []
    return [(i, a.name) for i, a in enumerate(takes) if a.alias_info is not None and a.alias_info.is_write]


def _held(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(map(_held, x))
    return x.held if isinstance(x, Away) else x


def _away(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(map(_away, x))
    return Away(x) if isinstance(x, Tensor) and not isinstance(x, Away) else x


_THERE = False


class _Module:
    """What torch asks of a device's own module."""

    def is_available(self) -> bool:
        return _THERE

    is_initialized = is_available

    def device_count(self) -> int:
        return int(_THERE)

    def current_device(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None: ...


class _Hook(torch._C._acc.PrivateUse1Hooks):
    def is_available(self) -> bool:
        return _THERE

    def has_primary_context(self, dev_id: int) -> bool:
        return _THERE

    def is_built(self) -> bool:
        return True


@cache
def _set_up() -> None:
    backend_registration._setup_privateuseone_for_python_backend(None, _Module(), _Hook())


@contextmanager
def a_gpu() -> Iterator[None]:
    """Within, there is one."""
    global _THERE
    _set_up()
    _THERE = True
    try:
        # Tensors made by Python cannot be views in inference mode; what it spares beside `no_grad` is no number.
        with patch.object(torch, "inference_mode", _inference), patch.object(torch, "tensor", _tensor), _Everywhere():
            yield
    finally:
        _THERE = False
