"""Members that the user brings instead of having them fine-tuned: `--member isear=FOLDER`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from harness.checkpoints.checkpoint import fingerprint
from harness.checkpoints.folders import config_of
from harness.data.task import Task
from harness.errors import BadModel, BadWeights
from harness.families import kind_of, likeness
from harness.families.base import Family, Loaded
from harness.storage import zoo
from methods import Weights
from methods.errors import Misfit

_OTHER_HEADS = ("ForTokenClassification", "ForMultipleChoice", "ForNextSentencePrediction")


@dataclass(frozen=True)
class Base:
    """What members must descend from."""

    family: Family
    folder: Path
    trusted: Collection[Path] = ()  # folders whose own code may run
    any_config: bool = False  # whether a member's config.json may differ


def require_akin(base: Base, task: Task, corpus: str, folder: Path) -> None:
    """Raise `Misfit` unless this checkpoint's configuration and tokenizer are the model's."""
    trust = folder in base.trusted
    try:
        kind_of(folder, trust)  # an adapter, quantised weights, code that nobody trusts
        likeness.require_same_config(base.family, base.folder, folder, base.trusted, base.any_config)
        likeness.require_same_words(base.family.tokenizer, folder, task, trust, base.family.generative)
    except (BadModel, Misfit) as error:
        raise Misfit(f"--member {corpus}: {error}") from None


def load(base: Base, task: Task, corpus: str, folder: Path, say: Callable[[str], None] = lambda line: None) -> Loaded:
    """A fine-tuned checkpoint that answers this task, its head's rows in the task's order.

    Errors: `Misfit` if its head is missing or answers other labels, or it is no checkpoint of the model's kind,
    `BadWeights` for a pickle, a truncated file or weights that are not finite.
    """
    fingerprint(folder)  # refuses a pickle or a damaged file before transformers meets it
    try:
        loaded = base.family.load(folder, task, seed=1)
    except (BadModel, BadWeights) as error:
        raise type(error)(f"--member {corpus}: {error}") from None
    for note in loaded.notes:
        say(f"--member {corpus}: {note}")
    wanted = f"a member needs a head with the {len(task.outputs)} {task.name} labels"
    if loaded.fresh:
        raise Misfit(f"--member {corpus}: {folder.name} has no trained {min(loaded.fresh)}; {wanted}")
    if loaded.classifier is not None:
        cure = "this model is asked in words: fine-tune it as a language model" if base.family.generative else wanted
        raise Misfit(
            f"--member {corpus}: {folder.name} was trained with {loaded.classifier}, which is left out; {cure}"
        )
    if not base.family.generative:
        _put_in_order(loaded, task, corpus, folder, say)
    zoo.require_finite(f"--member {corpus}", weights_of(loaded))
    return loaded


def weights_of(loaded: Loaded) -> Weights:
    """The parameters by name."""
    return {name: p.detach() for name, p in loaded.model.named_parameters()}


def _put_in_order(loaded: Loaded, task: Task, corpus: str, folder: Path, say: Callable[[str], None]) -> None:
    """Permute the rows of the output layer where the checkpoint names the task's labels in another order."""
    config = config_of(folder)
    saved_as = str((config.get("architectures") or [""])[0])
    if saved_as.endswith(_OTHER_HEADS):
        raise Misfit(
            f"--member {corpus}: it was saved as a {saved_as}, and a member is a {type(loaded.model).__name__}"
        )
    theirs, wanted = _labels(config, corpus), [_plain(name) for name in task.outputs]
    if theirs is None:
        if len(task.outputs) > 1:
            order = ", ".join(task.outputs)
            say(f"--member {corpus}: its labels have no names; they are taken in the order {order}")
        return
    if len(theirs) != len(wanted):
        raise Misfit(f"--member {corpus}: it names {len(theirs)} labels, {task.name} has {len(wanted)}")
    plain = [_plain(name) for name in theirs]
    if len(wanted) == 1 or plain == wanted:
        return
    if sorted(plain) != sorted(wanted):
        odd = next(i for i, name in enumerate(plain) if name not in wanted or plain.index(name) != i)
        known = ", ".join(task.outputs)
        raise Misfit(
            f"--member {corpus}: label {odd} is {theirs[odd]!r} there, which is none of {known}, or named twice"
        )
    if not loaded.output_layer:
        raise Misfit(f"--member {corpus}: its labels are in another order, and its output layer could not be found")
    places = [plain.index(name) for name in wanted]
    parameters = dict(loaded.model.named_parameters())
    for name in loaded.output_layer:
        parameters[name].data = parameters[name].data[places].clone()
    say(f"--member {corpus}: its labels are in another order; the rows of its head were put in order")


def _labels(config: dict[str, Any], corpus: str) -> list[str] | None:
    """The labels that a configuration names, in order; None if it names none of its own."""
    try:
        listed = {int(i): str(name) for i, name in (config.get("id2label") or {}).items()}
        numbered = {int(i): str(name) for name, i in (config.get("label2id") or {}).items()}
    except (TypeError, ValueError, AttributeError):
        raise Misfit(f"--member {corpus}: id2label or label2id of its config.json is no table of labels") from None
    own, other = ([names[i] for i in sorted(names)] for names in (listed, numbered))
    named = [names for names in (own, other) if not all(n == f"LABEL_{i}" for i, n in enumerate(names))]
    if len(named) == 2 and [*map(_plain, own)] != [*map(_plain, other)]:
        raise Misfit(f"--member {corpus}: id2label and label2id of its config.json contradict each other")
    return named[0] if named else None


def _plain(name: str) -> str:
    return name.strip().casefold()


def require_descends(model: str, ancestor: nn.Module, name: str, weights: Weights) -> None:
    """Raise `Misfit` naming the first parameter in which a member does not fit the model it should descend from."""
    own = {n: tuple(p.shape) for n, p in ancestor.named_parameters()}
    for parameter in sorted(set(own) ^ set(weights)):
        side = (name, model) if parameter in weights else (model, name)
        raise Misfit(f"{parameter} is in {side[0]} but not in {side[1]}; members must descend from the model")
    for parameter, shape in own.items():
        if tuple(weights[parameter].shape) != shape:
            raise Misfit(f"{parameter} is {shape} in {model} and {tuple(weights[parameter].shape)} in {name}")
