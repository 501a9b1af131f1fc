"""A tensor that a model has in several places, as a table of embeddings that is its output layer too, and an adapter.

PEFT trains a copy of what it saves whole (`modules_to_save`), and the copy stands in the place that was named, alone.
All else that it saves, as a bias, was the model's own, and so stands in every place. A product is added in one place
while it is trained, and in every place by `merge_and_unload()`, since the tensor is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from torch import Tensor, nn

from harness.checkpoints.adapters import Adapter
from harness.members.lora import Change, Whole
from methods.errors import Misfit


class Places:
    """Where a model has its parameters: each under its first name, by which it is merged."""

    def __init__(self, model: nn.Module) -> None:
        self._every = dict(model.named_parameters(remove_duplicate=False))
        self._first = {id(parameter): name for name, parameter in model.named_parameters()}

    def first(self, name: str) -> str:
        """The name under which this one's parameter is merged."""
        return self._first[id(self._every[name])]

    def of(self, name: str) -> tuple[str, ...]:
        """All names of this one's parameter."""
        return tuple(other for other, parameter in self._every.items() if parameter is self._every[name])

    def line(self, changes: Mapping[str, Sequence[Change]]) -> str:
        """What is to be said of sums that are added to a tensor in several places; empty where there are none."""
        told = []
        for name, own in changes.items():
            others = [other for other in self.of(name) if other != name]
            if others and not all(isinstance(change, Whole) for change in own):
                told.append(
                    f"it adds to {name}, which is {', '.join(others)} too: they change together, as by peft's "
                    f"merge_and_unload(); in training {name} alone did, so it may answer otherwise now"
                )
        return "; ".join(told)


def in_all(
    adapter: Adapter, places: Collection[str], saved: Mapping[str, Tensor], own: Callable[[], Tensor]
) -> Tensor | None:
    """What stands in all places of a parameter once tensors that were saved whole do; None for what stood there before.

    Args:
        saved: those tensors, by place.
        own: gives what stands in every place without them.

    Errors: `Misfit` where places would differ that are one.
    """
    copies = [name for name in saved if adapter.copies(name)]
    trained = [name for name in saved if name not in copies] or (copies if len(copies) == len(places) else [])
    whole = saved[trained[0]] if trained else own()
    for name, tensor in saved.items():
        if not tensor.equal(whole.to(tensor.dtype)):  # it may have been saved in half precision
            raise apart(adapter, name, next(other for other in places if other != name))
    return whole if trained else None


def apart(adapter: Adapter, name: str, other: str) -> Misfit:
    """What to say of a change to one of two places that are one."""
    return Misfit(
        f"{adapter.folder} changes {name} apart from {other}, and the model has one tensor for the two; train it "
        f"without {name.rpartition('.')[0]}, or on a model that has two (docs/usage.md says how to make one)"
    )
