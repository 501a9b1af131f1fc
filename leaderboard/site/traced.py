"""A group's rows as HTML, each with every record behind it; the commands that made them stand once, at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.records.record import RunRecord
from leaderboard import text
from leaderboard.joined.told import command_of
from leaderboard.pages import grids
from leaderboard.pages.repeat import wrapped
from leaderboard.site.html import about, address, escaped, to_best
from leaderboard.site.rows import Row

SEEDS = re.compile(r"(?<= --seeds=)\d{1,9}(?= |$)")  # of a run of one seed
UNKNOWN = "not recorded"


def traced(rows: Sequence[Row]) -> str:
    """Each row's numbers, its records and which command made each; below them what shows a record's answers, and the
    commands."""
    commands = _Commands(record for row in rows for record in row.records)
    parts = [_row(row, commands) for row in rows]
    return "\n".join([*parts, *_answers(rows), *commands.told()])


class _Commands:
    """The commands of a page, by the numbers that they bear there. Those that differ in one seed are one."""

    def __init__(self, records: Iterable[RunRecord]) -> None:
        self._seeds: dict[str, dict[str, None]] = {}  # what a command says but for its seed -> its seeds
        for record in records:
            command, seed = self._parts(record)
            self._seeds.setdefault(command, {})[seed] = None
        self._numbers = {command: number for number, command in enumerate(self._seeds, 1)}

    def link(self, record: RunRecord) -> str:
        """A record's command, by its number."""
        command, _ = self._parts(record)
        return f'<a href="#command-{self._numbers[command]}">{self._numbers[command]}</a>' if command else UNKNOWN

    def told(self) -> Iterator[str]:
        """All of them."""
        if any(self._seeds):
            yield '<h2 id="commands">Commands</h2>\n<p>What made these records, by the numbers in their tables.</p>'
        for command, seeds in self._seeds.items():
            if command:
                number, asked = self._numbers[command], ",".join(sorted(filter(None, seeds), key=int))
                lines = "\n".join(
                    map(escaped, wrapped(command.replace("=*", f"={asked}") if asked else command).split("\n"))
                )
                yield f'<h3 id="command-{number}">{number}</h3>\n<pre><code>{lines}</code></pre>'

    @staticmethod
    def _parts(record: RunRecord) -> tuple[str, str]:
        command = text.plain(str(record.environment.get("command") or ""))
        found = SEEDS.findall(command)
        return (SEEDS.sub("*", command), found[0]) if len(found) == 1 else (command, "")


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
    told = " · ".join(f"{name} {escaped(value)}".strip() for name, value in facts if value)
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
