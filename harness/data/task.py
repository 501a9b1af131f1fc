"""What a model is asked: the meaning of its outputs, the metric, and the words in which a generative model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.records.recipe import Recipe, written

Kind = Literal["multi_label", "classification", "regression", "generation"]
OF_KIND: Mapping[Kind, tuple[str, ...]] = {  # what each kind of task can be measured by, its usual metric first
    "classification": ("accuracy", "macro_f1", "matthews", "balanced_accuracy", "weighted_f1", "micro_f1", "f1"),
    "multi_label": ("macro_f1", "micro_f1", "weighted_f1", "accuracy"),
    "regression": ("pearson", "spearman"),
    "generation": ("mean_mark",),
}
SIGNED = ("matthews", "pearson", "spearman")  # metrics that go down to -1; undefined where all rows are alike
MOST_CLASSES = 1000  # outputs of a task: where answers are judged row by row, each is a column


@dataclass(frozen=True)
class Task:
    """One kind of question about a text, or about a pair of texts; or a text to go on from.

    `statements` and `questions` are what decoders and encoder-decoders are asked, one per output, and answer with yes
    or no; an output whose statement is empty is never asked and scores 0, so that the second class of two needs one
    question, not two.
    """

    name: str  # "cola"
    kind: Kind
    outputs: tuple[str, ...]  # label names, class names, or one name for a score
    metric: str  # that counts; one of harness/judging/rowwise/, e.g. "macro_f1"
    statements: tuple[str, ...]  # "The sentence expresses joy."
    questions: tuple[str, ...]  # "does the sentence express joy?"
    pair: bool = False  # whether rows are pairs of texts
    span: tuple[float, float] = (0.0, 1.0)  # regression: the lowest and the highest score
    version: int = 1  # raise it when the same words come to ask, or its metric to measure, something else
    also: tuple[str, ...] = ()  # metrics that are reported beside it, and decide nothing
    prompt: str = ""  # generation: what the model goes on from, with {text}, and {second} of a pair, in it
    tokens: int = 0  # generation: the most new tokens of an answer; one that needs more is cut there, and counted
    stop: tuple[str, ...] = ()  # generation: an answer ends before the first of these
    graders: tuple[str, ...] = ()  # generation: as a user writes them, "number:locale=de"; marks are multiplied
    asked_by: str = ""  # whose harness asks its rows and marks the answers, in which version and how; empty: ours

    def recipe(self, in_words: bool) -> Recipe:
        """What of it decides what a model learns and scores; the words, where the model is asked in words."""
        out = ("also",) if in_words else ("also", "statements", "questions")
        return {n: v for n, v in written(self).items() if n not in out}

    @property
    def width(self) -> int:
        """Columns of the labels: one per label of a multi-label task, else one (a class number, a score, a mark)."""
        return len(self.outputs) if self.kind == "multi_label" else 1

    @property
    def asked(self) -> tuple[int, ...]:
        """The outputs that a generative model is asked about."""
        return tuple(k for k, statement in enumerate(self.statements) if statement)
