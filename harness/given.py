"""Members that the user brings instead of having them fine-tuned: `--member isear=FOLDER`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import nn
from transformers import AutoTokenizer

from harness import zoo
from harness.families.base import Family
from harness.models import fingerprint
from harness.tasks import Task
from methods import Weights
from methods.errors import Misfit


def load(family: Family, task: Task, corpus: str, folder: Path, model: Path) -> Weights:
    """The weights of a fine-tuned checkpoint that answers this task and descends from the model in the other folder.

    Errors: `Misfit` if it is of another architecture or vocabulary, or its head is missing or answers other labels,
    `BadWeights` for a pickle, a truncated file or weights that are not finite.
    """
    fingerprint(folder)  # refuses a pickle or a damaged file before transformers meets it
    _require_same_kind(corpus, folder, model)
    loaded = family.load(folder, task, seed=1)
    if loaded.fresh:
        raise Misfit(
            f"--member {corpus}: {folder.name} has no trained {min(loaded.fresh)}; "
            f"a member needs a head with the {len(task.outputs)} {task.name} labels"
        )
    theirs = None if family.generative else labels_of(folder)
    if theirs is not None and theirs != task.outputs:
        first = next((i for i, (a, b) in enumerate(zip(theirs, task.outputs, strict=False)) if a != b), len(theirs))
        met = theirs[first] if first < len(theirs) else "missing"
        raise Misfit(f"--member {corpus}: label {first} is {met!r} there and {task.outputs[first]!r} here")
    weights = {name: p.detach() for name, p in loaded.model.named_parameters()}
    zoo.require_finite(f"--member {corpus}", weights)
    return weights


def _require_same_kind(corpus: str, folder: Path, model: Path) -> None:
    """Raise `Misfit` where the two configurations say that the checkpoint cannot descend from the model."""
    own, theirs = (json.loads((f / "config.json").read_text(encoding="utf-8")) for f in (model, folder))
    for name, word in (("model_type", "architecture"), ("vocab_size", "size of the vocabulary")):
        if own.get(name) != theirs.get(name):
            raise Misfit(f"--member {corpus}: its {word} is {theirs.get(name)}, the model's is {own.get(name)}")


def labels_of(folder: Path) -> tuple[str, ...] | None:
    """The labels that a checkpoint's configuration names, in order; None if it names none of its own."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "id2label" not in config:
        return None
    names = {int(i): name for i, name in config["id2label"].items()}
    found = tuple(str(names[i]) for i in sorted(names))
    return None if all(name.startswith("LABEL_") for name in found) else found


def require_same_words(corpus: str, folder: Path, words: Mapping[str, int], trust: bool = False) -> None:
    """Raise `Misfit` if the checkpoint has a tokenizer of its own that numbers the model's words otherwise."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt", "vocab.json")):
        return
    theirs = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust).get_vocab()
    for word in sorted({*words, *theirs}):
        if words.get(word) != theirs.get(word):
            raise Misfit(f"--member {corpus}: its tokenizer has {word!r} as {theirs.get(word)}, not {words.get(word)}")


def require_descends(model: str, ancestor: nn.Module, name: str, weights: Weights) -> None:
    """Raise `Misfit` naming the first parameter in which a member does not fit the model it should descend from."""
    own = {n: tuple(p.shape) for n, p in ancestor.named_parameters()}
    for parameter in sorted(set(own) ^ set(weights)):
        side = (name, model) if parameter in weights else (model, name)
        raise Misfit(f"{parameter} is in {side[0]} but not in {side[1]}; members must descend from the model")
    for parameter, shape in own.items():
        if tuple(weights[parameter].shape) != shape:
            raise Misfit(f"{parameter} is {shape} in {model} and {tuple(weights[parameter].shape)} in {name}")
