"""All that a model card says, gathered before anything is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.data.task import Task
from harness.export.ancestry import Origin
from harness.export.forms import Form
from harness.export.scores import Scored
from harness.records.record import RunRecord


@dataclass(frozen=True)
class Member:
    """One of the models that were merged."""

    name: str
    seed: int
    brought: Origin | None  # None: fine-tuned here, from the ancestor
    adapter: bool = False  # whether it was brought as an adapter


@dataclass(frozen=True)
class Reading:
    """What it takes to read the result's answers as they were read when it was examined."""

    family: str  # "encoder", "decoder", "encoder_decoder"
    max_length: int  # tokens that texts are cut at
    threshold: float  # on the raw logit of a label
    asked: Mapping[str, Any] = field(default_factory=dict)  # of models that answer yes or no in words: their tokens


@dataclass(frozen=True)
class Facts:
    """One result."""

    record: RunRecord
    why: str  # how it was chosen, in whole sentences
    member: str | None  # the one that was written, where no merge is better
    form: Form
    tasks: Mapping[str, Task]  # corpus -> what is asked
    scores: tuple[Scored, ...]  # the result first
    ancestor: Origin
    members: tuple[Member, ...]
    reading: Reading
    dtype: str  # "float32"
    method: Mapping[str, Any]  # name, version and knobs
    changed: Mapping[str, int] = field(default_factory=dict)  # corpus -> test answers that the dtype changed
    sources: Mapping[str, str] = field(default_factory=dict)  # corpus -> org/name@commit, of those from the hub

    @property
    def origins(self) -> list[Origin]:
        """Every model that was not trained here, each once."""
        return list(dict.fromkeys((self.ancestor, *(m.brought for m in self.members if m.brought is not None))))

    @property
    def licence(self) -> str | None:
        """The licence that all of them have, if they all have one and it is known."""
        found = {origin.licence for origin in self.origins}
        return found.pop() if len(found) == 1 else None
