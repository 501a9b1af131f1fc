"""pytest plugin: after a session that wrote or reused records, show their tables and write the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.record import Store, write_whole
from leaderboard import audit, publish, render
from leaderboard.group import groups, key_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """House rule: help starts with a capital letter, is a single phrase and has no period."""
    group = parser.getgroup("mergeboard leaderboard")
    group.addoption("--leaderboard", metavar="FILE", default=None, help="Markdown file to write")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Runs in the controller only; records come as properties of reports, so workers need no channel of their own."""
    session = set(named(terminalreporter.stats.values()))
    if not session:
        return
    root = results_root(config)
    found = audit.load(Store(root))
    shown = [r for r in found.records if r.path.as_posix() in session]
    missing = sorted(session - {r.path.as_posix() for r in found.records})
    touched = {key_of(r) for r in shown}

    terminalreporter.section("leaderboard")
    if touched:
        terminalreporter.write_line(render.terminal(g for g in groups(found.records) if g.key in touched))
    for line in found.damaged:
        terminalreporter.write_line(f"damaged, not averaged: {root}/{line}")
    for path in missing:
        if not (root / path).exists():
            terminalreporter.write_line(f"named by this session but not in the store: {path}")

    records = found.records
    if root == config.rootpath / publish.LOCAL:
        published = audit.load(Store(config.rootpath / publish.PUBLISHED))
        records = publish.union(published.records, records)
        for line in published.damaged:
            terminalreporter.write_line(f"damaged, not averaged: {publish.PUBLISHED}/{line}")
    target = page_path(config, root)
    try:
        write_whole(target, render.page(records))
    except OSError as error:
        terminalreporter.write_line(f"{target}: the leaderboard cannot be written ({error.strerror})", red=True)
    else:
        terminalreporter.write_line(f"written: {target}")


def named(stats: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The records that this session's reports name; xdist turns the pairs into lists on their way."""
    for reports in stats:
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "record":
                    yield str(value)


def results_root(config: pytest.Config) -> Path:
    """The store of this session: the harness' `--results`, relative to the root of the project."""
    return config.rootpath / (config.getoption("results", default=None) or publish.LOCAL)


def page_path(config: pytest.Config, results: Path) -> Path:
    """Where the page goes: as asked, else docs/ for the default store, else beside the records."""
    asked = config.getoption("leaderboard")
    if asked:
        return config.invocation_params.dir / str(asked)
    return config.rootpath / publish.PAGE if results == config.rootpath / publish.LOCAL else results / "leaderboard.md"
