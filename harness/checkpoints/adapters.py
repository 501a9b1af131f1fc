"""An adapter as PEFT saves it: what its adapter_config.json says, and whether a whole model can be made of it.

No torch here: the command line looks at adapters too. What they do to the weights is in harness/members/lora.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.checkpoints.checkpoint import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    files,
    require_whole,
    weight_files,
    whole_files,
)
from harness.checkpoints.folders import one_line
from harness.checkpoints.written import json_of
from harness.errors import BadModel

N = TypeVar("N", int, float)

MERGE = "load it with peft, call merge_and_unload(), save the result with save_pretrained() and name that folder"
_PROMPTS = ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "CARTRIDGE")
_READ = (
    *("peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "lora_bias", "init_lora_weights"),
    *("target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern"),
    *("base_model_name_or_path", "revision"),
)
_HARMLESS = (  # fields that change no weight: how it was trained, and what its files and layers say for themselves
    *("auto_mapping", "task_type", "inference_mode", "peft_version", "runtime_config", "lora_dropout", "bias"),
    *("fan_in_fan_out", "megatron_config", "megatron_core", "qalora_group_size", "enable_lora"),
    *("eva_config", "velora_config", "corda_config", "lora_ga_config"),
)
_MORE_THAN_LORA = {  # fields that make another thing of it, and what that is called
    **{
        "use_dora": "DoRA",
        "alora_invocation_tokens": "activated LoRA",
        "arrow_config": "Arrow",
        "use_bdlora": "BD-LoRA",
    },
    **{"kasa_config": "KaSA", "monteclora_config": "MonteCLoRA", "use_qalora": "QALoRA"},
    **{"layer_replication": "layer replication", "target_parameters": "target_parameters"},
    **{"trainable_token_indices": "trainable tokens", "loftq_config": "LoftQ", "ensure_weight_tying": "tied adapters"},
}
_STARTS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")  # ways to begin that leave the base as it is


@dataclass(frozen=True)
class Adapter:
    """One LoRA adapter: which layers it changes, and by how much of its products."""

    folder: Path
    base: str  # what it was trained on, as its owner named it; empty if it does not say
    revision: str | None
    rank: int
    alpha: float
    rslora: bool
    ranks: Mapping[str, int]  # pattern of layers' names -> what they have instead
    alphas: Mapping[str, float]
    targets: str | tuple[str, ...]  # a regular expression, or ends of names
    left_out: str | tuple[str, ...]
    saved: tuple[str, ...]  # ends of the names of modules that are saved whole
    numbers: tuple[int, ...] | None  # of the layers that are changed; None for all
    stacks: tuple[str, ...]  # names before those numbers; any, if there are none

    @property
    def weights(self) -> Path:
        """The file of its tensors: safetensors, or a pickle."""
        return self.folder / weight_files(self.folder, files(self.folder))[0]

    def rank_of(self, layer: str) -> int:
        """The inner dimension of this layer's product."""
        return _by_pattern(self.ranks, layer, self.rank)

    def scale_of(self, layer: str) -> float:
        """What the product is multiplied by: alpha / r, or alpha / sqrt(r) of rsLoRA."""
        rank, alpha = self.rank_of(layer), _by_pattern(self.alphas, layer, self.alpha)
        return alpha / math.sqrt(rank) if self.rslora else alpha / rank

    def copies(self, parameter: str) -> bool:
        """Whether PEFT trained a copy of it, as of all in modules that are saved whole; they are named by ends."""
        *above, _ = parameter.split(".")
        return any(".".join(above[: k + 1]).endswith(self.saved) for k in range(len(above)))

    def changes(self, layer: str) -> bool:
        """Whether its configuration names this layer, as PEFT reads it."""
        if _named(self.left_out, layer) or any(re.match(rf"(^|.*\.){name}($|\..*)", layer) for name in self.saved):
            return False
        if not _named(self.targets, layer):
            return False
        if self.numbers is None or isinstance(self.targets, str) or layer in self.targets:
            return True
        starts = [rf"(?:^|.*?\.){stack}\.(\d+)\." for stack in self.stacks] or [r".*?\.[^.]*\.(\d+)\."]
        found = next((match for start in starts if (match := re.match(start, layer))), None)
        return found is not None and int(found[1]) in self.numbers


def read(folder: Path) -> Adapter:
    """The adapter in this folder. Errors: `BadModel` or `BadWeights` in one line, if it is no LoRA or not whole."""
    try:
        config = json_of(folder / ADAPTER_CONFIG)
        if not isinstance(config, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError) as error:
        raise BadModel(f"{folder}: {ADAPTER_CONFIG} cannot be read ({one_line(error)}); copy it again") from None
    names = files(folder)
    if whole := whole_files(folder, names):
        raise BadModel(
            f"{folder} holds a whole model beside an adapter ({whole[0]} beside {ADAPTER_CONFIG}); keep the one that "
            "is meant, and move the other to a folder of its own"
        )
    _require_lora(folder, config)
    if not set(ADAPTER_WEIGHTS) & set(names):
        raise BadModel(
            f"{folder} holds {ADAPTER_CONFIG} and no {ADAPTER_WEIGHTS[0]}, so only half of the adapter; copy it again, "
            "or save it with save_pretrained()"
        )
    require_whole(folder / weight_files(folder, names)[0])
    try:
        return _of(folder, config)
    except (KeyError, TypeError, ValueError, ArithmeticError, re.error) as error:
        raise BadModel(f"{folder}: {ADAPTER_CONFIG} makes no sense ({one_line(error)}); save it again") from None


def _require_lora(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse what is more than products of two matrices, or may be."""
    kind = str(config.get("peft_type") or "").upper()
    if kind in _PROMPTS:
        raise BadModel(
            f"{folder} is an adapter of PEFT's kind {kind}, which puts tokens before a text and changes no weight, so "
            "it cannot be merged with others; bring a LoRA adapter or a whole model"
        )
    if kind != "LORA":
        raise BadModel(
            f"{folder} is an adapter of PEFT's kind {kind or '(none named)'}, and LoRA alone is expanded; {MERGE}"
        )
    for name, value in config.items():
        if not value or name in (*_READ, *_HARMLESS):
            continue
        what = _MORE_THAN_LORA.get(name, f"{name}, which is not known here")
        raise BadModel(f"{folder} is a LoRA adapter with {what} ({name} in {ADAPTER_CONFIG}); {MERGE}")
    if (start := config.get("init_lora_weights")) not in _STARTS:
        raise BadModel(
            f"{folder} was begun by {start!r} (init_lora_weights), which changes the base too; save it with "
            f"path_initial_model_for_weight_conversion, or {MERGE}"
        )


def _of(folder: Path, config: Mapping[str, Any]) -> Adapter:
    numbers = config.get("layers_to_transform")
    found = Adapter(
        folder=folder,
        base=str(config.get("base_model_name_or_path") or ""),
        revision=config.get("revision"),
        rank=int(config.get("r", 8)),
        alpha=float(config.get("lora_alpha", 8)),
        rslora=bool(config.get("use_rslora")),
        ranks={str(name): int(rank) for name, rank in (config.get("rank_pattern") or {}).items()},
        alphas={str(name): float(alpha) for name, alpha in (config.get("alpha_pattern") or {}).items()},
        targets=_names(config.get("target_modules")),
        left_out=_names(config.get("exclude_modules")),
        saved=_several(config.get("modules_to_save")),
        numbers=None if numbers in (None, []) else tuple([numbers] if isinstance(numbers, int) else map(int, numbers)),
        stacks=_several(config.get("layers_pattern")),
    )
    if min(found.rank, *found.ranks.values(), found.rank) < 1:
        raise ValueError("a rank is below 1")
    if not all(map(math.isfinite, (found.alpha, *found.alphas.values()))):
        raise ValueError("an alpha is not finite")
    found.changes("a.1.b"), found.scale_of("a.1.b")  # patterns are understood
    return found


def _names(value: Any) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(map(str, value or ()))


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and value else tuple(map(str, value or ()))


def _named(asked: str | tuple[str, ...], layer: str) -> bool:
    if isinstance(asked, str):
        return bool(asked) and re.fullmatch(asked, layer) is not None
    return layer in asked or layer.endswith(tuple(f".{name}" for name in asked))


def _by_pattern(patterns: Mapping[str, N], layer: str, plain: N) -> N:
    return next((value for name, value in patterns.items() if re.match(rf"(.*\.)?({name})$", layer)), plain)
