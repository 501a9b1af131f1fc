"""What a terminal shows first: who ranks best and the scores, as far as they fit, with a legend of one line."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.records.record import RunRecord
from leaderboard import text, words
from leaderboard.pages import grids, terminal
from leaderboard.stats.difference import Told
from leaderboard.tables.cell import Cell, seeds_of
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import DEFAULT, of_several
from leaderboard.tables.overall import overall
from leaderboard.tables.table import ablations, asked, headline, seeds_in_words

LEGEND = (
    "scores times 100; * best merge of its kind, ≈ cannot be told from it, ? unknown; (n=1) one set of members, "
    "± 95 % interval over several"
)
ENDLESS = 10_000  # columns of what is no terminal
MOST_LINES = 2  # of a session's verdict, beside what it leaves out and what it rests on
LEAST = 2  # columns that are shown in any case: a method and a score


def width() -> int:
    """How many characters a line of the reader's terminal has; what goes to a file is as wide as it is."""
    return shutil.get_terminal_size((ENDLESS, 24)).columns


def scores(found: Iterable[Group], room: int, settings: Sequence[str] = ()) -> str:
    """The scores of each group, with the legend behind the last one; "" of no group.

    Args:
        room: characters of a line; columns that do not fit are left out, and named.
        settings: only columns of these, where some are named.
    """
    parts = [part for group in found for part in _of_group(group, room, settings)]
    return "\n".join([*parts, LEGEND]) if parts else ""


def verdict(found: Sequence[Group]) -> str:
    """Two to four lines: which merge scores highest, what cannot be told from it, how it stands to the best member, and
    on what evidence; "" where no column has two merges of one kind."""
    pairs = [(g, c) for g in found for c in headline(g).columns]
    lines = [line for group, column in pairs if (line := _highest(group, column.title, column.cells))]
    if not lines:
        return ""
    more = [f"More columns, {len(lines) - MOST_LINES}, are in the tables."] if len(lines) > MOST_LINES else []
    records = [record for group in found for record in group.records]
    seeds = seeds_in_words(seeds_of(records))
    return "\n".join([*lines[:MOST_LINES], *more[:1], f"On {len(records)} records of this session, {seeds}."])


def _highest(group: Group, title: str, cells: Mapping[str, Cell]) -> str:
    """`in-domain: ties scores highest of 4 merges at their defaults; it cannot be told from simple. ...`"""
    merges = {m: c for m, c in cells.items() if c.mean is not None and not c.variant and not words.yardstick(m)}
    kinds = Counter(cell.kind for cell in merges.values())
    kind = max(kinds, key=lambda k: (kinds[k], k == DEFAULT), default=DEFAULT)
    own = {m: cell for m, cell in merges.items() if cell.kind == kind}
    top = [m for m, cell in own.items() if cell.mark == "best"]  # several that have the very same score
    if len(own) < 2 or not top:
        return ""
    by_mark = {mark: [terminal.name(m) for m, c in own.items() if c.mark == mark] for mark in ("tied", "unknown")}
    alike = (
        f"; {'it' if len(top) == 1 else 'they'} cannot be told from {text.joined(by_mark['tied'], 4)}"
        if by_mark["tied"]
        else ""
    )
    unknown = "; whether by more than chance is not known" if by_mark["unknown"] and not alike else ""
    who = text.joined([terminal.name(m) for m in top], 4)
    highest = f"{who} scores highest" if len(top) == 1 else f"{who} score the same and highest"
    said = f"{title}: {highest} of {len(own)} merges {of_several(kind)}{alike}{unknown}."
    it = "It" if len(top) == 1 else f"Of these, {terminal.name(top[0])}"
    judged = sum(cell.to_member is not None and not cell.variant for cell in cells.values())
    return text.plain(f"{group.key.model}, {said}{_beside_member(own[top[0]].to_member, it, judged)}")


def _beside_member(told: Told | None, it: str, judged: int) -> str:
    """How it stands to the best member; for how many merges its chance is corrected, as the answer below judges one."""
    if told is None:
        return ""
    of = f", corrected for {judged} merges" if judged > 1 else ""
    if told.chance is None:
        return f" {'Minus' if it == 'It' else f'{it} minus'} the best member: {text.difference(told)}."
    verdict = {"above": "above", "below": "below", "undecided": "not to be told from"}
    number = f"{text.difference(told)}{of}"
    return f" {it} is, on the test rows, {verdict[told.verdict]} the best member: {number}."


def ranking(found: Iterable[Group]) -> str:
    """Mean ranks in each world; "" where too little was run to rank anything."""
    parts = []
    for each in overall(found):
        most = ", most methods" if each.most else ""
        title = f"Mean ranks, {each.world}, {of_several(each.kind)}{most}: {each.questions} questions"
        parts.append(terminal.table(title, grids.ranks(each, terminal.name)))
    return "\n".join(parts)


def more(shown: Sequence[RunRecord], stored: Iterable[RunRecord], command: str) -> str:
    """What the store has of the same tables beside what is shown; "" if nothing.

    Args:
        command: prints all of it.
    """
    asked_of = {(r.model, r.suite) for r in shown}
    there = [r for r in stored if (r.model, r.suite) in asked_of]
    methods = {r.method for r in there} - {r.method for r in shown}
    seeds = {r.seed for r in there} - {r.seed for r in shown}
    found = [_several(len(methods), "method"), _several(len(seeds), "seed")]
    found = [what for what in found if what] or ([f"{len(there)} records"] if len(there) > len(shown) else [])
    return f"This session alone; the store has {' and '.join(found)} more: {command}" if found else ""


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}" if count else ""


def _of_group(group: Group, room: int, settings: Sequence[str]) -> Iterator[str]:
    questions = [q for q in group.questions() if not settings or q.setting in settings]
    told = "; ".join(asked(group, question) for question in questions)
    title = f"{text.plain(group.key.model)}: {text.plain(group.heading)}\n{text.plain(told)}"
    for table in (headline(group) if group.blocks() else None, elsewhere(group)):
        if table is None:
            continue
        own = table.of_settings(settings) if settings else table
        if own.columns:
            grid, left_out = fitted(grids.scores(own, terminal.starred, terminal.name), room)
            yield terminal.table(title, grid) + left_out
            title = text.plain(table.title)
    if not settings:
        for apart in ablations(group):
            grid, left_out = fitted(grids.ablations(apart, terminal.starred, terminal.name), room)
            yield terminal.table(text.plain(apart.title), grid) + left_out


def fitted(grid: grids.Grid, room: int) -> tuple[grids.Grid, str]:
    """The first columns that fit into a line of so many characters; and a line that names the others, or ""."""
    headers, rows = grid
    widths = [max(len(row[place]) for row in (headers, *rows)) for place in range(len(headers))]
    count = len(headers)
    while count > LEAST and sum(widths[:count]) + 2 * (count - 1) > room:
        count -= 1
    if count == len(headers):
        return grid, ""
    names = text.listed([text.plain(name) for name in headers[count:]])
    said = f"left out, as a line has {room} characters: {names}; name one with --setting, or widen the window\n"
    return (headers[:count], [row[:count] for row in rows]), said
