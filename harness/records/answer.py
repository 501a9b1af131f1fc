"""A record: what one cell answered, and everything that decided the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.records.files import slug
from harness.records.recipe import exam_key

SCHEMA = 2  # raise it when the meaning of a field changes; newer records are ignored, older ones read by a module each
TRAIN_ROWS = "train_rows"  # among a record's details: how many of each corpus its members were trained on, at most
_DIGEST = r"-[0-9a-f]{8}\.json"


@dataclass(frozen=True)
class RunRecord:
    """What one cell answered, and everything that decided the answer.

    `scores` are on the metric's own scale, 0 to 1 for macro-F1; `score` is their mean over datasets.
    """

    key: str  # hash of `recipe`: same recipe, same key, same file
    suite: str  # the name of the suite that asked
    setting: str  # "in_domain"
    model: str  # display name, "roberta-base"
    method: str  # "ties_evolver"
    seed: int
    population: str  # which members were merged: "all" or "dailydialog+tec"
    heads: str  # "same", "diff" or "none": how the members' fresh heads were initialised
    recipe: dict[str, Any]  # what decided the outcome and is not at its default; see docs/records.md
    score: float
    scores: dict[str, float]  # dataset -> score, of the examined splits
    metric: str  # "macro_f1"
    members: tuple[str, ...] = ()
    coverage: str = ""  # "3 of 5": how many of the setting's corpora were there
    details: dict[str, Any] = field(default_factory=dict)  # per-label scores, score at another threshold, sizes
    predictions: dict[str, Any] = field(default_factory=dict)  # dataset -> {"gold": sha, "rows", "outputs", "bits"}
    dev: dict[str, Any] = field(default_factory=dict)  # what development rows said, and were asked: see docs/records.md
    cost: dict[str, Any] = field(default_factory=dict)  # seconds, peak bytes, inference multiplier
    weights_sha256: str = ""  # of the merged weights, "" for an ensemble
    trace: dict[str, Any] | None = None  # how a search came about; replayed, it gives weights_sha256 again
    environment: dict[str, Any] = field(default_factory=dict)
    exam_key: str = ""  # records that share it sat the same exam with the same members; worked out of the recipe
    knobs: dict[str, Any] = field(default_factory=dict)  # what this cell was given besides its protocol's own values
    says: dict[str, Any] = field(default_factory=dict)  # the words that a reader shows; see harness/suites/words.py
    schema: int = SCHEMA  # of the file it was read from

    def __post_init__(self) -> None:
        if not self.exam_key:
            object.__setattr__(self, "exam_key", exam_key(self.recipe))

    @cached_property
    def path(self) -> Path:
        """Where the record lies, relative to a store's root."""
        name = f"{slug(self.method)}-s{self.seed}-{self.key}.json"
        return Path(slug(self.suite), slug(self.setting), slug(self.model), name)

    def lies_at(self, path: Path) -> bool:
        """Whether a file of this name, relative to a store's root, may hold the record."""
        stem = self.path.stem
        return path == self.path or (
            path.parent == self.path.parent
            and path.name.startswith(stem)
            and bool(re.fullmatch(_DIGEST, path.name[len(stem) :]))
        )
