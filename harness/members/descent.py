"""What an adapter was trained on: found by the name that it gives, and held against the model by content."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from harness.checkpoints import adapters
from harness.checkpoints.adapters import Adapter
from harness.checkpoints.checkpoint import fingerprint
from harness.checkpoints.folders import is_adapter, require_whole
from harness.checkpoints.hub import NotThere, fetched
from harness.errors import BadModel, BadWeights
from harness.families.base import Loaded
from methods.errors import Misfit

_ON_THE_HUB = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_QUANTISED = re.compile(r"(?i)(?:^|[-_./])(bnb|[48]-?bits?|int[48]|gptq|awq|nf4|fp4|gguf)(?:[-_./]|$)")
_CURE = f"name that base with --model, or {adapters.MERGE}"
_HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Descent:
    """The adapters of a member, the one nearest to the model first, and what the first was trained on."""

    adapters: tuple[Adapter, ...]
    base: Path | str  # a folder; or why there is none, in words

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of all adapters' files. Where their bases lie does not matter."""
        each = [fingerprint(adapter.folder) for adapter in self.adapters]
        return each[0] if len(each) == 1 else hashlib.sha256(" ".join(each).encode()).hexdigest()[:16]


class Descents:
    """The descent of each adapter, found once: the hub is asked for a base's name, and content of megabytes hashed."""

    def __init__(self) -> None:
        self._found: dict[Path, Descent] = {}

    def of(self, folder: Path) -> Descent:
        """What the adapter in this folder was trained on top of. Errors as of `descent_of`."""
        if folder not in self._found:
            self._found[folder] = descent_of(folder)
        return self._found[folder]

    def fingerprint(self, folder: Path) -> str:
        """Of a member's checkpoint; of an adapter with those that it was trained on top of. The model is not in it."""
        return self.of(folder).fingerprint if is_adapter(folder) else fingerprint(folder)


def descent_of(folder: Path) -> Descent:
    """The adapter in this folder and those that it was trained on top of.

    Errors: `BadModel` or `BadWeights` for one that cannot be expanded, or that descends from itself.
    """
    found = [adapters.read(folder)]
    while True:
        place = _place(found[0])
        if isinstance(place, str) or not is_adapter(place):
            return Descent(tuple(found), place)
        if any(place.samefile(adapter.folder) for adapter in found):
            raise BadModel(f"{folder} names itself as its base (base_model_name_or_path in adapter_config.json)")
        found.insert(0, adapters.read(_with_weights(found[0], place)))


def require_same_base(descent: Descent, model: Path, own: Loaded, load: Callable[[Path], Loaded]) -> str | None:
    """Hold the base that an adapter names against the model, tensor by tensor; a line if there is nothing to hold.

    Args:
        model: the model's folder, and `own` what was loaded from it.
        load: loads another folder as the model was loaded.

    Errors: `Misfit` if it is another model, or quantised.
    """
    adapter, place = descent.adapters[0], descent.base
    if isinstance(place, str):
        if sign := _QUANTISED.search(adapter.base):
            raise Misfit(
                f"{adapter.folder} was trained on {adapter.base}, which is quantised by its name ({sign[1]}); train it "
                "on the model itself, or dequantise that base and merge the adapter into it with peft"
            )
        return f"{place}; that it was trained on the model is believed, since names and shapes fit"
    try:
        require_whole(place)
    except BadModel as error:
        raise Misfit(f"{adapter.folder} was trained on {adapter.base}, and {error}") from None
    if place.samefile(model):
        return None
    try:
        place = _with_weights(adapter, place)
        if fingerprint(place) == fingerprint(model):
            return None
        other = load(place)
    except (BadModel, BadWeights, Misfit) as error:
        raise Misfit(
            f"{adapter.folder} was trained on {adapter.base}, which is not the model ({error}); {_CURE}"
        ) from None
    if name := _first_difference(own, other):
        raise Misfit(f"{adapter.folder} was trained on {adapter.base}, whose {name} is not the model's; {_CURE}")
    return None


def _first_difference(own: Loaded, other: Loaded) -> str | None:
    """The first parameter beside heads that is not the same; a copy in half precision is the same."""
    mine, theirs = (dict(loaded.model.named_parameters()) for loaded in (own, other))
    for name in sorted((mine.keys() | theirs.keys()) - own.head - other.head):
        if name not in mine or name not in theirs or not _same(mine[name].detach(), theirs[name].detach()):
            return name
    return None


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return torch.equal(one, other) or any(
        torch.equal(one.to(kind).to(one.dtype), other) or torch.equal(other.to(kind).to(one.dtype), one)
        for kind in _HALVES
    )


def _place(adapter: Adapter) -> Path | str:
    """The folder of what an adapter was trained on, from the hub without its weights; or why there is none."""
    if not adapter.base:
        return "its adapter_config.json names no base (base_model_name_or_path)"
    named = Path(os.path.expanduser(adapter.base))
    for place in (named, adapter.folder / named, adapter.folder.parent / named):
        if is_adapter(place) or (place / "config.json").is_file():
            return place.resolve()
    if not _ON_THE_HUB.fullmatch(adapter.base):
        return f"its base {adapter.base} is not there"
    try:
        return fetched(_on_the_hub(adapter), weights=False)
    except NotThere as error:
        return f"its base {adapter.base} is not to be had ({error})"


def _with_weights(adapter: Adapter, place: Path) -> Path:
    """The same folder; of a name on the hub now with its weights."""
    if place.parent.name != "snapshots" or Path(adapter.base).is_dir():
        return place
    try:
        return fetched(_on_the_hub(adapter))
    except NotThere as error:
        raise BadModel(f"its weights cannot be had ({error})") from None


def _on_the_hub(adapter: Adapter) -> str:
    return f"{adapter.base}@{adapter.revision}" if adapter.revision else adapter.base
