"""What a model's forward pass can be told."""

from __future__ import annotations

import inspect

from torch import nn


def takes(model: nn.Module, argument: str) -> bool:
    """Whether the model's forward pass names this argument."""
    return argument in inspect.signature(model.forward).parameters
