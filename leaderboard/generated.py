"""Which files below docs/ were written by `publish`, so that nothing else is ever overwritten or removed.

The list is committed beside the pages: a path relative to docs/, and the hash of what was written there. A file that is
not on it, or holds something else by now, is somebody's own. While pages are written it has both hashes of each, so
that a publish that was killed leaves none that is taken for somebody's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from harness.records.record import write_whole
from leaderboard.links import FOLDER as MANUAL
from leaderboard.pages.pages import CLAIMS_PAGE, INDEX, VARIED_PAGE
from leaderboard.pages.prose import MARK
from leaderboard.places import FOLDER

DOCS = Path("docs")
LIST = FOLDER / "generated.json"
MARKED_WITHIN = 500  # bytes

Hashes = Mapping[PurePosixPath, str]  # path below docs/ -> hash of the content that was written


class Written(NamedTuple):
    """What became of the pages."""

    written: list[PurePosixPath]
    removed: list[PurePosixPath]
    kept: list[str]  # a line for each file that is somebody's own and stays as it is


def listed(root: Path) -> dict[PurePosixPath, str]:
    """What the list says; paths that `publish` cannot have written are passed over. Raises ValueError if it is none."""
    path = root / DOCS / LIST
    if not path.exists():
        return _marked(root / DOCS)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        told = {PurePosixPath(name): str(digest) for name, digest in found.items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{DOCS / LIST}: not a list of written files ({said}); take it from git again") from None
    return {name: digest for name, digest in told.items() if _may_be_ours(name)}


def _marked(docs: Path) -> dict[PurePosixPath, str]:
    """Where there is no list yet: pages that say in their first lines that `publish` wrote them."""
    pages = [docs / INDEX, docs / CLAIMS_PAGE, docs / VARIED_PAGE, *(docs / FOLDER).glob("*.md")]
    raw = {PurePosixPath(p.relative_to(docs).as_posix()): p.read_bytes() for p in pages if p.is_file()}
    return {name: hash_of(content) for name, content in raw.items() if MARK.encode() in content[:MARKED_WITHIN]}


def text_of(hashes: Hashes) -> str:
    """The list as a file."""
    content = {name.as_posix(): digest for name, digest in hashes.items()}
    return json.dumps(content, sort_keys=True, indent=1) + "\n"


def hash_of(content: str | bytes) -> str:
    """What the list keeps of a file."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


def write(root: Path, pages: Mapping[PurePosixPath, str]) -> Written:
    """Write the pages that differ and remove those that no record needs any more, but no file of somebody's own."""
    docs, before = root / DOCS, listed(root)
    after: dict[PurePosixPath, str] = {}
    done = Written([], [], [])
    digests = {name: hash_of(content) for name, content in pages.items()}
    if any(_hash_at(docs / name) != digest for name, digest in digests.items()):
        write_whole(docs / LIST, text_of(before | {n: f"{before.get(n, '')} {d}".strip() for n, d in digests.items()}))
    for name, content in pages.items():
        digest, there = digests[name], _hash_at(docs / name)
        if there not in (None, digest, *_ours(name, before)):
            done.kept.append(f"{DOCS / name}: {_whose(name, before)}, so it stays; move it elsewhere and publish again")
            after |= {name: before[name]} if name in before else {}
            continue
        after[name] = digest
        if there != digest:
            write_whole(docs / name, content)
            done.written.append(name)
    for name in sorted(before.keys() - pages.keys()):
        there = _hash_at(docs / name)
        if there in _ours(name, before):
            (docs / name).unlink()
            done.removed.append(name)
        elif there is not None:
            done.kept.append(f"{DOCS / name}: {_whose(name, before)}, so it stays; no record needs it any more")
    if _hash_at(docs / LIST) != hash_of(text_of(after)):
        write_whole(docs / LIST, text_of(after))
    return done


def problems(root: Path, pages: Mapping[PurePosixPath, str], remedy: str) -> list[str]:
    """One line for each page that is not what records say, and each file in the generated folder that none asks for."""
    docs, before = root / DOCS, listed(root)
    found = []
    for name, content in {**pages, LIST: text_of({n: hash_of(c) for n, c in pages.items()})}.items():
        there = _hash_at(docs / name)
        if there is None:
            found.append(f"{DOCS / name}: missing; {remedy}")
        elif there != hash_of(content):
            found.append(f"{DOCS / name}: not what the published records say; {remedy}")
    there_too = (p for folder in (FOLDER, MANUAL) for p in (docs / folder).rglob("*") if p.is_file())
    names = (PurePosixPath(p.relative_to(docs).as_posix()) for p in there_too)
    for name in sorted(name for name in names if name not in pages and name != LIST):
        cure = remedy if _hash_at(docs / name) in _ours(name, before) else "publish did not write it; move it elsewhere"
        found.append(f"{DOCS / name}: no published record asks for it; {cure}")
    return found


def _hash_at(path: Path) -> str | None:
    return hash_of(path.read_bytes()) if path.exists() else None


def _ours(name: PurePosixPath, before: Hashes) -> list[str]:
    """The hashes of what publish wrote there: two, if it was killed."""
    return before.get(name, "").split()


def _may_be_ours(name: PurePosixPath) -> bool:
    inside = any(folder in name.parents for folder in (FOLDER, MANUAL)) and ".." not in name.parts
    return name in (INDEX, CLAIMS_PAGE, VARIED_PAGE) or inside


def _whose(name: PurePosixPath, before: Hashes) -> str:
    return "edited since it was written" if name in before else "not written by publish"
