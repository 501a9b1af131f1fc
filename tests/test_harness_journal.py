"""The journal of a cell: every score survives a kill, and only scores of the same weights are believed."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness.cells.recalled import digest
from harness.storage.journal import Entry, Journal, folder, forget, path_of
from methods import Ensemble

HEAD = {"cell": "in_domain[a-b]"}
SCORES = (0.1, 1 / 3, -0.25, 5e-324)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, said: list[str]) -> Callable[..., Journal]:
    return lambda fresh=False, **head: Journal(tmp_path / "running" / "k.jsonl", {**HEAD, **head}, said.append, fresh)


def filled(journal: Journal) -> Path:
    """The journal with an entry for each of SCORES."""
    for i, score in enumerate(SCORES):
        assert journal.recall(i, f"w{i}") is None
        journal.add(Entry(f"w{i}", score, 0.5, 7))
    journal.close()
    return journal.path


def recalled(journal: Journal) -> list[float]:
    found = []
    while (entry := journal.recall(len(found), f"w{len(found)}")) is not None:
        found.append(entry.score)
        assert (entry.seconds, entry.peak_bytes) == (0.5, 7)
    journal.close()
    return found


def test_scores_come_back_with_every_bit_and_are_added_to(opened: Callable[..., Journal], said: list[str]) -> None:
    filled(opened())
    assert recalled(opened()) == list(SCORES) and said == ["4 development scores of an interrupted run are read back"]
    journal = opened()
    assert journal.recall(4, "w4") is None
    journal.add(Entry("w4", 0.5, 0.5, 7))
    journal.close()
    assert recalled(opened()) == [*SCORES, 0.5]


def test_a_cell_that_asks_for_no_score_leaves_no_file(opened: Callable[..., Journal]) -> None:
    journal = opened()
    journal.close()
    assert not journal.path.exists()


def test_any_torn_end_costs_the_torn_score_alone(opened: Callable[..., Journal]) -> None:
    whole = filled(opened()).read_bytes()
    begins = [0, *(i + 1 for i, byte in enumerate(whole) if byte == ord("\n"))]
    for size in range(len(whole)):
        opened().path.write_bytes(whole[:size])
        entries = max(0, sum(begin <= size for begin in begins[1:]) - 1)
        assert recalled(opened()) == list(SCORES[:entries])
        journal = opened()  # and what is added then stands where it belongs
        journal.recall(entries, f"w{entries}")
        journal.add(Entry(f"w{entries}", 0.75, 0.5, 7))
        journal.close()
        assert recalled(opened()) == [*SCORES[:entries], 0.75]


def test_a_score_of_other_weights_ends_what_is_believed(opened: Callable[..., Journal], said: list[str]) -> None:
    filled(opened())
    journal = opened()
    assert journal.recall(0, "w0") is not None and journal.recall(1, "others") is None
    assert "score 2 of the interrupted run was of other weights" in said[-1] and "3 scores are made again" in said[-1]
    journal.add(Entry("others", 0.9, 0.5, 7))
    journal.close()
    journal = opened()
    assert [e.score for i, w in enumerate(("w0", "others")) if (e := journal.recall(i, w))] == [0.1, 0.9]
    assert journal.recall(2, "w2") is None


@pytest.mark.parametrize("head", [{"cell": "another"}, {"engine": "another"}])
def test_the_journal_of_another_cell_or_engine_is_not_read(
    head: dict[str, str], opened: Callable[..., Journal], said: list[str]
) -> None:
    filled(opened())
    assert recalled(opened(**head)) == [] and "begins anew" in said[-1]


def test_what_is_asked_anew_forgets_the_journal(opened: Callable[..., Journal]) -> None:
    filled(opened())
    assert recalled(opened(fresh=True)) == [] and recalled(opened()) == []


@pytest.mark.parametrize("line", ["{}", "[]", "null", "7", '{"weights": "w4", "score": "nan", "seconds": 1}', "{"])
def test_a_line_that_is_no_score_ends_the_journal(line: str, opened: Callable[..., Journal]) -> None:
    path = filled(opened())
    with path.open("a") as file:
        file.write(line + "\n")
        file.write(json.dumps({"weights": "w5", "score": "0x1p-1", "seconds": 1, "peak_bytes": 1}) + "\n")
    assert recalled(opened()) == list(SCORES)


def test_a_second_process_at_the_same_cell_goes_without(opened: Callable[..., Journal], said: list[str]) -> None:
    first, second = opened(), opened()
    assert first.recall(0, "w0") is None and second.recall(0, "w0") is None
    second.add(Entry("w0", 0.9, 0.5, 7))
    first.add(Entry("w0", 0.1, 0.5, 7))
    first.close()
    second.close()
    assert "another process is at this cell" in said[0] and len(said) == 1
    assert recalled(opened()) == [0.1]


def test_a_full_disk_costs_the_journal_and_no_score(
    opened: Callable[..., Journal], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened()
    journal.recall(0, "w0")
    journal.add(Entry("w0", 0.1, 0.5, 7))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_append", full)
        journal.add(Entry("w1", 0.2, 0.5, 7))
    journal.add(Entry("w2", 0.3, 0.5, 7))  # would stand in the second place
    assert len(said) == 1 and "No space left on device" in said[0]
    assert recalled(opened()) == [0.1]


def test_a_folder_that_cannot_be_made_costs_one_line(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "k.jsonl", HEAD, said.append)
    assert journal.recall(0, "w0") is None
    journal.add(Entry("w0", 0.1, 0.5))
    assert len(said) == 1 and "goes on without a journal" in said[0]


def test_journals_lie_beside_the_default_store_and_inside_any_other(tmp_path: Path) -> None:
    assert folder(tmp_path / ".mergeboard" / "results") == tmp_path / ".mergeboard" / "running"
    assert folder(tmp_path / "mine") == tmp_path / "mine" / "running"


def test_a_journal_is_forgotten_by_the_key_of_its_cell(tmp_path: Path) -> None:
    journals = [Journal(path_of(tmp_path, key), HEAD, lambda line: None) for key in ("a", "b")]
    for journal in journals:
        journal.recall(0, "w")
        journal.close()
    forget(tmp_path, "a")
    forget(tmp_path, "never there")
    assert [p.name for p in folder(tmp_path).iterdir()] == ["b.jsonl"]


def test_a_digest_tells_weights_apart_and_copies_not() -> None:
    weights = {"a": torch.arange(20000.0).reshape(100, 200), "b": torch.tensor(2), "c": torch.empty(0)}
    same = {name: tensor.clone() for name, tensor in reversed(weights.items())}
    assert digest(weights) == digest(same) == digest({**same, "a": weights["a"].T.contiguous().T})
    others = [
        {**weights, "a": weights["a"] + 1e-3},
        {**weights, "a": weights["a"].reshape(200, 100)},
        {**weights, "a": weights["a"].double()},
        {**weights, "b": torch.tensor(3)},
        {"a": weights["a"], "b": weights["b"]},
        {**weights, "a": weights["a"].bfloat16()},
    ]
    marks = [digest(weights), *map(digest, others), digest(Ensemble((weights, others[0])))]
    assert len(set(marks)) == len(marks)
