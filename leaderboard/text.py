"""Names and numbers as text: whatever stands in a record, it can neither break a table nor run in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.suites.paper import Published
from leaderboard.stats.difference import FEWEST, Told
from leaderboard.stats.interval import half_width
from leaderboard.tables.cell import Cell
from leaderboard.tables.written import NoneRight

GAP = "—"
LONG = 100  # seconds that are told as minutes
_SPECIAL = re.compile(r"[&<>{}|`\[\]\\*~$!\"']|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_OF_OURS = re.compile(r"[<>|\[\]\\*~$]")  # what our own prose must not mean outside its code
_TO_FULL_WIDTH = 0xFEE0  # from a sign to its other form, which spreadsheets in some languages take for the same
FORMULA = tuple(sign for plain in "=+-@" for sign in (plain, chr(ord(plain) + _TO_FULL_WIDTH)))  # begin one in a cell
_APART = re.compile(r"(`[^`]+`|https?://\S+)")


def plain(text: str) -> str:
    """One line without control characters, for a terminal."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())


def few(lines: Sequence[str], most: int) -> list[str]:
    """The first lines and how many more there are: a thousand files that are damaged alike are told once."""
    return [*lines[:most], f"and {len(lines) - most:,} more lines like these"] if len(lines) > most + 1 else [*lines]


def unformulated(text: str) -> str:
    """The same for a CSV file: what a spreadsheet would take for a formula begins with an apostrophe (OWASP, CSV
    Injection)."""
    return f"'{text}" if text.startswith(FORMULA) else text


def escaped(text: str) -> str:
    """The same line for Markdown: everything that could mean something there is written as an entity."""
    return _SPECIAL.sub(_entity, plain(text))


def sentence(text: str) -> str:
    """The same of a sentence, whose apostrophes stay: between words they mean nothing."""
    return escaped(text).replace("&#39;", "'")


def prose(text: str) -> str:
    """A docstring's words for Markdown: its code stays code, an address becomes a link, nothing else means anything."""
    parts = enumerate(_APART.split(plain(text)))
    return "".join(_apart(part) if odd % 2 else _OF_OURS.sub(_entity, part) for odd, part in parts)


def _apart(part: str) -> str:
    return f"<{part}>" if part.startswith("http") else part.replace("|", "\\|")  # a table's cell may hold it


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def score(cell: Cell | None, name: Callable[[str], str] = plain) -> str:
    """`41.20 ± 0.31`, `41.20 / 43.00`, `41.20 (n=1)`, `— (2 of 3)` or `—`.

    Args:
        name: how a grader's name is written, as `escaped` for Markdown.
    """
    if cell is None:
        return GAP
    if cell.mean is None:
        why = cell.note or (f"{cell.have} of {cell.want}" if cell.have else "")
        return f"{GAP} ({why})" if why else GAP
    return _spread(cell, cell.mean) + _undefined(cell) + _alike(cell, name)


def _spread(cell: Cell, mean: float) -> str:
    """The values themselves of one or two sets of members, the mean and its interval of more; both on the scale."""
    if cell.half is None:
        if len(cell.values) > 1:
            return " / ".join(map(_percent, cell.values))
        return f"{_percent(mean)} (n=1{_searched(cell.searches)})"
    low, high = mean - cell.half, mean + cell.half
    if low < cell.lowest or high > 1:
        return f"{_percent(mean)} [{_percent(max(low, cell.lowest))}, {_percent(min(high, 1.0))}]"
    return f"{_percent(mean)} ± {_percent(cell.half)}"


def _searched(values: Sequence[float]) -> str:
    """How far searches of one set of members lie apart: no replicates."""
    if not values:
        return ""
    half = half_width(values) if len(values) >= FEWEST else None
    return f", search {' / '.join(map(_percent, values))}" if half is None else f", search ± {_percent(half)}"


def _alike(cell: Cell, name: Callable[[str], str]) -> str:
    """What a model that reads no text says, where it says no other thing; of one that writes, why nothing is right."""
    if cell.wrong is not None:
        return f" ({_none_right(cell.wrong, name)})"
    return f" (answers {'no' if cell.silent else 'yes'} to everything)" if cell.silent or cell.loud else ""


def _none_right(why: NoneRight, name: Callable[[str], str]) -> str:
    """`every answer is wrong`, `no answer passes language`, or `no answer passes both language and number`."""
    names = [*map(name, why.graders)]
    if not names:
        return "every answer is wrong"
    if len(names) > 3:
        return f"no answer passes {'all of' if why.together else 'any of'} {listed(names)}"
    every = "both " if len(names) == 2 else "all of "
    return f"no answer passes {every + joined(names) if why.together else ' or '.join(names)}"


def _undefined(cell: Cell) -> str:
    """How many of a cell's correlations are 0 because all answers were the same."""
    if not cell.constant:
        return ""
    return f" ({'' if cell.constant == cell.correlations else f'{cell.constant} of {cell.correlations} '}constant)"


def mark(cell: Cell | None) -> str:
    """Behind what cannot be told from the best, and behind that of which nothing is known."""
    return "" if cell is None else {"tied": " ≈", "unknown": " ?"}.get(cell.mark, "")


def paper(number: Published | None, method: str) -> str:
    """The paper's number, with a dagger where it is doubtful."""
    if number is None:
        return "‡" if method == "evolver" else ""
    return f"{number.value:.2f}" + ("†" if number.doubt else "") + ("‡" if method == "simple_evolver" else "")


def difference(found: Told | None) -> str:
    """`+1.20 [0.31, 2.09] p = 0.012`, `+1.20 ?` where nothing is known about chance, or nothing."""
    if found is None:
        return ""
    centre = _percent(found.mean)
    centre = f"+{centre}" if found.mean > 0 and centre != "0.00" else centre
    if found.chance is None:
        return f"{centre} ?"
    span = "" if found.span is None else f" [{', '.join(map(_percent, found.span))}]"
    return f"{centre}{span} {chance(found.chance)}"


def chance(value: float) -> str:
    """`p = 0.012`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _percent(value: float) -> str:
    """Two digits; what rounds to nothing has no sign."""
    return f"{round(100 * value, 2) + 0.0:.2f}"


def percent(value: float | None) -> str:
    """A number on the scale of scores, or `—`."""
    return GAP if value is None else _percent(value)


def seconds(value: float) -> str:
    """`12.0 s`, `3 min`, `less than 0.1 s`."""
    if value < 0.1:
        return "less than 0.1 s"
    return f"{value:.1f} s" if value < LONG else f"{value / 60:.0f} min"


def count(value: float | None) -> str:
    """`12,800`, or `—`."""
    return GAP if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """`87 %`, or nothing."""
    return "" if value is None else f"{100 * value:.0f} %"


def amount(value: float | None, digits: int) -> str:
    """A cost, or a gap."""
    return GAP if value is None else f"{value:.{digits}f}"


def times(value: float | None) -> str:
    """`3`, `1.9`, `2.03`, or a gap: two digits as far as they say something."""
    return GAP if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def run_at_inference(models: float | None, tasks: float | None) -> str:
    """`3`, `1.9`; `1 of 5, by task` where the task of a row decides which model answers it."""
    return times(models) + (f" of {tasks:.0f}, by task" if tasks is not None and models is not None else "")


def listed(values: list[str], most: int = 3) -> str:
    """`a, b, c and 2 more`."""
    rest = len(values) - most
    return ", ".join(values[:most]) + (f" and {rest} more" if rest > 0 else "")


def joined(values: list[str], most: int = 8) -> str:
    """`a, b and c`; of many, `a, b and 2 more`."""
    if len(values) > most + 1:
        return listed(values, most)
    return " and ".join(filter(None, (", ".join(values[:-1]), *values[-1:])))
