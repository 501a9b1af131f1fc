"""The plugin in small sessions of its own: what it shows, what it writes, when it keeps silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.generated import DOCS
from leaderboard.publish import LOCAL, PUBLISHED
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--results", default=".mergeboard/results")
"""


PAGE = LOCAL / "leaderboard.md"


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose harness is a single option."""
    pytester.makeconftest(CONFTEST)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    return pytester


def cell_for(session: pytest.Pytester, *records: RunRecord) -> None:
    """A test file with one test per record that names it, as the harness does."""
    lines = [
        f"def test_{i}(record_property): record_property('record', {str(r.path)!r})" for i, r in enumerate(records)
    ]
    session.makepyfile("\n".join([*lines, "def test_other(): pass"]))


def test_shows_and_writes_its_own_store_and_nothing_else(session: pytest.Pytester) -> None:
    mine, notes = record(score=0.6), session.path / DOCS / "leaderboard" / "my-notes.md"
    Store(session.path / LOCAL).put(mine)
    Store(session.path / PUBLISHED).put(record("ties", score=0.5))
    notes.parent.mkdir(parents=True)
    notes.write_text("mine", encoding="utf-8")
    cell_for(session, mine)
    before = {path for path in session.path.rglob("*") if path.is_file()}
    result = session.runpytest("-p", "leaderboard.plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*= leaderboard =*", "tiny-encoder: Emotion, protocol quick*", "simple*60.00 (n=1) *"])
    result.stdout.no_fnmatch_line("ties*")  # published: no session pays for reading that
    page = (session.path / PAGE).read_text(encoding="utf-8")
    assert "| simple | **60.00 (n=1)** |" in page and "ties" not in page.split("Scores")[1]
    after = {path for path in session.path.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert after - before == {session.path / PAGE} and before - after == set()


def test_only_groups_of_this_session_are_shown(session: pytest.Pytester) -> None:
    store = Store(session.path / LOCAL)
    mine, other = record(), record(model="tiny-decoder")
    store.put(mine)
    store.put(other)
    cell_for(session, mine)
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.no_fnmatch_line("tiny-decoder:*")
    page = (session.path / PAGE).read_text(encoding="utf-8")
    assert "## tiny-encoder" in page and "tiny-decoder" not in page


def test_nothing_is_read_but_what_may_stand_in_a_column_with_a_record_of_the_session(session: pytest.Pytester) -> None:
    """Thousands of others would keep every session waiting, however few it asked."""
    store = Store(session.path / LOCAL)
    mine, beside = record(), record("ties", score=0.5)
    far = [record(model="tiny-decoder"), record(setting="pairwise"), record(protocol={"name": "paper"})]
    for one in (mine, beside, *far):
        store.put(one)
    for one in far[:2]:
        (store.root / one.path).write_text("{", encoding="utf-8")
    cell_for(session, mine)
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.no_fnmatch_line("damaged*")
    page = (session.path / PAGE).read_text(encoding="utf-8")
    assert "ties" in page.split("Scores")[1] and "protocol paper" not in page


def test_another_store_keeps_its_page_beside_its_records(session: pytest.Pytester) -> None:
    Store(session.path / "elsewhere").put(record())
    Store(session.path / PUBLISHED).put(record("ties"))
    cell_for(session, record())
    session.runpytest("-p", "leaderboard.plugin", "--results=elsewhere")
    assert "ties" not in (session.path / "elsewhere" / "leaderboard.md").read_text(encoding="utf-8").split("Scores")[1]
    assert not (session.path / PAGE).exists()


def test_the_page_goes_where_it_is_asked_to(session: pytest.Pytester) -> None:
    Store(session.path / LOCAL).put(record())
    cell_for(session, record())
    session.runpytest("-p", "leaderboard.plugin", "--leaderboard=out/page.md")
    assert (session.path / "out" / "page.md").exists() and not (session.path / PAGE).exists()


@pytest.mark.parametrize("outcome, code", [("pass", 1), ("__import__('pytest').exit('enough', 2)", 2)])
def test_a_page_that_is_not_written_at_the_end_is_told_by_the_exit_code(
    session: pytest.Pytester, outcome: str, code: int
) -> None:
    Store(session.path / LOCAL).put(record())
    cell_for(session, record())
    with (session.path / "test_a_page_that_is_not_written_at_the_end_is_told_by_the_exit_code.py").open("a") as file:
        file.write(f"\ndef test_spoil():\n    import os\n    os.mkdir('page.md')\n    {outcome}\n")
    result = session.runpytest("-p", "leaderboard.plugin", "--leaderboard=page.md")
    assert result.ret == code
    result.stdout.fnmatch_lines(["the leaderboard cannot be written: *page.md*"])


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a file"])
def test_a_store_that_went_with_its_disk_is_not_made_anew_for_a_page(session: pytest.Pytester, left: str) -> None:
    store = session.path / LOCAL
    if left == "an empty folder":
        store.mkdir(parents=True)
    elif left == "a file":
        store.parent.mkdir(parents=True)
        store.write_text("", encoding="utf-8")
    cell_for(session, record())
    before = set(store.parent.rglob("*"))
    result = session.runpytest("-p", "leaderboard.plugin")
    assert result.ret == pytest.ExitCode.TESTS_FAILED, result.outlines
    result.stdout.fnmatch_lines([f"no leaderboard: {store} was there and no longer is; bring it back, and run *"])
    assert set(store.parent.rglob("*")) == before


def test_a_session_without_records_is_left_alone(session: pytest.Pytester) -> None:
    Store(session.path / LOCAL).put(record())
    cell_for(session)
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.no_fnmatch_line("*= leaderboard =*")
    assert not (session.path / PAGE).exists()


def test_a_damaged_record_is_reported_and_not_averaged(session: pytest.Pytester) -> None:
    store = Store(session.path / LOCAL)
    store.put(record(seed=1, score=0.6))
    store.put(record(seed=2, score=0.2)).write_text("{", encoding="utf-8")
    cell_for(session, record(seed=1), record(seed=2))
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.fnmatch_lines(
        ["simple*60.00 (n=1) *", "damaged, not averaged: *simple-s2-*: not a whole JSON record*"]
    )


def test_an_edited_record_that_a_session_reused_is_reported_and_not_averaged(session: pytest.Pytester) -> None:
    made = Session(Store(session.path / LOCAL), suite="tickets")
    made.store.put(made.add("simple", right(200, 60)))
    made.store.put(replace(made.add("ties", right(200, 50)), score=0.99, scores={"tickets": 0.99}))
    cell_for(session, *made.records)
    result = session.runpytest("-p", "leaderboard.plugin")
    wanted = "edited, not averaged: *ties-s1-*give 0.750000, the record says 0.99; --rerun answers it anew"
    result.stdout.fnmatch_lines(["simple*70.00 (n=1) *", wanted])
    result.stdout.no_fnmatch_line("*99.00*")


def test_a_thousand_damaged_records_are_a_few_lines(session: pytest.Pytester) -> None:
    store = Store(session.path / LOCAL)
    whole = store.put(record(seed=1, score=0.6))
    for seed in range(2, 1002):
        (whole.parent / f"simple-s{seed}-{seed:016x}.json").write_text("{", encoding="utf-8")
    cell_for(session, record(seed=1))
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.fnmatch_lines(["simple*60.00 (n=1) *", "and 995 more lines like these"])
    assert sum(line.startswith("damaged") for line in result.outlines) == 5


def test_a_record_that_is_named_but_gone_is_reported(session: pytest.Pytester) -> None:
    Store(session.path / LOCAL).put(record("ties"))
    cell_for(session, record())
    result = session.runpytest("-p", "leaderboard.plugin")
    result.stdout.fnmatch_lines([f"named by this session but not in the store: {record().path}"])


def test_workers_report_to_the_controller(session: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    records = [record(seed=s, score=s / 10) for s in (1, 2, 3)]
    for one in records:
        Store(session.path / LOCAL).put(one)
    cell_for(session, *records)
    result = session.runpytest_subprocess("-p", "leaderboard.plugin", "-n", "2")
    result.stdout.fnmatch_lines(["simple*20.00 *0.00, 44.84* *"])  # .2 ± 4.302653 * .1 / sqrt 3, cut at 0
    assert str(result.stdout).count("= leaderboard =") == 1
