"""How long an evolution takes, ours beside the paper's (Table 8).

Machines differ, so a setting's time is told as a share of the mean over settings too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leaderboard.stats.interval import mean
from leaderboard.tables.group import Block, Group
from leaderboard.tables.paper import minutes
from leaderboard.tables.table import spent_on, title_of

EVOLUTION = "simple_evolver"  # the row: the paper's evolution around the mean of all members, as its protocol has it
Asked = tuple[str, str]  # suite and setting


class Timed(NamedTuple):
    """One setting, asked of one model."""

    group: Group
    title: str  # `in-domain`
    seconds: float  # of one evolution: the median over records
    share: float | None  # of the mean over the settings that this model was asked; None where it is one
    minutes: tuple[float, float]  # the least and the most of the paper's models
    paper_share: float | None  # the same of the paper, over the same settings; the mean over its models


def times(own: Sequence[Group]) -> list[Timed]:
    """Of one model's groups: the paper's settings that it was asked, in the paper's order."""
    paper, found = minutes(), _found(own)
    asked = [place for place in paper if place in found]
    seconds = {place: found[place][2] for place in asked}
    return [
        Timed(
            *found[place],
            share=_share(seconds, place),
            minutes=(min(paper[place].values()), max(paper[place].values())),
            paper_share=_over_models({other: paper[other] for other in asked}, place),
        )
        for place in asked
    ]


def _found(own: Sequence[Group]) -> dict[Asked, tuple[Group, str, float]]:
    """Of each suite the group in which most of the paper's settings were asked: one protocol for all of them."""
    best: dict[str, dict[Asked, tuple[Group, str, float]]] = {}
    for group in own:
        there: dict[Asked, tuple[Group, str, float]] = {}
        for block in group.blocks():
            place = group.key.suite, block.question.setting
            if place in minutes() and (seconds := _seconds(block)):
                there.setdefault(place, (group, title_of(group, block), seconds))
        if len(there) > len(best.get(group.key.suite, {})):
            best[group.key.suite] = there
    return {place: told for there in best.values() for place, told in there.items()}


def _seconds(block: Block) -> float | None:
    """Of a column, what an evolution at its protocol's own values took."""
    records = block.rows.get(EVOLUTION, ())
    return spent_on(records).merge_seconds if records else None


def _share(of: Mapping[Asked, float], place: Asked) -> float | None:
    return of[place] / mean(list(of.values())) if len(of) > 1 else None


def _over_models(paper: Mapping[Asked, Mapping[str, float]], place: Asked) -> float | None:
    """The mean over the paper's models of a setting's share."""
    shares = [_share({asked: own[model] for asked, own in paper.items()}, place) for model in paper[place]]
    known = [share for share in shares if share is not None]
    return mean(known) if known else None
