"""How far a member lies from its model: what descends from another one of the same shape fits tensor by tensor,
and merged with others it makes a model that knows nothing.

What was fine-tuned stays near: it moves by a few percent of its own length. A model of the same shape that was trained
from other random numbers lies farther from the base than zeros do, as two unrelated vectors of one length are sqrt(2)
lengths apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

ROWS, MATRICES = 64, 8  # of each that are looked at, spread over the model

Tensors = Callable[[str], Tensor]  # by name


def strange(base: Tensors, member: Tensors, matrices: Sequence[str]) -> str:
    """A line about a member that lies farther from the base than zeros; empty for one that may descend from it.

    Args:
        matrices: names of tensors of two dimensions that both have.
    """
    away = length = 0.0
    for name in matrices[:: max(1, len(matrices) // MATRICES)]:
        own = base(name)[:ROWS].double()
        length += float(own.square().sum())
        away += float((member(name)[:ROWS].detach().double() - own).square().sum())
    if not away > length > 0:
        return ""
    times = math.sqrt(away / length)
    return f"it lies {times:.1f} times the base's own length away from it; does it descend from this base?"
