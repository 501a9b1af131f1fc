"""Names and patterns of files, which mean the same in a folder and in a repository of the hub.

A name that is there is that file, whatever signs it holds. Else `*`, `?` and `[...]` stand for signs of one name, and a
part `**` for any folders, at the end for all that is in them. What is hidden is named, or left out.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath


def in_folder(base: Path, pattern: str) -> tuple[Path, ...]:
    """The files that a pattern means, in order; a name without signs is one, whether it is there or not."""
    if not glob.has_magic(pattern) or (base / pattern).is_file():
        return (base / pattern,)
    names = glob.glob(pattern, root_dir=base, recursive=True)
    found = (base / name for name in names if not name.endswith("/"))  # as if a file were a folder
    return tuple(sorted({path for path in found if path.is_file()}))  # two `**` reach a file in several ways


def among(names: Sequence[str], pattern: str) -> list[str]:
    """The same of the names of a repository's files."""
    wanted = PurePosixPath(pattern).parts
    there = {name: PurePosixPath(name).parts for name in names}
    same = [name for name, parts in there.items() if parts == wanted]
    return same or sorted(name for name, parts in there.items() if _fits(parts, wanted))


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not parts or not wanted:
        return not parts and not wanted
    first = wanted[0]
    if parts[0].startswith(".") and not first.startswith("."):
        return first == "**" and _fits(parts, wanted[1:])  # what is hidden is named, or left out
    if first == "**":
        at_the_end = len(parts) == len(wanted) == 1
        return at_the_end or _fits(parts, wanted[1:]) or _fits(parts[1:], wanted)
    return fnmatchcase(parts[0], first) and _fits(parts[1:], wanted[1:])
