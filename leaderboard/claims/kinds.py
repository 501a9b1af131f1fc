"""The comparisons that a claim may ask for: how records are compared, and what its paper printed for the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from leaderboard.claims import measures
from leaderboard.claims.measures import Measure
from leaderboard.tables import paper


class Kind(NamedTuple):
    """One comparison; both take the settings that a claim is about and its words."""

    measure: Callable[..., Measure]
    number: Callable[..., str]


KINDS = {
    "gain": Kind(measures.gain, paper.gain),
    "lead": Kind(measures.lead, paper.lead),
    "steadiness": Kind(measures.steadiness, paper.steadiness),
    "dev_size": Kind(measures.dev_size, paper.dev_size),
}
