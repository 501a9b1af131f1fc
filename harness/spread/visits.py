"""What a part of a spread model is given before it works, and what is given back after.

Hooks of torch's own, not accelerate's: those put new parameters in the place of a module's, and here every candidate is
pointed at by the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Arrival:
    """Brings what a part is given to its device.

    Args:
        skip: names of arguments that stay where they are, such as a cache, whose layers lie with their blocks.
    """

    def __init__(self, device: str, skip: Sequence[str] = ()) -> None:
        self.device, self.skip = device, tuple(skip)

    def __call__(self, module: nn.Module, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return _brought(args, self.device, self.skip), _brought(words, self.device, self.skip)


class Loan(Arrival):
    """The same of a part whose weights stay in main memory: they are copied for every call, and let go after it.

    `module.parameters()` are at home again as soon as the call is over, also where it ends with an error.
    """

    def __init__(self, device: str, skip: Sequence[str] = ()) -> None:
        super().__init__(device, skip)
        self._home: list[tuple[nn.Module, str, nn.Parameter]] = []

    def __call__(self, module: nn.Module, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        away: dict[int, nn.Parameter] = {}
        for owner in module.modules():
            for name, parameter in owner._parameters.items():
                if parameter is not None:
                    self._home.append((owner, name, parameter))
                    if id(parameter) not in away:
                        away[id(parameter)] = nn.Parameter(parameter.detach().to(self.device), parameter.requires_grad)
        for owner, name, parameter in self._home:
            owner._parameters[name] = away[id(parameter)]
        return super().__call__(module, args, words)

    def back(self, *_: Any) -> None:
        """The call is over."""
        while self._home:
            owner, name, parameter = self._home.pop()
            owner._parameters[name] = parameter


class Return:
    """Brings what the whole model answers to where it was asked from."""

    def __init__(self, main: str, skip: Sequence[str] = ()) -> None:
        self._main, self._skip, self._asked = main, tuple(skip), torch.device(main)

    def comes(self, module: nn.Module, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """It is asked: what is worked out beside its parts is worked out on the first GPU."""
        first = next((x for x in (*args, *words.values()) if isinstance(x, Tensor)), None)
        self._asked = torch.device(self._main) if first is None else first.device
        return _brought(args, self._main, self._skip), _brought(words, self._main, self._skip)

    def goes(self, module: nn.Module, args: Any, output: Any) -> Any:
        """It has answered."""
        return _brought(output, str(self._asked), self._skip)


def _brought(value: Any, device: str, skip: Sequence[str]) -> Any:
    from accelerate.utils import send_to_device

    return send_to_device(value, device, skip_keys=list(skip))
