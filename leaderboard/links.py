"""Where the page about a method is, by the name of a row: that of the method inside, whatever is around it."""

from __future__ import annotations

from pathlib import PurePosixPath

from leaderboard import words
from methods.catalogue import BUILT_IN

FOLDER = PurePosixPath("methods")  # below docs/
INDEX = FOLDER / "README.md"
YARDSTICKS = "rows-that-are-no-methods"  # a heading of the index


def page_of(row: str) -> str:
    """The file's name below the folder: `ties.md` of `ties_cma k=0.4`; "" of a plug-in, whose page is elsewhere."""
    method = row if row == words.CONSTANT else words.method_of(row)
    if words.SOURCE.fullmatch(method):
        return "source.md"
    if words.yardstick(method) and method not in BUILT_IN:
        return f"{INDEX.name}#{YARDSTICKS}"
    while method and method not in BUILT_IN:
        method = words.base_of(method)
    return f"{method}.md" if method else ""
