"""The command that shows a record's rows, for who reads about the record."""

from __future__ import annotations

from harness.records.record import RunRecord
from harness.suites.registry import SUITES
from leaderboard.tables.group import synthetic

NOT_HERE = ("lm_eval",)  # suites whose rows somebody else reads


def command_of(record: RunRecord) -> str:
    """In capitals what the reader puts in; "" of a record whose rows cannot be shown."""
    if record.schema == 1 or not record.predictions or record.suite in NOT_HERE:
        return ""
    known = SUITES.near(record.suite)
    where = "" if synthetic(record) else " --task FILE.toml" if known is None else " --data FOLDER"
    return f"python -m leaderboard rows {record.key}{where}"
