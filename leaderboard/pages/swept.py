"""Scores against the values of an option, and against how many members there are, as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leaderboard import text, words
from leaderboard.pages import prose
from leaderboard.pages.outcomes import Varied, drawn, joined, metric, place, really
from leaderboard.plots.lines import Mark, lines
from leaderboard.tables.group import Group
from leaderboard.tables.one_by_one import OneByOne
from leaderboard.tables.options import BUDGET, DEV_ROWS
from leaderboard.tables.paper import by_dev_rows
from leaderboard.tables.sweeps import Point, Sweep
from leaderboard.tables.table import title_of

MEMBERS = "Members added one by one"
CORRECTED = (
    "Here p is corrected for the marks of this figure; a table of ablations corrects it for all of its rows, so that "
    "some may be undecided there."
)


class Said(NamedTuple):
    """The words about one option."""

    topic: str
    title: str  # of the figure
    axis: str
    paper: str = ""  # a sentence about what the paper shows


OPTIONS: Mapping[str, Said] = {
    "evolver.F": Said("F, the scale of mutations", "Score by F, the scale of mutations", "F", prose.FIGURE_5),
    "evolver.Cr": Said("Cr, the crossover rate", "Score by Cr, the crossover rate", "Cr", prose.FIGURE_5),
    "regmean.alpha": Said("Alpha of RegMean", "Score by alpha of RegMean", "alpha", prose.FIGURE_6),
    DEV_ROWS: Said(
        "Share of the development rows", "Score by the share of development rows", "share of the development rows"
    ),
    BUDGET: Said("Budget of a search", "Gain by the budget of a search", "development evaluations (log scale)"),
}


def topic_of(option: str) -> str:
    """The heading of an option."""
    return OPTIONS[option].topic if option in OPTIONS else f"Option {option}"


def by_option(group: Group, sweep: Sweep) -> Varied:
    """The figure of a sweep."""
    name, block = sweep.option, sweep.block
    said = OPTIONS.get(name, Said("", f"Score by {name}", name))
    title = said.title if sweep.gains else said.title.replace("Gain", "Score", 1)
    axis = said.axis if sweep.usual is None else f"{said.axis} (usual: {sweep.usual:g})"
    names = axis, f"gain in {metric(group, block)}" if sweep.gains else metric(group, block)
    marks = {words.shown(row): _marks(points) for row, points in sweep.lines.items()}
    beside = {words.shown(row): score for row, score in sweep.beside.items()}
    svg = lines(title, place(group, block, sweep.seeds), marks, names, beside, log=name == BUDGET)
    outcome = _outcome(sweep)
    paper = by_dev_rows(sweep.lines) if name == DEV_ROWS else said.paper
    how = prose.GAIN_LINES if sweep.gains else prose.SCORE_LINES
    return Varied(
        topic_of(name),
        drawn(group, block, title[:1].lower() + title[1:], title, svg, how, outcome, paper),
        outcome,
        title_of(group, block),
        how,
    )


def by_members(group: Group, one: OneByOne) -> Varied:
    """The figure of members that come in one by one."""
    marks = {words.shown(row): _marks(points) for row, points in one.lines.items()}
    svg = lines(MEMBERS, place(group, one.block, one.seeds), marks, ("members", metric(group, one.block)))
    changes = [f"{words.shown(row)} {_change(points)}" for row, points in one.lines.items()]
    outcome = f"From {_fewest(one)} to {len(one.members)} members: {text.joined(changes, 12)} points."
    order = f"They come in as {text.joined(list(one.members))}."
    figure = drawn(group, one.block, "score by members", MEMBERS, svg, prose.MEMBER_LINES, order, outcome)
    return Varied(MEMBERS, figure, outcome, one.title, prose.MEMBER_LINES)


def _marks(points: Sequence[Point]) -> list[Mark]:
    return [Mark(point.value, point.mean, point.seeds) for point in points]


def _outcome(sweep: Sweep) -> str:
    """Which values are really different from what they are held against."""
    if not sweep.gains and sweep.usual is None:
        return "No line has the usual value, so nothing is held against it."
    against = "the method at its defaults" if sweep.gains else f"the usual value, {sweep.usual:g}"
    told = {f"{words.shown(row)} at {p.value:g}": p.told for row, own in sweep.lines.items() for p in own}
    return joined(really(against, told), CORRECTED if len(told) > 1 else "")


def _fewest(one: OneByOne) -> str:
    return f"{min(point.value for points in one.lines.values() for point in points):g}"


def _change(points: Sequence[Point]) -> str:
    """From the fewest members to the most."""
    return f"{100 * (points[-1].mean - points[0].mean):+.1f}"
