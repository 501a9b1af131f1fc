"""The papers' claims as tests: records in, one outcome per claim out, a table of all of them at the session's end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, reduce

import pytest

from harness.records.record import RunRecord, Store
from leaderboard import audit, publish
from leaderboard.claims.claims import CLAIMS, Finding, Outcome, findings, verdict
from leaderboard.pages import terminal
from leaderboard.tables.answers import either, gold_of
from leaderboard.tables.group import Group, groups


class Evidence:
    """All records at hand; read when the first claim is asked."""

    def __init__(self, stores: Sequence[Store]) -> None:
        """Where two stores have the same cell, the last one's record is newer."""
        self._stores = stores

    @cached_property
    def groups(self) -> list[Group]:
        """The records of all stores together."""
        records: list[RunRecord] = []
        for store in self._stores:
            records = publish.union(records, audit.believed(audit.load(store), gold_of(store))[0])
        return groups(records, reduce(either, map(gold_of, self._stores)))

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """All claims, asked of all groups."""
        return findings(self.groups)

    def ask(self, name: str) -> tuple[Outcome, str]:
        """The verdict on a claim over all real models, and a table of what it rests on."""
        found = self.findings[name]
        return verdict(found), terminal.claim(CLAIMS[name], found)


def settle(outcome: Outcome, line: str, rule: bool = False) -> None:
    """Return for *holds*, xfail for *fails*, skip for *undecided*: no verdict breaks a build, but a rule that a record
    breaks does."""
    if outcome == "fails" and rule:
        pytest.fail(line, pytrace=False)
    if outcome == "fails":
        pytest.xfail(line)
    if outcome == "undecided":
        pytest.skip(line)
