"""Names and numbers as text: whatever stands in a record, it can neither break a table nor run in a browser."""

from __future__ import annotations

import re

from leaderboard.stats.difference import Difference
from leaderboard.tables.cell import Cell
from leaderboard.tables.paper import Published

GAP = "—"
_SPECIAL = re.compile(r"[&<>{}|`\[\]\\*~$!\"']|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def plain(text: str) -> str:
    """One line without control characters, for a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def escaped(text: str) -> str:
    """The same line for Markdown: everything that could mean something there is written as an entity."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", plain(text))


def score(cell: Cell | None) -> str:
    """`41.20 ± 0.31`, `41.20 (n=1)`, `— (2 of 3)` or `—`."""
    if cell is None:
        return GAP
    if cell.mean is None:
        why = cell.note or (f"{cell.have} of {cell.want}" if cell.have else "")
        return f"{GAP} ({why})" if why else GAP
    if cell.half is None:
        return f"{_percent(cell.mean)} (n=1)"
    return f"{_percent(cell.mean)} ± {_percent(cell.half)}"


def paper(number: Published | None, method: str) -> str:
    """The paper's number, with a dagger where it is doubtful."""
    if number is None:
        return "‡" if method == "evolver" else ""
    return f"{number.value:.2f}" + ("†" if number.doubt else "") + ("‡" if method == "simple_evolver" else "")


def difference(found: Difference | None) -> str:
    """`+1.20 [0.31, 2.09]`, without brackets where nothing is known about chance, or nothing."""
    if found is None:
        return ""
    centre = _percent(found.mean)
    centre = f"+{centre}" if found.mean > 0 and centre != "0.00" else centre
    return centre if found.span is None else f"{centre} [{', '.join(map(_percent, found.span))}]"


def _percent(value: float) -> str:
    """Two digits; what rounds to nothing has no sign."""
    return f"{round(100 * value, 2) + 0.0:.2f}"


def share(value: float | None) -> str:
    """`87 %`, or nothing."""
    return "" if value is None else f"{100 * value:.0f} %"


def amount(value: float | None, digits: int) -> str:
    """A cost, or a gap."""
    return GAP if value is None else f"{value:.{digits}f}"


def listed(values: list[str], most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    rest = len(values) - most
    return ", ".join(values[:most]) + (f" and {rest} more" if rest > 0 else "")
