"""A route as a model on the disk: a plain one with a block for every hop, where that is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from harness.cells.lab import Lab
from harness.data.task import Task
from harness.export.write import Blank
from harness.families.batches import prepare
from harness.families.hops.built import built
from harness.families.hops.plain import plain
from harness.families.hops.trial import run
from harness.families.hops.view import hop_view
from methods import Weights
from methods.errors import NotApplicable
from methods.merged import Route

_ROWS = 8  # to compare on
_AGREE = 1e-4  # largest difference of answers, as a share of the largest: rounding, and nothing else


def deeper(lab: Lab, task: Task, route: Route, weights: Weights) -> tuple[Blank, Weights]:
    """The model that waits for its weights, and these. `weights`: of the route's first member, with the task's head.

    Errors: `NotApplicable` where no plain model computes the same; it is asked real rows.
    """
    blank = Blank.of(lab, task)
    for name, parameter in blank.model.named_parameters():
        parameter.data = weights[name].to(torch.float32) if weights[name].is_floating_point() else weights[name]
    way, ask = replace(route, members=(weights, *route.members[1:])), _asking(lab, task)
    model = built(plain(blank.model, way))
    wanted, found = ask(hop_view(blank.model, way)), ask(model)
    off = float((found - wanted).abs().max()) / max(1e-9, float(wanted.abs().max()))
    if not off <= _AGREE:
        raise NotApplicable(
            f"a plain model of the route answers otherwise (by {off:.1e} of the largest answer) than the route did; "
            "it cannot be written as one"
        )
    told = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return Blank(model, blank.tokenizer, tuple(told)), told


def _asking(lab: Lab, task: Task) -> Callable[[nn.Module], Tensor]:
    """What a model says to real rows of the task; to made-up words where there are none at hand."""
    family, scoring = lab.subject.family, lab.told.scoring
    alike = [corpus for corpus in lab.rows.corpora.values() if corpus.task == task]
    split = next((s for corpus in alike for s in (corpus.dev, corpus.train) if len(s)), None)
    if split is None:
        return lambda model: run(model).logits
    rows = prepare(family, task, split.first(_ROWS), scoring.max_length, lab.protocol.batch_tokens)

    def ask(model: nn.Module) -> Tensor:
        with torch.inference_mode():
            return torch.cat([family.logits(model, task, dict(batch.inputs)) for batch in rows])

    return ask
