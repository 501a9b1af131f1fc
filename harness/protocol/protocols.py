"""The protocols by name, and what each says of an architecture or a family.

`paper` follows the paper and fixes what it leaves open; `official_code` follows the authors' released code, quirks
included, except that nothing is ever selected on the test split; `quick` is for CPUs and for a first look; `sakana` is
`paper` with searches as Akiba et al. made them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.protocol.changed import with_setting, with_values
from harness.protocol.protocol import Knobs, Protocol
from methods.errors import UnknownName

_OFFICIAL_METHODS: Knobs = {
    "ties": {"trim": "official"},
    "evolver": {"mutation": "to_reference", "order": "permuted"},
    "regmean": {"alpha": 0.3},
}

_SAKANA_METHODS: Knobs = {  # what docs/protocols.md says of the parameter space; the rest are defaults
    "search": {"budget": 1000, "layers": "blocks", "start": "middle", "apart": 0.0},
    "cma": {"sigma": 1 / 6, "separable": "no"},
}

PROTOCOLS: Mapping[str, Protocol] = {
    "paper": Protocol(),
    "official_code": Protocol(
        name="official_code",
        fitness="pooled",
        fitness_digits=5,
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
    "sakana": Protocol(name="sakana", methods=_SAKANA_METHODS),
}
FOLLOWS: Mapping[str, str] = {"sakana": "paper"}  # a protocol -> the one whose lines hold for it too

Line = tuple[str, str, Mapping[str, Any]]
"""A protocol's name, tags, and the values that its knobs have where all of these tags hold."""

# Where an experiment differs by what is trained (D20-D22, D29): by family, transformers' model_type, and "tiny" for the
# embedded models. Suites have lines of their own, which may name these tags too, and a setting.
TAILORED: Sequence[Line] = (
    ("paper", "encoder_decoder", {"learning_rate": 1e-4, "steps": 50_000, "check_every": 5_000}),
    ("paper", "decoder", {"learning_rate": 5e-5, "epochs": 10}),
    ("official_code", "encoder_decoder", {"learning_rate": 1e-4, "steps": 50_000, "check_every": 5_000}),
    ("official_code", "decoder", {"learning_rate": 5e-5, "epochs": 10}),
    ("official_code", "distilbert", {"learning_rate": 2e-5, "warmup": 0.0, "checkpoint": "last"}),
    ("official_code", "deberta-v2", {"learning_rate": 6e-6}),
    ("quick", "tiny", {"train_rows": 400, "epochs": 6, "learning_rate": 1.5e-3, "head_rate": 20.0, "gram_rows": 200}),
    ("quick", "decoder tiny", {"seeds": (1,), "train_rows": 240, "batch_size": 8, "dev_rows": 60, "test_rows": 120}),
    ("quick", "encoder_decoder tiny", {"seeds": (1,), "train_rows": 200, "epochs": 5, "batch_size": 8}),
    ("quick", "encoder_decoder tiny", {"dev_rows": 40, "test_rows": 90, "learning_rate": 2e-3, "fisher_rows": 100}),
)


def named(name: str) -> Protocol:
    """The protocol of this name. Errors: `UnknownName` with a hint."""
    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def tailored(
    protocol: Protocol, tags: Collection[str], settings: Sequence[str], lines: Sequence[Line] | None = None
) -> Protocol:
    """The protocol with what differs in this context, then with the user's `NAME=VALUE` settings on top.

    Args:
        tags: what is trained and asked, e.g. {"encoder", "roberta", "pairwise"}.
        lines: those of `TAILORED`, unless others are given; what stands later has the last word.
    """
    names = {protocol.name, FOLLOWS.get(protocol.name)}
    for name, wanted, values in TAILORED if lines is None else lines:
        if name in names and all(tag in tags for tag in wanted.split()):
            protocol = with_values(protocol, values)
    for setting in settings:
        protocol = with_setting(protocol, setting)
    return protocol
