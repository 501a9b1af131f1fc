"""What an adapter's file holds: the factors of each layer, and what is saved whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from harness.checkpoints import pickles
from harness.checkpoints.adapters import MERGE, Adapter
from harness.errors import BadWeights
from methods.base import tensor_is_finite

_FRONT = "base_model.model."  # before every name that PEFT saves
_FACTOR = re.compile(r"^(.+)\.lora_(embedding_)?(A|B)(\.weight|\.bias)?$")
_TWICE = re.compile(r"\.original_module\.")  # what a module that is saved whole was before
_WRAPPED = re.compile(r"\.(base_layer|modules_to_save(\.default)?)(?=\.)")  # where PEFT keeps what it wraps
_ODD = re.compile(r"\.(lora_magnitude_vector|lora_diag|ia3_l|trainable_tokens_\w+|token_adapter)\b")


@dataclass
class Factors:
    """Those of one layer."""

    embedding: bool = False
    parts: dict[str, Tensor] = field(default_factory=dict)  # "A" (r, in), "B" (out, r), and the "bias" of B (out,)


def read(adapter: Adapter) -> tuple[dict[str, Factors], dict[str, Tensor]]:
    """The factors by layer, and what is saved whole by parameter, mapped from the file.

    Errors: `BadWeights` if it is more than LoRA, or half of it.
    """
    layers: dict[str, Factors] = {}
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
            layer = layers.setdefault(match[1], Factors())
            layer.embedding = layer.embedding or match[2] is not None
            layer.parts["bias" if match[4] == ".bias" else match[3]] = tensor
        elif not _TWICE.search(saved) and (name not in whole or not _WRAPPED.search(saved)):
            whole[name] = tensor
    for name, layer in layers.items():
        if lacking := next((part for part in ("A", "B") if part not in layer.parts), None):
            raise BadWeights(f"{adapter.folder} lacks lora_{lacking} of {name}; it is half an adapter: copy it again")
        a, b = layer.parts["A"], layer.parts["B"]
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
