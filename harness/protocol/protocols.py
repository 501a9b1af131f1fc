"""Protocols: every number and choice of an experiment, with a name. D1-D30 are explained in docs/protocols.md.

`paper` follows the paper and fixes what it leaves open; `official_code` follows the authors' released code, quirks
included, except that nothing is ever selected on the test split; `quick` is for CPUs and for a first look.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal

from harness.bounds import MANY, Bound
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
from methods.errors import MergeboardError, UnknownName

SHARE = Bound(0, 1, open_below=True, open_above=True)
ROWS = Bound(1, MANY)
LIMITS: Mapping[str, Bound] = {  # knob -> where its number makes sense
    **dict.fromkeys(("train_rows", "dev_rows", "test_rows", "fisher_rows", "gram_rows"), ROWS),
    **dict.fromkeys(("glue_dev_least", "glue_dev_most"), ROWS),
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
    "glue_dev_share": SHARE,
    "partition_rows": Bound(4, MANY, even=True),
    "partition_skew": Bound(0.5, 1, open_above=True),
}
OPTIONAL = {"train_rows", "dev_rows", "test_rows", "steps", "check_every", "fitness_digits", "glue_dev_most"}

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
    ood_labels: Literal["basic", "annotated"] = "basic"  # D11
    ood_rows: Literal["all", "test_if_diff"] = "all"  # D12
    head_merge: Literal["label_aware", "label_aware_weight", "plain"] = "label_aware"  # D18
    dtype: Literal["fp32", "bf16"] = "fp32"  # of the weights while scoring
    batch_tokens: int = 4096  # padded tokens per scoring batch

    # GLUE
    glue_dev: Literal["held_out", "partitions"] = "held_out"  # D7: rows of train kept apart, or the members' own
    glue_dev_share: float = 0.05  # of the train rows
    glue_dev_least: int = 100
    glue_dev_most: int | None = 2000
    partition_rows: int = 2000  # of both non-i.i.d. partitions together
    partition_skew: float = 0.8  # share of a partition's main label that it gets
    partition_sizes: Literal["exact", "as_released"] = "exact"  # D19

    # statistics of the members
    fisher_labels: Literal["expected", "sampled", "hard", "empirical"] = "expected"  # D15
    fisher_per_example: bool = True  # D15
    fisher_rows: int = 1000
    gram_rows: int = 16000
    gram_padding: Literal["masked", "counted"] = "masked"  # D17

    methods: Knobs = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, bound in LIMITS.items():
            value, none = getattr(self, name), name in OPTIONAL
            if not (none and value is None):
                bound.require(name, value, none)

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


_OFFICIAL_METHODS: Knobs = {
    "ties": {"trim": "official"},
    "evolver": {"mutation": "to_reference", "order": "permuted"},
    "regmean": {"alpha": 0.3},
}

PROTOCOLS: Mapping[str, Protocol] = {
    "paper": Protocol(),
    "official_code": Protocol(
        name="official_code",
        fitness="pooled",
        fitness_digits=5,
        ood_labels="annotated",
        ood_rows="test_if_diff",
        head_merge="label_aware_weight",
        fisher_labels="hard",
        fisher_per_example=False,
        fisher_rows=16000,
        gram_padding="counted",
        methods=_OFFICIAL_METHODS,
    ),
    "quick": Protocol(
        name="quick",
        seeds=(1, 2),
        train_rows=1200,
        dev_rows=150,
        test_rows=800,
        epochs=10,
        learning_rate=2e-4,
        train_batches="by_length",
        examples="all_questions",
        head_rate=15.0,  # a few hundred steps are too few for a head that learns as slowly as the trunk
        max_length=64,
        fisher_labels="sampled",
        fisher_rows=200,
        gram_rows=500,
        methods={"evolver": {"generations": 5}},
    ),
}

# Where an experiment differs by what is trained and asked (D19-D22, D29). A line applies to every context that has all
# of its tags: the family, transformers' model_type, the suite, the setting, and "tiny" for the embedded models.
TAILORED: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("paper", "encoder_decoder", {"learning_rate": 1e-4, "steps": 50_000, "check_every": 5_000}),
    ("paper", "decoder", {"learning_rate": 5e-5, "epochs": 10}),
    ("paper", "glue", {"seeds": (1, 2, 3, 4, 5, 6, 7, 8), "epochs": 10, "steps": None, "check_every": None}),
    ("official_code", "encoder_decoder", {"learning_rate": 1e-4, "steps": 50_000, "check_every": 5_000}),
    ("official_code", "decoder", {"learning_rate": 5e-5, "epochs": 10}),
    ("official_code", "distilbert", {"learning_rate": 2e-5, "warmup": 0.0, "checkpoint": "last"}),
    ("official_code", "deberta-v2", {"learning_rate": 6e-6}),
    ("official_code", "glue", {"seeds": (1, 2, 3, 4, 5, 6, 7, 8), "warmup": 0.0, "checkpoint": "last"}),
    ("official_code", "glue", {"steps": None, "check_every": None}),
    ("official_code", "non_iid", {"epochs": 10, "glue_dev": "partitions", "partition_sizes": "as_released"}),
    ("official_code", "cross_task", {"epochs": 3}),
    ("official_code", "encoder non_iid", {"learning_rate": 1e-5}),
    ("official_code", "encoder cross_task", {"learning_rate": 2e-5}),
    ("quick", "glue", {"partition_rows": 1200, "glue_dev_most": 150}),
    ("quick", "tiny", {"train_rows": 400, "epochs": 6, "learning_rate": 1.5e-3, "head_rate": 20.0, "gram_rows": 200}),
    ("quick", "decoder tiny", {"seeds": (1,), "train_rows": 240, "batch_size": 8, "dev_rows": 60, "test_rows": 120}),
    ("quick", "encoder_decoder tiny", {"seeds": (1,), "train_rows": 200, "epochs": 5, "batch_size": 8}),
    ("quick", "encoder_decoder tiny", {"dev_rows": 40, "test_rows": 90, "learning_rate": 2e-3, "fisher_rows": 100}),
    ("quick", "glue tiny", {"seeds": (1,), "partition_rows": 300, "train_rows": 200, "epochs": 5, "batch_size": 8}),
    ("quick", "glue tiny", {"dev_rows": 60, "test_rows": 150}),
    ("quick", "cross_task tiny", {"train_rows": 320, "epochs": 6}),
)


def named(name: str) -> Protocol:
    """The protocol of this name. Errors: `UnknownName` with a hint."""
    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def tailored(protocol: Protocol, tags: Collection[str], settings: Sequence[str]) -> Protocol:
    """The protocol with what differs in this context, then with the user's `NAME=VALUE` settings on top.

    Args:
        tags: what is trained and asked, e.g. {"encoder", "roberta", "glue", "non_iid"}.
    """
    for name, wanted, values in TAILORED:
        if name == protocol.name and all(tag in tags for tag in wanted.split()):
            protocol = replace(protocol, **values)
    for setting in settings:
        protocol = with_setting(protocol, setting)
    return protocol


def with_setting(protocol: Protocol, setting: str) -> Protocol:
    """One `NAME=VALUE` from the command line: a field of the protocol, or `METHOD.FIELD` for a method's.

    Errors: `UnknownName` for a name that is not there, `MergeboardError` for a value that does not fit.
    """
    name, separator, text = setting.partition("=")
    if not separator:
        raise MergeboardError(f"--set {setting}: write NAME=VALUE, for instance --set epochs=3 or --set ties.k=0.3")
    if "." in name:
        method, _, knob = name.partition(".")
        known = {**protocol.methods, method: {**protocol.methods.get(method, {}), knob: text}}
        return replace(protocol, methods=known)  # the registry checks the knob when it builds the method
    settable = [f.name for f in fields(Protocol) if f.name not in ("name", "methods", "seeds")]
    if name not in settable:
        raise UnknownName("protocol knob", name, [*settable, "METHOD.FIELD"])
    return replace(protocol, **{name: _convert(name, text, _kinds()[name])})


@cache
def _kinds() -> Mapping[str, Any]:
    """The type of every field; read once, as all annotations of the class have to be evaluated for it."""
    return typing.get_type_hints(Protocol)


def _convert(name: str, text: str, kind: Any) -> Any:
    """The text as a value of the field's type."""
    if typing.get_origin(kind) is Literal:
        if text not in typing.get_args(kind):
            raise UnknownName(f"value for {name}", text, typing.get_args(kind))
        return text
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        if text.lower() == "none":
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise MergeboardError(f"--set {name}={text}: {name} is true or false")
        return text.lower() == "true"
    try:
        value = kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise MergeboardError(f"--set {name}={text}: {name} is {wanted}, {LIMITS[name]}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise MergeboardError(f"--set {name}={text}: {name} is a finite number, {LIMITS[name]}")
    return value
