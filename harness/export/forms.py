"""The form that a result takes on the disk: one model, a model for each task, or members whose answers are averaged.

FOLDER/                     one model
FOLDER/<corpus>/            where every task keeps its own head: the merged trunk with the head of this task; or where
                            every task has a model of its own
FOLDER/<member>/            an ensemble; ensemble.json says how to average
FOLDER/<corpus>/<member>/   both

Numbers that are added to logits are in the bias of a task's own head; where there is none, in offsets.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.cells.cell import Cell
from harness.cells.lab import Lab
from harness.data.task import Task
from harness.judging.live import SCOPE
from harness.records.record import slug
from methods import Merged, Weights
from methods.merged import Route, for_task, is_averaged, models_of, offsets_of, route_of, tasks_of

ENSEMBLE, OFFSETS = "ensemble.json", "offsets.json"


@dataclass(frozen=True, eq=False)
class Piece:
    """One model of a result, and where in the folder it goes."""

    place: Path  # relative; "." for a single model
    task: Task
    weights: Weights
    head: Weights  # of this task alone, where heads were not merged
    scope: str  # the corpus that the head answers
    offsets: tuple[float, ...] = ()  # what is to be added to its logits, where no bias of its head has it
    route: Route | None = None  # that leads through it, where it is deeper than these weights, the route's first member


@dataclass(frozen=True)
class Form:
    """How a result lies in its folder."""

    corpora: tuple[str, ...]  # those that have a folder each; none where one model answers all
    members: tuple[str, ...]  # those whose answers are averaged; none where there is one model
    offsets: bool = False  # whether numbers are to be added to logits

    def places(self) -> list[Path]:
        """Every folder that holds a model."""
        inner = [Path(slug(member)) for member in self.members] or [Path()]
        return [Path(slug(corpus)) / place for corpus in self.corpora for place in inner] or inner


def form_of(cell: Cell, merged: Merged) -> Form:
    """The form of this cell's result."""
    models = models_of(merged)
    scoped = any(SCOPE in name for name in models[0])
    several = cell.key.heads == "own" or scoped or bool(tasks_of(merged))
    own = (
        cell.key.members if len(models) == len(cell.key.members) else tuple(f"part-{i + 1}" for i in range(len(models)))
    )
    return Form(cell.key.corpora if several else (), own if is_averaged(merged) else ())


def pieces(cell: Cell, lab: Lab, merged: Merged, dtype: torch.dtype = torch.float32) -> Iterator[Piece]:
    """The models of a result, one at a time, which will be written in this type.

    Errors: `NotApplicable` where it has none for a corpus.
    """
    form, heads = form_of(cell, merged), {} if cell.method == "mtl" else lab.populations.heads(cell.key)
    for corpus in form.corpora or cell.key.corpora[:1]:
        task, head, under = lab.rows.task(corpus), heads.get(corpus, {}), Path(slug(corpus)) if form.corpora else Path()
        asked = for_task(merged, corpus, task.name)
        route, offsets = route_of(asked), offsets_of(asked, corpus, task.name) or ()
        if offsets and dtype == torch.float32 and (bias := lab.judges.live(task).bias) in head:
            head = {**head, bias: (head[bias].double() + torch.tensor(offsets, dtype=torch.float64)).to(head[bias])}
            offsets = ()
        models = models_of(asked) if route is None else route.members[:1]
        for place, weights in zip(Form((), form.members).places(), models, strict=True):
            yield Piece(under / place, task, weights, head, corpus, offsets, route)


def say_what_to_add(folder: Path, task: Task, offsets: tuple[float, ...]) -> None:
    """Write the numbers that are added to logits, beside the models."""
    content = {
        "add": "to the logit of each output, or the mean of the members' logits, before the answer is read from it",
        "offsets": dict(zip(task.outputs, offsets, strict=True)),
    }
    (folder / OFFSETS).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def say_how_to_average(folder: Path, form: Form, task: Task, votes: Tensor | None) -> None:
    """Write how the members' answers become one, beside their folders."""
    content: dict[str, Any] = {
        "average": "the mean of the members' logits, output by output",
        "members": [slug(member) for member in form.members],
        "outputs": list(task.outputs),
    }
    if votes is not None:
        content["average"] += "; only members with a vote on an output count there, and without votes the logit is 0"
        content["votes"] = {slug(m): v.int().tolist() for m, v in zip(form.members, votes, strict=True)}
    (folder / ENSEMBLE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
