"""The file of this session: what `--task` named, for the test functions that ask its questions."""

from __future__ import annotations

from pathlib import Path

from harness.suites.own.made import OwnSuite, opened
from harness.suites.setting import Setting

_AT_HAND: list[OwnSuite] = []  # one, or none


def begin(path: Path | None) -> OwnSuite | None:
    """Open the file that this session names, before anything is collected; none is asked about without."""
    _AT_HAND[:] = [] if path is None else [opened(path)]
    return at_hand()


def at_hand() -> OwnSuite | None:
    """The suite of the session's file."""
    return _AT_HAND[0] if _AT_HAND else None


def asked(name: str) -> Setting | None:
    """The question of this name, if the session's file has it."""
    return _AT_HAND[0].setting(name) if _AT_HAND else None
