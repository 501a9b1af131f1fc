"""What a merge gives: one set of weights; several models side by side; a route through the blocks of several; what a
model is made of for each task; or any of these with numbers added to its logits. Whatever is asked of a merge is a
function here, the same for every kind; what each of them says to a row is found out in harness/judging/speaking.py
alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from methods.composed import Composed, scalars
from methods.composed import Ensemble as Ensemble
from methods.composed import Hop as Hop
from methods.composed import Offset as Offset
from methods.composed import PerTask as PerTask
from methods.composed import Route as Route
from methods.composed import Weights as Weights
from methods.errors import NotApplicable


class Traced(dict[str, Tensor]):
    """Merged weights that remember how they came about.

    `trace` is plain JSON from which the method's `replay(population, trace, score, rng)` makes the same weights again,
    bit for bit, without searching: a few kilobytes instead of a checkpoint.
    """

    def __init__(self, weights: Weights, trace: Mapping[str, Any]) -> None:
        super().__init__(weights)
        self.trace = dict(trace)


Merged = Weights | Ensemble | Route | PerTask | Offset


def is_one(merged: Merged) -> bool:
    """Whether it is one set of weights."""
    return not isinstance(merged, Composed)


def models_of(merged: Merged) -> tuple[Weights, ...]:
    """Every set of weights that it answers with, laid out as members are: one of each task, where tasks differ."""
    return merged.models if isinstance(merged, Composed) else (merged,)


def tasks_of(merged: Merged) -> tuple[str, ...]:
    """The corpora that it is made for, where it is another model for each; none where it answers whatever is asked."""
    return merged.tasks if isinstance(merged, Composed) else ()


def for_task(merged: Merged, *names: str) -> Merged:
    """What answers the first of these corpora that it is made for; all of it, where it answers whatever is asked.

    Errors: `NotApplicable` where it is made for other corpora alone.
    """
    tasks = tasks_of(merged)
    if not tasks:
        return merged
    if isinstance(merged, Offset):
        return replace(merged, inner=for_task(heart_of(merged), *names))
    found = next((name for name in names if name in tasks), None)
    if found is None:
        raise NotApplicable(
            f"the merge is a model of its own for each of {', '.join(tasks)}, and has none for {names[0]}; ask it those"
        )
    return models_of(merged)[tasks.index(found)]


def with_models(merged: Merged, models: Sequence[Weights]) -> Merged:
    """The same of other weights, in the order of `models_of`; of what `for_task` gave, and so of no task's own."""
    assert not isinstance(merged, PerTask)
    if isinstance(merged, Offset):
        return replace(merged, inner=with_models(heart_of(merged), models))
    return replace(merged, members=tuple(models)) if isinstance(merged, Ensemble | Route) else models[0]


def beside(merged: Merged) -> str:
    """What decides its answers beside its weights and votes, in words: nothing, of one set of weights."""
    said = merged.said() if isinstance(merged, Composed) else {}
    return json.dumps(said, sort_keys=True) if said else ""


def votes_of(merged: Merged) -> Tensor | None:
    """(N, outputs) bool, where its models' answers are averaged and not all of them speak on every output."""
    heart = heart_of(merged)
    return heart.annotated if isinstance(heart, Ensemble) else None


def is_averaged(merged: Merged) -> bool:
    """Whether its answers are the mean of those of its models."""
    return isinstance(heart_of(merged), Ensemble)


def route_of(merged: Merged) -> Route | None:
    """What it is, where a row passes blocks in an order of its own."""
    heart = heart_of(merged)
    return heart if isinstance(heart, Route) else None


def heart_of(merged: Merged) -> Merged:
    """What answers, without the numbers that are added to its logits."""
    inner: Any = merged.inner if isinstance(merged, Offset) else merged
    return heart_of(inner) if isinstance(inner, Offset) else inner


def offsets_of(merged: Merged, *names: str) -> tuple[float, ...] | None:
    """What is added to the logits of the first of these, a corpus or its task, that there is something for.

    None where nothing is ever added. Errors: `NotApplicable` where it is made for others alone.
    """
    if not isinstance(merged, Offset):
        return None
    found = next((merged.offsets[name] for name in names if name in merged.offsets), None)
    if found is None:
        raise NotApplicable(
            f"the merge is calibrated on {', '.join(merged.offsets)}, and has no offsets for {names[0]}; ask it those"
        )
    return found


def numbers_of(merged: Merged) -> Mapping[str, float]:
    """The numbers beside its weights that must be finite, by what they are."""
    return merged.numbers() if isinstance(merged, Composed) else {}


def passes(merged: Merged) -> float:
    """Forward passes of one model that a row costs; of a route, its hops over the blocks of a model."""
    return merged.passes() if isinstance(merged, Composed) else 1


def stored_parameters(merged: Merged) -> int:
    """Scalars that must be kept to have it, each tensor once; a mask's scalar is a bit."""
    return merged.stored() if isinstance(merged, Composed) else scalars(merged.values())


def stand_in(merged: Merged) -> Weights:
    """One set of weights that hangs on all of it, in float64 if it is not one: where nothing can be asked, as with
    made-up models, numbers are compared. A route stands as if what it passes added up, so a member's own is it."""
    return merged.stand_in() if isinstance(merged, Composed) else merged


def trace_of(merged: Merged) -> Mapping[str, Any] | None:
    """What it remembers of how it came about."""
    trace: Mapping[str, Any] | None = getattr(merged, "trace", None)
    return trace


def with_trace(merged: Merged, trace: Mapping[str, Any] | None) -> Merged:
    """The same, remembering this."""
    if isinstance(merged, Ensemble | Route | PerTask | Offset):
        return replace(merged, trace=None if trace is None else dict(trace))
    return dict(merged) if trace is None else Traced(merged, trace)
