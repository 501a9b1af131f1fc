"""The verdict at the head of the leaderboard: its sentences, what each setting says, and how often each merge beats the
best single member."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from leaderboard import text, words
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.grids import Name
from leaderboard.places import page_of, stems
from leaderboard.stats.difference import ZERO
from leaderboard.tables.group import Group
from leaderboard.verdict.advice import FEWEST
from leaderboard.verdict.headline import brief, headline
from leaderboard.verdict.settings import Asked, Highest, asked
from leaderboard.verdict.tally import Tally, tallies

SAYS = {"above": "above", "below": "below", "undecided": "not certain"}
SAME = "the very same score"


def told(found: Sequence[Group], name: Name) -> Iterator[str]:
    """The whole section; nothing without records."""
    if found:
        stem = stems(group.key.model for group in found)
        yield "## What to use\n"
        yield sentences(found, name)
        if each := by_setting(found, name, lambda model: str(page_of(stem[model]))):
            yield f"### Each setting by itself\n\n{prose.BY_SETTING}"
            yield each
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


def by_setting(found: Sequence[Group], name: Name, page: Callable[[str], str]) -> str:
    """A row for each column of scores that has the best member; "" where none has.

    Args:
        page: a model's page, as a link from here; "" for the one that this stands on.
    """
    several = len({group.key.model for group in found}) > 1
    rows = [
        [
            f"{_model(one) if several else ''}{_linked(one, page)}",
            *(_highest(one, merge, name) for merge in (one.free, one.tuned)),
            *map(text.score, (one.member, one.ancestor, one.own)),
            text.percent(one.unread),
            str(one.sets),
        ]
        for one in asked(found)
    ]
    merges = [f"highest {rows} development rows, {grids.MEMBER}" for rows in ("without", "with")]
    head = ["setting", *merges, "best member", "ancestor", "each on its own", words.CONSTANT, "sets of members"]
    return markdown.table((head, rows), words=1 + len(merges)) if rows else ""


def _model(one: Asked) -> str:
    return f"{text.escaped(one.group.key.model)}: "


def _linked(one: Asked, page: Callable[[str], str]) -> str:
    said = text.escaped(f"{one.group.called}, {one.title}")
    return f"[{said}]({page(one.group.key.model)}#{one.group.anchor})"


def _highest(asked_of: Asked, one: Highest | None, name: Name) -> str:
    """`emr (of 31; models at inference: 1 of 2, by task) above: +10.56 [7.80, 13.32] p = 0.031`, the number below."""
    if one is None:
        return text.GAP
    told = "; ".join(filter(None, [f"of {one.of}", text.escaped(one.cell.kind), one.runs]))
    below = one.lead.mean < 0  # that it was picked as the highest makes it no lower
    judged = one._replace(lead=one.lead._replace(chance=one.lead.alone)) if below else one
    number = text.difference(judged.lead).replace(" ", "&nbsp;")  # with its interval in one line
    lead = SAME if abs(one.lead.mean) <= ZERO else f"{_says(asked_of, judged)}: {number}"
    return f"{name(one.method)} ({told})<br>{lead}"


def _says(asked_of: Asked, one: Highest) -> str:
    """`above`; of what beats the best member alone, that it is no gain; `not certain`, and why where that is plain."""
    over, sets = one.cell.to_ancestor, len(one.cell.values)
    if one.lead.verdict == "above" and over is not None and over.verdict != "above":
        return "above, and not above the ancestor"
    if one.lead.verdict == "above" and asked_of.mute(one.cell):
        return f"above, and not above a {words.CONSTANT}"
    return (
        f"{SAYS['undecided']}, {sets} sets" if one.lead.verdict == "undecided" and sets == 2 else SAYS[one.lead.verdict]
    )


def tallied(found: Sequence[Group], name: Name) -> str:
    """A row for each merge that answered enough questions; "" where none did."""
    known = {merge: tally for merge, tally in tallies(found).items() if tally.asked >= FEWEST}
    order = sorted(known, key=lambda m: (-(known[m].better - known[m].worse) / known[m].asked, m))
    rows = [
        [name(m), text.escaped(kind), *map(str, (t.better, t.idle)), _alike(t), str(t.worse), _needs(t)]
        for m, kind in order
        if (t := known[m, kind])
    ]
    head = ["merge", grids.TUNED, "better", "no gain", "undecided", "worse", "needs development rows"]
    return markdown.table((head, rows), words=2) if rows else ""


def _alike(tally: Tally) -> str:
    """`15 (8)`: of those that cannot be told apart, how many gave the best member back."""
    return f"{tally.alike} ({tally.equal})" if tally.equal else str(tally.alike)


def _needs(tally: Tally) -> str:
    return "no" if tally.free else "yes"
