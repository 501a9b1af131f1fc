"""A protocol: every number and choice of an experiment. D1-D30 are explained in docs/protocols.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.bounds import MANY, Bound
from harness.protocol.knobs import require_limits
from harness.protocol.own import Own
from harness.protocol.parts import (
    Choosing,
    FisherSettings,
    GramSettings,
    Heads,
    Scoring,
    Search,
    Training,
    Wording,
    part,
)

ROWS = Bound(1, MANY)
LIMITS: Mapping[str, Bound] = {  # knob -> where its number makes sense
    **dict.fromkeys(("train_rows", "dev_rows", "test_rows", "fisher_rows", "gram_rows"), ROWS),
    "dev_fraction": Bound(0, 1, open_below=True),  # to have no dev rows is the inner method
    "split_seed": Bound(0, 1_000_000),
    "epochs": Bound(1, 10_000),
    "steps": Bound(1, 100_000_000),
    "check_every": Bound(1, 100_000_000),
    "learning_rate": Bound(0, 1, open_below=True),
    "head_rate": Bound(0, 10_000, open_below=True),
    "batch_size": Bound(1, 100_000),
    "warmup": Bound(0, 1, open_above=True),
    "max_length": Bound(8, 1_000_000),  # a question with its special tokens is no shorter
    "threshold": Bound(-100, 100),  # logits beyond do not occur
    "fitness_digits": Bound(0, 15),  # what a double holds
    "batch_tokens": Bound(1, 10_000_000),
    "partition_rows": Bound(4, MANY, even=True),
    "partition_skew": Bound(0.5, 1, open_above=True),
}

Knobs = Mapping[str, Mapping[str, Any]]  # method name -> its hyper-parameters, where they differ from the defaults


@dataclass(frozen=True)
class Protocol:
    """One complete way to run the experiment. A cell's recipe holds the parts of it that the cell used, and of those
    what differs from the defaults below: a default may not change unless the part's `version` is raised.

    What only says which rows are taken is in no recipe: rows are known by their content.
    """

    name: str = "paper"
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)

    # rows per corpus; None is all of them, a number is a prefix of the fixed shuffle
    train_rows: int | None = None
    dev_rows: int | None = None
    test_rows: int | None = None
    dev_fraction: float = 1.0  # D28: share of the dev rows that candidates are scored on
    split_seed: int = 0  # D27
    repeats: Literal["as_published", "kept", "cut"] = "as_published"  # exam rows whose text members were trained on

    # fine-tuning (paper, section 4.1)
    epochs: int = 30
    steps: int | None = None  # instead of epochs
    check_every: int | None = None  # steps between checks on the dev rows; every epoch, if None
    learning_rate: float = 1e-5
    head_rate: float = 1.0  # learning rate of the fresh head, as a multiple
    batch_size: int = 16
    train_batches: Literal["shuffled", "by_length"] = "shuffled"  # rows of one length together: less padding
    warmup: float = 0.06  # share of the steps
    max_length: int = 128  # tokens
    checkpoint: Literal["best_dev", "last"] = "best_dev"  # D22
    examples: Literal["one_question", "all_questions"] = "one_question"  # of a text, in a generative model's example
    negatives: Literal["sqrt", "all"] = "sqrt"  # share of the questions answered "no" that generative models train on
    train_dtype: Literal["fp32", "bf16"] = "fp32"  # of the products while training; weights stay fp32

    # scoring
    threshold: float = 0.5  # D10: on the raw logit, as published
    fitness: Literal["per_dataset_mean", "pooled"] = "per_dataset_mean"  # D8
    fitness_digits: int | None = None  # D5: the published code compares scores rounded to 5 digits
    search_by: Literal["marks", "likelihood", "both"] = "marks"  # of candidates whose answers are written
    head_merge: Literal["label_aware", "label_aware_weight", "plain"] = "label_aware"  # D18
    dtype: Literal["fp32", "bf16"] = "fp32"  # of the weights while scoring
    batch_tokens: int = 4096  # padded tokens per scoring batch

    # two partitions of a corpus
    partition_rows: int = 2000  # of both together
    partition_skew: float = 0.8  # share of a partition's main label that it gets
    partition_sizes: Literal["exact", "as_released"] = "exact"  # D19

    # statistics of the members
    fisher_labels: Literal["expected", "sampled", "hard", "empirical"] = "expected"  # D15
    fisher_per_example: bool = True  # D15
    fisher_rows: int = 1000
    gram_rows: int = 16000
    gram_padding: Literal["masked", "counted"] = "masked"  # D17

    methods: Knobs = field(default_factory=dict)
    own: Own = field(default_factory=Own)  # the suite's own knobs

    def __post_init__(self) -> None:
        require_limits(self, LIMITS)

    @property
    def training(self) -> Training:
        """How members are fine-tuned."""
        return part(Training, self)

    @property
    def wording(self) -> Wording:
        """Which questions a generative model's training rows become."""
        return part(Wording, self)

    @property
    def choosing(self) -> Choosing:
        """By what a training's best weights are chosen."""
        return part(Choosing, self, batch_tokens=self._batching)

    @property
    def scoring(self) -> Scoring:
        """How rows are scored."""
        return part(Scoring, self, batch_tokens=self._batching)

    @property
    def search(self) -> Search:
        """What a method that asks for development scores is told."""
        return part(Search, self)

    @property
    def heads(self) -> Heads:
        """How output layers are merged."""
        return part(Heads, self)

    @property
    def fisher(self) -> FisherSettings:
        """How Fisher diagonals are made."""
        return part(FisherSettings, self, batch_tokens=None if self.fisher_per_example else self.batch_tokens)

    @property
    def gram(self) -> GramSettings:
        """How Gram matrices are made."""
        return part(GramSettings, self, batch_tokens=None if self.gram_padding == "masked" else self.batch_tokens)

    @property
    def _batching(self) -> int | None:
        """In half precision, what a row scores depends on the rows beside it."""
        return None if self.dtype == "fp32" else self.batch_tokens
