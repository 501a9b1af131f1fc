"""The verdict at the head of the leaderboard: its sentences, and how often each merge beats the best single member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leaderboard import text
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.grids import Name
from leaderboard.tables.group import Group
from leaderboard.verdict.headline import FEWEST, brief, headline
from leaderboard.verdict.tally import tallies


def told(found: Sequence[Group], name: Name) -> Iterator[str]:
    """The whole section; nothing without records."""
    if found:
        yield "## What to use\n"
        yield sentences(found, name)
        if table := tallied(found, name):
            yield f"### Against the best single member\n\n{prose.TALLIED}"
            yield table


def sentences(found: Sequence[Group], name: Name) -> str:
    """One bullet for each sentence."""
    return _bullets(headline(found, name))


def shortly(found: Sequence[Group], name: Name) -> str:
    """The advice and what it rests on alone."""
    return _bullets(brief(found, name))


def _bullets(said: Sequence[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in said)


def tallied(found: Sequence[Group], name: Name) -> str:
    """A row for each merge that answered enough questions; "" where none did."""
    known = {merge: tally for merge, tally in tallies(found).items() if tally.asked >= FEWEST}
    order = sorted(known, key=lambda m: (-(known[m].better - known[m].worse) / known[m].asked, m))
    rows = [
        [name(m), text.escaped(kind), *map(str, (t.better, t.alike, t.worse, t.equal)), "no" if t.free else "yes"]
        for m, kind in order
        if (t := known[m, kind])
    ]
    head = ["merge", grids.TUNED, "better", "can't tell", "worse", "same score", "needs development rows"]
    return markdown.table((head, rows), words=2) if rows else ""
