"""What a suite function holds: a question, which is its cell and the way to have it answered; or a survey to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.engines.base import Engine
from harness.engines.front import Front, context_of
from harness.engines.inline import Inline
from harness.errors import LeftOut
from harness.export.session import Exporter
from harness.records.environment import set_command
from harness.session import flags, met, voice
from harness.session import options as words
from harness.session.bench import Bench
from harness.session.budget import LEFT_OUT, Budgeter
from harness.session.planner import Planner
from harness.session.status import Status
from harness.session.tally import SCORE
from harness.suites.setting import Setting

BENCH = pytest.StashKey[Bench]()
ENGINE = pytest.StashKey[Engine]()


def bench_of(config: pytest.Config) -> Bench:
    """The bench of this session, made from checked options on first use."""
    if BENCH not in config.stash:
        found, worker = words.read(config), hasattr(config, "workerinput")
        set_command(found.command)
        config.stash[BENCH] = bench = Bench(found, voice.speaker(config))
        bench.last_words = lambda line: voice.show(config, line, more="")
        if found.wall_time is not None:
            config.pluginmanager.register(Budgeter(bench, found.wall_time, config), "mergeboard-budget")
        met.require_models(bench, whole=not flags.only_told(config))
        if found.plan is not None:
            config.pluginmanager.register(Planner(bench), "mergeboard-plan")
        elif found.export is not None and not worker:
            config.pluginmanager.register(Exporter(bench, found.export), "mergeboard-export")
        if getattr(config.option, "verbose", -1) >= 0 and not flags.only_told(config) and not worker:
            config.pluginmanager.register(status := Status(config), voice.STATUS)
            bench.running = status.elsewhere
        if found.engine.name == "ray" and not flags.only_told(config):
            config.pluginmanager.register(Front(lambda: engine_of(config)), "mergeboard-front")
    return config.stash[BENCH]


def engine_of(config: pytest.Config) -> Engine:
    """Who answers the cells of this session, or of this worker of it."""
    if ENGINE not in config.stash:
        bench = bench_of(config)
        if bench.options.engine.name == "ray":
            from harness.engines.ray import Ray

            config.stash[ENGINE] = Ray(bench, context_of(config, bench.options))
        else:
            config.stash[ENGINE] = Inline(bench)
    return config.stash[ENGINE]


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
def options() -> tuple[str, ...]:
    """`NAME=VALUE` that hold for this test alone; a test of an ablation is given its own."""
    return ()


@pytest.fixture
def question(
    request: pytest.FixtureRequest, population: PopulationKey, method: str, options: tuple[str, ...]
) -> Question:
    """The cell of this test. `question.ask()` answers it from the store or by running it, and gives the record."""
    setting: Setting = request.node.get_closest_marker("setting").args[0]
    cell = Cell(setting.with_options(options), population, method)
    bench = bench_of(request.config)

    def ask() -> Any:
        if bench.options.diagnose:
            said = _outcome(request, bench, population, lambda: bench.diagnosis(cell.setting, population))
            request.node.user_properties.append(("diagnosis", said.as_posix()) if said else ("diagnosis", ""))
        record, cached = _outcome(request, bench, cell, lambda: engine_of(request.config).answer(cell))
        request.node.user_properties.append(("record", record.path.as_posix()))
        request.node.user_properties.append(("cached", cached))
        request.node.user_properties.append((SCORE, record.score))
        return record

    return Question(cell, ask)


@pytest.fixture
def landscape(request: pytest.FixtureRequest, population: PopulationKey) -> Callable[[], Any]:
    """Surveys the plane of this population, or finds the survey in the store; gives its file."""
    setting, bench = request.node.get_closest_marker("setting").args[0], bench_of(request.config)
    points = bench.options.points
    if not points:
        pytest.skip("give --grid=N to survey N x N models for every pair")
    return lambda: _outcome(request, bench, population, lambda: bench.landscape(setting, population, points))


def _outcome(request: pytest.FixtureRequest, bench: Bench, what: object, work: Callable[[], Any]) -> Any:
    """What the work gives. What cannot be asked is skipped, and what goes wrong fails the test, in one line each."""
    from methods.errors import MergeboardError, NotApplicable

    try:
        return work()
    except LeftOut as reason:
        request.node.user_properties.append(LEFT_OUT)
        pytest.skip(str(reason))
    except NotApplicable as reason:
        pytest.skip(str(reason))
    except (MergeboardError, OSError) as error:
        if request.config.getoption("fulltrace"):
            raise  # with its cause: whoever writes a method wants to see where
        line = f"{what}: {bench.told(error)}"
        raise pytest.fail.Exception(line, pytrace=False) from None  # without the cause
