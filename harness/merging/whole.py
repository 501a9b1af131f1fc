"""Whether a model's files hold what its config.json says: a merge of half a model would load with random weights."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from harness.checkpoints.folders import config_of
from harness.families.labels import labels_of
from harness.streaming.header import Form
from methods.errors import Misfit

_NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")
_STACKS = ("layer", "layers", "h", "block", "blocks")
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
FEW = 2  # tensors that a part of a head has at most
_HEADS = ("classifier.weight", "score.weight", "classifier.out_proj.weight")


def require_whole(who: str, folder: Path, forms: Mapping[str, Form]) -> None:
    """Raise `Misfit` where blocks are missing, or a head has other outputs than there are labels."""
    config = config_of(folder)
    stacks = _stacks(forms)
    for stack, numbers in stacks.items():
        if missing := sorted({*range(max(numbers) + 1)} - numbers):
            raise Misfit(f"{who}: its files hold {stack}.{max(numbers)} and no {stack}.{missing[0]}; copy it again")
    wanted = next((config[name] for name in _COUNTS if isinstance(config.get(name), int)), 0)
    held = max(map(len, stacks.values()), default=wanted)
    if held < wanted:
        raise Misfit(f"{who}: its config.json says {wanted} layers, and its files hold {held}; copy it again")
    labels = labels_of(config)
    head = next((forms[name] for name in _HEADS if name in forms), None)
    if labels is not None and head is not None and head.shape[0] != len(labels):
        raise Misfit(f"{who}: its config.json names {len(labels)} labels, and its head has {head.shape[0]} outputs")


def _stacks(names: Collection[str]) -> dict[str, set[int]]:
    """The numbers of a model's blocks, by what stands before them. A head may be numbered too, without what has no
    weights, as dropout: its parts have no more than a weight and a bias."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for name in names:
        at = _NUMBERED.match(name)
        if at is not None and at[1].rpartition(".")[2] in _STACKS:
            found[at[1]][int(at[2])] += 1
    return {stack: set(tensors) for stack, tensors in found.items() if max(tensors.values()) > FEW}
