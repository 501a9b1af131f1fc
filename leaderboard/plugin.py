"""pytest plugin: after a session that wrote or reused records, show their tables and write the page.

Only what stands in a column with these records is read and drawn: a store may hold thousands of others. What reads and
draws is imported when there are some: a session's first line does not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.records.diagnosis import Diagnosis
    from leaderboard.evidence import Evidence

COMMAND = "python -m leaderboard show"
SESSION = pytest.StashKey[pytest.Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """House rule: help starts with a capital letter, is a single phrase and has no period."""
    group = parser.getgroup("mergeboard leaderboard")
    group.addoption("--leaderboard", metavar="FILE", default=None, help="Markdown file to write")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember whose exit code tells that the page could not be written."""
    session.config.stash[SESSION] = session


@pytest.fixture(scope="session")
def evidence(pytestconfig: pytest.Config) -> Evidence:
    """All records at hand: those of `--results` alone, or the published ones and this machine's own."""
    from harness.records.record import Store
    from leaderboard import publish
    from leaderboard.evidence import Evidence

    asked = pytestconfig.getoption("results", default=None)
    folders = [asked] if asked else [publish.PUBLISHED, publish.LOCAL]
    return Evidence([Store(pytestconfig.rootpath / folder) for folder in folders])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Runs in the controller only; what is shown comes as properties of reports, so workers need no other channel."""
    stats = terminalreporter.stats.values()
    _tell_claims(terminalreporter, list(named("claim", stats)))
    _tell_diagnoses(terminalreporter, config, set(named("diagnosis", stats)))
    left = _left_out(stats)
    if (session := set(named("record", stats))) and _still_there(terminalreporter, config, exitstatus):
        page = _tell_records(terminalreporter, config, session, left)
        _write_page(terminalreporter, config, page, exitstatus)
    elif left:
        terminalreporter.write_line(left)


def _tell_claims(reporter: pytest.TerminalReporter, claims: Collection[str]) -> None:
    if claims:
        reporter.section("what the papers say")
        reporter.write_line("\n".join(claims))


def _tell_diagnoses(reporter: pytest.TerminalReporter, config: pytest.Config, made: Collection[str]) -> None:
    if made and (told := [*_diagnoses(results_root(config), made)]):
        from leaderboard.pages import terminal

        reporter.section("before merging")
        reporter.write_line(terminal.diagnoses(told))


def _tell_records(reporter: pytest.TerminalReporter, config: pytest.Config, session: Collection[str], left: str) -> str:
    """Show the tables and the answer of these records; the page of the tables that they stand in.

    Args:
        session: paths below the store of the records that the session wrote or reused.
        left: the line on what its budget left out.
    """
    from harness.records.record import Store
    from leaderboard import audit, text
    from leaderboard.pages import brief, pages, repeats, terminal
    from leaderboard.tables.answers import gold_of
    from leaderboard.tables.group import groups

    root = results_root(config)
    store = Store(root)
    found, gold = audit.load(store, store.paths_beside(map(Path, session))), gold_of(store)
    kept, edited = audit.believed(found, gold)
    shown = [r for r in kept if r.path.as_posix() in session]
    touched = [g for g in groups(kept, gold) if any(r.path.as_posix() in session for r in g.records)]
    page = pages.session(touched)  # first: it takes what each group needs at once, and the terminal then finds it made

    reporter.section("leaderboard")
    if own := groups(shown, gold):
        whole = config.option.verbose > 0
        reporter.write_line(terminal.tables(own) if whole else brief.scores(own, brief.width()))
        reporter.write_line(brief.LEGEND if whole else "-v has differences, corpora and costs too.")
        if said := brief.verdict(own):
            reporter.write_line(f"\n{said}")
        if said := brief.more(shown, kept, f"{COMMAND} --results={root}"):
            reporter.write_line(text.plain(said))
    below = [left] if left else []
    below += repeats.lines(shown)
    below += text.few([f"damaged, not averaged: {root}/{line}" for line in found.damaged], 5)
    below += text.few([f"edited, not averaged: {root}/{line}; --rerun answers it anew" for line in edited], 5)
    for line in below:
        reporter.write_line(text.plain(line))
    for path in sorted({*session} - {r.path.as_posix() for r in found.records}):
        if not (root / path).exists():
            reporter.write_line(f"named by this session but not in the store: {path}")

    if said := terminal.answers(touched, session):
        reporter.section("what to use")
        reporter.write_line(said)
    return f"{page}\n{text.plain(left)}\n" if left else page


def _still_there(reporter: pytest.TerminalReporter, config: pytest.Config, exitstatus: int) -> bool:
    """Whether the records' folder, where this session's are, has not gone with its disk; to write a page would make it
    anew, and the next session would take it for an empty store."""
    from harness.records.there import is_lost, lost

    root = results_root(config)
    if gone := is_lost(root):
        _fail(reporter, config, f"no leaderboard: {lost(root)}", exitstatus)
    return not gone


def _write_page(reporter: pytest.TerminalReporter, config: pytest.Config, page: str, exitstatus: int) -> None:
    """Write it, or say why that cannot be, which fails a session that was well."""
    from harness.records.record import write_whole

    target = page_path(config, results_root(config))
    try:
        write_whole(target, page)
    except OSError as error:
        _fail(reporter, config, f"the leaderboard cannot be written: {error}", exitstatus)
    else:
        reporter.write_line(f"written: {target}")


def _fail(reporter: pytest.TerminalReporter, config: pytest.Config, line: str, exitstatus: int) -> None:
    reporter.write_line(line, red=True)
    if exitstatus == pytest.ExitCode.OK:
        config.stash[SESSION].exitstatus = pytest.ExitCode.TESTS_FAILED


def _diagnoses(root: Path, session: Collection[str]) -> Iterator[Diagnosis]:
    """Those of this session's populations."""
    from harness.records import diagnosis
    from harness.records.record import BadRecord

    for path in sorted(root / name for name in session if name):
        with suppress(BadRecord):  # reported by the leaderboard
            yield diagnosis.read(path)


def named(wanted: str, stats: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The properties of this name in this session's reports; xdist turns the pairs into lists on their way."""
    for reports in stats:
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == wanted:
                    yield str(value)


def by_cell(wanted: str, stats: Iterable[Iterable[Any]]) -> dict[str, str]:
    """The same by the cell's name: its reports of before, of and after its call all have it."""
    reports = (report for some in stats for report in some if hasattr(report, "nodeid"))
    return {report.nodeid: value for report in reports for value in named(wanted, [[report]])}


def _left_out(stats: Collection[Iterable[Any]]) -> str:
    """What the session's budget of time left out."""
    cells, out = by_cell("budgeted", stats), by_cell("left_out", stats)
    if not (left := [what for name, what in cells.items() if name in out]):
        return ""
    from leaderboard.pages import left_out

    return left_out.line(left, len(cells))


def results_root(config: pytest.Config) -> Path:
    """The store of this session: the harness' `--results`, relative to the root of the project."""
    from leaderboard.publish import LOCAL

    return config.rootpath / (config.getoption("results", default=None) or LOCAL)


def page_path(config: pytest.Config, results: Path) -> Path:
    """Where the page goes: as asked, else beside the records; docs/ is written by `publish` alone."""
    asked = config.getoption("leaderboard")
    return config.invocation_params.dir / Path(os.path.expanduser(str(asked))) if asked else results / "leaderboard.md"
