"""What a worker has to have in common with the session that asks it: code, versions, plug-ins, folders."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.records.environment import engine
from harness.records.source import code_of
from harness.session.options import Options
from methods.errors import MergeboardError

ROOT = Path(__file__).parents[2]
MARK = ".folder"  # in the zoo and in the results: a word by which a folder is told from another of the same path


@dataclass(frozen=True)
class Facts:
    """Of one process."""

    where: str  # the machine it runs on
    python: str
    code: str  # hash of mergeboard's own files
    engine: Mapping[str, str]  # torch, transformers, device and processor: other ones round otherwise
    methods: Mapping[str, str]  # method of the session -> hash of its code if it is not built in, or what is wrong
    unseen: tuple[str, ...] = ()  # folders of the session that it does not see, each as it was named


def mark_of(folder: Path) -> str:
    """What this folder is known by; written once and never removed, so that nothing is left over by who is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (found := _read(folder)):
        with contextlib.suppress(FileExistsError), (folder / MARK).open("x", encoding="utf-8") as file:
            file.write(secrets.token_hex(16))
        if not (found := _read(folder)):  # whoever began the file was killed before a word stood in it
            (folder / MARK).write_text(secrets.token_hex(16), encoding="utf-8")
            found = _read(folder)
    return found


def _read(folder: Path) -> str:
    try:
        return (folder / MARK).read_text(encoding="utf-8")
    except OSError:
        return ""


def facts_of(options: Options, marks: Mapping[str, tuple[Path, str]] | None = None) -> Facts:
    """Those of this process. `marks`: words -> the folder that they name, and what the session knows it by."""
    unseen = tuple(words for words, (folder, mark) in (marks or {}).items() if _read(folder) != mark)
    where, python = platform.node(), platform.python_version()
    return Facts(where, python, code(), engine(), _methods(options), unseen)


def differing(mine: Facts, theirs: Facts) -> str:
    """In one line, what keeps a worker from answering as the session would; empty where nothing does."""
    at = f"a worker on {theirs.where}"
    if theirs.code != mine.code:
        return f"{at} has another mergeboard than this session; install the same code there"
    if theirs.unseen:
        what = theirs.unseen[0]
        return f"{at} does not see {what}; name a folder on a disk that all machines share, at the same path"
    for name in ("torch", "transformers"):
        if theirs.engine[name] != mine.engine[name]:
            return f"{at} has {name} {theirs.engine[name]}, and this session {mine.engine[name]}; install the same one"
    for name, words in (("device", "device"), ("processor", "kind of processor")):
        if theirs.engine[name] != mine.engine[name]:
            return (
                f"{at} has another {words}, {theirs.engine[name]} and not {mine.engine[name]}, which rounds otherwise; "
                "start the session on a machine like the workers'"
            )
    for name, told in mine.methods.items():
        if (other := theirs.methods.get(name, "")) != told:
            has = "has another code" if len(other) == len(told) else f"is not there ({other})"
            return f"{at}: the method {name} {has}; install its package there, or give its module by -p"
    return ""


@cache
def code() -> str:
    """A hash of the files that decide answers."""
    found = hashlib.sha256()
    for file in sorted(path for layer in ("harness", "methods") for path in (ROOT / layer).rglob("*.py")):
        content = file.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


def _methods(options: Options) -> dict[str, str]:
    """Of every method of the session that has code of its own."""
    from harness.cells.rows import ROWS
    from methods import resolve

    found: dict[str, str] = {}
    for name in (name for name in options.methods if name not in ROWS):
        try:
            told = code_of(type(resolve(name)))
        except MergeboardError as error:
            told = str(error).partition(".")[0]
        if told is not None:
            found[name] = told
    return found
