"""Lines in a chain: each holds a hash of itself and of all before it, so that none is changed, moved or lost unseen.

What a kill leaves behind is a last line without its end, and is no damage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

LINK = "chain"  # the field that holds the hash


class Line(NamedTuple):
    """One whole line of a file."""

    content: dict[str, Any]
    link: str  # what the next line's hash goes on from
    begins: int  # bytes from the file's start


class Broken(ValueError):
    """A line that does not belong where it stands."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number}")
        self.number = number


def linked(before: str, content: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line of this content behind the one whose link is `before`, and its own link."""
    told = json.dumps(content, sort_keys=True, allow_nan=False)
    link = hashlib.sha256(f"{before}\n{told}".encode()).hexdigest()[:24]
    return json.dumps({**content, LINK: link}, allow_nan=False).encode() + b"\n", link


def first(raw: bytes) -> Any:
    """The content of the first line, whatever it says; None if it is torn or no JSON."""
    line, end, _ = raw.partition(b"\n")
    try:
        return json.loads(line) if end else None
    except ValueError:
        return None


def read(raw: bytes) -> tuple[list[Line], int]:
    """The lines of a file and where the last whole one ends. Errors: `Broken` for the first that breaks the chain."""
    lines, link, end = list[Line](), "", 0
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        try:
            content = json.loads(line)
            said = content.pop(LINK)
            whole, link = linked(link, content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Broken(number) from None
        if said != link or whole != line + b"\n":
            raise Broken(number)
        lines.append(Line(content, link, end))
        end += len(whole)
    return lines, end
