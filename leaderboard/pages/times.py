"""The times of evolutions beside the paper's, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard import text
from leaderboard.pages import markdown, prose
from leaderboard.tables.group import Group
from leaderboard.tables.times import times

TITLE = "Time of an evolution, ours beside the paper's"


def told(models: Mapping[str, Sequence[Group]]) -> list[str]:
    """A row for each setting of the paper that a model was asked, and how to read it; nothing where there is none.

    Args:
        models: the groups of each; where there are several, a column names them.
    """
    rows = []
    for model, own in models.items():
        for one in times(own):
            where = f"{one.group.heading}: {one.title}"
            low, high = one.minutes
            numbers = [f"{one.seconds:.1f}", _share(one.share), f"{low:.1f} to {high:.1f}", _share(one.paper_share)]
            rows.append([*([text.escaped(model)] if len(models) > 1 else []), text.escaped(where), *numbers])
    head = ["asked", "our seconds", "share of our mean", "paper's minutes", "share of the paper's mean"]
    several = ["model"] if len(models) > 1 else []
    return [markdown.table(([*several, *head], rows), words=1 + len(several)), prose.TIMES] if rows else []


def _share(share: float | None) -> str:
    return text.GAP if share is None else f"{share:.2f}"
