"""The status line of a session: a pytest plugin where somebody reads along, in one process or the workers' controller.

Without -v it takes the place of pytest's letters and of the names of files around them.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from harness.session import voice
from harness.session.line import InLog, InPlace
from harness.session.pace import Pace
from harness.session.tally import Tally, percent, score_of

BENCHMARK = "benchmark: "  # how a plugin for measurements begins its line in a session's head


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """A cell says its score, and whether it was answered from the store."""
    score = score_of(report) if report.passed else None
    if score is None:
        return None
    said = percent(score)
    if ("cached", True) in map(tuple, report.user_properties):  # xdist turns the pairs into lists
        return "cached", "c", (f"CACHED {said}", {"cyan": True})
    return "passed", ".", (f"PASSED {said}", {"green": True})


class Status:
    """Tells how far the session is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._brief = config, config.option.verbose == 0
        self._tally, self._pace, self._shown = Tally(), Pace(), False
        self._left: float | None = None  # seconds, told by workers that are none of pytest's
        self._line: InPlace | InLog = InLog(lambda text: voice.show(config, text, more=""))
        self._terminal: Any = None

    def _in_place(self) -> bool:
        """Whether the line is rewritten: not where tests write to the terminal too, nor where every test has a line."""
        option = self._config.option
        alone = option.capture != "no" and not option.usepdb and os.environ.get("TERM") != "dumb"
        return bool(alone and self._brief and self._terminal.isatty and os.isatty(1))

    def away(self) -> Any:
        """Make room for what is written meanwhile: a context."""
        return self._line.away()

    def elsewhere(self, running: int, left: float | None) -> None:
        """How many cells are answered by workers that are none of pytest's, and the seconds until all are, if known."""
        self._tally.elsewhere, self._left = running, left
        self._show()

    # -- hooks -------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Everybody is there who writes to the terminal, and nothing is captured yet."""
        self._terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._terminal is None:
            return
        if self._in_place():
            self._line = InPlace(os.dup(1))
        if self._brief:
            self._terminal.showfspath = False

    @pytest.hookimpl(wrapper=True)
    def pytest_report_header(self) -> Generator[None, Any, Any]:
        """Who measures is told by -v: no cell is measured."""
        lines = yield
        if not self._brief:
            return lines
        return [own for own in lines if not (isinstance(own, str) and own.startswith(BENCHMARK))]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """From the first test to the last."""
        self._expect([item.nodeid for item in session.items])
        self._shown = self._terminal is not None
        try:
            self._show()
            return (yield)
        finally:
            self._shown = False
            self._line.end()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Workers know what there is to do; all of them the same."""
        self._expect(ids)
        self._show()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._tally.begins(nodeid)
        if self._brief:  # or its line waits for what comes of it
            self._show()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """A part of a test has ended."""
        with self._line.away():
            result = yield
        self._tally.reports(report)
        self._pace.reports(report)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        self._tally.ends(nodeid)
        self._pace.ends(nodeid)
        self._show()

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_testnodedown(self) -> Generator[None, object, object]:
        """A worker that crashed is told by a line of its own."""
        with self._line.away():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        """No letters while the line is there."""
        status = yield
        return (status[0], "", "") if status and self._brief and self._shown else status

    # -- the line ----------------------------------------------------------------------------------------------------

    def _expect(self, names: Sequence[str]) -> None:
        self._tally.total = len(names)
        self._pace.expects(names)

    def _show(self) -> None:
        if self._shown and self._tally.total:
            own = self._tally.elsewhere is None
            self._line.show(self._tally.line(self._pace.left(self._tally.most) if own else self._left))
