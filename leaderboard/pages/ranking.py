"""Who ranks best, in each world and among rows of each kind: a diagram, a table, and who still waits."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records.record import slug
from leaderboard import links, text
from leaderboard.pages import grids, markdown, prose
from leaderboard.plots.ranks import CAPTION, diagram
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import of_several
from leaderboard.tables.overall import Overall, overall

NAME = markdown.linked(str(links.FOLDER))


def told(found: list[Group], pictures: str) -> Iterator[str]:
    """The tables of the leaderboard's first page, whose diagrams are in this folder."""
    worlds = overall(found)
    if worlds:
        yield prose.RANKS
    for each in worlds:
        yield f"### {_ranked(each).capitalize()}\n"
        if _tells(each):
            yield f"![Mean ranks, {_ranked(each)}]({pictures}/{_diagram_of(each)})\n"
            yield CAPTION
        yield markdown.table(grids.ranks(each, NAME))
        yield (
            f"{each.ranking.questions} models and suites, {each.questions} questions; Friedman's test "
            f"{text.chance(each.ranking.chance)}; critical difference {each.ranking.critical:.2f}"
            + (f"; {_left_out(each.left_out)}.\n" if each.left_out else ".\n")
        )
        if not _tells(each):
            yield "So few models and suites cannot tell any two of these apart.\n"
        if each.twins:
            same = [f"{method} made the models of {first}" for method, first in each.twins.items()]
            yield f"One merge under two names has one rank: {text.escaped('; '.join(same))}.\n"
        if each.waiting:
            waiting = [f"{m} ({lacks} of {each.questions} missing)" for m, lacks in each.waiting.items()]
            yield f"Without a rank until complete: {text.escaped(text.listed(waiting, 12))}.\n"


def diagrams(found: list[Group]) -> dict[str, str]:
    """Every diagram by its file's name."""
    return {_diagram_of(each): diagram(_ranked(each), each.ranking) for each in overall(found) if _tells(each)}


def _tells(one: Overall) -> bool:
    """Whether any two of these ranks could be told apart: else a diagram would be one bar over all."""
    return one.ranking.critical < len(one.ranking.ranks) - 1


def _left_out(questions: int) -> str:
    """Why fewer count than were asked."""
    return f"{questions} question{'s' if questions > 1 else ''} left out, as not all methods answered"


def _ranked(one: Overall) -> str:
    return f"{one.world}, {of_several(one.kind)}{', most methods' if one.most else ''}"


def _diagram_of(one: Overall) -> str:
    told = (one.world, one.kind, "most" if one.most else "")
    return f"ranks-{slug(' '.join(filter(None, told)))}.svg"
