"""pytest glue, hooks in the order of a session: options, matrix, fixtures, status, workers."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import parsing
from harness.cells.cell import Cell, PopulationKey
from harness.export.session import Exporter
from harness.records.environment import commit, set_command
from harness.session import options, selection, voice
from harness.session.bench import KNOWN, Bench, no_emotion
from harness.storage.sweep import DAYS, forget, sweep

BENCH = pytest.StashKey[Bench]()
REASON = pytest.StashKey[str]()  # why workers found no cell to run
NO_CELL = "mergeboard_no_cell"  # in a worker's output


def pytest_addoption(parser: pytest.Parser) -> None:
    """Everything that is not here is pytest's own: -k, -m, --lf, --collect-only, -n."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The embedded benchmark takes a worker for each core, up to four, unless told otherwise: `-n 0` is one process.

    Tiny models use one thread each, so one process would leave the other cores idle.
    """
    option = config.option
    if hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ:
        return  # this is a worker: one that took workers of its own would never end taking
    if getattr(option, "numprocesses", 0) is not None or option.model or option.collectonly or option.usepdb:
        return  # asked for, or no xdist; another model; nothing to share out
    if {"emotion", "glue"} & set(_suites(config)) and (os.cpu_count() or 1) > 1:
        option.numprocesses = min(4, os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Check the command line before anything is collected, but only where a suite will run."""
    config.addinivalue_line("markers", f"{selection.CANCELLED}(reason): a cell that the options exclude each other for")
    config.addinivalue_line("markers", "setting(setting): the question that a suite function asks")
    if _suites(config):
        bench_of(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Where answers come from and go to, when a suite was named."""
    if not _suites(config):
        return []
    bench = bench_of(config)
    lines = [f"mergeboard: results {_near(config, bench.options.results)}, commit {commit() or 'unknown'}"]
    suites = [s for s in _suites(config) if s in KNOWN]
    kinds = {str(model): bench.family(model) for model in bench.options.models}
    lines += [f"mergeboard: {line}" for line in selection.idle(bench.options, suites, kinds)] if suites else []
    real = bench.options.hub or bench.options.data is not None
    return [*lines, *_missing(bench, _suites(config))] if real else lines


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """What killed runs have left behind goes before anything new is made; once, not in every worker."""
    config = session.config
    if not _suites(config) or config.option.collectonly or hasattr(config, "workerinput"):
        return
    bench = bench_of(config)
    if size := sweep(bench.options.zoo, bench.options.results):
        bench.say(f"removed {size / 1e6:.1f} MB that killed runs had left behind")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The matrix: populations, shared by a whole session, times methods."""
    marker = metafunc.definition.get_closest_marker("setting")
    if marker is None or "population" not in metafunc.fixturenames:
        return
    bench, setting = bench_of(metafunc.config), marker.args[0]
    keys: list[Any] = []
    for model in bench.options.models:
        keys += [pytest.param(key, id=str(key)) for key in bench.populations(setting, model)]
        for key, reason in bench.impossible(setting, model):
            keys.append(pytest.param(key, id=str(key), marks=pytest.mark.skip(f"{setting.name}: {reason}")))
        for key, reason in bench.cancelled(setting, model):
            marks = selection.cancelled(f"{setting.name}: {reason}")
            keys.append(pytest.param(key, id=str(key), marks=marks))
    metafunc.parametrize("population", keys, indirect=True, scope="session")
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", bench.options.methods)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Hundreds of thousands of cells all stay: to look for garbage among them takes a quarter of a list's time."""
    if not gc.isenabled() or not _suites(session.config):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A folder of suites means the cells: surveys only where `--grid` asks for them; with `--model`, cells alone."""
    suites = config.rootpath / "suites"
    named = {(config.invocation_params.dir / str(a).partition("::")[0]).resolve() for a in config.args}

    def unasked(item: pytest.Item) -> bool:
        if item.path.parent != suites or item.path in named:
            return False
        if "landscape" in getattr(item, "fixturenames", ()):
            return not parsing.points_of(config.getoption("--grid"))
        return bool(config.getoption("--model")) and item.get_closest_marker("setting") is None

    wanted: list[pytest.Item] = []
    out: list[pytest.Item] = []
    for item in items:
        (out if unasked(item) else wanted).append(item)
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = wanted


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Options that leave no cell are wrong words; a worker tells its controller."""
    if not _suites(session.config):
        return
    bench = bench_of(session.config)
    for line in selection.unused(session.items, bench.options):
        bench.say(line)
    try:
        selection.require_cells(session.items, bench.options.points)
    except pytest.UsageError as error:
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is None:
            raise
        output[NO_CELL] = str(error)
        for item in session.items:
            item.add_marker(pytest.mark.skip(str(error)))


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
            if request.config.getoption("fulltrace"):
                raise  # with its cause: whoever writes a method wants to see where
            line = f"{cell}: {bench.told(error)}"
            raise pytest.fail.Exception(line, pytrace=False) from None  # without the cause
        request.node.user_properties.append(("record", record.path.as_posix()))
        request.node.user_properties.append(("cached", cached))
        return record

    return Question(cell, ask)


@pytest.fixture
def landscape(request: pytest.FixtureRequest, population: PopulationKey) -> Callable[[], Any]:
    """Surveys the plane of this population, or finds the survey in the store; gives its file."""
    from methods.errors import MergeboardError, NotApplicable

    bench = bench_of(request.config)
    points = bench.options.points
    if not points:
        pytest.skip("give --grid=N to survey N x N models for every pair")

    def ask() -> Any:
        try:
            return bench.landscape(request.node.get_closest_marker("setting").args[0], population, points)
        except NotApplicable as reason:
            pytest.skip(str(reason))
        except (MergeboardError, OSError) as error:
            if request.config.getoption("fulltrace"):
                raise
            raise pytest.fail.Exception(f"{population}: {bench.told(error)}", pytrace=False) from None

    return ask


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


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Every worker is told where its lines about long work are read."""
    stash = node.config.stash
    if voice.EARS not in stash:
        stash[voice.EARS] = voice.Ears(lambda line: voice.show(node.config, line))
    node.workerinput[voice.SAID] = str(stash[voice.EARS].file)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker that found no cell says why."""
    if reason := getattr(node, "workeroutput", {}).get(NO_CELL):
        node.config.stash[REASON] = reason


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The workers are gone; what they said last is shown before the summary. What nobody came back to goes."""
    config = session.config
    if ears := config.stash.get(voice.EARS, None):
        ears.close()
    if BENCH in config.stash and not config.option.collectonly and not hasattr(config, "workerinput"):
        bench = config.stash[BENCH]
        gone, size = forget(bench.options.zoo, bench.options.results)
        if gone:
            plural = "s" if gone > 1 else ""
            bench.say(f"removed {gone} unfinished run{plural} ({size / 1e6:.1f} MB) untouched for {DAYS} days")
    if reason := session.config.stash.get(REASON, None):
        session.config.pluginmanager.getplugin("terminalreporter").ensure_newline()
        raise pytest.UsageError(reason)


def _suites(config: pytest.Config) -> tuple[str, ...]:
    """The suites that the session's arguments name: files in suites/, or a folder that they lie in."""
    folder = config.rootpath / "suites"
    named = [(config.invocation_params.dir / str(a).partition("::")[0]).resolve() for a in config.args]
    files = {suite: folder / f"test_{suite}.py" for suite in ("emotion", "glue", "landscape", "memory", "speed")}
    return tuple(s for s, file in files.items() if any(path == file or path in file.parents for path in named))


def bench_of(config: pytest.Config) -> Bench:
    """The bench of this session, made from checked options on first use."""
    if BENCH not in config.stash:
        found = options.read(config)
        set_command(found.command)
        config.stash[BENCH] = bench = Bench(found, voice.speaker(config))
        _require_usable(bench, _suites(config), config)
        if found.export is not None and not hasattr(config, "workerinput"):
            config.pluginmanager.register(Exporter(bench, found.export), "mergeboard-export")
    return config.stash[BENCH]


def _require_usable(bench: Bench, suites: tuple[str, ...], config: pytest.Config) -> None:
    """A model that no family takes, or a malformed corpus, is a wrong word of the command line: one line, now."""
    from methods.errors import MergeboardError

    if bench.options.hub and "emotion" in suites and "glue" not in suites:
        real = next(model for model in bench.options.models if not model.tiny)
        raise pytest.UsageError(f"--model {real}: {no_emotion()}")
    try:
        for model in bench.options.models:
            bench.require_sound(model, whole=not config.option.collectonly)  # at once, as no data need be read for it
        for model in bench.options.models:
            if bench.options.hub:
                bench.family(model)  # first: a name that the hub does not know is said before GLUE is fetched
            for suite in (s for s in suites if s in KNOWN):
                bench.available(suite, model)
            bench.family(model)  # last, as it may have to fetch the model
        if not config.option.collectonly:
            bench.brought  # noqa: B018  # those on the hub are fetched
    except MergeboardError as error:
        raise pytest.UsageError(str(error)) from None


def _missing(bench: Bench, suites: tuple[str, ...]) -> list[str]:
    """A line for each suite on the corpora that the user does not have."""
    from harness.suites.emotion import corpora as emotion
    from harness.suites.glue import corpora as glue

    origin = {"emotion": emotion.ORIGIN, "glue": glue.ORIGIN}
    model = next(model for model in bench.options.models if not model.tiny)
    lines = []
    for suite in (s for s in suites if s in KNOWN):
        missing = [c for c in KNOWN[suite]() if c not in bench.available(suite, model)]
        if suite == "emotion" and bench.options.hub:
            lines.append(f"mergeboard: emotion: {no_emotion()}")
            continue
        lines += [f"mergeboard: {suite}: not in the data: {', '.join(missing)}; {origin[suite]}"] if missing else []
    return lines


def _near(config: pytest.Config, path: Path) -> str:
    try:
        return str(path.relative_to(config.rootpath))
    except ValueError:
        return str(path)
