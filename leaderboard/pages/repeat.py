"""How to run again what a page rests on: its commands, each as a block that can be copied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from harness.records.record import RunRecord
from leaderboard import text
from leaderboard.pages import prose
from leaderboard.pages.fold import folded

WIDE = 88  # letters of a line, which fits beside a menu


def repeat(records: Iterable[RunRecord]) -> Iterator[str]:
    """The command that made most of these records, and the others below it."""
    counted = Counter(_command(r) for r in records)
    known = [command for command, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0])) if command]
    if not known:
        yield prose.NO_COMMAND
        return
    first, *others = known
    yield prose.REPEAT
    if others:
        share = f"{counted[first]:,} of the {counted.total():,} records"
        yield f"This command made {share} behind this page.\n"
    yield block(first)
    yield folded(f"The other {len(others)} commands" if len(others) > 1 else "The other command", [block(*others)])


def block(*commands: str) -> str:
    """Commands as a block of code, each in lines that a shell reads as one, and an empty line between two of them."""
    lines = "\n\n".join(wrapped(text.plain(command)) for command in commands)
    longest = max((len(run) for run in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{'text' if len(commands) > 1 else 'bash'}\n{lines}\n{fence}\n"


def wrapped(command: str) -> str:
    """The same command over several lines, broken before options only: no quoted word is torn."""
    lines = [""]
    for part in re.split(r" (?=--?[a-z])", command):
        if lines[-1] and len(lines[-1]) + 1 + len(part) > WIDE:
            lines.append(part)
        else:
            lines[-1] = f"{lines[-1]} {part}".strip()
    return " \\\n  ".join(lines) if _plain_words(command) else command


def _plain_words(command: str) -> bool:
    """Whether no option can stand inside quotes."""
    return not re.search(r"[\"'\\]", command)


def _command(record: RunRecord) -> str:
    told = record.environment.get("command")
    return text.plain(told) if isinstance(told, str) else ""
