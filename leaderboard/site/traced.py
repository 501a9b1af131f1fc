"""A group's rows as HTML, each with every record behind it; the commands that made them stand once, at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.records.record import RunRecord
from leaderboard import text, words
from leaderboard.joined.told import command_of
from leaderboard.pages import grids
from leaderboard.pages.repeat import wrapped
from leaderboard.site.html import about, address, escaped, to_best
from leaderboard.site.rows import Row
from leaderboard.tables.table import headline

SEEDS = re.compile(r"(?<= --seeds=)\d{1,9}(?= |$)")  # of a run of one seed
UNKNOWN = "not recorded"
MADE = (
    "What made these records, by the numbers in their tables. Those that differ in their seed alone are shown as one."
)
_Parts = tuple[str, ...]  # of a command: before its seed and behind it


def traced(rows: Sequence[Row]) -> str:
    """Each row's numbers, its records and which command made each; below them what shows a record's answers, and the
    commands."""
    commands = _Commands(record for row in rows for record in row.records)
    parts = [_row(row, commands) for row in rows]
    return "\n".join([*_contents(rows), *parts, *_answers(rows), *commands.told()])


def _contents(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each column, with links to its rows: hundreds of them fill more screens than anybody scrolls."""
    titles: dict[str, list[str]] = {}
    for row in rows:
        name = escaped(words.shown(headline(row.group).short(row.method)))
        titles.setdefault(row.title, []).append(f'<a href="#{escaped(row.anchor)}">{name}</a>')
    if len(rows) > 1:
        yield '<h2 id="contents">Contents</h2>\n<ul>'
        yield from (f"<li><strong>{escaped(title)}</strong>: {', '.join(own)}</li>" for title, own in titles.items())
        yield "</ul>"


class _Commands:
    """The commands of a page, by the numbers that they bear there. Those that differ in one seed are one."""

    def __init__(self, records: Iterable[RunRecord]) -> None:
        self._seeds: dict[_Parts, set[int]] = {}  # what a command says but for its seed -> its seeds
        for record in records:
            if (told := _parts(record)) is not None:
                parts, seed = told
                self._seeds.setdefault(parts, set()).update(seed)
        self._numbers = {parts: number for number, parts in enumerate(self._seeds, 1)}

    def link(self, record: RunRecord) -> str:
        """A record's command, by its number."""
        told = _parts(record)
        if told is None:
            return UNKNOWN
        number = self._numbers[told[0]]
        return f'<a href="#command-{number}">{number}</a>'

    def told(self) -> Iterator[str]:
        """All of them."""
        if self._seeds:
            yield f'<h2 id="commands">Commands</h2>\n<p>{MADE}</p>'
        for parts, seeds in self._seeds.items():
            command = wrapped(",".join(map(str, sorted(seeds))).join(parts))
            lines = "\n".join(map(escaped, command.split("\n")))
            number = self._numbers[parts]
            yield f'<h3 id="command-{number}">{number}</h3>\n<pre><code>{lines}</code></pre>'


def _parts(record: RunRecord) -> tuple[_Parts, list[int]] | None:
    """What a record's command says before its seed and behind it; the whole of it where it names none or several.
    None where it is not recorded."""
    command = text.plain(str(record.environment.get("command") or ""))
    found = list(SEEDS.finditer(command))
    if len(found) != 1:
        return ((command,), []) if command else None
    (seed,) = found
    return (command[: seed.start()], command[seed.end() :]), [int(seed[0])]


def _row(row: Row, commands: _Commands) -> str:
    names = ("members", "seed", "score", "record", "commit", "command")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    records = sorted(row.records, key=lambda r: (r.population, r.seed))
    body = "\n".join(_record(record, commands) for record in records)
    facts = [
        ("score", text.score(row.cell)),
        ("recovery", text.share(row.cell.recovery)),
        ("", grids.THE_BEST) if row.best else (grids.BEST, to_best(row)),
        (grids.BASE, text.difference(row.cell.to_base)),
        (grids.MEMBER, text.difference(row.cell.to_member)),
        (grids.ANCESTOR, text.difference(row.cell.to_ancestor)),
    ]
    facts = [(name, escaped(value).replace("p = ", "p&nbsp;=&nbsp;")) for name, value in facts]  # stays on one line
    told = " · ".join(f"{name} {value}".strip() for name, value in facts if value)
    return (
        f'<h2 id="{escaped(row.anchor)}">{escaped(row.title)}: {about(row.method, "../")}</h2>\n<p>{told}</p>\n'
        f'<div class="explore-table" role="region" aria-label="Records" tabindex="0"><table class="explore-rows">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _record(record: RunRecord, commands: _Commands) -> str:
    commit = str(record.environment.get("commit") or UNKNOWN)
    link = f'<a href="../records/{address(record.path.as_posix())}">{escaped(record.key)}</a>'
    told = (escaped(record.population), str(record.seed), f"{100 * record.score:.2f}", link, escaped(commit[:12]))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in (*told, commands.link(record))) + "</tr>"


def _answers(rows: Iterable[Row]) -> Iterator[str]:
    """How to see the answers of a record beside one's own rows, which no page may hold."""
    shown = next((told for row in rows for record in row.records if (told := command_of(record))), "")
    if shown:
        yield (
            '<h2 id="answers">What a record answered</h2>\n<p>To each row, beside your own data; '
            f"put another key in for another record:</p>\n<pre><code>{escaped(shown)}</code></pre>"
        )
