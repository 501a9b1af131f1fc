"""`--export=FOLDER`: at the end of a session its winner is chosen on development rows and written as a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.export.question import main_question
from harness.records.record import BadRecord, RunRecord, read
from methods.errors import MergeboardError

if TYPE_CHECKING:
    from harness.export.deliver import Order
    from harness.session.bench import Bench


class Exporter:
    """A pytest plugin of sessions with `--export`; with xdist, of the controller."""

    def __init__(self, bench: Bench, target: Path) -> None:
        self._bench, self._target = bench, target
        self._answered: dict[str, None] = {}  # records, in the order in which they came
        self._said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember which record answered a cell."""
        for name, value in report.user_properties:  # xdist turns the pairs into lists
            if name == "record":
                self._answered[str(value)] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Choose and write; whatever goes wrong is a line, and the records stay."""
        if session.config.option.collectonly:
            return
        if session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            if session.exitstatus != pytest.ExitCode.USAGE_ERROR:  # whose line says what to write
                self._said.append(f"nothing was exported: {_not_ended(session)}")
            return
        try:
            self._export()
        except (MergeboardError, OSError) as error:
            self._said.append(f"nothing was exported: {error}")
        if self._said and self._said[0].startswith("nothing"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)  # below the tables and what they answer
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written."""
        for line in self._said:
            terminalreporter.write_line(line)

    def _export(self) -> None:
        order, others = self._chosen()
        if order is None:
            return
        from harness.export.deliver import deliver
        from harness.export.remake import cell_of

        bench, record = self._bench, order.record
        model = next(m for m in bench.options.models if m.display == record.model)
        cell = cell_of(record, model)
        facts = deliver(order, cell, bench.lab(model, cell.setting), bench.store, bench.store, self._target)
        what = record.method if order.member is None else f"the member {order.member}, as no merge is really better"
        where = f"{record.suite}, {record.setting}, {record.population}, seed {record.seed}"
        self._said.append(f"exported: {self._target} ({what}; {where}; {facts.dtype})")
        if others:
            more = f"{others} other population" + ("s" if others > 1 else "")
            self._said.append(f"for the winner of {more}: python -m harness export RECORD FOLDER")

    def _chosen(self) -> tuple[Order | None, int]:
        """The winner of the session's main question, and how many questions it had besides."""
        from harness.export.deliver import Order
        from leaderboard.verdict.winner import choose

        records, others = main_question(self._records())
        if not records:
            self._said.append("nothing was exported: no test was answered; add -rs to see why tests were skipped")
            return None, others
        try:
            choice = choose(records, self._bench.store)
        except ValueError as error:
            raise MergeboardError(str(error)) from None
        if choice.record is None:
            self._said.append(f"nothing was exported: {choice.reason}")
            return None, others
        seeds = len({r.seed for r in records})
        which = f" Of {seeds} seeds, this is the one with the best development score." if seeds > 1 else ""
        member = None if choice.merged else (choice.member or "best")
        return Order(choice.record, f"{choice.reason}{which}", member), others

    def _records(self) -> list[RunRecord]:
        from leaderboard.audit import contradictions
        from leaderboard.tables.answers import gold_of

        found, gold = [], gold_of(self._bench.store)
        for path in self._answered:
            try:
                record = read(self._bench.store.root / path)
            except BadRecord:
                continue  # the table reports it
            found += [record] if record is not None and not contradictions(record, gold) else []
        return found


def _not_ended(session: pytest.Session) -> str:
    """Why no winner can be there, and what to write instead."""
    if session.exitstatus != pytest.ExitCode.NO_TESTS_COLLECTED:
        return "the session did not come to its end; run the same command again"
    option = session.config.option
    chosen = [f"{name} {words!r}" for name, words in (("-k", option.keyword), ("-m", option.markexpr)) if words]
    if not chosen:
        return "no test was found in the files that were named; --collect-only lists those of a file"
    return (
        f"{' and '.join(chosen)} chose none of the session's tests; leave it out, or write words of their names, which "
        "--collect-only lists"
    )
