"""The parts of a protocol: what each maker is told. A maker takes its part and nothing else, so its key can be the hash
of all that it was told.

Values and what they mean are those of `harness.protocol.protocol.Protocol`, field by field.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

DType = Literal["fp32", "bf16"]
Fitness = Literal["per_dataset_mean", "pooled"]
FisherLabels = Literal["expected", "sampled", "hard", "empirical"]
SearchBy = Literal["marks", "likelihood", "both"]
GramPadding = Literal["masked", "counted"]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Training:
    """How one model is fine-tuned on given rows."""

    version: ClassVar[int] = 1  # of the defaults: raise it when one of them changes; so in every part

    epochs: int
    steps: int | None
    check_every: int | None
    learning_rate: float
    head_rate: float
    batch_size: int
    train_batches: Literal["shuffled", "by_length"]
    warmup: float
    max_length: int
    checkpoint: Literal["best_dev", "last"]
    train_dtype: DType


@dataclass(frozen=True)
class Wording:
    """Which questions a generative model's training rows become."""

    version: ClassVar[int] = 1

    examples: Literal["one_question", "all_questions"]
    negatives: Literal["sqrt", "all"]


@dataclass(frozen=True)
class Choosing:
    """By what the best weights of a training are chosen, on the development rows."""

    version: ClassVar[int] = 1

    threshold: float
    fitness: Fitness
    fitness_digits: int | None
    dtype: DType
    batch_tokens: int | None  # None where it changes no score: fp32


@dataclass(frozen=True)
class Scoring:
    """How rows are scored."""

    version: ClassVar[int] = 1

    threshold: float
    dtype: DType
    max_length: int
    batch_tokens: int | None  # None where it changes no score: fp32


@dataclass(frozen=True)
class Search:
    """What a method that asks for development scores is told."""

    version: ClassVar[int] = 1

    dev_fraction: float
    fitness: Fitness
    fitness_digits: int | None
    search_by: SearchBy  # by which candidates are scored where answers are written; "marks" where none are


@dataclass(frozen=True)
class Heads:
    """How the output layers of members that know different labels are merged."""

    version: ClassVar[int] = 1

    head_merge: Literal["label_aware", "label_aware_weight", "plain"]


@dataclass(frozen=True)
class FisherSettings:
    """How Fisher diagonals are made."""

    version: ClassVar[int] = 1

    fisher_labels: FisherLabels
    fisher_per_example: bool
    fisher_rows: int
    max_length: int
    batch_tokens: int | None  # None where every row has a gradient of its own


@dataclass(frozen=True)
class GramSettings:
    """How Gram matrices are made."""

    version: ClassVar[int] = 1

    gram_rows: int
    gram_padding: GramPadding
    max_length: int
    batch_tokens: int | None  # None where padding counts nothing


def part(kind: type[Part], protocol: Any, **instead: Any) -> Part:
    """This part of a protocol, with other values where something else decides."""
    return kind(**{f.name: getattr(protocol, f.name) for f in fields(kind)} | instead)  # type: ignore[arg-type]
