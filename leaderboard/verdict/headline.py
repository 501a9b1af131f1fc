"""The verdict over all real models, in sentences: what ranks best, what beats the best single member, what to use.

All of them stand on the leaderboard, the advice and what it rests on in the README and on the site's home page too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from leaderboard import text
from leaderboard.stats.holm import LEVEL
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import of_several
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.overall import Overall, overall
from leaderboard.tables.table import headline as headline_of
from leaderboard.verdict.advice import FLOOR, Name, advice
from leaderboard.verdict.basis import basis
from leaderboard.verdict.price import price
from leaderboard.verdict.settings import Asked, asked
from leaderboard.verdict.tally import Merge, Tally, by_model, by_setting, tallies
from leaderboard.words import CONSTANT

REAL = "real models"
MOST = 6  # settings that are named where merging paid; the table has all
NOTHING = "No real model was asked yet, so nothing is known about any method."


def headline(found: Sequence[Group], name: Name) -> list[str]:
    """Sentences of Markdown, one idea each; `name` shows a method, as a link or plain."""
    rests = basis(found)
    if rests is None:
        return [NOTHING]
    ranked = (_ranked(one, name) for one in _worlds(found))
    return [
        *advice(found, name),
        *_paid(found, name),
        *_by_model(found),
        *_mute(found),
        *price(found),
        *_overall(tallies(found), by_setting(found)),
        *ranked,
        text.sentence(rests.said),
    ]


def brief(found: Sequence[Group], name: Name) -> list[str]:
    """The advice and what it rests on, for who has a minute."""
    rests = basis(found)
    if rests is None:
        return [NOTHING]
    return [
        *advice(found, name, whole=False),
        *_paid(found, name),
        *_by_model(found),
        *_mute(found),
        *price(found),
        text.sentence(rests.shortly),
    ]


def _paid(found: Sequence[Group], name: Name) -> Iterator[str]:
    """Where the highest merge was worth it, although it was picked from many."""
    every = asked(found)
    where = [line for one in every if (line := _paid_in(one, name, found))]
    if every:
        more = [f"{len(where) - MOST} more"] if len(where) > MOST else []
        yield (
            f"**Where merging paid:** in {len(where) or 'none'} of {len(every)} settings, each judged by itself, the "
            "highest merge beat the best member by more than luck and its having been picked explain, and beat "
            f"the ancestor and a {CONSTANT}, where those are known{':' if where else '.'}"
            + "".join(f"\n    - {line}" for line in [*where[:MOST], *more])
        )


def _paid_in(one: Asked, name: Name, found: Sequence[Group]) -> str:
    """`roberta-base, GLUE, cross-task (simple by 10.56 to 67.04; ties_evolver by 7.85 to 64.33)`; "" where none was
    worth it."""
    paid = [m for m in (one.free, one.tuned) if m and one.paid(m)]
    gains = {m: f"{text.percent(m.lead.mean)} to {text.percent(m.cell.mean)}" for m in paid}
    merges = [f"{name(m.method)} by {gained}{f', {m.runs}' if m.runs else ''}" for m, gained in gains.items()]
    notes = ["one set of members"] * (one.sets == 1) + ["the ancestor was not asked"] * (one.floor is None)
    if one.own is not None and one.own.mean is not None and any(m.cost.tasks is not None for m in paid):
        notes.append(f"using each member on its own task scores {text.percent(one.own.mean)}")
    whose = {m.method: f"{name(m.method)} " if len(paid) > 1 else "" for m in paid}
    if others := [whose[m.method] + told for m in paid for told in _elsewhere(one, m.method, found)]:
        notes.append(f"under protocol {text.escaped(one.group.name)}; {text.joined(others, MOST)}")
    where = text.sentence(f"{one.group.key.model}, {one.group.called}, {one.title}")
    return f"{where} ({'; '.join([*merges, *notes])})" if merges else ""


def _elsewhere(one: Asked, method: str, found: Sequence[Group]) -> Iterator[str]:
    """`under another by +2.71, not certain`: the same merge's lead in other tables that ask the same."""
    for group in found:
        if group is one.group or group.key[:2] != one.group.key[:2]:
            continue
        for block, column in zip(group.blocks(), headline_of(group).columns, strict=True):
            row = usual_rows(block.rows).get(method, "")
            lead = column.cells[row].to_member if row else None
            if (block.question, block.heads, block.exam) == (one.question, one.heads, "") and lead is not None:
                sure = "" if lead.verdict == "above" else ", not certain" if lead.mean > 0 else ", so not above"
                yield f"under another {'by ' if lead.mean > 0 else ''}{100 * lead.mean:+.2f}{sure}"


def _by_model(found: Sequence[Group]) -> Iterator[str]:
    """How often merges were better on each model, and worse: one model's many questions hide another's few."""
    each = by_model(found)
    if len(each) > 1:
        told = [f"{text.escaped(m)}, better in {t.better} and worse in {t.worse} of {t.asked}" for m, t in each.items()]
        yield f"**By model,** each comparison with the best member taken alone: {'; '.join(told)}."


def _mute(found: Sequence[Group]) -> Iterator[str]:
    """Where the members are worth so little that a lead over the best of them says little."""
    known = [one for one in asked(found) if one.unread is not None]
    low = [one for one in known if one.mute(one.member)]
    if low:
        names = one_name(found)
        every, own = (Counter(names[one.group.key.model] for one in some) for some in (known, low))
        where = text.joined([f"{text.escaped(model)} {own[model]} of {every[model]}" for model in own])
        yield (
            f"**A low bar:** in {len(low)} of {len(known)} settings even the best member is below a {CONSTANT}, "
            f"which reads no text, or cannot be told from it: {where}. A lead there says little about merging."
        )


def _worlds(found: Sequence[Group]) -> list[Overall]:
    """Rankings over real models, of methods that answered all questions."""
    return [one for one in overall(found) if one.world == REAL and not one.most]


def _overall(members: Mapping[Merge, Tally], settings: Mapping[str, Tally]) -> Iterator[str]:
    every = sum(members.values(), Tally())
    if every.asked:
        idle = f"; in {every.idle} more they were better than it and not better than {FLOOR}" if every.idle else ""
        yield (
            f"**Held against the best single member**, {len(members)} merges, each amount of tuning counted apart, "
            f"were better in {every.better} of {every.asked} comparisons, worse in {every.worse}, and could not be "
            f"told from it in {every.alike}{idle}. Each is judged by itself at 5 %, so about one in forty is called "
            "better by chance."
        )
        where = [f"{text.sentence(title)} {tally.better} of {tally.asked}" for title, tally in settings.items()]
        yield f"**Where a merge was better:** {text.joined(where, 12)}."


def _ranked(one: Overall, name: Name) -> str:
    first, *others = one.ranking.ranks
    kind, asked_of = of_several(one.kind).capitalize(), f"{len(others) + 1} merges that answered the same "
    alike = [m for m in others if one.ranking.ranks[m] - one.ranking.ranks[first] <= one.ranking.critical]
    if one.ranking.chance > LEVEL or alike == others:  # the last one is no further from the first than chance takes it
        return f"**{kind}, nobody ranks best:** the {asked_of}{one.questions} questions cannot be told apart by rank."
    told = f"it cannot be told from {text.joined([name(m) for m in alike])}" if alike else "all others are behind it"
    return (
        f"**{kind}, {name(first)} ranks best** of {asked_of}{one.questions} questions (mean rank "
        f"{one.ranking.ranks[first]:.2f}); {told}."
    )
