"""How far a session is: one line, rewritten on a terminal, now and then a new one in a log, whoever runs the tests."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.session.line import FIRST, InLog, InPlace
from harness.session.pace import Pace
from harness.session.tally import Tally, called, method_of, percent, score_of

LETTERS = re.compile(r"test_cells\.py [.Fc]*$|[.Fc]+( |$)")  # as pytest writes them
ROOT = Path(__file__).parent.parent
CONFTEST = """
from harness.session import voice
from harness.session.status import Status, pytest_report_teststatus

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Status(config), voice.STATUS)
"""
CELLS = """
import pytest

@pytest.mark.parametrize("method", ["simple", "ties"])
def test_in_domain(method, request, record_property):
    from harness.session import voice
    voice.speaker(request.config)(f"fine-tuning for {method}")
    record_property("cached", method == "ties")
    record_property("score", 0.4705)

def test_wrong():
    assert False
"""


def report(name: str, when: str = "call", failed: bool = False, score: float | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        nodeid=name, when=when, failed=failed, user_properties=[] if score is None else [["score", score]]
    )


# -- the words -------------------------------------------------------------------------------------------------------


def test_the_line_says_what_is_done_what_runs_the_last_score_and_the_time_left() -> None:
    tally = Tally()
    tally.total = 3
    for name in ("a.py::test_in_domain[tiny-s1-simple]", "a.py::test_in_domain[tiny-s1-ties]"):
        tally.begins(name)
    assert tally.line() == "0 of 3 done, 2 running"
    tally.reports(report("a.py::test_in_domain[tiny-s1-ties]", score=0.4705))
    tally.ends("a.py::test_in_domain[tiny-s1-ties]")
    assert tally.line(200.0) == "1 of 3 done, 1 running, last ties (in_domain) 47.05, about 3 minutes left"
    tally.reports(report("a.py::test_in_domain[tiny-s1-simple]", failed=True))
    tally.ends("a.py::test_in_domain[tiny-s1-simple]")
    assert tally.line() == "2 of 3 done, 1 failed, last simple (in_domain) failed"


@pytest.mark.parametrize(
    "name, said",
    [
        ("a.py::test_in_domain[tiny-s1-ties]", "ties (in_domain)"),
        ("a.py::test_in_domain[tiny-s1-diff-ties]", "ties (in_domain, diff)"),
        ("a.py::test_pairwise[all-s2-tiny-s12-tec+isear-ties_evolver]", "ties_evolver (pairwise, tec+isear)"),
        ("a.py::test_pairwise[tiny-s1-diff-tales-emotion+isear-ties]", "ties (pairwise, diff-tales-emotion+isear)"),
        ("a.py::test_claims", "test_claims"),
    ],
)
def test_a_cell_is_called_by_all_that_tells_it_from_its_neighbours(name: str, said: str) -> None:
    """Two kinds of heads, or two pairs, of one setting and method are two scores."""
    assert called(name) == said


def test_a_test_of_a_worker_that_crashed_is_over_although_nobody_says_so() -> None:
    tally = Tally()
    tally.total = 1
    tally.begins("a.py::test_a")
    tally.reports(report("a.py::test_a", when="???", failed=True))
    assert tally.line() == "1 of 1 done, 1 failed, last test_a failed"


def test_cells_that_run_on_other_machines_count_as_their_engine_says() -> None:
    tally = Tally()
    tally.total, tally.elsewhere = 9, 4
    tally.begins("a.py::test_a")
    assert tally.line() == "0 of 9 done, 4 running"


def test_what_is_no_cell_is_its_function_and_scores_are_those_of_tables() -> None:
    assert method_of("suites/test_claims.py::test_claims") == "test_claims"
    assert (percent(0.47049), percent(-0.000001), percent(1.0)) == ("47.05", "0.00", "100.00")
    assert score_of(report("a", when="setup", score=0.5)) is None and score_of(report("a")) is None


def test_the_time_left_is_that_of_the_methods_that_are_left_shared_by_those_who_work() -> None:
    pace, names = Pace(), [f"a.py::test_in_domain[tiny-s{s}-{m}]" for s in (1, 2, 3) for m in ("simple", "ties")]
    pace.expects([*names, "a.py::test_other"])
    took = {"simple": 2.0, "ties": 30.0}
    for made, name in enumerate(names[:4]):
        assert (pace.left(1) is None) == (made < 3), "three tests are enough to tell"
        for when, share in (("setup", 0.5), ("call", 0.5)):
            pace.reports(timed(name, when, share * took[method_of(name)]))
        pace.ends(name)
    usual = (2.0 + 30.0) / 2
    assert pace.left(1) == pytest.approx(2.0 + 30.0 + usual)
    assert pace.left(2) == pytest.approx((2.0 + 30.0 + usual) / 2)
    for name in [*names[4:], "a.py::test_other"]:
        pace.ends(name)
    assert pace.left(2) == 0.0


def test_what_the_store_answers_makes_the_rest_no_longer_and_says_nothing_by_itself() -> None:
    pace, names = Pace(), [f"a.py::test_in_domain[tiny-s{s}-ties]" for s in range(10)]
    pace.expects(names)
    for name in names[:6]:
        there = name not in names[3:6]
        pace.reports(timed(name, "call", 0.0 if there else 10.0, cached=there))
        pace.ends(name)
        assert pace.left(1) is None or name == names[5]
    assert pace.left(1) == pytest.approx(4 * 5.0)


def timed(name: str, when: str, seconds: float, cached: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        nodeid=name, when=when, duration=seconds, skipped=False, user_properties=[["cached", cached]]
    )


# -- where it stands -------------------------------------------------------------------------------------------------


def test_a_log_has_few_lines_however_long_it_takes() -> None:
    said: list[str] = []
    now = [0.0]
    line = InLog(said.append, lambda: now[0])
    for second in range(4 * 3600):
        now[0] = float(second)
        line.show(f"{second} of 14400 done")
    assert said[:3] == ["0 of 14400 done", f"{FIRST:.0f} of 14400 done", f"{2 * FIRST:.0f} of 14400 done"]
    assert 50 < len(said) < 150
    line.show(said[-1])
    now[0] *= 2
    line.show(said[-1])
    assert len(said) == len(set(said)), "what is no news is not repeated"


def screen(written: bytes) -> list[str]:
    """What a reader sees: lines, each as it was left."""
    rows = [""]
    for part in re.split(r"(\r\n|\r|\x1b\[K|\n)", re.sub(r"\x1b\[[\d;]*m", "", written.decode())):
        if part in ("\r\n", "\n"):
            rows.append("")
        elif part == "\x1b[K":
            rows[-1] = ""  # always at the beginning of a line here
        elif part != "\r":
            rows[-1] = part + rows[-1][len(part) :]
    return rows


def written_to(reader: int) -> bytes:
    """All that a terminal was sent so far."""
    found = b""
    while select.select([reader], [], [], 0.05)[0]:
        found += os.read(reader, 4096)
    return found


def test_a_terminal_has_one_line_below_all_others_cut_to_its_width_and_none_at_the_end() -> None:
    reader, writer = pty.openpty()
    line = InPlace(writer)
    line.show("1 of 9 done" + 100 * "x")
    seen = screen(written_to(reader))
    assert seen == [("1 of 9 done" + 100 * "x")[:79]]
    with line.away():
        os.write(writer, b"fine-tuning\n")
        line.show("2 of 9 done")  # from another hook, while somebody writes
    line.show("3 of 9 done")
    assert screen(written_to(reader)) == ["fine-tuning", "3 of 9 done"]
    line.end()
    line.show("too late")
    assert screen(b"3 of 9 done" + written_to(reader)) == [""]


# -- sessions --------------------------------------------------------------------------------------------------------


def on_terminal(folder: Path, words: Sequence[str]) -> bytes:
    """What a session writes to a terminal."""
    reader, writer = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    env.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    process = subprocess.Popen(command, cwd=folder, stdout=writer, stderr=writer, stdin=writer, env=env)
    os.close(writer)
    written = b""
    try:
        while part := os.read(reader, 65536):
            written += part
    except OSError:  # all has been read, and the other side is closed
        pass
    assert process.wait() == 1
    os.close(reader)
    return written


@pytest.fixture
def cells(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of two cells and a test that fails."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_cells=CELLS)
    return pytester


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["inline", "xdist"])
def test_on_a_terminal_the_line_is_rewritten_and_leaves_nothing(cells: pytest.Pytester, words: tuple[str, ...]) -> None:
    if words:
        pytest.importorskip("xdist")
    written = on_terminal(cells.path, words)
    assert b"\r\x1b[K0 of 3 done" in written and b"\r\x1b[K3 of 3 done, 1 failed, last " in written
    seen = screen(written)
    assert not [row for row in seen if " done" in row], "nothing of it is left"
    assert not [row for row in seen if LETTERS.match(row)], "nor letters beside it"
    if not words:  # workers' lines are heard by hooks that this project has not
        assert "  fine-tuning for simple ..." in seen and "  fine-tuning for ties ..." in seen
    assert [row for row in seen if "1 failed, 1 passed, 1 cached" in row]


def test_a_log_has_plain_lines_and_no_letters(cells: pytest.Pytester) -> None:
    result = cells.runpytest_subprocess("-p", "no:cacheprovider")
    said = result.stdout.lines
    assert "  0 of 3 done" in said and "  fine-tuning for ties ..." in said
    assert "\r" not in result.stdout.str() and "\x1b" not in result.stdout.str()
    assert not [line for line in said if LETTERS.match(line) or line.startswith("benchmark:")]
    result.stdout.fnmatch_lines(["FAILED test_cells.py::test_wrong*", "*1 failed, 1 passed, 1 cached*"])


def test_every_cell_has_its_score_where_every_test_has_a_line(cells: pytest.Pytester) -> None:
    result = cells.runpytest_inprocess("-v", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*::test_in_domain?simple? *", "*PASSED 47.05*", "*CACHED 47.05*", "*FAILED*"])
