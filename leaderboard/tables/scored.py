"""The contenders of a column, which hold their answers: many tables and claims ask for them while those are there."""

from __future__ import annotations

from collections.abc import Mapping

from leaderboard.stats.difference import Contender
from leaderboard.tables.cell import contenders
from leaderboard.tables.group import Block, Group, beside_answers


def scored(group: Group, block: Block) -> Mapping[str, Contender]:
    """Row -> its scores with all that a comparison needs; rows with a gap are left out."""
    found = beside_answers(group)
    if block not in found:
        found[block] = contenders(block.rows, group.score, group.answers)
    own: Mapping[str, Contender] = found[block]
    return own
