"""A figure of one choice that was varied, and what came of it in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leaderboard import text
from leaderboard.pages.figures import Figure
from leaderboard.stats.difference import Told
from leaderboard.tables.cell import seeds_of
from leaderboard.tables.group import Block, Group
from leaderboard.tables.table import seeds_in_words, title_of

KIND = "varied"  # of figures that stand together, below a heading of their own


class Varied(NamedTuple):
    """One figure."""

    topic: str  # what was varied
    figure: Figure
    outcome: str  # a sentence or two
    column: str  # that it is of
    how: str = ""  # how to read the figure, which its caption begins with: the same for all that vary this


def drawn(group: Group, block: Block, file: str, title: str, svg: str, *caption: str, kind: str = KIND) -> Figure:
    """The figure of a column.

    Args:
        file: what its file is called by, after the column.
        caption: its sentences; empty ones are left out.
        kind: where it stands on the model's page.
    """
    says = f"{title}, {title_of(group, block)}"
    name = f"{group.key.model}, {group.key.suite}, {group.name}, {title_of(group, block)}, {file}"
    return Figure(name, says, svg, f"{text.sentence(joined(*caption))}\n", block, kind)


def joined(*sentences: str) -> str:
    """As one line."""
    return " ".join(" ".join(sentence.split()) for sentence in sentences if sentence)


def place(group: Group, block: Block, seeds: Sequence[int] = ()) -> str:
    """What a figure is of: model, suite, setting, protocol and seeds, those of the column unless others are given."""
    where = f"{group.key.model}, {group.called}, {title_of(group, block)}, protocol {group.name}"
    return f"{where}, {seeds_in_words(seeds or seeds_of(block.records))}"


def metric(group: Group, block: Block) -> str:
    """The name of what an axis shows."""
    return f"{group.said(block.question).metric} x 100"


def really(against: str, told: Mapping[str, Told | None]) -> str:
    """`Really above the usual value: x at 0.7; really below it: y at 0.1.`, or that nothing can be told."""
    said = []
    for verdict in ("above", "below"):
        names = [name for name, one in told.items() if one is not None and one.verdict == verdict]
        said += [f"really {verdict} {against}: {text.joined(names)}"] if names else []
    if said:
        whole = "; ".join(said)
        return f"{whole[:1].upper()}{whole[1:]}."
    known = any(one is not None and one.chance is not None for one in told.values())
    return f"Nothing can be told from {against}." if known else f"Nothing is known of chance beside {against}."
