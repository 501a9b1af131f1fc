"""Members that the user brings instead of having them fine-tuned: `--member isear=FOLDER`, whole or as an adapter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from harness.checkpoints import adapters, pickles
from harness.checkpoints.adapters import MERGE
from harness.checkpoints.brought import OPTION
from harness.checkpoints.checkpoint import fingerprint, held
from harness.checkpoints.folders import config_of, is_adapter
from harness.data.task import Task
from harness.errors import BadModel, BadWeights
from harness.families import kind_of, labels, likeness
from harness.families.base import Family, Loaded
from harness.families.head import begun
from harness.families.writing.ends import Ends, require_same_ends
from harness.members import lora
from harness.members.descent import Descents, require_same_base
from harness.members.distance import strange
from harness.members.laid import changes_of
from harness.members.places import Places
from harness.storage.zoo import Zoo, require_finite
from methods import Weights
from methods.errors import Misfit

_OTHER_HEADS = ("ForTokenClassification", "ForMultipleChoice", "ForNextSentencePrediction")
_IN_WORDS = "this model is asked in words: fine-tune it as a language model"
_ROUNDED = 2**-7  # twice what a number loses in bf16, of its size
_HALVES = {"F16": "float16", "BF16": "bfloat16"}
Say = Callable[[str], None]
Model = Callable[[], Loaded]  # gives the model as it is loaded already


@dataclass(frozen=True)
class Base:
    """What members must descend from."""

    family: Family
    folder: Path
    zoo: Zoo  # where checkpoints that are pickles are kept as safetensors
    trusted: Collection[Path] = ()  # folders whose own code may run
    any_config: bool = False  # whether a member's config.json may differ
    descents: Descents = field(default_factory=Descents)

    def load(self, task: Task) -> Loaded:
        """The model itself."""
        loaded = self.family.load(self.folder, task, seed=1)
        return loaded if self.family.generative else begun(loaded, config_of(self.folder), task, 1, reorder=False)

    def load_alike(self, folder: Path, task: Task) -> Loaded:
        """Another checkpoint of the model's configuration. Errors: `Misfit` if it has another."""
        likeness.require_same_config(self.family.kind, self.folder, folder, self.trusted, self.any_config)
        return self.family.load(pickles.safe(folder, self.zoo), task, seed=1)


@dataclass(frozen=True, eq=False)
class Taken:
    """A member that fits."""

    weights: Weights  # those that an adapter changes are made when they are read; the others are the model's own
    module: Callable[[], nn.Module]  # a module of its shape, with these weights
    nameless: bool = False  # whether its labels have no names, so that their order is believed


def adapter_in(folder: Path) -> dict[str, object]:
    """What a record says of an adapter; nothing of a whole checkpoint."""
    if not is_adapter(folder):
        return {}
    adapter = adapters.read(folder)
    return {"adapter": {"rank": adapter.rank, "alpha": adapter.alpha, "rslora": adapter.rslora}}


def other_config(kind: str, model: Path, folder: Path, trusted: Collection[Path], descents: Descents) -> list[str]:
    """The fields in which a checkpoint's configuration is not the model's, or that of an adapter or of its base."""
    folders = [folder]
    if is_adapter(folder):
        base = descents.of(folder).base
        folders = [f for f in (folder, base) if isinstance(f, Path) and (f / "config.json").is_file()]
    return sorted({name for f in folders for name in likeness.other_fields(kind, model, f, trusted)})


def require_akin(
    base: Base, task: Task, name: str, folder: Path, say: Say = lambda line: None, model: Model | None = None
) -> None:
    """Raise `Misfit` unless this checkpoint's configuration and tokenizer are the model's; an adapter may have none of
    its own, but what it was trained on must be the model. Arguments as of `take`."""
    trust, adapter = folder in base.trusted, is_adapter(folder)
    try:
        if adapter:
            loaded = base.load(task) if model is None else model()
            descent = base.descents.of(folder)
            note = require_same_base(descent, base.folder, loaded, lambda other: base.load_alike(other, task))
            if note is not None:
                say(f"{OPTION} {name}: {note}")
        if not adapter:
            kind_of(folder, trust)  # quantised weights, code that nobody trusts
        if not adapter or (folder / "config.json").is_file():
            likeness.require_same_config(base.family.kind, base.folder, folder, base.trusted, base.any_config)
        likeness.require_same_words(base.family.tokenizer, folder, task, trust, base.family.generative)
        if task.kind == "generation" and base.family.generative:  # an encoder is skipped, with the reason
            loaded = base.load(task) if model is None else model()
            require_same_ends(Ends.of(base.family.tokenizer, loaded.model, task), folder, task)
    except (BadModel, BadWeights, Misfit) as error:
        raise Misfit(f"{OPTION} {name}: {error}") from None


def take(
    base: Base,
    task: Task,
    name: str,
    folder: Path,
    say: Say = lambda line: None,
    model: Model | None = None,
) -> Taken:
    """A fine-tuned checkpoint or adapter that answers this task, in float32, its head's rows in the task's order.

    Args:
        name: the member's, as it is typed.
        model: gives the model as it is loaded already, whose tensors an adapter then shares.

    Errors: `Misfit` if its head is missing or answers other labels, or it does not descend from the model;
    `BadWeights` for a pickle that is more than tensors, a truncated file or weights that are not finite.
    """

    def told(line: str) -> None:
        say(f"{OPTION} {name}: {line}")

    try:
        if is_adapter(folder):
            return _expanded(base, task, folder, told, model or (lambda: base.load(task)))
        taken = _whole(base, task, folder, told)
        _require_same_buffers(taken.module(), model or (lambda: base.load(task)))
    except (BadModel, BadWeights, Misfit) as error:
        raise type(error)(f"{OPTION} {name}: {error}") from None
    require_finite(f"{OPTION} {name}", taken.weights)
    return taken


def _whole(base: Base, task: Task, folder: Path, say: Say) -> Taken:
    folder = pickles.safe(folder, base.zoo)
    fingerprint(folder)  # refuses a damaged file before transformers meets it
    loaded = base.family.load(folder, task, seed=1)
    for note in loaded.notes:
        say(note)
    wanted = f"a member needs a head with the {len(task.outputs)} {task.name} labels"
    if loaded.fresh:
        raise Misfit(f"{folder.name} has no trained {min(loaded.fresh)}; {wanted}")
    if loaded.classifier is not None:
        cure = _IN_WORDS if base.family.generative else wanted
        raise Misfit(f"{folder.name} was trained with {loaded.classifier}, which is left out; {cure}")
    parameters = dict(loaded.model.named_parameters())
    if not base.family.generative:
        config = config_of(folder)
        saved_as = str((config.get("architectures") or [""])[0])
        if saved_as.endswith(_OTHER_HEADS):
            raise Misfit(f"it was saved as a {saved_as}, and a member is a {type(loaded.model).__name__}")
        if places := labels.order_of(config, task, say):
            for name in _output_layer(loaded):
                parameters[name].data = parameters[name].data[places].clone()
    weights = {name: parameter.detach() for name, parameter in parameters.items()}
    _say_of_halves({*held(folder).values()}, say)
    return Taken(weights, lambda: loaded.model, _nameless(config_of(folder), base, task))


def _require_same_buffers(member: nn.Module, model: Model) -> None:
    """Raise `Misfit` for a tensor that is saved, is no parameter and is not the model's, as BART's `final_logits_bias`:
    merges are of parameters, so the member would answer with the model's own."""
    saved = member.state_dict(keep_vars=True)
    held = {name: buffer for name, buffer in member.named_buffers() if name in saved}
    own = dict(model().model.named_buffers()) if held else {}
    for name, buffer in held.items():
        there = own.get(name)
        if there is None or there.shape != buffer.shape or not _near(there, buffer):
            raise Misfit(
                f"its {name} is not the model's, and is no parameter: no method merges it; members must share it"
            )


def _near(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are one but for how many bits their files hold."""
    return torch.allclose(one.double(), other.double(), rtol=_ROUNDED, atol=1e-6)


def _expanded(base: Base, task: Task, folder: Path, say: Say, model: Model) -> Taken:
    """What an adapter, or several on top of each other, make of the model."""
    descent, loaded = base.descents.of(folder), model()
    changes: dict[str, list[lora.Change]] = {}
    plain = {name: parameter.detach() for name, parameter in loaded.model.named_parameters()}
    for adapter in descent.adapters:
        beneath = lora.ChangedWeights(plain, {name: [*own] for name, own in changes.items()})
        for name, own in changes_of(adapter, loaded.model, beneath.__getitem__).items():
            changes.setdefault(name, []).extend(own)
    saved = {name for name, own in changes.items() if any(isinstance(change, lora.Whole) for change in own)}
    if random := loaded.fresh - saved:  # also where a product would be added to them
        raise Misfit(
            f"{folder.name} has no trained {min(random)}, and its base has none either, so it was drawn at random and "
            f"not saved; a member needs a head with the {len(task.outputs)} {task.name} labels: train it again with "
            f"that module in modules_to_save, or {MERGE}"
        )
    if line := Places(loaded.model).line(changes):
        say(line)
    naming = _naming(folder, base, task)
    if not base.family.generative and (places := labels.order_of(naming, task, say)):
        for name in _output_layer(loaded):
            changes.setdefault(name, []).append(lora.Rows(places))
    _say_of_halves({kind for adapter in descent.adapters for kind in held(adapter.folder).values()}, say)
    weights = lora.ChangedWeights(plain, changes)

    def module() -> nn.Module:
        found = base.load(task).model
        for name, parameter in found.named_parameters():
            parameter.data = weights[name]
        return found

    return Taken(weights, module, _nameless(naming, base, task))


def _naming(folder: Path, base: Base, task: Task) -> dict[str, object]:
    """The configuration that names an adapter's labels: its own; else the model's, if it names these very labels."""
    if (folder / "config.json").is_file():
        return config_of(folder)
    config = config_of(base.folder)
    return config if labels.same_names(labels.labels_of(config), task) else {}


def _nameless(config: Mapping[str, object], base: Base, task: Task) -> bool:
    """Whether nothing says which output is which label."""
    return not base.family.generative and len(task.outputs) > 1 and labels.labels_of(config) is None


def _output_layer(loaded: Loaded) -> tuple[str, ...]:
    if not loaded.output_layer:
        raise Misfit("its labels are in another order, and its output layer could not be found")
    return loaded.output_layer


def _say_of_halves(kinds: Collection[str], say: Say) -> None:
    if low := [word for kind, word in _HALVES.items() if kind in kinds]:
        say(f"its weights are {' and '.join(low)}; they are merged in float32")


def require_descends(model: str, ancestor: nn.Module, name: str, weights: Weights) -> None:
    """Raise `Misfit` naming the first parameter in which a member does not fit the model it should descend from."""
    own = {n: tuple(p.shape) for n, p in ancestor.named_parameters()}
    for parameter in sorted(set(own) ^ set(weights)):
        side = (name, model) if parameter in weights else (model, name)
        raise Misfit(f"{parameter} is in {side[0]} but not in {side[1]}; members must descend from the model")
    for parameter, shape in own.items():
        if tuple(weights[parameter].shape) != shape:
            raise Misfit(f"{parameter} is {shape} in {model} and {tuple(weights[parameter].shape)} in {name}")


def strange_to(ancestor: nn.Module, weights: Weights) -> str:
    """A line about a member that fits the model, tensor by tensor, and descends from another; empty for one that may
    be the model's own."""
    own = dict(ancestor.named_parameters())
    return strange(lambda name: own[name].detach(), weights.__getitem__, [n for n, p in own.items() if p.dim() == 2])
