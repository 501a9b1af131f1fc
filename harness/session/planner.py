"""`--plan`: what a session would do, printed in place of doing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.planning import memory, page

if TYPE_CHECKING:
    from harness.session.bench import Bench

SAMPLE = 300  # records whose size is looked at


class Planner:
    """A pytest plugin of sessions with `--plan`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Print the plan; nothing runs."""
        if session.config.option.collectonly or session.testsfailed:
            return None
        from harness.session.planned import Survey

        terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        survey, options = Survey(self._bench), self._bench.options
        jobs, (costs, _) = survey.jobs(session.items), survey.known()
        sizes, workers = _record_bytes(options.results), options.plan or options.engine.workers or 0
        for line in page.lines(jobs, costs, workers, memory.limit(), sizes, options.export is not None):
            terminal.write_line(line)
        if options.wall_time is not None:  # in whose order the cells stand by now
            terminal.write_line(page.within(jobs, costs, options.wall_time, max(1, workers)))
        if survey.unseen:
            names = ", ".join(map(str, survey.unseen))
            terminal.write_line(
                f"what is answered of {names} cannot be told without its files and rows: give --data=FOLDER"
            )
        return True


def _record_bytes(results: Path) -> float | None:
    """The mean size of a stored record; None where there is none."""
    sizes = [path.stat().st_size for path, _ in zip(results.glob("*/*/*/*.json"), range(SAMPLE), strict=False)]
    return sum(sizes) / len(sizes) if sizes else None
