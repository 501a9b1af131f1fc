"""What makers and judges are told: a protocol's parts as they hold for heads, or for answers in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.protocol.parts import Choosing, FisherSettings, GramSettings, Scoring, Training
from harness.protocol.protocol import Protocol
from harness.records.recipe import Recipe, written

PLAIN = Protocol()  # what recipes leave out


@dataclass(frozen=True)
class Told:
    """One protocol for one kind of family."""

    protocol: Protocol
    generative: bool  # whether the model answers in words

    @cached_property
    def scoring(self) -> Scoring:
        """How rows are scored. A generative model says yes where yes is the likelier answer; D10's threshold is for
        heads."""
        found = self.protocol.scoring
        return replace(found, threshold=0.0) if self.generative else found

    @cached_property
    def choosing(self) -> Choosing:
        """By what the best weights of a training are chosen."""
        return replace(self.protocol.choosing, threshold=self.scoring.threshold)

    def fisher(self, scores: bool = False) -> FisherSettings:
        """How Fisher diagonals are made; `scores`: of a task that asks for scores. D15: the given labels where answers
        are in words, or are scores; of scores, `hard` takes those too, by the released code's loss."""
        found = self.protocol.fisher
        given_labels = self.generative or (scores and found.fisher_labels != "hard")
        return replace(found, fisher_labels="empirical") if given_labels else found

    @property
    def gram(self) -> GramSettings:
        """How Gram matrices are made."""
        return self.protocol.gram

    def training(self, own: Mapping[str, Any]) -> Training:
        """How a member is fine-tuned that has knobs of its own; its own epochs hold, whatever steps others take."""
        found = self.protocol.training
        return replace(replace(found, steps=None) if "epochs" in own else found, **own)

    def training_recipe(self, own: Mapping[str, Any] | None = None) -> Recipe:
        """How members are fine-tuned, or one of them, in so far as this kind of family asks."""
        worded = written(self.protocol.wording, PLAIN.wording) if self.generative else {}
        return {**written(self.training(own or {}), PLAIN.training), **worded}
