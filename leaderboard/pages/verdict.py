"""The verdict at the head of the leaderboard: its sentences, what each setting says, and how often each merge beats the
best single member."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from leaderboard import text
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.grids import Name
from leaderboard.places import page_of, stems
from leaderboard.stats.difference import ZERO
from leaderboard.tables.group import Group
from leaderboard.tables.table import Cost
from leaderboard.verdict.headline import FEWEST, brief, headline
from leaderboard.verdict.settings import Asked, Highest, asked
from leaderboard.verdict.tally import tallies

REALLY = {"above": "really above", "below": "really below", "undecided": "not certain"}
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
            *_highest(one.free, name),
            *_highest(one.tuned, name),
            *map(text.score, (one.member, one.ancestor, one.own)),
            str(one.sets),
        ]
        for one in asked(found)
    ]
    picked = [f"highest {rows} development rows" for rows in ("without", "with")]
    merges = [title for head in picked for title in (head, grids.MEMBER)]
    head = ["asked", *merges, "best member", "ancestor", "each on its own", "sets of members"]
    return markdown.table((head, rows), words=1 + len(merges)) if rows else ""


def _model(one: Asked) -> str:
    return f"{text.escaped(one.group.key.model)}: "


def _linked(one: Asked, page: Callable[[str], str]) -> str:
    said = text.escaped(f"{one.group.called}, {one.title}")
    return f"[{said}]({page(one.group.key.model)}#{one.group.anchor})"


def _highest(one: Highest | None, name: Name) -> list[str]:
    if one is None:
        return [text.GAP, text.GAP]
    method, kind = one.merge
    told = "; ".join(filter(None, [f"of {one.of}", text.escaped(kind), _run(one.cost)]))
    lead = SAME if abs(one.lead.mean) <= ZERO else f"{REALLY[one.lead.verdict]}: {_unbroken(text.difference(one.lead))}"
    return [f"{name(method)} ({told})", lead]


def _unbroken(number: str) -> str:
    """With its interval in one line."""
    return number.replace(" ", "&nbsp;")


def _run(cost: Cost) -> str:
    """What it runs at inference where that is not one model for all rows."""
    shown = text.run_at_inference(cost.inference_models, cost.tasks)
    return "" if shown in ("1", text.GAP) else f"models at inference: {shown}"


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
