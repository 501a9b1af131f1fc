"""Whether a model's files hold what its config.json says: a merge of half a model would load with random weights."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from harness.checkpoints.folders import config_of
from harness.families.labels import labels_of
from harness.streaming.header import Form
from methods.errors import Misfit

_NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")
_STACKS = ("layer", "layers", "h", "block", "blocks")
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS = ("classifier.weight", "score.weight", "classifier.out_proj.weight")


def require_whole(who: str, folder: Path, forms: Mapping[str, Form]) -> None:
    """Raise `Misfit` where blocks are missing, or a head has other outputs than there are labels."""
    config = config_of(folder)
    stacks = _stacks(forms)
    for stack, numbers in stacks.items():
        if missing := sorted({*range(max(numbers) + 1)} - numbers):
            raise Misfit(f"{who}: its files hold {stack}.{max(numbers)} and no {stack}.{missing[0]}; copy it again")
    wanted = next((config[name] for name in _COUNTS if isinstance(config.get(name), int)), 0)
    held = [len(numbers) for stack, numbers in stacks.items() if stack.rpartition(".")[2] in _STACKS]
    if held and max(held) < wanted:
        raise Misfit(f"{who}: its config.json says {wanted} layers, and its files hold {max(held)}; copy it again")
    labels = labels_of(config)
    head = next((forms[name] for name in _HEADS if name in forms), None)
    if labels is not None and head is not None and head.shape[0] != len(labels):
        raise Misfit(f"{who}: its config.json names {len(labels)} labels, and its head has {head.shape[0]} outputs")


def _stacks(names: Collection[str]) -> dict[str, set[int]]:
    """What is numbered, by the names that stand before the first number."""
    found: dict[str, set[int]] = defaultdict(set)
    for name in names:
        if (at := _NUMBERED.match(name)) is not None:
            found[at[1]].add(int(at[2]))
    return found
