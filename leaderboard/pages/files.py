"""Names of the figures' files: what is shown, in plain words; a number behind it where two would have one name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from leaderboard.pages.figures import Figure

LONGEST = 120  # letters of a name; a file system takes 255 bytes
END = ".svg"


class Files:
    """The names that are taken. To some file systems names that differ in capitals alone are one."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in taken}

    def named(self, figure: Figure) -> Figure:
        """The figure under a file's name of its own."""
        plain = plainly(figure.name)
        wanted = (f"{plain}{END}" if turn == 1 else f"{plain}-{turn}{END}" for turn in count(1))
        name = next(name for name in wanted if name.casefold() not in self._taken)
        self._taken.add(name.casefold())
        return figure._replace(name=name)


def plainly(told: str) -> str:
    """Words as a name that every system takes: `tiny, in-domain, 1,500 rows` is `tiny-in-domain-1500-rows`. Of what is
    too long the end stays, which says what is shown."""
    of, _, what = told.rpartition(", ")
    shows = _joined(what)[:LONGEST]
    return f"{_joined(of)[: max(0, LONGEST - len(shows) - 1)]}-{shows}".strip("-._") or "figure"


def _joined(told: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+_]+", "-", re.sub(r"(?<=\d),(?=\d{3})", "", told)).strip("-")
