"""The comparisons that a claim may ask for: how records are compared, and what its paper printed for the same.

Both take the settings that the claim is about and the words of its line in the paper's file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from leaderboard.claims import measures, rules, searches
from leaderboard.claims.measures import Measure
from leaderboard.claims.rules import Rule
from leaderboard.tables import paper


class Kind(NamedTuple):
    """One comparison."""

    measure: Callable[..., Measure | Rule]
    number: Callable[..., str]
    rule: bool = False  # whether chance has no part in it


def _nothing(*_: Any, **__: Any) -> str:
    """No paper printed it."""
    return ""


KINDS = {
    "gain": Kind(measures.gain, paper.gain),
    "lead": Kind(measures.lead, paper.lead),
    "steadiness": Kind(measures.steadiness, paper.steadiness),
    "dev_size": Kind(measures.dev_size, paper.dev_size),
    "above": Kind(searches.above, paper.searched),
    "below": Kind(searches.below, paper.not_searched),
    "over": Kind(searches.over, _nothing),
    "twins": Kind(searches.twins, _nothing),
    "never_below_start": Kind(rules.never_below_start, _nothing, rule=True),
}
