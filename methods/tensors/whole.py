"""What a count over the whole model counts: every scalar once, and nothing whose merge is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from methods.base import Population


def counted_as(names: Iterable[str], population: Population) -> Mapping[str, str]:
    """Of tensors that the ancestor has, which count, each with the name that it counts under.

    Two names of one tensor (tied weights) count once, under the first. Output layers that are merged by annotation are
    left out.
    """
    elsewhere = set(population.output_layer) if population.annotated is not None else set()
    models = (population.ancestor, *population.members)
    found: dict[str, str] = {}
    known: dict[object, str] = {}
    for name in names:
        if name in elsewhere:
            continue
        places = [_place(model[name]) for model in models if model[name].numel()]
        twin = next((known[place] for place in places if place in known), name)
        if twin != name and not all(torch.equal(model[name], model[twin]) for model in models):
            twin = name  # tied in one model and not in another
        found[name] = twin
        for place in places:
            known.setdefault(place, name)
    return found


def _place(tensor: Tensor) -> object:
    """What two names of one tensor have in common."""
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()
