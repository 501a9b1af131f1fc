"""The pages and the blocks of README and home as pure functions of stores, and the copy from a local store to the
published one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from harness.records import diagnosis, terrain
from harness.records.record import RunRecord, Store, write_whole
from harness.records.uncollected import uncollected
from leaderboard import audit, downloads, generated, places, shelf
from leaderboard.audit.marks import misgraded
from leaderboard.findings.quantities import values
from leaderboard.manual import page
from leaderboard.pages import findings, pages
from leaderboard.pages.readme import block, home, picture
from leaderboard.tables.answers import files_named_by, gold_of
from leaderboard.tables.group import Group, groups

LOCAL = Path(".mergeboard", "results")
PUBLISHED = Path("leaderboard", "results")
PAGE = generated.DOCS / pages.INDEX
README = Path("README.md")
HOSTS: Mapping[Path, Callable[[list[Group]], str]] = {README: block, generated.DOCS / README: home}
FINDINGS = generated.DOCS / "findings.md"  # its sentences are written by hand, its numbers here
BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"
REMEDY = "run python -m leaderboard publish"


def union(published: Iterable[RunRecord], local: Iterable[RunRecord]) -> list[RunRecord]:
    """All records; where both stores have the same cell, the local one is newer."""
    return list({record.path: record for record in (*published, *local)}.values())


def publish(root: Path, local: Store) -> tuple[list[str], list[str]]:
    """Copy healthy records and the gold labels and texts they name, then write what is rendered from them.

    A cell that is published already keeps its record: to replace one, remove its file first.
    Returns one line for everything that was done, and one for everything that was not and why.
    """
    target = Store(root / PUBLISHED)
    there = shelf.adopt(target, audit.load(target))
    same = local.root.resolve() == target.root.resolve()
    found, known = there if same else audit.load(local), gold_of(local)
    told = audit.told_first(there.records, found.records)
    refused, copied = [*found.damaged, *([] if same else found.foreign)], 0
    for record, place in found.files:
        if record.path in there.places:
            continue
        faults = [*audit.unlikely(record), *audit.disguised(record, told)]
        faults += [*audit.reproduce(record, known), *misgraded(record, known, local)]
        if faults:
            refused += faults
            continue
        for beside in sorted(files_named_by(record)):
            write_whole(target.root / beside, (local.root / beside).read_text(encoding="utf-8"))
        text = (local.root / place).read_text(encoding="utf-8")
        there.places[record.path] = shelf.signed(record.path, text)
        write_whole(target.root / there.places[record.path], text)
        there.records.append(record)
        copied += 1
    refused += _copy(shelf.surveys, terrain.text_of, local, target)
    refused += _copy(shelf.diagnoses, diagnosis.text_of, local, target)
    done, kept = write(root, there)
    return [f"{copied} of {len(found.records)} records copied to {PUBLISHED}", *done], [*refused, *kept]


def _copy(
    of: Callable[[Store], tuple[list[shelf.Kept], list[str]]],
    text_of: Callable[[shelf.Kept], str],
    local: Store,
    target: Store,
) -> list[str]:
    """Copy what is no record and is not published yet. Gives a line for each file that cannot be believed."""
    seen, damaged = of(local)
    published = {one.key for one in of(target)[0]}
    for one in seen:
        if one.key not in published:
            text = text_of(one)
            write_whole(target.root / shelf.signed(one.path, text), text)
    return damaged


@uncollected()
def outputs(root: Path, loaded: audit.Loaded | None = None) -> dict[Path, str]:
    """What the published records say each page must contain, and what is written by hand with numbers in it."""
    store = Store(root / PUBLISHED)
    found = groups((loaded or audit.load(store)).records, gold_of(store))
    made = _pages(found, store)
    files = {root / generated.DOCS / name: text for name, text in made.items()}
    for host in (host for host in HOSTS if (root / host).exists()):
        before = (root / host).read_text(encoding="utf-8")
        if BEGIN in before or END in before:
            shown = HOSTS[host](found) + picture(found, made, _from(host))
            files[root / host] = between(before, shown, host)
    if (root / FINDINGS).exists():
        before, named = (root / FINDINGS).read_text(encoding="utf-8"), places.stems(group.key.model for group in found)
        files[root / FINDINGS] = findings.rewritten(before, values(found), named)
    return files


def _pages(found: list[Group], store: Store) -> dict[PurePosixPath, str]:
    of_models = pages.pages(found, shelf.surveys(store)[0], shelf.diagnoses(store)[0])
    return {**of_models, **page.pages(found), **downloads.files(found)}


def _from(host: Path) -> str:
    """Where the pages of models lie, from a host."""
    return os.path.relpath(generated.DOCS / places.FOLDER, host.parent).replace(os.sep, "/")


def _apart(root: Path, files: Mapping[Path, str]) -> tuple[dict[PurePosixPath, str], dict[Path, str]]:
    """The pages by their paths below docs/, and the hosts, which are their authors' but for what their markers hold and
    for the numbers of findings."""
    rest, docs = dict(files), root / generated.DOCS
    hosts = {host: rest.pop(root / host) for host in (*HOSTS, FINDINGS) if root / host in rest}
    return {PurePosixPath(path.relative_to(docs).as_posix()): text for path, text in rest.items()}, hosts


def _stale(root: Path, hosts: Mapping[Path, str]) -> list[Path]:
    return [host for host, text in hosts.items() if (root / host).read_bytes() != text.encode()]


def write(root: Path, loaded: audit.Loaded | None = None) -> tuple[list[str], list[str]]:
    """Write what published records say; lines for what was done, and one for each file that is somebody's own.

    Args:
        loaded: the published records, if they were read before: thousands take a while.
    """
    files, hosts = _apart(root, outputs(root, loaded))
    done = generated.write(root, files)
    written = [generated.DOCS / name for name in done.written]
    for host in _stale(root, hosts):
        write_whole(root / host, hosts[host])
        written.append(host)
    lines = []
    if written:
        where = ", ".join(sorted({"/".join(path.parts[:2]) for path in written}))  # not each of a hundred figures
        lines.append(f"{len(written)} of {len(files) + len(hosts)} files written: {where}")
    if done.removed:
        lines.append(f"{len(done.removed)} files removed that no record needs any more")
    return lines, done.kept


def untrue(root: Path) -> list[str]:
    """A line for each sentence of docs/findings.md, as it is written there, that records contradict."""
    return _untrue((root / FINDINGS).read_text(encoding="utf-8") if (root / FINDINGS).exists() else "")


def _untrue(page: str) -> list[str]:
    return [f"{FINDINGS}: {line}" for line in findings.complaints(page)]


def between(page: str, content: str, host: Path = README) -> str:
    """The page with this content between its markers. Raises ValueError unless there is one pair, in order."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{host}: wanted one {BEGIN} and, below it, one {END}")
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{content}{END}{tail}"


def check(root: Path) -> list[str]:
    """One line for everything that is wrong with the published results and what is rendered from them."""
    store = Store(root / PUBLISHED)
    loaded = audit.load(store)  # once: 2,500 records take a while, and room
    told = (
        *audit.faults(store, loaded),
        *shelf.surveys(store)[1],
        *shelf.diagnoses(store)[1],
        *shelf.misplaced(store, loaded),
    )
    problems = [f"{PUBLISHED}: {line}" for line in told]
    try:
        files, hosts = _apart(root, outputs(root, loaded))
        problems += generated.problems(root, files, REMEDY)
    except ValueError as error:
        return [*problems, str(error)]
    problems += [f"{host}: not what the published records say; {REMEDY}" for host in _stale(root, hosts)]
    return [*problems, *_untrue(hosts.get(FINDINGS, ""))]
