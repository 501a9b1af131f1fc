"""A cell: one question to one method about one population. Its name is the test's id, its recipe is its identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.record import slug
from harness.suites.setting import Heads, Setting, corpus_of, member_seeds

if TYPE_CHECKING:
    from harness.checkpoints.names import ModelName  # which knows the methods' errors, and so torch


@dataclass(frozen=True)
class Source:
    """What one model is fine-tuned on; several members' rows together for `mtl`."""

    members: tuple[str, ...]
    seed: int
    draw: int  # the seed that partitions of a corpus are drawn with, where there are any


@dataclass(frozen=True)
class PopulationKey:
    """Which models are merged. Equal keys share one trained population, across test functions and files."""

    model: ModelName
    suite: str
    members: tuple[str, ...]  # corpora, or partitions of one: "cola#1"
    every: tuple[str, ...]  # the places that seeds are dealt by, whatever corpora are at hand
    seed: int
    heads: Heads
    name: str = ""  # where neither "all" nor the members' names will do
    chosen: tuple[str, ...] = ()  # corpora on whose development rows is chosen; none: the members' own

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed that each member is trained with."""
        return member_seeds(self.every, self.members, self.seed, self.heads)

    @property
    def sources(self) -> tuple[Source, ...]:
        """What each member is fine-tuned on."""
        return tuple(Source((m,), s, self.seed) for m, s in zip(self.members, self.seeds, strict=True))

    @property
    def together(self) -> Source:
        """What one model would be fine-tuned on that had all the members' rows."""
        return Source(self.members, self.seed, self.seed)

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora that the members were fine-tuned on, each once."""
        return tuple(dict.fromkeys(map(corpus_of, self.members)))

    @property
    def developed(self) -> tuple[str, ...]:
        """The corpora on whose development rows is chosen."""
        return self.chosen or self.corpora

    @property
    def population(self) -> str:
        """What a record calls it: the corpus whose partitions are merged, the pair's names, or "all"."""
        return self.name or ("+".join(self.corpora) if len(self.members) == 2 else "all")

    def __str__(self) -> str:
        """The part of a test id before the method: roberta-base-s1, roberta-base-s1-diff-dailydialog+isear."""
        parts = [slug(str(self.model)), f"s{self.seed}"]  # what a slug holds, -k can take
        parts += ["diff"] if self.heads == "diff" else []
        parts += [self.population] if self.population != "all" else []
        return "-".join(parts)


@dataclass(frozen=True)
class Cell:
    """One test of the benchmark."""

    setting: Setting
    key: PopulationKey
    method: str

    def sources(self, judged: bool) -> tuple[Source, ...]:
        """What has to be fine-tuned before it is answered; `judged`: members are looked at whatever the method."""
        together = (self.key.together,) if self.method == "mtl" else ()
        return (*(self.key.sources if judged or not together else ()), *together)

    def __str__(self) -> str:
        return f"{self.setting.name}[{self.key}-{':'.join((self.method, *self.setting.options))}]"


def seed_from(*names: object) -> int:
    """A 63-bit seed that depends on these names alone, so that a new method or corpus moves nobody's numbers."""
    digest = hashlib.sha256(":".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def identity(key: PopulationKey) -> dict[str, Any]:
    """What a record says of its population in words."""
    chosen = {"chosen": list(key.chosen)} if key.chosen else {}
    return {"members": list(key.members), "seeds": list(key.seeds), "heads": key.heads, **chosen}
