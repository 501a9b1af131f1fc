"""A search of knobs in its cell: killed it goes on to the same bits, and no test row changes what it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.cells.lab import Lab
from harness.cells.recipe import running_key
from harness.cells.run import run
from harness.data.corpus import MASKED, Split
from harness.errors import BadJournal
from harness.judging import progress
from harness.judging.scoring import DevScorer
from harness.records.record import RunRecord, Store
from harness.storage import journal
from tests.emotion_cells import OUT, answer, cell
from tests.small_world import Project, make_lab, needs_fork, outcome, swap, swap_all
from tests.test_harness_resume import killed
from tests.test_harness_run import poisoned

METHOD, BUDGET = "ties_cma", 24  # 21 of the search, its start among them, and 3 of rows kept apart
SETTINGS = (f"search.budget={BUDGET}", "search.best=2")


@pytest.fixture(scope="module")
def searching(small_zoo: Path) -> Lab:
    """A laboratory whose searches are short."""
    return make_lab(small_zoo, *SETTINGS)


@pytest.fixture(scope="module")
def undisturbed(searching: Lab, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """The record of a search that nobody killed."""
    return search(searching, tmp_path_factory.mktemp("undisturbed"))


def search(lab: Lab, results: Path, method: str = METHOD) -> RunRecord:
    return answer(lab, Store(results), cell(method))


def counted(patch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every set of rows that is answered while something is searched."""
    calls: list[int] = []
    ask = DevScorer.__call__
    patch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(self.rows) or ask(self, merged))
    return calls


def test_a_record_tells_what_the_search_saw(undisturbed: RunRecord, searching: Lab) -> None:
    dev, trace = undisturbed.dev, undisturbed.trace or {}
    assert dev["calls"] == trace["evaluations"] == BUDGET and len(trace["again"]) == 3
    apart, every = 5 * 5, 5 * 20  # a quarter of 20 rows of 5 corpora
    assert dev["items"] == dev["forwards"] == 21 * (every - apart) + 3 * apart
    assert dev["seen"] == 1.0 and dev["best"] == pytest.approx(max(trace["scores"])) == pytest.approx(
        dev["history"][-1]
    )
    winner = next(told for told in trace["again"] if told["candidate"] == trace["winner"])
    assert (
        dev["apart"] == pytest.approx(winner["apart"]) == pytest.approx(max(told["apart"] for told in trace["again"]))
    )
    assert set(dev["predictions"]) == set(undisturbed.members)


def test_another_exam_of_the_same_members_replays_the_search(
    undisturbed: RunRecord, searching: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.put(undisturbed)
    calls = counted(monkeypatch)
    found = run(cell(METHOD, OUT), searching, store)
    assert calls == [] and found.key != undisturbed.key
    assert found.weights_sha256 == undisturbed.weights_sha256 and found.dev == undisturbed.dev


@needs_fork
def test_a_search_that_is_killed_at_every_tenth_evaluation_goes_on_to_the_same_bits(
    undisturbed: RunRecord, searching: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more in (10, 10, 2):  # the last of them while the best few are examined again
        killed(lambda: search(searching, tmp_path), after=more)
    path = journal.path_of(tmp_path, running_key(cell(METHOD), searching))
    assert len(path.read_bytes().splitlines()) == 1 + 22
    calls = counted(monkeypatch)
    record = search(searching, tmp_path)
    assert calls == [25] * 2, "the others are read back, and rows of the search are asked no more"
    assert outcome(record) == outcome(undisturbed)


@needs_fork
def test_a_journal_of_another_search_or_an_edited_one_ends_the_cell_in_one_line(searching: Lab, tmp_path: Path) -> None:
    wanted = cell(METHOD)
    path = journal.path_of(tmp_path, running_key(wanted, searching))
    killed(lambda: search(searching, tmp_path), after=7)
    whole = path.read_text()
    edits: dict[str, Callable[[str], str]] = {
        "its line 7 was edited": lambda text: "".join(
            line.replace("0x1.", "0x0.") if number == 7 else line
            for number, line in enumerate(text.splitlines(keepends=True), start=1)
        ),
        "it is of another seed": lambda text: text.replace('"seed": ', '"seed": 1', 1),
        "it is of another search space": lambda text: text.replace('"space": "', '"space": "0', 1),
        "it is of version 1": lambda text: text.replace('"journal": 2', '"journal": 1', 1),
        "it is of another cell": lambda text: text.replace('"cell": "', '"cell": "x', 1),
    }
    for because, edit in edits.items():
        edited = edit(whole)
        path.write_text(edited)
        with pytest.raises(BadJournal, match=because) as error:
            search(searching, tmp_path)
        assert "\n" not in str(error.value) and path.read_text() == edited != whole


def test_poisoned_test_labels_change_no_search(undisturbed: RunRecord, small_zoo: Path, tmp_path: Path) -> None:
    other = make_lab(small_zoo, *SETTINGS)
    swap_all(other, poisoned(other.rows.corpora))
    found = search(other, tmp_path)
    assert found.key != undisturbed.key and found.scores != undisturbed.scores, "another exam is another cell"
    assert found.weights_sha256 == undisturbed.weights_sha256
    assert found.dev == undisturbed.dev and found.trace == undisturbed.trace
    assert found.recipe["method"] == undisturbed.recipe["method"]


def test_rows_kept_apart_change_only_who_is_chosen(undisturbed: RunRecord, small_zoo: Path, tmp_path: Path) -> None:
    """Were their labels turned round, the search would go the same way, and its winner be another one perhaps."""
    other = make_lab(small_zoo, *SETTINGS)
    members = make_lab(small_zoo, *SETTINGS).workshop.member
    for name, corpus in other.rows.corpora.items():
        rows = np.arange(len(corpus.dev))[:, None]
        turned = np.where((corpus.dev.labels == MASKED) | (rows < 15), corpus.dev.labels, 1 - corpus.dev.labels)
        swap(other, name, dev=Split(corpus.dev.texts, turned))
    other.workshop.member = members  # type: ignore[method-assign]  # who were trained on other development rows
    found, wanted = search(other, tmp_path).trace or {}, undisturbed.trace or {}
    assert found["scores"] == wanted["scores"] and found["history"] == wanted["history"]
    assert [told["apart"] for told in found["again"]] != [told["apart"] for told in wanted["again"]]


def test_with_one_development_row_nothing_is_kept_apart_and_a_line_says_so(
    small_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, said = make_lab(small_zoo, "search.budget=10"), list[str]()
    members = make_lab(small_zoo, *SETTINGS).workshop.member
    swap(other, "tec", dev=other.rows.corpora["tec"].dev.first(1))
    other.workshop.member = members  # type: ignore[method-assign]
    other.say = said.append
    calls = counted(monkeypatch)
    record = search(other, tmp_path)
    assert calls == [81] * 10 and record.dev["seen"] == 1.0 and "apart" not in record.dev
    assert (record.trace or {})["again"] == []
    assert [line for line in said if "apart" in line] == [
        "tec: too few development rows to keep 0.25 of them apart from a search, so the best that it finds is not "
        "tested again"
    ]


def test_a_budget_that_is_small_for_the_space_is_said_once(
    small_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, said = make_lab(small_zoo, "search.budget=3"), list[str]()
    lab.say = said.append
    for method in ("simple_random", "simple_coordinate"):
        search(lab, tmp_path, method)
    (line,) = [line for line in said if "variables" in line]
    assert line.startswith("5 variables are searched with 3 evaluations, 0.6 for each")


def test_the_line_of_a_search_names_its_method_its_model_and_its_members(
    small_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    lab, said = make_lab(small_zoo, "search.budget=3"), list[str]()
    lab.say = said.append
    members = "+".join(search(lab, tmp_path, "simple_random").members)
    line = f"searching simple_random with {lab.subject} on {members}: 2 of 3 development evaluations, the best 0."
    assert any(told.startswith(line) for told in said)


def test_a_session_has_the_same_record_as_a_cell_alone(project: Project, undisturbed: RunRecord) -> None:
    words = ("--heads=same", "-k", "in_domain", f"--method={METHOD}", "--method=simple", "--set=search.best=2")
    result = project.run(*words, f"--budget-evaluations={BUDGET}")
    result.assert_outcomes(passed=2, deselected=22)
    assert outcome(project.records()[f"in_domain/same/all/{METHOD}"]) == outcome(undisturbed)
