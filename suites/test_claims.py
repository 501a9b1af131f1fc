"""What papers say, decided from records that are already there: passed is *holds*, xfailed is *fails*,
skipped is *undecided*. No model is run, and no verdict breaks a build; the verdicts stand at the session's end. A rule
that a record breaks is a failure: something is wrong with that record or with what made it.

Records come from leaderboard/results and this machine's own store, or from `--results` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.suites.papers import told

if TYPE_CHECKING:
    from leaderboard.evidence import Evidence


@pytest.mark.parametrize("claim", [claim.name for claim in told()])
def test_claim(claim: str, evidence: Evidence, record_property: Callable[[str, object], None]) -> None:
    """The claim, over all real models."""
    from leaderboard.claims.claims import CLAIMS  # heavy: who only lists the suites shall not wait for it
    from leaderboard.evidence import settle

    outcome, table = evidence.ask(claim)
    record_property("claim", table)
    rule = CLAIMS[claim].rule  # then the table names the records that break it
    settle(outcome, table if rule else table.partition("\n")[0], rule)
