"""What one group of records says, in the parts in which it is read: scores first, then how sure they are, then more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from leaderboard import text
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.budgets import budgets
from leaderboard.pages.captions import caption
from leaderboard.pages.figures import Figure
from leaderboard.pages.grids import Name
from leaderboard.pages.tuned import options, tuned
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group
from leaderboard.tables.table import Scores, certainty, costs, headline, per_corpus, unseen


class Part(NamedTuple):
    """Tables and figures that are read together."""

    title: str
    text: Sequence[str]


def scores(group: Group, name: Name) -> Iterator[str]:
    """What everybody came for; nothing where every question is asked beside another one."""
    if group.blocks():
        yield from of_scores(group, headline(group), name)


def sure(group: Group, name: Name) -> list[str]:
    """A table for each column of scores, in their order: how far each row is from the best and from its base."""
    return [_titled(table.title, grids.certainty(table, name)) for table in certainty(group)]


def more(group: Group, name: Name, drawn: Sequence[Figure] = (), pictures: str = "") -> Iterator[Part]:
    """Everything else, with the figures that belong to it.

    Args:
        drawn: figures of the group.
        pictures: the folder that they are in, from the page.
    """
    aside = elsewhere(group)
    if aside is not None:  # no aim, so apart from what is: no reader takes it for a reason to choose
        yield Part(aside.title, [*of_scores(group, aside, name), prose.ELSEWHERE])
    yield Part("What one choice does", [*shown(_of(drawn, "varied"), pictures), *options(group, name)])
    gained = [*tuned(group, name), *shown(_of(drawn, "calibration"), pictures)]
    yield Part("What tuning and calibration gain", gained)
    raced = [*budgets(group, name), *shown(_of(drawn, "searches"), pictures)]
    yield Part("Searches of the same budget", raced)
    yield Part("Development scores by generation", shown(_of(drawn, "curves"), pictures))
    yield Part("Routes through the models' blocks", shown(_of(drawn, "routes"), pictures))
    corpora = [part for table in per_corpus(group) for part in of_scores(group, table, name)]
    yield Part("Each corpus, each set of members", [*corpora, *shown(_of(drawn, "corpora"), pictures)])
    seen = [_titled(table.title, grids.scores(table, markdown.score, name)) for table in unseen(group)]
    yield Part("Texts that a member was trained on", [*shown(_of(drawn, "seen"), pictures), *seen])
    spent = costs(group)
    yield Part("Costs", [_titled(spent.title, grids.costs(spent, name)), *shown(_of(drawn, "cost"), pictures)])


def shown(drawn: Iterable[Figure], pictures: str) -> list[str]:
    """Figures with their captions."""
    parts = []
    for figure in drawn:
        parts.append(f"![{text.escaped(figure.says)}]({pictures}/{figure.name})\n")
        parts += [figure.caption] if figure.caption else []
    return parts


def _of(drawn: Iterable[Figure], kind: str) -> Iterator[Figure]:
    return (figure for figure in drawn if figure.kind == kind)


def of_scores(group: Group, table: Scores, name: Name) -> Iterator[str]:
    """A table of scores and what is to be known of it."""
    yield _titled(table.title, grids.scores(table, markdown.score, name))
    yield caption(group, table)


def _titled(title: str, grid: grids.Grid) -> str:
    return f"{markdown.heading(title)}\n{markdown.table(grid)}"
