"""The page and the README block as pure functions of stores, and the copy from a local store to the published one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.record import RunRecord, Store, write_whole
from leaderboard import audit, render

LOCAL = Path(".mergeboard", "results")
PUBLISHED = Path("leaderboard", "results")
PAGE = Path("docs", "leaderboard.md")
README = Path("README.md")
BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"
REMEDY = "run python -m leaderboard publish"


def union(published: Iterable[RunRecord], local: Iterable[RunRecord]) -> list[RunRecord]:
    """All records; where both stores have the same cell, the local one is newer."""
    return list({record.path: record for record in (*published, *local)}.values())


def publish(root: Path, local: Store) -> tuple[list[str], list[str]]:
    """Copy healthy records and the gold labels they name, then write what is rendered from them.

    Returns one line for everything that was done, and one for everything that was not and why.
    """
    target = Store(root / PUBLISHED)
    found = audit.load(local)
    refused = list(found.damaged)
    copied = 0
    for record in found.records:
        faults = audit.reproduce(local, record)
        if faults:
            refused += faults
            continue
        gold = {str(kept["gold"]) for kept in record.predictions.values()}
        changed = [_copy(local, target, Path("gold", f"{name}.json")) for name in sorted(gold)]
        copied += any([*changed, _copy(local, target, record.path)])
    done = [f"{copied} of {len(found.records)} records copied to {PUBLISHED}"]
    for path, content in outputs(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            write_whole(path, content)
            done.append(f"{path.relative_to(root)} written")
    return done, refused


def outputs(root: Path) -> dict[Path, str]:
    """What the published records say each generated file must contain."""
    records = audit.load(Store(root / PUBLISHED)).records
    files = {root / PAGE: render.page(records)}
    readme = root / README
    if readme.exists():
        before = readme.read_text(encoding="utf-8")
        if BEGIN in before or END in before:
            files[readme] = between(before, render.block(records))
    return files


def between(readme: str, content: str) -> str:
    """The README with this content between its markers. Raises ValueError unless there is one pair, in order."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"{README}: wanted one {BEGIN} and, below it, one {END}")
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{content}{END}{tail}"


def check(root: Path) -> list[str]:
    """One line for everything that is wrong with the published results and what is rendered from them."""
    problems = [f"{PUBLISHED}: {line}" for line in audit.faults(Store(root / PUBLISHED))]
    try:
        files = outputs(root)
    except ValueError as error:
        return [*problems, str(error)]
    for path, content in files.items():
        name = path.relative_to(root)
        if not path.exists():
            problems.append(f"{name}: missing; {REMEDY}")
        elif path.read_bytes() != content.encode():
            problems.append(f"{name}: not what the published records say; {REMEDY}")
    return problems


def _copy(source: Store, target: Store, path: Path) -> bool:
    """Copy one file if the target lacks it or has another content; says whether it did."""
    text = (source.root / path).read_text(encoding="utf-8")
    goal = target.root / path
    if goal.exists() and goal.read_text(encoding="utf-8") == text:
        return False
    write_whole(goal, text)
    return True
