"""pytest's hooks in the order of a session: options, matrix, status, end."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from harness import parsing
from harness.engines.xdist import (
    NO_CELL,
    REASON,
    pytest_configure_node,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)
from harness.members.garbage import no_last_look
from harness.question import BENCH, Question, bench_of, landscape, options, population, question
from harness.records.environment import commit
from harness.session import flags, marked, met, selection, voice
from harness.session.bench import Bench
from harness.session.status import pytest_report_teststatus
from harness.storage.sweep import DAYS, forget, sweep

__all__ = [  # fixtures and hooks that lie elsewhere, and what suites import
    "Question",
    "landscape",
    "options",
    "population",
    "pytest_configure_node",
    "pytest_report_teststatus",
    "pytest_testnodedown",
    "pytest_xdist_make_scheduler",
    "question",
]

MET: pytest.StashKey[list[str]] = pytest.StashKey()  # the suites whose settings were met
WRONG = pytest.StashKey[str]()  # what is wrong with a model or a corpus of the first of them


def pytest_addoption(parser: pytest.Parser) -> None:
    """Everything that is not here is pytest's own: -k, -m, --lf, --collect-only, -n."""
    flags.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The embedded benchmark takes a worker for each core, up to four, unless told otherwise: `-n 0` is one process.

    Tiny models use one thread each, so one process would leave the other cores idle.
    """
    option = config.option
    if option.plan is not None and not hasattr(config, "workerinput"):
        crew = getattr(option, "numprocesses", None) or ""  # -n says for how many, and none is started
        option.plan = option.plan or str(os.cpu_count() if crew in ("auto", "logical") else crew)
        option.numprocesses = 0
        return
    if hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ:
        return  # this is a worker: one that took workers of its own would never end taking
    if getattr(option, "numprocesses", 0) is not None or option.collectonly or option.usepdb:
        return  # asked for, or no xdist; nothing to share out
    if option.engine is None and (option.model or option.device_map):
        return
    if option.engine in (None, "xdist") and (os.cpu_count() or 1) > 1 and marked.asks(config):
        option.numprocesses = min(4, os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Check the command line before anything is collected, but only where a suite will run."""
    config.addinivalue_line("markers", f"{selection.CANCELLED}(reason): a test that the options exclude each other for")
    config.addinivalue_line("markers", f"{selection.MEASURES}: it measures time or memory, and is no test")
    config.addinivalue_line("markers", "setting(setting): the question that a suite function asks")
    if marked.asks(config) or config.getoption("speed_shape", flags.SHAPES[0]) != flags.SHAPES[0]:
        no_last_look()
        bench_of(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Where answers come from and go to, when a suite was named."""
    if not marked.asks(config):
        return []
    return [f"mergeboard: results {_near(config, bench_of(config).options.results)}, commit {commit() or 'unknown'}"]


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """What the suites that were met lack, and which words change nothing."""
    if MET not in config.stash or hasattr(config, "workerinput"):
        return []
    lines = [*met.told(bench_of(config), _met(config), items)]
    if config.option.verbose >= 0:
        return [f"mergeboard: {line}" for line in lines]
    if not config.option.collectonly:  # whose list is read by programs
        for line in lines:  # -q has no header, and what was done to the data decides what a score means
            bench_of(config).say(line)
    return []


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """What killed runs have left behind goes before anything new is made; once, not in every worker."""
    config = session.config
    if not marked.asks(config) or flags.only_told(config) or hasattr(config, "workerinput"):
        return
    bench = bench_of(config)
    if size := sweep(bench.options.zoo, bench.options.results):
        bench.say(f"removed {size / 1e6:.1f} MB that killed runs had left behind")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The matrix: populations, shared by a whole session, times methods."""
    marker = metafunc.definition.get_closest_marker("setting")
    if marker is None or "population" not in metafunc.fixturenames:
        return
    bench = _meet(metafunc.config, marker.args[0].suite)
    keys = [] if bench is None else list(met.populations(bench, marker.args[0]))
    metafunc.parametrize("population", keys, indirect=True, scope="session")
    if (ablation := selection.ablation_of(metafunc.definition)) is not None:
        cells = [] if bench is None else selection.varied(ablation, bench.options)
        params = [pytest.param(cell.method, cell.options, id=str(cell)) for cell in cells]
        metafunc.parametrize(("method", "options"), params)
    elif "method" in metafunc.fixturenames:
        metafunc.parametrize("method", () if bench is None else bench.options.methods_of(marker.args[0].suite))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Hundreds of thousands of cells all stay: to look for garbage among them takes a quarter of a list's time."""
    if not gc.isenabled() or not marked.asks(session.config):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A folder of suites means the cells: surveys only where `--grid` asks for them, ablations where `--ablations`
    does, measurements where `--speed-shape` does; with `--model`, cells alone."""
    folders = {item.path.parent for item in items if item.get_closest_marker("setting") is not None}
    named = {(config.invocation_params.dir / str(a).partition("::")[0]).resolve() for a in config.args}

    small = config.getoption("--speed-shape") == flags.SHAPES[0]

    def unasked(item: pytest.Item) -> bool:
        if item.path.parent not in folders or item.path in named:
            return False
        if "landscape" in getattr(item, "fixturenames", ()):
            return not parsing.points_of(config.getoption("--grid"))
        if selection.ablation_of(item) is not None:
            return not config.getoption("--ablations")
        if item.get_closest_marker(selection.MEASURES) is not None and small:
            return True  # at toy size it would show no more than that it runs
        return bool(config.getoption("--model")) and item.get_closest_marker("setting") is None

    wanted: list[pytest.Item] = []
    out: list[pytest.Item] = []
    for item in items:
        (out if unasked(item) else wanted).append(item)
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = wanted


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What is wrong with the data, and options that leave no cell, are wrong words; a worker tells its controller."""
    config = session.config
    if MET not in config.stash and WRONG not in config.stash:
        return
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    try:
        if WRONG in config.stash:
            raise pytest.UsageError(config.stash[WRONG])
        met.require_asked(bench_of(config), _met(config))
        selection.require_cells(session.items, bench_of(config).options.points)
    except pytest.UsageError as error:
        if output is None:
            raise
        output[NO_CELL] = str(error)
        for item in session.items:
            item.add_marker(pytest.mark.skip(str(error)))
        return
    if output is not None:  # there is no header in a worker
        for line in met.told(bench_of(config), _met(config), session.items):
            bench_of(config).say(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The workers are gone; what they said last is shown before the summary. What nobody came back to goes."""
    config = session.config
    if ears := config.stash.get(voice.EARS, None):
        ears.close()
    if BENCH in config.stash and not flags.only_told(config) and not hasattr(config, "workerinput"):
        bench = config.stash[BENCH]
        gone, size = forget(bench.options.zoo, bench.options.results)
        if gone:
            plural = "s" if gone > 1 else ""
            bench.say(f"removed {gone} unfinished run{plural} ({size / 1e6:.1f} MB) untouched for {DAYS} days")
    if reason := session.config.stash.get(REASON, None):
        session.config.pluginmanager.getplugin("terminalreporter").ensure_newline()
        raise pytest.UsageError(reason)


def _met(config: pytest.Config) -> list[str]:
    return config.stash[MET]


def _meet(config: pytest.Config, suite: str) -> Bench | None:
    """The bench that answers this suite's cells; None if a word of the session turned out to be wrong, whose line ends
    the session as soon as everything is collected."""
    from methods.errors import MergeboardError

    try:
        bench = bench_of(config)
        if suite not in config.stash.setdefault(MET, []):
            config.stash[MET].append(suite)
            met.require_usable(bench, suite, fetch=not flags.only_told(config))
    except (pytest.UsageError, MergeboardError) as error:
        config.stash.setdefault(WRONG, str(error))
    return None if WRONG in config.stash else bench_of(config)


def _near(config: pytest.Config, path: Path) -> str:
    try:
        return str(path.relative_to(config.rootpath))
    except ValueError:
        return str(path)
