"""A LoRA adapter as a model of which single tensors can be read: its base's, with its products added as they are read.

Whoever reads a changed tensor gets it in float32: what an adapter adds is often less than a half-precision step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.checkpoints.adapters import Adapter
from harness.checkpoints.folders import because, config_of
from harness.errors import BadModel
from harness.members.descent import Descent
from harness.members.laid import changes_of
from harness.members.lora import Change
from harness.members.places import Places
from harness.streaming.header import Form
from harness.streaming.shards import Shards
from methods.errors import Misfit


class Adapted:
    """A base with an adapter, or several on top of each other."""

    def __init__(self, base: Shards, descent: Descent, model: nn.Module) -> None:
        """`model`: of the base's configuration, for its names and for what is tied; its weights are not looked at.

        Errors: `Misfit` or `BadWeights` in one line for an adapter of another model.
        """
        self._base, self._model, self._places = base, model, Places(model)
        self._changes: dict[str, Sequence[Change]] = {}
        changes: dict[str, Sequence[Change]] = {}
        for adapter in descent.adapters:
            for name, own in changes_of(adapter, model, partial(self._beneath, adapter)).items():
                changes[name] = (*changes.get(name, ()), *own)
                for called in self._called(adapter, name):  # tied ones may be saved twice
                    self._changes[called] = changes[name]
        self.line = self._places.line(changes)  # what is to be said of it

    @property
    def forms(self) -> Mapping[str, Form]:
        """As the base's: an adapter is merged into what the base is."""
        return self._base.forms

    @property
    def wide(self) -> Collection[str]:
        """What is read in float32."""
        return self._changes.keys()

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._base[name]
        for change in self._changes.get(name, ()):
            tensor = change(tensor.to(torch.promote_types(tensor.dtype, torch.float32)))
        return tensor

    def ahead(self, names: Collection[str]) -> None:
        """The base is asked by whoever reads it."""

    def scattered(self, few: bool) -> None:
        """The base is told by whoever reads it."""

    def require_unchanged(self) -> None:
        """Raise `BadWeights` if the base's files are not as they were; the adapter was read at the beginning."""
        self._base.require_unchanged()

    def _beneath(self, adapter: Adapter, name: str) -> Tensor:
        """What a parameter is without this adapter, which is not laid over the base yet."""
        return self[self._called(adapter, name)[0]]

    def _called(self, adapter: Adapter, name: str) -> list[str]:
        """What the base's files call a parameter, in all of its places, with or without the trunk's prefix."""
        ways = dict.fromkeys(way for place in self._places.of(name) for way in ways_of(place, self._model))
        found = [way for way in ways if way in self._base.forms]
        if not found:
            raise Misfit(
                f"{adapter.folder} changes {name}, which the base's files do not hold; it belongs to another model"
            )
        return found


def ways_of(name: str, model: nn.Module) -> tuple[str, ...]:
    """What files may call a parameter: as it is, without the trunk's prefix, and with it."""
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    return name, name.removeprefix(prefix), f"{prefix}{name}"


def tied(folder: Path, names: Collection[str]) -> Collection[str]:
    """Which of these tensors the model of this folder takes from another one, as files call them; all of them where
    nobody can tell, as of a model whose code is its own."""
    try:
        model = skeleton(folder)
    except BadModel:
        return names
    parameters = dict(model.named_parameters(remove_duplicate=False))
    having = Counter(map(id, parameters.values()))

    def is_shared(name: str) -> bool:
        return any(having[id(parameters[way])] > 1 for way in ways_of(name, model) if way in parameters)

    return [name for name in names if is_shared(name) or not any(way in parameters for way in ways_of(name, model))]


def skeleton(folder: Path) -> nn.Module:
    """The model of a folder without weights. Errors: `BadModel` in one line."""
    import transformers  # which takes seconds

    names = config_of(folder).get("architectures") or []
    kind = getattr(transformers, str(names[0]), None) if names else None
    if kind is None:
        raise BadModel(f"{folder}: config.json names no architecture that transformers has; adapters need to know it")
    try:
        with torch.device("meta"):
            made: nn.Module = kind(transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False))
        made.tie_weights()  # type: ignore[operator]
    except Exception as error:  # a configuration may be anything
        raise BadModel(f"{folder}: its config.json cannot be understood ({because(error)})") from None
    return made


def untie(model: nn.Module, base: Shards) -> nn.Module:
    """The model, with a tensor of its own in every place for which the base's files hold numbers of their own.

    transformers loads it so, whatever the configuration ties; that of a T5 always ties its output layer.
    """
    places = Places(model)
    called: dict[str, str] = {}  # first name of a parameter -> the file's name of the first place that is there
    for name, parameter in list(model.named_parameters(remove_duplicate=False)):
        way = next((way for way in ways_of(name, model) if way in base.forms), None)
        if way is None:
            continue
        known = called.setdefault(places.first(name), way)
        if known != way and (base.forms[known].shape != base.forms[way].shape or not base[known].equal(base[way])):
            module, _, own = name.rpartition(".")
            model.get_submodule(module).register_parameter(own, nn.Parameter(parameter.clone()))
    return model


def require_base(descent: Descent, base: Path, own: Shards, changed: Collection[str], model: nn.Module) -> str | None:
    """Hold the model that an adapter names against the base, tensor by tensor; a line if it cannot be.

    Errors: `Misfit` for another model.
    """
    if isinstance(descent.base, str):
        return f"it is taken for an adapter of the base: {descent.base}"
    if descent.base.samefile(base):
        return None
    other = Shards(descent.base)
    for name, form in own.forms.items():
        called = next((way for way in ways_of(name, model) if way in other), None)
        if called is None and name not in changed:
            continue  # a head that one of the two has not
        if called is None or other.forms[called] != form or not torch.equal(other[called], own[name]):
            raise Misfit(
                f"{descent.adapters[0].folder} was trained on {descent.base}, whose {name} is not the base's; name "
                "that model with --base"
            )
    return None
