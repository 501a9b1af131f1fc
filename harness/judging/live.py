"""The module that weights are scored with: pointed at whatever is to be asked, which copies nothing."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness import devices
from harness.data.task import Task
from harness.families.base import Family
from harness.families.batches import Batch, Batches
from harness.families.encoder import output_layer
from harness.spread.seats import seated, turn_of
from methods.base import Weights

SCOPE = "::"  # "cola::classifier.weight": the head of one task in the weights of a model that was trained on several


class LiveModel:
    """One module of the members' shape whose parameters are pointed at whatever weights are to be scored.

    Pointing copies nothing; weights of another dtype or on another device are brought over once per call.
    """

    def __init__(
        self, family: Family, task: Task, model: nn.Module, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> None:
        self.family, self.task, self.dtype, self.model = family, task, dtype, model.eval()
        self._device = device
        self._sit()
        self.turn = turn_of(device)  # held from pointing at weights to the last answer: two threads may share this

    def _sit(self) -> None:
        self.seats = seated(self.model, self._device, self.dtype)
        self.device = self.seats.main
        self._parameters = dict(self.model.named_parameters())  # a tied tensor appears once

    @property
    def spread(self) -> bool:
        """Whether it lies on several devices, with no room for another beside it."""
        return self._device == devices.SPREAD

    @property
    def bias(self) -> str:
        """The parameter that is added to the logits of its head; none of a model that answers in words."""
        layer = output_layer(self.model, len(self.task.outputs)) if self.family.kind == "encoder" else ()
        return next((name for name in layer if self._parameters[name].dim() == 1), "")

    def point_at(self, weights: Weights, scope: str = "", head: Weights | None = None) -> None:
        """Use these weights from now on, as `brought` has them. They are read, never written."""
        if self.spread:
            self._sit()  # another module may have been spread meanwhile
        for name, tensor in self.brought(weights, scope, head):
            self._parameters[name].data = tensor

    def brought(self, weights: Weights, scope: str = "", head: Weights | None = None) -> Iterator[tuple[str, Tensor]]:
        """The module's parameters in these weights, in its own dtype and each where it lies, one at a time.

        A head in `weights` of this corpus comes before all others, and one of its task next; then `head`.
        """
        for name in self._parameters:
            scoped = (weights.get(f"{whose}{SCOPE}{name}") for whose in (scope, self.task.name))
            tensor = next((tensor for tensor in scoped if tensor is not None), None)
            if tensor is None:
                tensor = head[name] if head and name in head else weights[name]
            yield name, tensor.to(self.seats.of[name], self.dtype)

    def logits(self, rows: Batches, model: nn.Module | None = None) -> Tensor:
        """(rows, outputs) in float32, in the split's own order; of a module made of this one's parts, if given."""
        asked = self.model if model is None else model
        with torch.inference_mode():
            parts = [self._answer(b, asked) for b in rows]
        out = torch.empty(len(rows), parts[0].shape[1])
        for batch, part in zip(rows, parts, strict=True):
            out[batch.index] = part
        return out

    def _answer(self, batch: Batch, model: nn.Module) -> Tensor:
        inputs = {name: tensor.to(self.device) for name, tensor in batch.inputs.items()}
        return self.family.logits(model, self.task, inputs).float().cpu()
