"""An adapter laid over a model: which parameter it changes how, or why it cannot be this model's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from torch import Tensor, nn

from harness.checkpoints.adapters import Adapter
from harness.errors import BadWeights
from harness.families.door import is_of_a_head
from harness.families.layout import conv1d
from harness.members.factors import read
from harness.members.lora import Change, Product, Shift, Whole
from harness.members.places import Places, apart, in_all
from methods.errors import Misfit

_OTHER = "it belongs to another model: name its own with --model"


def changes_of(adapter: Adapter, model: nn.Module, own: Callable[[str], Tensor]) -> dict[str, list[Change]]:
    """Parameter -> what the adapter makes of it, in order.

    Args:
        own: gives what a parameter is without the adapter. The model's may be empty.

    Errors: `Misfit` where the adapter changes what the model does not have, in this shape or apart from what it is tied
    to; `BadWeights` where it is not whole.
    """
    layers, whole = read(adapter)
    names, places = _Names(adapter, model), Places(model)
    every, found = names.every, dict[str, list[Change]]()
    placed = {names.find(name): tensor for name, tensor in whole.items()}
    for name, tensor in placed.items():
        _require_shape(adapter, name, tensor.shape, every[name].shape)
    for first in dict.fromkeys(map(places.first, placed)):
        alike = places.of(first)
        saved = {name: placed[name] for name in alike if name in placed}
        if (settled := in_all(adapter, alike, saved, partial(own, first))) is not None:
            found[first] = [Whole(settled)]
    modules = dict(model.named_modules(remove_duplicate=False))
    for name, layer in layers.items():
        weight = names.find(f"{name}.weight")
        if places.first(weight) != weight:
            raise apart(adapter, weight, places.first(weight))
        module = modules[weight.removesuffix(".weight")]
        a, b = layer.parts["A"], layer.parts["B"]
        scale = adapter.scale_of(name)
        turned = layer.embedding or isinstance(module, conv1d())
        shape = (b.shape[0], a.shape[1])
        _require_shape(adapter, weight, shape[::-1] if turned else shape, every[weight].shape)
        found.setdefault(weight, []).append(Product(a, b, scale, turned))
        if (bias := layer.parts.get("bias")) is not None:
            found.setdefault(places.first(names.find(f"{name}.bias")), []).append(Shift(bias, scale))
    _require_every_layer(adapter, layers.keys(), modules)
    _require_every_module(adapter, placed.keys(), modules)
    return found


class _Names:
    """Where a model has what an adapter names."""

    def __init__(self, adapter: Adapter, model: nn.Module) -> None:
        self._adapter, self._kind = adapter, type(model).__name__
        self._prefix = f"{getattr(model, 'base_model_prefix', '')}."
        self.every = dict(model.named_parameters(remove_duplicate=False))

    def find(self, name: str) -> str:
        """The parameter of this name, also where the adapter was trained on the trunk alone."""
        there = next((n for n in (name, f"{self._prefix}{name}") if n in self.every), None)
        if there is None and is_of_a_head(name):
            raise Misfit(
                f"{self._adapter.folder} was trained with {name}, a head that a {self._kind} does not have; train it "
                "on such a model"
            )
        if there is None:
            raise Misfit(f"{self._adapter.folder} changes {name}, which the model has no place for; {_OTHER}")
        return there


def _require_shape(adapter: Adapter, name: str, met: Sequence[int], wanted: Sequence[int]) -> None:
    if tuple(met) != tuple(wanted) and is_of_a_head(name):
        raise Misfit(
            f"{adapter.folder} has {name} as {tuple(met)}, and the task's is {tuple(wanted)}; a member needs a head "
            "with the task's labels"
        )
    if tuple(met) != tuple(wanted):
        raise Misfit(
            f"{adapter.folder} changes {name} as {tuple(met)}, which is {tuple(wanted)} in the model; {_OTHER}"
        )


def _require_every_layer(adapter: Adapter, layers: Collection[str], modules: Mapping[str, nn.Module]) -> None:
    """Refuse an adapter whose configuration names layers that its file has not: alike ones, or all of one name."""
    alike = {_numberless(name) for name in layers}
    named = () if isinstance(adapter.targets, str) else adapter.targets
    absent = tuple(name for name in named if not any(f".{layer}".endswith(f".{name}") for layer in layers))
    for name, module in modules.items():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() != 2 or name in layers or not adapter.changes(name):
            continue
        if _numberless(name) in alike or f".{name}".endswith(tuple(f".{end}" for end in absent)):
            raise BadWeights(
                f"{adapter.folder} lacks lora_A and lora_B of {name}, which its adapter_config.json names; it is half "
                f"an adapter, or {_OTHER}"
            )


def _require_every_module(adapter: Adapter, saved: Collection[str], modules: Mapping[str, nn.Module]) -> None:
    """Refuse an adapter that lacks a module that its configuration says is saved."""
    for name, module in modules.items():
        if f".{name}".endswith(tuple(f".{end}" for end in adapter.saved)):
            for own, _ in module.named_parameters():
                if f"{name}.{own}" not in saved:
                    raise BadWeights(
                        f"{adapter.folder} lacks {name}.{own}, which its adapter_config.json says is saved "
                        "(modules_to_save); it is half an adapter: copy it again"
                    )


def _numberless(name: str) -> str:
    return re.sub(r"\.\d+\.", ".N.", name)
