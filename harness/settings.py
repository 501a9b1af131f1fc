"""Settings: what is merged, and what the merged model is asked. A suite function carries one as its marker."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Heads = Literal["same", "diff", "none"]


@dataclass(frozen=True)
class Setting:
    """A question. `version` is part of every recipe: raise it when the same words come to mean another exam."""

    suite: str  # "emotion"
    name: str  # "in_domain"
    members: tuple[str, ...]  # the corpora that members are fine-tuned on, in the paper's order
    groups: Literal["all", "pairs"]  # one population of all members, or one of every pair
    examined: tuple[str, ...] | None = None  # corpora to examine on; None: the members' own test splits
    heads: tuple[Heads, ...] = ("same", "diff")
    version: int = 1

    def populations(self, available: Collection[str]) -> list[tuple[str, ...]]:
        """The groups of members that can be trained on the corpora at hand; at least two to a group."""
        there = tuple(m for m in self.members if m in available)
        groups = [there] if self.groups == "all" else list(itertools.combinations(there, 2))
        return [g for g in groups if len(g) > 1]

    def exam(self, members: tuple[str, ...], available: Collection[str]) -> tuple[str, ...]:
        """The corpora that a population of these members is examined on."""
        if self.examined is None:
            return members
        return tuple(c for c in self.examined if c in available)

    def coverage(self, members: tuple[str, ...], available: Collection[str]) -> str:
        """How much of the question could be asked: "3 of 5", or "3 of 5 members, 2 of 5 corpora"."""
        there = f"{sum(m in available for m in self.members)} of {len(self.members)}"
        if self.examined is None:
            return there
        return f"{there} members, {len(self.exam(members, available))} of {len(self.examined)} corpora"


def member_seeds(
    setting_members: tuple[str, ...], members: tuple[str, ...], seed: int, heads: Heads
) -> tuple[int, ...]:
    """The seed that each member is trained with (protocol 2.2).

    Same heads: one seed for all, so that every head starts equal. Different heads: member k of the full list of n gets
    (seed + k) mod n counted within blocks of n, so the runs of n seeds use every (member, seed) once and the members
    trained for one arrangement serve the other.
    """
    if heads != "diff":
        return tuple(seed for _ in members)
    n = len(setting_members)
    block, place = divmod(seed - 1, n)
    return tuple(block * n + (place + setting_members.index(m)) % n + 1 for m in members)
