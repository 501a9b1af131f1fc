"""Searches beside others of the same budget, as Markdown, with the words that only some of them need."""

from __future__ import annotations

from collections.abc import Iterator

from leaderboard import text, words
from leaderboard.pages import grids, markdown, prose
from leaderboard.tables.budgets import same_budget
from leaderboard.tables.group import Group
from leaderboard.tables.searches import MARKS


def budgets(group: Group, name: grids.Name) -> Iterator[str]:
    """Searches beside others of the same budget; the words about them once."""
    tables = same_budget(group)
    for table in tables:
        yield markdown.heading(table.title)
        yield markdown.table(grids.same_budget(table, markdown.score, name))
        kept = [
            f"{words.shown(row)} in {found.starts} of {found.runs} runs"
            for row, found in table.rows.items()
            if found.starts
        ]
        if kept:
            yield f"Found nothing better than the start: {text.escaped(text.listed(kept, 12))}.\n"
        for row, found in table.rows.items():
            if found.stages:
                yield f"Stages of {text.escaped(words.shown(row))}: {text.escaped(', then '.join(found.stages))}.\n"
        if any(found.likelihood is not None for found in table.rows.values()):
            yield prose.LIKELIHOOD
        other = [f"{words.shown(row)} by {found.by}" for row, found in table.rows.items() if found.by != MARKS]
        if other:
            yield f"{prose.TOLD_OTHERWISE} {text.escaped(text.listed(other, 12))}.\n"
    if tables:
        yield prose.SAME_BUDGET
