"""Settings: what is merged, and what the merged model is asked. A suite function carries one as its marker."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

from methods.errors import MergeboardError

Role = Literal["", "off_target", "ablation"]
"""What an exam is asked for: to be good at it; to see what that costs elsewhere; or to see what one choice of the
experiment does. Nothing ranks by the last two."""

Heads = Literal["same", "diff", "own", "none"]
"""How the members' fresh heads start: equal, each from its own seed; or every task keeps its own head, which is not
merged; or there is none, since a generative model answers in words."""

PART = "#"  # "cola#2": the second partition of cola's training rows
VARIANT = "@"  # "cola@2b": a member of a soup, trained on the same rows with seed 2 and another choice of knobs


def corpus_of(member: str) -> str:
    """The corpus whose rows a member is fine-tuned on: "cola#2" -> "cola"."""
    return member.partition(PART)[0].partition(VARIANT)[0]


def variant_of(member: str) -> str:
    """What tells a member of a soup from the others: "cola@2b" -> "2b"; empty for other members."""
    return member.partition(VARIANT)[2]


@dataclass(frozen=True)
class Setting:
    """A question. `version` is part of every recipe: raise it when the same words come to mean another exam."""

    suite: str  # the name of the registered suite that knows the corpora
    name: str  # "in_domain"
    members: tuple[str, ...]  # the corpora that members are fine-tuned on, in the paper's order
    groups: Literal["all", "pairs", "halves", "all_but_one", "first"] | tuple[tuple[str, ...], ...]
    """One population of all members, one of every pair, one of two partitions of each, one without each, which is
    examined on what it does not have, the first two, three and so on of those at hand, or those listed."""
    examined: tuple[str, ...] | None = None  # corpora to examine on; None: the members' own test splits
    heads: tuple[Heads, ...] = ("same", "diff")
    version: int = 1
    title: str = ""  # what stands above a table's column; the name, if empty
    caption: str = ""  # a sentence below it: what is merged, what is examined, what the score is
    chosen: tuple[str, ...] | None = None
    """Corpora on whose development rows is chosen; None: the members' own. Where they are named, what is examined are
    test rows, also of a corpus that a member was fine-tuned on."""
    role: Role = ""  # off_target, ablation: shown apart, and no ranks, best rows or answers come of it
    options: tuple[str, ...] = ()  # `NAME=VALUE` behind the user's own `--set`, which a record tells as those

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise MergeboardError(f"setting {self.name}: role is {self.role!r}, wanted off_target, ablation or none")
        listed = () if isinstance(self.groups, str) else itertools.chain.from_iterable(self.groups)
        trained = {corpus_of(m) for m in (*self.members, *listed)}
        both = [c for c in self.examined or () if corpus_of(c) in trained and self.chosen is None]
        if both:
            raise MergeboardError(
                f"setting {self.name}: {', '.join(both)} is examined and a member is fine-tuned on it, so the exam "
                "would hold training rows; name other corpora in examined, or leave it out and ask test rows alone"
            )

    def with_options(self, options: tuple[str, ...]) -> Setting:
        """The same question with further options; itself where there are none."""
        return replace(self, options=(*self.options, *options)) if options else self

    def populations(self, available: Collection[str]) -> list[tuple[str, ...]]:
        """The groups of members that can be trained on the corpora at hand; at least two to a group."""
        there = tuple(m for m in self.members if m in available)
        if self.groups == "all":
            return [there] if len(there) > 1 else []
        if self.groups == "all_but_one":
            return [tuple(m for m in there if m != out) for out in there] if len(there) > 2 else []
        if self.groups == "first":
            return [there[:count] for count in range(2, len(there) + 1)]
        return [g for g in self._listed() if all(corpus_of(m) in available for m in g)]

    def impossible(self, available: Collection[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The listed groups that cannot be trained, each with the corpora it lacks."""
        if self.groups in ("all", "pairs", "all_but_one", "first"):  # whose members are chosen from what is there
            return []
        lacking = [
            (g, tuple(dict.fromkeys(c for c in map(corpus_of, g) if c not in available))) for g in self._listed()
        ]
        return [(g, missing) for g, missing in lacking if missing]

    def _listed(self) -> list[tuple[str, ...]]:
        if self.groups == "pairs":
            return list(itertools.combinations(self.members, 2))
        if self.groups == "halves":
            return [(f"{m}{PART}1", f"{m}{PART}2") for m in self.members]
        return [] if isinstance(self.groups, str) else list(self.groups)

    def places(self, group: tuple[str, ...]) -> tuple[str, ...]:
        """The list that seeds are dealt by, which the members at hand do not change."""
        return group if self.groups == "halves" or any(map(variant_of, group)) else self.members

    def called(self, group: tuple[str, ...]) -> str:
        """What the population of these members is called where "all" would be said of several; else empty."""
        if self.groups == "all_but_one":
            return "without-" + "+".join(m for m in self.members if m not in group)
        several = (not isinstance(self.groups, str) or self.groups == "first") and len(group) > 2
        return "+".join(dict.fromkeys(map(corpus_of, group))) if several else ""

    @property
    def unseen(self) -> bool:
        """Whether what is examined is what no member was fine-tuned on."""
        return (self.examined is not None and self.chosen is None) or self.groups == "all_but_one"

    def exam(self, members: tuple[str, ...], available: Collection[str]) -> tuple[str, ...]:
        """The corpora that a population of these members is examined on."""
        if self.groups == "all_but_one":
            return tuple(m for m in self.members if m in available and m not in members)
        if self.examined is None:
            return tuple(dict.fromkeys(map(corpus_of, members)))
        return tuple(c for c in self.examined if c in available)

    def coverage(self, available: Collection[str]) -> str:
        """How much of the question could be asked: "3 of 5", "3 of 5 members, 2 of 5 corpora", "3 of 8 pairs"."""
        if not isinstance(self.groups, str):
            what = "pairs" if all(len(group) == 2 for group in self.groups) else "groups"
            return f"{len(self.populations(available))} of {len(self.groups)} {what}"
        there = f"{sum(m in available for m in self.members)} of {len(self.members)}"
        if self.examined is None:
            return there
        return f"{there} members, {sum(c in available for c in self.examined)} of {len(self.examined)} corpora"


def member_seeds(
    setting_members: tuple[str, ...], members: tuple[str, ...], seed: int, heads: Heads
) -> tuple[int, ...]:
    """The seed that each member is trained with.

    Same heads: one seed for all, so that every head starts equal. Different heads: member k of the full list of n gets
    (seed + k) mod n counted within blocks of n, so the runs of n seeds use every (member, seed) once and the members
    trained for one arrangement serve the other. A member of a soup says its seed itself, in further runs one of the
    next block.
    """
    if any(map(variant_of, members)):
        own = [int(re.match(r"\d+", variant_of(m))[0]) for m in members]  # type: ignore[index]  # all begin with it
        return tuple((seed - 1) * max(own) + k for k in own)
    if heads != "diff":  # with "own" and "none" too: one seed for all that is random in training
        return tuple(seed for _ in members)
    n = len(setting_members)
    block, place = divmod(seed - 1, n)
    return tuple(block * n + (place + setting_members.index(m)) % n + 1 for m in members)
