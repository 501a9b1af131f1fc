"""Methods beside themselves, with other options, tuned and calibrated, as Markdown, with the words about each once."""

from __future__ import annotations

from collections.abc import Iterator

from leaderboard.pages import grids, markdown, prose
from leaderboard.tables.group import Group
from leaderboard.tables.table import ablations
from leaderboard.tables.tuned import calibration, default_and_tuned


def options(group: Group, name: grids.Name) -> Iterator[str]:
    """Methods with other options, below themselves."""
    apart = ablations(group)
    for table in apart:
        yield markdown.heading(table.title)
        yield markdown.table(grids.ablations(table, markdown.score, name), words=2)
    if apart:
        yield prose.ABLATIONS


def tuned(group: Group, name: grids.Name) -> Iterator[str]:
    """Methods tuned and calibrated, beside themselves."""
    both = default_and_tuned(group)
    for table in both:
        yield markdown.heading(table.title)
        yield markdown.table(grids.tuned(table, markdown.score, name))
    if both:
        yield prose.DEFAULT_AND_TUNED
    alone = calibration(group)
    for control in alone:
        yield markdown.heading(control.title)
        yield markdown.table(grids.calibration(control, markdown.score, name))
    if alone:
        yield prose.CALIBRATION
