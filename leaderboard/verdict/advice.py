"""What to use with and without development rows, over all real models of a page: a merge that is better more often than
luck explains, the best single member, or nothing, where too little was asked to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from leaderboard import text
from leaderboard.stats.holm import LEVEL, holm
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import DEFAULT, OWN, kind_of
from leaderboard.tables.table import Cost, spent_on
from leaderboard.verdict.tally import ANY, Merge, Tally, better_on, tallies
from leaderboard.words import CONSTANT

FLOOR = f"the ancestor or a {CONSTANT}"  # what merging has to beat to have gained anything
BY_TASK = "It is another model for each task: who knows a row's task can use it, or ask that task's member."
FEWEST = 3  # questions that a merge must have answered before it can be advised
Name = Callable[[str], str]  # a method's name as a page shows it


def advice(found: Sequence[Group], name: Name, whole: bool = True) -> list[str]:
    """What to use with and without development rows; nothing where no merge stands beside the best member.

    Args:
        whole: whether to tell of merges too that were asked too little to be advised.
    """
    members = tallies(found)
    if not any(tally.asked for tally in members.values()):
        return []
    without = _without_rows(members, tallies(found, ANY), found, name)
    return [*_with_rows(members, found, name, whole), *without]


def advised(members: Mapping[Merge, Tally]) -> Merge | None:
    """The merge to try first: more often above the best member than chance gives, and than below; None for none."""
    fit = [merge for merge in _beyond_luck(members) if members[merge].better > members[merge].worse]
    return min(fit, key=lambda m: ((members[m].worse - members[m].better) / members[m].asked, m), default=None)


def _beyond_luck(members: Mapping[Merge, Tally]) -> list[Merge]:
    """Merges that were above the best member more often than chance gives; corrected for their number (Holm)."""
    chances = holm({merge: tally.chance for merge, tally in _judged(members).items()})
    return [merge for merge, chance in chances.items() if chance <= LEVEL]


def _with_rows(members: Mapping[Merge, Tally], found: Sequence[Group], name: Name, whole: bool) -> Iterator[str]:
    merge = advised(members)
    if merge is None:
        judged = _judged(members)
        if 2 * len(judged) < len(members):
            yield _too_little(members, judged)
            return
        if not _could_tell(members):
            yield _each_by_itself(members)
            return
        more = _hardly_asked(members) if whole else ""
        yield "**With development rows: keep the best single member.**" + _as_lucky(judged) + more
        return
    tally, (method, kind) = members[merge], merge
    how = "at its defaults" if kind in (DEFAULT, OWN) else kind
    yield (
        f"**With development rows: try {name(method)}** ({how}) beside the best single member, and keep what scores "
        f"higher. It was {told(tally)}. Where it was better: {_where(merge, found)}.{_cost(merge, found)}"
        f"{_by_task(merge, found)}"
    )


def _too_little(members: Mapping[Merge, Tally], judged: Mapping[Merge, Tally]) -> str:
    """Where most merges answered too few questions to advise any, or to advise against them."""
    every = sum(members.values(), Tally())
    return (
        f"**With development rows: too little was asked to advise.** {len(judged) or 'None'} of {len(members)} merges "
        f"answered {FEWEST} questions or more. In {every.better} of {every.asked} comparisons a merge, tuned or not, "
        f"was better than the best member, in {every.worse} worse."
    )


def _judged(members: Mapping[Merge, Tally]) -> Mapping[Merge, Tally]:
    """Merges that answered enough questions to be advised."""
    return {merge: tally for merge, tally in members.items() if tally.asked >= FEWEST}


def _could_tell(members: Mapping[Merge, Tally]) -> bool:
    """Whether some merge would be advised if it were better everywhere."""
    judged = _judged(members)
    return any(tally.least * len(judged) <= LEVEL for tally in judged.values())


def _each_by_itself(members: Mapping[Merge, Tally]) -> str:
    """Of so few models and suites that even a merge which is better in all may be a lucky one."""
    every = sum(members.values(), Tally())
    return (
        "**With development rows: see each setting by itself.** So few models and suites cannot tell a merge that is "
        f"better everywhere from the luckiest of {len(members)}. In {every.better} of {every.asked} comparisons a "
        f"merge, tuned or not, was better than the best member, in {every.worse} worse."
    )


def _as_lucky(judged: Mapping[Merge, Tally]) -> str:
    """That no merge stands out, of those that answered enough questions to be advised."""
    who = (
        f"None of {len(judged)} merges, tuned or not," if len(judged) > 1 else "The one merge asked often enough never"
    )
    still = " without losing to it at least as often" if _beyond_luck(judged) else ""
    return f" {who} beat it more often than luck explains{still}."


def _hardly_asked(members: Mapping[Merge, Tally]) -> str:
    """Merges that were better where they were asked, and were asked too little to be advised."""
    few = sum(0 < tally.asked < FEWEST and tally.better > 0 for tally in members.values())
    if not few:
        return ""
    them, were = ("Another was", "it was") if few == 1 else (f"Another {few} were", "they were")
    return f" {them} better somewhere, but {were} asked fewer than {FEWEST} questions, too few to advise one."


def _where(merge: Merge, found: Sequence[Group]) -> str:
    """`small-gpt2 (2 questions) and all-MiniLM-L6-v2 (1 question)`."""
    counted = better_on(found, merge).items()
    return text.joined([f"{text.escaped(m)} ({n} question{'s' if n > 1 else ''})" for m, n in counted])


def _without_rows(
    members: Mapping[Merge, Tally], anybody: Mapping[Merge, Tally], found: Sequence[Group], name: Name
) -> Iterator[str]:
    free = {merge: tally for merge, tally in members.items() if tally.free}
    if not free:
        return
    every, safe = sum(free.values(), Tally()), advised(free)
    what = f"try {name(safe[0])}.{_by_task(safe, found)}" if safe else "nothing is a safe choice."
    what = what if safe or _could_tell(free) else "see each setting by itself."
    yield (
        f"**Without development rows: {what}** Merges that need none were better than the best member in "
        f"{every.better} of {every.asked} comparisons and worse in {every.worse}."
    )
    unchosen = {merge: tally for merge, tally in anybody.items() if merge in free}
    if _could_tell(unchosen):
        first = advised(unchosen)
        yield "Against the *mean member*, one picked without looking at scores, " + (
            f"{name(first[0])} stands best: {told(unchosen[first])}.{_by_task(first, found)}"
            if first
            else f"too, none of {len(unchosen)} was better more often than luck explains."
        )


def told(tally: Tally) -> str:
    """`better in 4 of 13 questions, worse in none, and could not be told apart in 9`."""
    counts = f"better in {tally.better} of {tally.asked} questions, worse in {tally.worse or 'none'}"
    idle = f", better and not better than {FLOOR} in {tally.idle}" if tally.idle else ""
    rest = f", and could not be told apart in {tally.alike}" if tally.alike else ""
    same = f" ({tally.equal} of them with the very same score)" if tally.equal else ""
    return counts + idle + rest + same


def _cost(merge: Merge, found: Sequence[Group]) -> str:
    """What it took on the real model that was asked most, as medians."""
    own = _spent(merge, found)
    if not own:
        return ""
    model = max(own, key=lambda m: len(own[m]))
    seconds = sorted(c.merge_seconds for c in own[model] if c.merge_seconds is not None)
    calls = sorted(c.dev_calls for c in own[model] if c.dev_calls is not None)
    asked = f" and {_span(calls)} scores on development rows" if calls and calls[-1] else ""
    return f" On {text.escaped(model)} it takes {_span(seconds)} s{asked}." if seconds else ""


def _by_task(merge: Merge, found: Sequence[Group]) -> str:
    """What a merge asks for that is another model for each task."""
    several = any(cost.tasks is not None for own in _spent(merge, found).values() for cost in own)
    return f" {BY_TASK}" if several else ""


def _spent(merge: Merge, found: Sequence[Group]) -> Mapping[str, list[Cost]]:
    """Real model -> what the merge cost in each of its columns."""
    own: dict[str, list[Cost]] = {}
    for group in found:
        for block in () if group.synthetic else group.blocks():
            row = usual_rows(block.rows).get(merge[0], "")
            if row and kind_of(block.rows[row][0]) == merge[1]:
                own.setdefault(group.key.model, []).append(spent_on(block.rows[row]))
    return own


def _span(values: Sequence[float]) -> str:
    low, high = (f"{v:,.0f}" if v >= 10 else f"{v:.1f}" for v in (values[0], values[-1]))
    return low if low == high else f"{low} to {high}"
