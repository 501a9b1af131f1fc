"""Who may read what is written: those whom the user's umask lets, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.export.place import appearing
from harness.records import files
from harness.records.record import Store
from harness.storage.roll import Roll
from harness.storage.zoo import Zoo
from tests.test_leaderboard_table import record


def of_store(folder: Path) -> Iterator[Path]:
    yield Store(folder).put(record())


def of_zoo(folder: Path) -> Iterator[Path]:
    yield Zoo(folder).get("thing", {"a": 1}, lambda place: None)


def of_journal(folder: Path) -> Iterator[Path]:
    roll = Roll(folder / "search.jsonl", b"", "", lambda line: None)
    roll.add({"score": 1.0})
    roll.close()
    yield folder / "search.jsonl"


def of_export(folder: Path) -> Iterator[Path]:
    with appearing(folder / "out") as inner:
        (inner / "deep").mkdir()
        (inner / "deep" / "model.safetensors").write_bytes(b"x")
        (inner / "deep" / "model.safetensors").chmod(0o600)
    yield from (folder / "out", folder / "out" / "deep", folder / "out" / "deep" / "model.safetensors")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
@pytest.mark.parametrize("write", [of_store, of_zoo, of_journal, of_export])
def test_what_is_written_has_the_permissions_that_the_umask_leaves(
    write: Callable[[Path], Iterator[Path]], mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UMASK", mask)
    for path in write(tmp_path):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path
