"""LoRA: a member that is its base and, here and there, a product of two small matrices, multiplied when it is read.

    W + scale · B A         a linear layer, W (out, in), B (out, r), A (r, in); stored (in, out), the product is turned
    W + scale · (B A)ᵀ      a table of embeddings, W (words, width), B (width, r), A (r, words)

The same sums in the same order as peft's own `merge_and_unload`, in float32, so the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from torch import Tensor, nn

from harness.checkpoints import pickles
from harness.checkpoints.adapters import MERGE, Adapter
from harness.errors import BadWeights
from harness.families.door import is_of_a_head
from harness.families.layout import conv1d
from methods import Weights
from methods.base import tensor_is_finite
from methods.errors import Misfit

_FRONT = "base_model.model."  # before every name that PEFT saves
_FACTOR = re.compile(r"^(.+)\.lora_(embedding_)?(A|B)(\.weight|\.bias)?$")
_TWICE = re.compile(r"\.original_module\.")  # what a module that is saved whole was before
_WRAPPED = re.compile(r"\.(base_layer|modules_to_save(\.default)?)(?=\.)")  # where PEFT keeps what it wraps
_ODD = re.compile(r"\.(lora_magnitude_vector|lora_diag|ia3_l|trainable_tokens_\w+|token_adapter)\b")


class Change(Protocol):
    """What an adapter makes of one tensor of its base."""

    def __call__(self, base: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Product:
    """Adds scale · B A."""

    a: Tensor  # (r, in)
    b: Tensor  # (out, r)
    scale: float
    turned: bool  # whether the tensor is stored (in, out)

    def __call__(self, base: Tensor) -> Tensor:
        product = self.b.to(base.dtype) @ self.a.to(base.dtype)
        if self.turned:
            return torch.mul(product.T, self.scale, out=torch.empty_like(base)).add_(base)
        return product.mul_(self.scale).add_(base)


@dataclass(frozen=True, eq=False)
class Shift:
    """Adds a bias that was trained beside B."""

    by: Tensor
    scale: float

    def __call__(self, base: Tensor) -> Tensor:
        return base + self.by.to(base.dtype) * self.scale


@dataclass(frozen=True, eq=False)
class Whole:
    """Is saved whole: a head, a bias, a table of embeddings."""

    tensor: Tensor

    def __call__(self, base: Tensor) -> Tensor:
        return self.tensor.to(base.dtype)


@dataclass(frozen=True, eq=False)
class Rows:
    """Puts rows into another order, as labels may want it."""

    places: Sequence[int]

    def __call__(self, base: Tensor) -> Tensor:
        return base[list(self.places)]


class ChangedWeights(Mapping[str, Tensor]):
    """A base with changes. A changed tensor is made when it is read first, and kept; all others are the base's own."""

    def __init__(self, base: Weights, changes: Mapping[str, Sequence[Change]]) -> None:
        self._base, self._changes = base, changes
        self._made: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._changes:
            return self._base[name]
        if name not in self._made:
            tensor = self._base[name]
            for change in self._changes[name]:
                tensor = change(tensor)
            if not tensor_is_finite(tensor):
                raise BadWeights(f"{name} is not finite once its adapter is applied; such a model cannot be merged")
            self._made.setdefault(name, tensor.contiguous())  # of two threads one is heard
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)


@dataclass
class _Layer:
    """What an adapter's file holds for one layer."""

    embedding: bool = False
    factors: dict[str, Tensor] = field(default_factory=dict)  # "A", "B", and "bias" of B


def changes_of(adapter: Adapter, model: nn.Module) -> dict[str, list[Change]]:
    """Parameter -> what the adapter makes of it, in order.

    Errors: `Misfit` where the adapter changes what the model does not have, in this shape or apart from what it is tied
    to; `BadWeights` where it is not whole.
    """
    layers, whole = _read(adapter)
    names = _Names(adapter, model)
    every, found = names.every, dict[str, list[Change]]()
    for name, tensor in whole.items():
        there = names.find(name)
        _require_shape(adapter, there, tensor.shape, every[there].shape)
        if (first := names.first(there)) == there:
            found[there] = [Whole(tensor)]
        elif not torch.equal(tensor.to(every[there].dtype), whole.get(f"{name[: -len(there)]}{first}", every[there])):
            raise names.tied(there)
    modules = dict(model.named_modules(remove_duplicate=False))
    for name, layer in layers.items():
        weight = names.find(f"{name}.weight")
        if names.first(weight) != weight:
            raise names.tied(weight)
        module = modules[weight.removesuffix(".weight")]
        a, b = layer.factors["A"], layer.factors["B"]
        scale = adapter.scale_of(name)
        turned = layer.embedding or isinstance(module, conv1d())
        shape = (b.shape[0], a.shape[1])
        _require_shape(adapter, weight, shape[::-1] if turned else shape, every[weight].shape)
        found.setdefault(weight, []).append(Product(a, b, scale, turned))
        if (bias := layer.factors.get("bias")) is not None:
            found.setdefault(names.find(f"{name}.bias"), []).append(Shift(bias, scale))
    _require_all_layers(adapter, layers, {names.find(name) for name in whole}, modules)
    return found


def tied(model: nn.Module) -> frozenset[str]:
    """Parameters that the model has in two places or more, by the first name of each."""
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    first = {id(p): name for name, p in model.named_parameters()}
    every = dict(model.named_parameters(remove_duplicate=False))
    return frozenset(first[id(every[name])] for name in names if first[id(every[name])] != name)


class _Names:
    """Where a model has what an adapter names."""

    def __init__(self, adapter: Adapter, model: nn.Module) -> None:
        self._adapter, self._kind = adapter, type(model).__name__
        self._prefix = f"{getattr(model, 'base_model_prefix', '')}."
        self.every = dict(model.named_parameters(remove_duplicate=False))
        self._first = {id(parameter): name for name, parameter in model.named_parameters()}

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

    def first(self, name: str) -> str:
        """The name under which a parameter that has several is merged."""
        return self._first[id(self.every[name])]

    def tied(self, name: str) -> Misfit:
        """What to say of a change to one of two places that are one."""
        return Misfit(
            f"{self._adapter.folder} changes {name} apart from {self.first(name)}, and config.json ties the two; save "
            'the model with "tie_word_embeddings": false, or train the adapter without it'
        )


_OTHER = "it belongs to another model: name its own with --model"


def _read(adapter: Adapter) -> tuple[dict[str, _Layer], dict[str, Tensor]]:
    """The factors by layer, and what is saved whole by parameter, mapped from the file."""
    layers: dict[str, _Layer] = {}
    whole: dict[str, Tensor] = {}
    for saved, tensor in tensors(adapter.weights).items():
        if not tensor.is_floating_point():
            raise BadWeights(f"{adapter.folder}: {saved} is {tensor.dtype}, so it is quantised; {MERGE}")
        if not tensor_is_finite(tensor):
            raise BadWeights(
                f"{adapter.folder}: {saved} holds numbers that are not finite; such a model cannot be merged"
            )
        name = _WRAPPED.sub("", saved.removeprefix(_FRONT))
        if _ODD.search(name):
            raise BadWeights(f"{adapter.folder} holds {saved}, so it is more than LoRA; {MERGE}")
        if match := _FACTOR.match(name):
            layer = layers.setdefault(match[1], _Layer())
            layer.embedding = layer.embedding or match[2] is not None
            layer.factors["bias" if match[4] == ".bias" else match[3]] = tensor
        elif not _TWICE.search(saved) and (name not in whole or not _WRAPPED.search(saved)):
            whole[name] = tensor
    for name, layer in layers.items():
        if lacking := next((part for part in ("A", "B") if part not in layer.factors), None):
            raise BadWeights(f"{adapter.folder} lacks lora_{lacking} of {name}; it is half an adapter: copy it again")
        a, b = layer.factors["A"], layer.factors["B"]
        if a.dim() != 2 or b.dim() != 2:
            raise BadWeights(f"{adapter.folder} changes {name} by {a.dim()}-dimensional factors, no matrices; {MERGE}")
        if not a.shape[0] == b.shape[1] == adapter.rank_of(name):
            raise BadWeights(
                f"{adapter.folder}: {name} has rank {a.shape[0]} and {b.shape[1]} in its file and "
                f"{adapter.rank_of(name)} by adapter_config.json; copy both again"
            )
    if not layers and not whole:
        raise BadWeights(f"{adapter.folder} changes nothing: its file is empty; save it again")
    return layers, whole


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of an adapter's file; of safetensors they are mapped, not read."""
    if path.suffix != ".safetensors":
        return pickles.tensors(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping


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


def _require_all_layers(
    adapter: Adapter, layers: Mapping[str, _Layer], saved: Collection[str], modules: Mapping[str, nn.Module]
) -> None:
    """Refuse an adapter that its configuration says more of than its file holds."""
    alike = {re.sub(r"\.\d+\.", ".N.", name) for name in layers}
    for name, module in modules.items():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() != 2:
            continue
        if re.sub(r"\.\d+\.", ".N.", name) in alike and name not in layers and adapter.changes(name):
            raise BadWeights(
                f"{adapter.folder} lacks lora_A and lora_B of {name}, which its adapter_config.json names; it is half "
                f"an adapter, or {_OTHER}"
            )
    for name, module in modules.items():
        if name.endswith(tuple(f".{s}" for s in adapter.saved)) or name in adapter.saved:
            for own, _ in module.named_parameters():
                if f"{name}.{own}" not in saved:
                    raise BadWeights(
                        f"{adapter.folder} lacks {name}.{own}, which its adapter_config.json says is saved "
                        "(modules_to_save); it is half an adapter: copy it again"
                    )
