"""What a merge gives: one set of weights, or several models side by side. Nothing else tells the two apart but the
referee, who has to look at what a stranger made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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


Merged = Weights | Ensemble


def models_of(merged: Merged) -> tuple[Weights, ...]:
    """Every set of weights in it; a row costs a forward pass through each."""
    return merged.members if isinstance(merged, Ensemble) else (merged,)


def trace_of(merged: Merged) -> Mapping[str, Any] | None:
    """What it remembers of how it came about."""
    trace: Mapping[str, Any] | None = getattr(merged, "trace", None)
    return trace


def with_trace(merged: Merged, trace: Mapping[str, Any] | None) -> Merged:
    """The same, remembering this."""
    if isinstance(merged, Ensemble):
        return replace(merged, trace=None if trace is None else dict(trace))
    return dict(merged) if trace is None else Traced(merged, trace)
