"""Which name a published file has, and whether every file of the published store has the right one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from harness.records import diagnosis, terrain
from harness.records.diagnosis import Diagnosis
from harness.records.record import BadRecord, Store
from leaderboard.audit import Loaded, load
from leaderboard.tables.answers import files_named_by

Kept = TypeVar("Kept", terrain.Terrain, Diagnosis)  # what is no record, and lies in a folder of its own
BESIDE = ("gold/", "texts/")  # what lies beside records, and is named by them


def signed(path: Path, text: str) -> Path:
    """Where a file is published: its content is in the name, so that two people's files never meet in git."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return path.with_name(f"{path.stem}-{digest}.json")


def adopt(store: Store, loaded: Loaded) -> Loaded:
    """Give records that were copied here under the name that they had in a local store their published one. Gives what
    the store then holds: of two records of one cell, names say which is shown."""
    copied = [place for record, place in loaded.files if place == record.path]
    for place in copied:
        text = (store.root / place).read_text(encoding="utf-8")
        (store.root / place).rename(store.root / signed(place, text))
    return load(store) if copied else loaded


def surveys(store: Store) -> tuple[list[terrain.Terrain], list[str]]:
    """The landscapes of a store, of one recipe one, and a line for each file that cannot be believed."""
    return _believed(store, terrain.paths(store.root), terrain.read)


def diagnoses(store: Store) -> tuple[list[Diagnosis], list[str]]:
    """The same of its diagnoses."""
    return _believed(store, diagnosis.paths(store.root), diagnosis.read)


def _believed(store: Store, paths: Iterable[Path], read: Callable[[Path], Kept]) -> tuple[list[Kept], list[str]]:
    found: dict[str, Kept] = {}
    damaged = []
    for path in paths:
        try:
            one = read(path)
            found.setdefault(one.key, one)
        except BadRecord as error:
            damaged.append(str(error).replace(f"{store.root}/", ""))
    return list(found.values()), damaged


def misplaced(store: Store, loaded: Loaded | None = None) -> Iterator[str]:
    """A line for each published file whose name is not what its content says, or that nothing asks for."""
    found = loaded or load(store)
    told = {path.as_posix() for record, _ in found.files for path in files_named_by(record)}
    for record, place in found.files:
        if place != signed(record.path, (store.root / place).read_text(encoding="utf-8")):
            yield f"{place}: its name does not hold the hash of its content: it was edited, or copied and not published"
    names = {signed(survey.path, terrain.text_of(survey)).as_posix() for survey in surveys(store)[0]}
    names |= {signed(one.path, diagnosis.text_of(one)).as_posix() for one in diagnoses(store)[0]}
    records = {path.relative_to(store.root).as_posix() for path in store.paths()}
    for name in sorted(p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file()):
        if name.startswith((f"{terrain.FOLDER}/", f"{diagnosis.FOLDER}/")):
            if name not in names:
                what = "landscape" if name.startswith(terrain.FOLDER) else "diagnosis"
                yield f"{name}: no {what} of this name; publish it anew"
        elif name not in told | records and not ((found.damaged or found.foreign) and name.startswith(BESIDE)):
            yield f"{name}: nothing names it; remove it"
