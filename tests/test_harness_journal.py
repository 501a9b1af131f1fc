"""The journal of a cell: every score survives a kill, and only scores of the same weights are believed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.cells.recalled import digest
from harness.errors import BadJournal, NotKept
from harness.records.there import There
from harness.storage import chain
from harness.storage.journal import Entry, Journal, folder, forget, path_of
from methods import Ensemble

HEAD = {"cell": "in_domain[a-b]", "seed": 7, "engine": {"torch": "2.13", "device": "cpu"}}
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
        journal.add(entry(f"w{i}", score))
    journal.close()
    return journal.path


def entry(weights: str, score: float) -> Entry:
    return Entry(score, 0.5, weights=weights, peak_bytes=7)


def recalled(journal: Journal) -> list[float]:
    found = []
    while (known := journal.recall(len(found), f"w{len(found)}")) is not None:
        found.append(known.score)
        assert (known.seconds, known.peak_bytes) == (0.5, 7)
    journal.close()
    return found


def test_scores_come_back_with_every_bit_and_are_added_to(opened: Callable[..., Journal], said: list[str]) -> None:
    filled(opened())
    assert recalled(opened()) == list(SCORES) and said == ["4 development scores of an interrupted run are read back"]
    journal = opened()
    assert journal.recall(4, "w4") is None
    journal.add(entry("w4", 0.5))
    journal.close()
    assert recalled(opened()) == [*SCORES, 0.5]


def test_a_cell_that_asks_for_no_score_leaves_no_file(opened: Callable[..., Journal]) -> None:
    journal = opened()
    journal.close()
    assert not journal.path.exists()


def test_any_torn_end_costs_the_torn_score_alone(
    opened: Callable[..., Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a thousand times
    whole = filled(opened()).read_bytes()
    begins = [0, *(i + 1 for i, byte in enumerate(whole) if byte == ord("\n"))]
    near = {begin + off for begin in begins for off in (-1, 0, 1)} & set(range(len(whole)))
    for size in sorted(near | set(range(0, len(whole), 7))):
        opened().path.write_bytes(whole[:size])
        entries = max(0, sum(begin <= size for begin in begins[1:]) - 1)
        assert recalled(opened()) == list(SCORES[:entries])
        journal = opened()  # and what is added then stands where it belongs
        journal.recall(entries, f"w{entries}")
        journal.add(entry(f"w{entries}", 0.75))
        journal.close()
        assert recalled(opened()) == [*SCORES[:entries], 0.75]


def test_a_score_of_other_weights_ends_what_is_believed(opened: Callable[..., Journal], said: list[str]) -> None:
    filled(opened())
    journal = opened()
    assert journal.recall(0, "w0") is not None and journal.recall(1, "others") is None
    assert "score 2 of the interrupted run was of other weights" in said[-1] and "3 scores are made again" in said[-1]
    journal.add(entry("others", 0.9))
    journal.close()
    journal = opened()
    assert [e.score for i, w in enumerate(("w0", "others")) if (e := journal.recall(i, w))] == [0.1, 0.9]
    assert journal.recall(2, "w2") is None


# -- what is refused -------------------------------------------------------------------------------------------------

NOT_OURS: Mapping[str, tuple[dict[str, Any], str]] = {
    "cell": ({"cell": "another"}, r"it is of another cell, in_domain\[a-b\] and not another"),
    "seed": ({"seed": 8}, "it is of another seed, 7 and not 8"),
    "processor": (
        {"engine": {"torch": "2.13", "device": "gpu"}},
        "it is of another processor or library, torch 2.13, device cpu and not torch 2.13, device gpu; finish it there",
    ),
    "library": ({"engine": {"torch": "2.14", "device": "cpu"}}, "another processor or library"),
}


def refused(journal: Journal, because: str) -> None:
    """It raises one line that says why and what to do, as often as it is asked, and leaves the file as it is."""
    before = journal.path.read_bytes()
    for _ in range(2):
        with pytest.raises(BadJournal, match=because) as error:
            journal.recall(0, "w0")
        said = str(error.value)
        assert "\n" not in said and str(journal.path) in said and "delete the file, or use --rerun" in said
    journal.add(entry("w0", 0.5))
    journal.close()
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("what", NOT_OURS)
def test_the_journal_of_another_cell_seed_or_engine_is_refused(what: str, opened: Callable[..., Journal]) -> None:
    filled(opened())
    head, because = NOT_OURS[what]
    refused(opened(**head), because)


def test_the_journal_of_another_search_space_is_refused(opened: Callable[..., Journal]) -> None:
    journal = opened()
    journal.of_space("5f")
    filled(journal)
    other = opened()
    other.of_space("6a")
    refused(other, "it is of another search space, 5f and not 6a")
    refused(opened(), "it is of another search space, 5f and not none")
    same = opened()
    same.of_space("5f")
    assert recalled(same) == list(SCORES)


@pytest.mark.parametrize("version", ["1", "3", '"2"', "null"])
def test_a_journal_of_another_version_is_refused(version: str, opened: Callable[..., Journal]) -> None:
    path = filled(opened())
    path.write_text(path.read_text().replace('"journal": 2', f'"journal": {version}', 1))
    refused(opened(), "it is of version .* of the file, and this mergeboard has 2")


def test_a_journal_of_before_lines_were_chained_is_refused(opened: Callable[..., Journal]) -> None:
    opened().path.parent.mkdir()
    head = '{"journal": 1, "cell": "in_domain[a-b]", "engine": {"torch": "2.13", "device": "cpu"}}'
    opened().path.write_text(head + '\n{"weights": "w0", "score": "0x1p-1", "seconds": 1, "peak_bytes": 1}\n')
    refused(opened(), "it is of version 1 of the file, and this mergeboard has 2")


EDITS: Mapping[str, Callable[[list[str]], list[str]]] = {
    "a score": lambda lines: [*lines[:2], lines[2].replace('"score": "0x', '"score": "-0x'), *lines[3:]],
    "the last score": lambda lines: [*lines[:-1], lines[-1].replace('"seconds": 0.5', '"seconds": 0.6')],
    "the head": lambda lines: [lines[0].replace('"journal": 2', '"journal":  2'), *lines[1:]],
    "two lines changed places": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "a line is gone": lambda lines: [*lines[:2], *lines[3:]],
    "a line stands twice": lambda lines: [*lines[:2], *lines[1:]],
    "a blank": lambda lines: [*lines[:2], lines[2].replace(", ", ",  ", 1), *lines[3:]],
    "an empty line": lambda lines: [*lines, ""],
    "another line's end": lambda lines: [*lines[:-1], lines[-1] + "\r"],
    "no JSON": lambda lines: [*lines, "{"],
    "no object": lambda lines: [*lines, "7"],
    "no link": lambda lines: [*lines, '{"weights": "w4", "score": "0x1p-1", "seconds": 1, "peak_bytes": 1}'],
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_journal_that_was_edited_is_refused(edit: str, opened: Callable[..., Journal]) -> None:
    path = filled(opened())
    lines = path.read_text().splitlines()
    edited = EDITS[edit](list(lines))
    assert edited != lines
    path.write_bytes("".join(f"{line}\n" for line in edited).encode())
    refused(opened(), "its line [1-6] was edited, or lines before it were")


@pytest.mark.parametrize("first", ["", "{", "7", "{}", '["journal"]'])
def test_what_is_no_journal_is_refused(first: str, opened: Callable[..., Journal]) -> None:
    path = filled(opened())
    path.write_text("\n".join([first, *path.read_text().splitlines()[1:]]) + "\n")
    refused(opened(), "its first line is none that mergeboard writes")


@pytest.mark.parametrize("changed", [{"score": "nan"}, {"score": "inf"}, {"seconds": "x"}, {"more": 1}, {"score": 1}])
def test_a_line_that_is_no_score_is_refused_also_if_it_is_chained(
    changed: dict[str, Any], opened: Callable[..., Journal]
) -> None:
    path = filled(opened())
    lines, _ = chain.read(path.read_bytes())
    line, _ = chain.linked(lines[-1].link, {**lines[-1].content, **changed})
    path.write_bytes(path.read_bytes() + line)
    refused(opened(), "its line 6 is no score")


def test_an_edited_journal_is_forgotten_by_who_asks_anew(opened: Callable[..., Journal]) -> None:
    path = filled(opened())
    path.write_text(path.read_text().replace('"journal": 2', '"journal": 1', 1))
    assert recalled(opened(fresh=True)) == []
    filled(opened())
    assert recalled(opened()) == list(SCORES)


# -- candidates that have a key --------------------------------------------------------------------------------------


def test_a_candidate_is_known_by_its_key(opened: Callable[..., Journal]) -> None:
    journal = opened()
    given = [Entry(0.25, 1.0, "a", items=20, forwards=40), Entry(float("-inf"), 1.0, "b", failed="ValueError: x")]
    for place, told in enumerate(given):
        assert journal.recall_key(place, told.key) is None
        journal.add(told)
    journal.close()
    journal = opened()
    assert [journal.recall_key(0, "a"), journal.recall_key(1, "b"), journal.recall_key(2, "c")] == [*given, None]
    journal.close()


def test_the_journal_of_another_candidate_is_refused(opened: Callable[..., Journal]) -> None:
    journal = opened()
    assert journal.recall_key(0, "a") is None
    journal.add(Entry(0.25, 1.0, "a"))
    journal.close()
    before = journal.path.read_bytes()
    with pytest.raises(BadJournal, match=r"score 1 is of another candidate, so the search, or a library .* changed"):
        opened().recall_key(0, "b")
    assert journal.path.read_bytes() == before


# -- what ends without a journal -------------------------------------------------------------------------------------


def test_what_is_asked_anew_forgets_the_journal(opened: Callable[..., Journal]) -> None:
    filled(opened())
    assert recalled(opened(fresh=True)) == [] and recalled(opened()) == []


def test_a_second_process_at_the_same_cell_goes_without(opened: Callable[..., Journal], said: list[str]) -> None:
    first, second = opened(), opened()
    assert first.recall(0, "w0") is None and second.recall(0, "w0") is None
    second.add(entry("w0", 0.9))
    first.add(entry("w0", 0.1))
    first.close()
    second.close()
    assert "another process is at this test" in said[0] and len(said) == 1
    assert recalled(opened()) == [0.1]


@pytest.mark.parametrize("part", [0, 9], ids=["nothing of a line", "a part of it"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ESTALE, errno.EIO])
def test_a_disk_that_was_full_or_away_has_every_score_in_the_end(
    number: int, part: int, opened: Callable[..., Journal], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = opened(), os.write
    journal.recall(0, "w0")
    journal.add(entry("w0", 0.1))

    def fails(handle: int, line: bytes) -> int:
        write(handle, line[:part])
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        journal.add(entry("w1", 0.2))
        journal.add(entry("w2", 0.3))
        assert len(said) == 1 and os.strerror(number) in said[0] and "wait in memory" in said[0]
    journal.add(entry("w3", 0.4))
    assert len(said) == 2 and "can be written again" in said[1]
    journal.close()
    assert recalled(opened()) == [0.1, 0.2, 0.3, 0.4]


def test_a_disk_that_stays_full_costs_the_scores_since_then_alone(
    opened: Callable[..., Journal], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened()
    journal.recall(0, "w0")
    journal.add(entry("w0", 0.1))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        journal.add(entry("w1", 0.2))
        journal.close()
    assert len(said) == 1 and recalled(opened()) == [0.1]


def test_a_folder_that_vanishes_and_comes_back_has_every_score(
    tmp_path: Path, opened: Callable[..., Journal], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, away, write = opened(), tmp_path / "elsewhere", os.write
    journal.recall(0, "w0")
    journal.add(entry("w0", 0.1))

    def stale(*_: object) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    (tmp_path / "running").rename(away)
    monkeypatch.setattr(os, "write", stale)
    journal.add(entry("w1", 0.2))
    monkeypatch.setattr(os, "write", write)
    journal.add(entry("w2", 0.3))
    assert len(said) == 1, "once, however often"
    away.rename(tmp_path / "running")
    journal.add(entry("w3", 0.4))
    journal.close()
    assert recalled(opened()) == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize("went", ["removed", "another's"])
def test_a_process_that_was_thought_dead_spoils_no_other_ones_journal(
    went: str, opened: Callable[..., Journal], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, write = opened(), opened(), os.write
    assert first.recall(0, "w0") is None
    first.add(entry("w0", 0.1))
    first.path.with_name("k.jsonl.lease").unlink()  # as if it had been silent for too long
    if went == "removed":
        first.path.unlink()
    else:
        assert [second.recall(i, "w0") is None for i in (0, 1)] == [False, True]
        second.add(entry("w1", 0.2))
    first.add(entry("w1", 0.9))

    def stale(*_: object) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", stale)  # as a server says it of a file that was replaced
        first.add(entry("w2", 0.9))
    first.add(entry("w3", 0.9))
    assert write is os.write
    if went == "another's":
        second.add(entry("w2", 0.3))
    first.close()
    second.close()
    assert recalled(opened()) == ([] if went == "removed" else [0.1, 0.2, 0.3])


def test_a_folder_that_cannot_be_made_costs_one_line(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "k.jsonl", HEAD, said.append)
    assert journal.recall(0, "w0") is None
    journal.add(entry("w0", 0.1))
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


def test_results_that_vanished_are_not_made_anew_for_a_journal(tmp_path: Path) -> None:
    results = tmp_path / "results"
    (results / "gold").mkdir(parents=True)
    there = There(results)
    there.require()
    results.rename(tmp_path / "away")
    journal = Journal(path_of(results, "k"), HEAD, lambda line: None, there=there)
    with pytest.raises(NotKept, match="was there and no longer is; bring it back"):
        journal.recall(0, "w0")
    assert not results.exists()
    (tmp_path / "away").rename(results)
    filled(Journal(path_of(results, "k"), HEAD, lambda line: None, there=there))
