"""pytest glue, hooks in the order of a session: options, matrix, fixtures, status, workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import options
from harness.bench import Bench
from harness.cells import Cell, PopulationKey
from harness.environment import commit, set_command

BENCH = pytest.StashKey[Bench]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Everything that is not here is pytest's own: -k, -m, --lf, --collect-only, -n."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Check the command line before anything is collected, but only where a suite will run."""
    config.addinivalue_line("markers", "setting(setting): the question a suite function asks; harness.settings.Setting")
    if _asks_a_suite(config):
        bench_of(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Where answers come from and go to, when a suite was named."""
    if not _asks_a_suite(config):
        return []
    bench = bench_of(config)
    lines = [f"mergeboard: results {_near(config, bench.options.results)}, commit {commit() or 'unknown'}"]
    return lines if bench.options.data is None else [*lines, *_missing(bench)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The matrix: populations, shared by a whole session, times methods."""
    marker = metafunc.definition.get_closest_marker("setting")
    if marker is None or "population" not in metafunc.fixturenames:
        return
    bench, setting = bench_of(metafunc.config), marker.args[0]
    keys = [key for model in bench.options.models for key in bench.populations(setting, model)]
    metafunc.parametrize("population", keys, ids=str, indirect=True, scope="session")
    metafunc.parametrize("method", bench.options.methods)


@pytest.fixture(scope="session")
def population(request: pytest.FixtureRequest) -> PopulationKey:
    """The population of a cell. Trained lazily: a session that is answered from the store trains nothing."""
    key: PopulationKey = request.param
    return key


@dataclass(frozen=True)
class Question:
    """What a suite function holds: its cell, and the way to have it answered."""

    cell: Cell
    ask: Callable[[], Any]


@pytest.fixture
def question(request: pytest.FixtureRequest, population: PopulationKey, method: str) -> Question:
    """The cell of this test. `question.ask()` answers it from the store or by running it, and gives the record."""
    from methods.errors import MergeboardError, NotApplicable

    marker = request.node.get_closest_marker("setting")
    cell = Cell(marker.args[0], population, method)
    bench = bench_of(request.config)

    def ask() -> Any:
        try:
            record, cached = bench.answer(cell)
        except NotApplicable as reason:
            pytest.skip(str(reason))
        except (MergeboardError, OSError) as error:
            raise pytest.fail.Exception(f"{cell}: {error}", pytrace=False) from None  # one line, without the cause
        request.node.user_properties.append(("record", record.path.as_posix()))
        request.node.user_properties.append(("cached", cached))
        return record

    return Question(cell, ask)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """A cell that was answered from the store says so."""
    done = isinstance(report, pytest.TestReport) and report.when == "call" and report.passed
    if done and ("cached", True) in map(tuple, report.user_properties):  # xdist turns the pairs into lists
        return "cached", "c", ("CACHED", {"cyan": True})
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With -n, every population is trained by one worker: cells go together by what stands before the method."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPopulation(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            name, bracket, rest = nodeid.partition("[")
            return rest.rpartition("-")[0] if bracket else name

    return ByPopulation(config, log) if config.getoption("dist", "no") == "load" else None


def _asks_a_suite(config: pytest.Config) -> bool:
    """Whether the session's arguments name something in suites/, or a folder that it lies in."""
    suites = config.rootpath / "suites"
    named = [config.invocation_params.dir / str(argument).partition("::")[0] for argument in config.args]
    return any(path == suites or suites in path.parents or path in suites.parents for path in map(Path.resolve, named))


def bench_of(config: pytest.Config) -> Bench:
    """The bench of this session, made from checked options on first use."""
    if BENCH not in config.stash:
        found = options.read(config)
        set_command(found.command)
        config.stash[BENCH] = bench = Bench(found, _speaker(config))
        if found.data is not None:
            _require_readable(bench)
    return config.stash[BENCH]


def _require_readable(bench: Bench) -> None:
    """A malformed corpus is a wrong word of the command line: it ends the session now, in one line."""
    from harness.errors import BadData

    try:
        bench.corpora  # noqa: B018  # read on first touch
    except BadData as error:
        raise pytest.UsageError(str(error)) from None


def _speaker(config: pytest.Config) -> Callable[[str], None]:
    """Progress lines go past pytest's capture to the terminal; a worker of xdist has none and stays silent."""

    def say(line: str) -> None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        capture = config.pluginmanager.get_plugin("capturemanager")
        if terminal is None or hasattr(config, "workerinput"):
            return
        if capture is None:
            terminal.write_line(f"  {line}")
            return
        with capture.global_and_fixture_disabled():
            terminal.ensure_newline()
            terminal.write_line(f"  {line} ...")

    return say


def _missing(bench: Bench) -> list[str]:
    """One line on the corpora that the user does not have."""
    from harness.data.emotion import IN_DOMAIN, ORIGIN, OUT_OF_DOMAIN

    missing = [c for c in (*IN_DOMAIN, *OUT_OF_DOMAIN) if c not in bench.corpora]
    return [f"mergeboard: not in the data: {', '.join(missing)}; {ORIGIN}"] if missing else []


def _near(config: pytest.Config, path: Path) -> str:
    try:
        return str(path.relative_to(config.rootpath))
    except ValueError:
        return str(path)
