"""The page and the README block as pure functions of stores, and the copy from a local store to the published one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from harness import terrain
from harness.record import RunRecord, Store, write_whole
from leaderboard import audit, shelf
from leaderboard.pages import pages
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import Group, groups

LOCAL = Path(".mergeboard", "results")
PUBLISHED = Path("leaderboard", "results")
DOCS = Path("docs")
PAGE = DOCS / pages.INDEX
README = Path("README.md")
BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"
REMEDY = "run python -m leaderboard publish"


def union(published: Iterable[RunRecord], local: Iterable[RunRecord]) -> list[RunRecord]:
    """All records; where both stores have the same cell, the local one is newer."""
    return list({record.path: record for record in (*published, *local)}.values())


def publish(root: Path, local: Store) -> tuple[list[str], list[str]]:
    """Copy healthy records and the gold labels they name, then write what is rendered from them.

    A cell that is published already keeps its record: to replace one, remove its file first.
    Returns one line for everything that was done, and one for everything that was not and why.
    """
    target = Store(root / PUBLISHED)
    found, there = audit.load(local), set(audit.load(target).places)
    refused, copied, known = list(found.damaged), 0, gold_of(local)
    for record, place in found.files:
        if record.path in there:
            continue
        faults = [*audit.unlikely(record), *audit.reproduce(record, known)]
        if faults:
            refused += faults
            continue
        for name in sorted({str(kept["gold"]) for kept in record.predictions.values()}):
            gold = Path("gold", f"{name}.json")
            write_whole(target.root / gold, (local.root / gold).read_text(encoding="utf-8"))
        text = (local.root / place).read_text(encoding="utf-8")
        write_whole(target.root / shelf.signed(record.path, text), text)
        there.add(record.path)
        copied += 1
    seen, damaged = shelf.surveys(local)
    published = {survey.key for survey in shelf.surveys(target)[0]}
    for survey in (s for s in seen if s.key not in published):
        text = terrain.text_of(survey)
        write_whole(target.root / shelf.signed(survey.path, text), text)
    shelf.adopt(target)
    done = [f"{copied} of {len(found.records)} records copied to {PUBLISHED}"]
    return [*done, *write(root, outputs(root))], [*refused, *damaged]


def outputs(root: Path) -> dict[Path, str]:
    """What the published records say each generated file must contain."""
    store = Store(root / PUBLISHED)
    found = groups(audit.load(store).records, gold_of(store))
    files = docs(root, found, shelf.surveys(store)[0])
    readme = root / README
    if readme.exists():
        before = readme.read_text(encoding="utf-8")
        if BEGIN in before or END in before:
            files[readme] = between(before, pages.block(found))
    return files


def docs(root: Path, found: list[Group], seen: Sequence[terrain.Terrain]) -> dict[Path, str]:
    """The generated files below docs/."""
    return {root / DOCS / path: content for path, content in pages.pages(found, seen).items()}


def write(root: Path, files: Mapping[Path, str]) -> list[str]:
    """Write what differs and remove generated files of models that are gone; one line for what was done."""
    changed = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content.encode()]
    for path in changed:
        write_whole(path, files[path])
    gone = stale(root, files)
    for path in gone:
        path.unlink()
    done = [f"{len(changed)} of {len(files)} files written: {', '.join(sorted({_top(root, p) for p in changed}))}"]
    return (done if changed else []) + ([f"{len(gone)} files removed that no record needs any more"] if gone else [])


def stale(root: Path, files: Collection[Path]) -> list[Path]:
    """Files in the generated folders that no record asks for."""
    folder = root / DOCS / pages.FOLDER
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in files)


def _top(root: Path, path: Path) -> str:
    """`docs/leaderboard`, `README.md`: what to look at, not each of a hundred figures."""
    return "/".join(path.relative_to(root).parts[:2])


def between(readme: str, content: str) -> str:
    """The README with this content between its markers. Raises ValueError unless there is one pair, in order."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"{README}: wanted one {BEGIN} and, below it, one {END}")
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{content}{END}{tail}"


def check(root: Path) -> list[str]:
    """One line for everything that is wrong with the published results and what is rendered from them."""
    store = Store(root / PUBLISHED)
    problems = [
        f"{PUBLISHED}: {line}" for line in (*audit.faults(store), *shelf.surveys(store)[1], *shelf.misplaced(store))
    ]
    try:
        files = outputs(root)
    except ValueError as error:
        return [*problems, str(error)]
    for path, content in files.items():
        name = path.relative_to(root)
        if not path.is_file():
            problems.append(f"{name}: missing; {REMEDY}")
        elif path.read_bytes() != content.encode():
            problems.append(f"{name}: not what the published records say; {REMEDY}")
    problems += [f"{path.relative_to(root)}: no published record asks for it; {REMEDY}" for path in stale(root, files)]
    return problems
