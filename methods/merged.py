"""What a merge gives: one set of weights; several models side by side; a route through the blocks of several; or what a
model is made of for each task. What each of them says is found out in harness/judging/speaking.py alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

Weights = Mapping[str, Tensor]
"""Parameter name -> tensor. A tied tensor appears once; buffers do not appear."""


class Traced(dict[str, Tensor]):
    """Merged weights that remember how they came about.

    `trace` is plain JSON from which the method's `replay(population, trace, score, rng)` makes the same weights again,
    bit for bit, without searching: a few kilobytes instead of a checkpoint.
    """

    def __init__(self, weights: Weights, trace: Mapping[str, Any]) -> None:
        super().__init__(weights)
        self.trace = dict(trace)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Several models whose raw outputs are averaged at inference; it costs N forward passes."""

    members: tuple[Weights, ...]
    annotated: Tensor | None = None  # (N, outputs) bool: a member votes only on outputs that it was trained on
    trace: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Hop:
    """One block on the way of a token."""

    source: int  # which of the route's members it is of
    block: str  # what its tensors' names begin with: "model.layers.3"
    scale: float = 1.0  # of what comes in, see `Route.scale`


@dataclass(frozen=True, eq=False)
class Route:
    """A way through the blocks of several models, each as often as it likes; nothing is copied.

    What is no block (embeddings, final norm, head) is the first member's. A model of several stacks, as an
    encoder-decoder, goes through each stack's hops in their order.
    """

    members: tuple[Weights, ...]
    hops: tuple[Hop, ...]
    scale: Literal["update", "stream"] = "update"
    """What a hop's scale multiplies. update: what the block before it added last, its MLP's output (as the second
    paper's code does). stream: all that comes in (as it is usually told)."""
    trace: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class PerTask:
    """One set of weights and what turns it into each task's own: ancestor + scale * mask * (unified - ancestor)."""

    unified: Weights
    ancestor: Weights
    masks: Mapping[str, Weights]  # task's corpus -> a bool tensor for each parameter that is masked
    scales: Mapping[str, float]
    trace: Mapping[str, Any] | None = None


Merged = Weights | Ensemble | Route | PerTask


def models_of(merged: Merged) -> tuple[Weights, ...]:
    """Every set of weights in it."""
    if isinstance(merged, Ensemble | Route):
        return merged.members
    return (merged.unified,) if isinstance(merged, PerTask) else (merged,)


def trace_of(merged: Merged) -> Mapping[str, Any] | None:
    """What it remembers of how it came about."""
    trace: Mapping[str, Any] | None = getattr(merged, "trace", None)
    return trace


def with_trace(merged: Merged, trace: Mapping[str, Any] | None) -> Merged:
    """The same, remembering this."""
    if isinstance(merged, Ensemble | Route | PerTask):
        return replace(merged, trace=None if trace is None else dict(trace))
    return dict(merged) if trace is None else Traced(merged, trace)
