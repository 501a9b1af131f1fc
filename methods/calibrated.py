"""Calibrated: any merge, with one number added to each of its outputs, chosen on development rows.

    logits' = logits + o,    o = argmax of the development score, the least |o| of equals

Nothing else of the merge is touched, so this is the control for every method that asks for development scores: what
`simple_calibrated` gains over `simple` is what thresholds alone are worth, and what `simple_evolver` gains beyond it is
not calibration. The score itself is maximised, as searches and evolutions do: a log-loss would make the control aim at
something else than what it is held against, and the metric of a label is often best far from where its probability is
even. It costs one evaluation: logits are asked for once, and then shifted.

Outputs are fitted one after the other, again until nothing gains (five times at most), each at the middle between two
rows that would change their answer; where there are more than a hundred such places, a hundred evenly chosen ones are
tried. Where an output cannot gain, its offset is 0. A label's number moves its threshold, a class's its share in the
maximum, and the answer of a generative model its difference of yes and no. Correlations do not see a number that is
added to a score, so a score's is the mean error instead, and its row gains nothing.

All corpora of one task have one output layer, and where each has a head of its own, each has its own numbers. Where the
merge has the bias of the layer, the bias is moved and the result is one plain set of weights; elsewhere, where rounding
the bias would change an answer, and in half precision, which rounds the logits too, the numbers stand beside the merge.
Test rows have no part in it.

Elsewhere: "threshold tuning", "bias correction"; scikit-learn's `TunedThresholdClassifierCV` is the case of one label.
Temperature scaling, which is called calibration too, changes no answer and so would change nothing here.

References:
    Lipton, Elkan, Naryanaswamy. Optimal Thresholding of Classifiers to Maximize F1 Measure. ECML PKDD 2014.
    https://arxiv.org/abs/1402.1892
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.asking import KeepsApart, Said, answers, kept_apart
from methods.base import DevScore, Merged, MergeMethod, Offset, PerMember, Population, Replayable
from methods.calls import asks
from methods.catalogue import register
from methods.errors import MergeboardError
from methods.merged import is_one, models_of, trace_of, with_trace
from methods.searching.offsets import fitted


@register("calibrated", paper="Lipton et al., ECML PKDD 2014, arXiv:1402.1892")
@dataclass(frozen=True)
class Calibrated(Replayable, PerMember, KeepsApart):
    """An inner method whose outputs are shifted."""

    version: ClassVar[int] = 2  # 1 moved the bias in half precision too, which answers otherwise than was fitted
    needs: ClassVar[tuple[str, ...]] = ("development scores",)
    moves_equal_members: ClassVar[str] = "its output layer is moved to where development rows are answered best"

    inner: MergeMethod | None = None

    @property
    def order_matters(self) -> str:
        return getattr(self.inner, "order_matters", "")

    @property
    def apart(self) -> float:  # type: ignore[override]  # that of a search within
        """The share of the development rows that the inner method wants kept apart."""
        return kept_apart(self.inner)

    def require_fits(self, members: int) -> None:
        """As the inner method says."""
        if isinstance(self.inner, PerMember):
            self.inner.require_fits(members)

    def scores(self, members: int) -> int:
        """One, and those of the inner method."""
        return 1 + asks(self.inner, members)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Merged:
        """Errors: `NotApplicable` where answers are read from no logits."""
        merged = self._method.merge(population, score, rng)
        said = answers(score, merged)
        found = fitted(said)
        trace: dict[str, Any] = {
            "inner": None if (own := trace_of(merged)) is None else dict(own),
            "offsets": {layer: offsets.tolist() for layer, offsets in found.items()},
            "biases": _biases(merged, said),
            "start": said.score({}),
            "final": said.score(found),
        }
        if said.score({**found, **_as_rounded(merged, trace)}) != trace["final"]:
            trace["biases"] = {}
        return _shifted(merged, trace)

    def replay(self, population: Population, trace: Mapping[str, Any], score: DevScore, rng: torch.Generator) -> Merged:
        """The same numbers beside the same merge; nothing is scored."""
        if trace["inner"] is not None and isinstance(self._method, Replayable):
            merged = self._method.replay(population, trace["inner"], score, rng)
        else:
            merged = self._method.merge(population, score, rng)
        return _shifted(merged, trace)

    @property
    def _method(self) -> MergeMethod:
        if self.inner is None:
            raise MergeboardError("a calibration needs a method; ask for it as <method>_calibrated")
        return self.inner


def _biases(merged: Merged, said: Said) -> dict[str, str]:
    """Layer -> the parameter of the merge that is added to its logits; nothing unless all layers have one each."""
    found = {own.layer: own.bias for own in said.answered.values()}
    whole = is_one(merged) and all(bias in models_of(merged)[0] for bias in found.values())
    return found if whole and len(set(found.values())) == len(found) else {}


def _moved(merged: Merged, trace: Mapping[str, Any]) -> dict[str, Tensor]:
    """The biases with their offsets, rounded once."""
    (weights,) = models_of(merged) if trace["biases"] else ({},)
    added = {layer: torch.tensor(own, dtype=torch.float64) for layer, own in trace["offsets"].items()}
    return {
        bias: (weights[bias].cpu().double() + added[layer]).to(weights[bias]) for layer, bias in trace["biases"].items()
    }


def _as_rounded(merged: Merged, trace: Mapping[str, Any]) -> dict[str, Tensor]:
    """Layer -> what moving its bias really adds."""
    moved = _moved(merged, trace)
    return {
        layer: moved[bias].cpu().double() - models_of(merged)[0][bias].cpu().double()
        for layer, bias in trace["biases"].items()
    }


def _shifted(merged: Merged, trace: Mapping[str, Any]) -> Merged:
    """The merge that the trace tells of."""
    if trace["biases"]:
        return with_trace({**models_of(merged)[0], **_moved(merged, trace)}, trace)
    offsets = {layer: tuple(map(float, own)) for layer, own in trace["offsets"].items()}
    return Offset(merged, offsets, dict(trace))
