"""Where tasks are described: a look through the texts of YAML files, since lm-eval's own index takes twenty seconds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from harness.lm_eval.words import FOLDER, INSTALL, OPTION, Wanted
from methods.errors import MergeboardError

_ENTRY = re.compile(r"^[\"']?(task|group|tag)[\"']?[ \t]*:[ \t]*(\S.*)?$", re.M)  # at the top level
_ITEM = re.compile(r"(?:[ \t]*-[ \t]*(\S.*)\n?)")


@dataclass(frozen=True)
class Listed:
    """What the YAML files of a folder, at any depth, name."""

    tasks: dict[str, Path] = field(default_factory=dict)
    groups: dict[str, Path] = field(default_factory=dict)  # and tags: several tasks in one word


def installed() -> Path:
    """The folder of lm_eval, which is not imported for it. Errors: `MergeboardError` where there is none."""
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise MergeboardError(f"{OPTION}: lm-eval asks these tasks and is not installed; {INSTALL}")
    return Path(spec.submodule_search_locations[0])


def listed(folder: Path) -> Listed:
    """The tasks and the groups of a folder; of two files that describe one name the first counts, as in lm-eval."""
    found = Listed()
    for path in sorted(_files(folder), key=lambda path: path.as_posix()):
        text = path.read_text(encoding="utf-8", errors="replace")
        entries = [(kind, _names(text, at, value)) for kind, value, at in _entries(text)]
        group = any(kind == "group" for kind, _ in entries)
        for kind, names in entries:
            if kind == "task" and (group or len(names) != 1):
                continue  # the parts of a group
            for name in names:
                (found.tasks if kind == "task" else found.groups).setdefault(name, path)
    return found


def found(wanted: Iterable[Wanted], folder: Path | None) -> dict[str, Path]:
    """Task -> the file that describes it: in the user's folder, else among lm-eval's own.

    Errors: `MergeboardError` in one line for a group and for a name that means nothing, with those near it.
    """
    place, own = installed() / "tasks", Listed() if folder is None else listed(folder)
    files = {}
    for one in wanted:
        there = own if one.task in (*own.tasks, *own.groups) else _of_lm_eval(place)
        if one.task in there.groups and one.task not in there.tasks:
            raise MergeboardError(f"{one.words}: it is a group of several tasks; name each of those that you mean")
        if one.task not in there.tasks:
            near = get_close_matches(one.task, [*own.tasks, *there.tasks], n=5)
            places = "lm-eval" if folder is None else f"lm-eval and {folder}"
            cure = f"; near it is {', '.join(near)}" if near else f"; {FOLDER}=FOLDER says where yours lie"
            raise MergeboardError(f"{one.words}: there is no such task in {places}{cure}")
        files[one.task] = there.tasks[one.task]
    return files


@cache
def _of_lm_eval(place: Path) -> Listed:
    """Fourteen thousand files, which take a second."""
    return listed(place)


def _files(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if name not in ("__pycache__", ".ipynb_checkpoints")]
        yield from (Path(place, name) for name in names if name.endswith(".yaml"))


def _entries(text: str) -> Iterator[tuple[str, str, int]]:
    yield from ((match[1], match[2] or "", match.end()) for match in _ENTRY.finditer(text))


def _names(text: str, end: int, value: str) -> list[str]:
    """The name behind a key, or those of the list that begins there or below."""
    if value.startswith("["):
        return [_plain(name) for name in value.strip("[] ").split(",")]
    if value and not value.startswith("#"):
        return [_plain(value)]
    names, place = [], end + 1
    while item := _ITEM.match(text, place):
        names.append(_plain(item[1]))
        place = item.end()
    return names


def _plain(value: str) -> str:
    """A scalar without quotation marks, or the comment behind it."""
    value = value.strip()
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].strip()
