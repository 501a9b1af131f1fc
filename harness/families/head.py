"""The head that a model's own file brings: put in the task's order, or drawn anew where it answers something else.

A model that was fine-tuned before, for these labels or for as many others, has an output layer of the right width,
which transformers takes as it is. Training would start from it in whatever order its labels have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from harness.checkpoints.checkpoint import shapes
from harness.checkpoints.folders import config_of
from harness.data.task import Task
from harness.families import labels
from harness.families.base import Loaded
from methods.errors import Misfit

Start = Literal["as saved", "put in order", "drawn anew"]
_OUTPUT = re.compile(r"(^|\.)(classifier|score|classification_head|logits_proj|out_proj|sequence_summary)\.")


def begun(loaded: Loaded, config: Mapping[str, Any], task: Task, seed: int, reorder: bool = True) -> Loaded:
    """The model as members start from it, with lines on what was done to a head of its own.

    Args:
        config: the checkpoint's `config.json`, which may name its labels.
        seed: a head for other labels is drawn anew from it, as one that is missing.
        reorder: whether rows are put in order; an adapter was trained on them as they are saved.
    """
    if not loaded.output_layer or loaded.fresh & set(loaded.output_layer):
        return loaded
    notes: list[str] = []
    try:
        places = labels.order_of(config, task, notes.append)
    except Misfit as error:
        _draw(loaded.model, loaded.output_layer, seed)
        line = f"the head in its file is not for the {task.name} labels ({error}), so it is drawn anew"
        return replace(loaded, fresh=loaded.fresh | set(loaded.output_layer), notes=(*loaded.notes, line))
    if places and reorder:
        parameters = dict(loaded.model.named_parameters())
        for name in loaded.output_layer:
            parameters[name].data = parameters[name].data[places].clone()
    return replace(loaded, notes=(*loaded.notes, *notes), reordered=bool(places))


def start_of(folder: Path, task: Task) -> Start:
    """What `begun` does to the head of this checkpoint, told without loading it."""
    try:
        places = labels.order_of(config_of(folder), task, lambda line: None)
        start: Start = "put in order" if places else "as saved"
    except Misfit:
        start = "drawn anew"
    return start if start == "as saved" or _brings_head(folder, len(task.outputs)) else "as saved"


def _brings_head(folder: Path, outputs: int) -> bool:
    return any(_OUTPUT.search(name) and shape[:1] == (outputs,) for name, shape in shapes(folder).items())


def _draw(model: Any, layer: tuple[str, ...], seed: int) -> None:
    """The output layer as if the file had none."""
    torch.manual_seed(seed)
    for place in dict.fromkeys(name.rpartition(".")[0] for name in layer):
        module = model.get_submodule(place)
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty_like(parameter)))  # one that nobody knows as loaded
        module.reset_parameters()
        model._init_weights(module)  # as the architecture has it
