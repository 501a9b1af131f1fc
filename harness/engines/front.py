"""pytest's loop where answers come in an order of their own: every test is run when its answer is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from harness.engines.base import Engine
from harness.engines.hands import Context
from harness.session.options import Options
from harness.session.planned import cell_of
from methods.errors import MergeboardError

Answer = TypeVar("Answer")


class Front:
    """A pytest plugin of sessions whose engine has turns of its own."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all tests, cells as they come, the others behind them; errors of the engine are wrong words."""
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return None  # pytest says it
        cells = {place: cell for place, item in enumerate(session.items) if (cell := cell_of(item)) is not None}
        engine = self._engine()
        try:
            places, turns = list(cells), engine.turns(list(cells.values()))
            while (turn := _quietly(session.config, lambda: next(turns, None))) is not None:
                _run(session, session.items[places[turn]])
        except MergeboardError as error:
            raise pytest.UsageError(str(error)) from None
        finally:
            _quietly(session.config, engine.end)
        _rest(session, [item for place, item in enumerate(session.items) if place not in cells])
        return True


def context_of(config: pytest.Config, options: Options) -> Context:
    """What workers have to know of this session."""
    get, folder = config.getoption, config.invocation_params.dir
    task, tasks = get("--task"), get("--lm-eval-tasks")
    named = [(name, config.pluginmanager.get_plugin(name)) for name in config.option.plugins]
    return Context(
        options,
        modules=tuple(name for name, plugin in named if getattr(plugin, "__name__", None) == name),
        task=folder / Path(task[0]).expanduser() if task else None,
        lm_eval_tasks=tuple(get("--lm-eval-task") or ()),
        lm_eval_folder=folder / Path(tasks).expanduser() if tasks else None,
        members=tuple(get("--member")),
    )


def _quietly(config: pytest.Config, work: Callable[[], Answer]) -> Answer:
    """What the work gives. What is printed meanwhile is an engine's own, such as Ray's log of a machine that is lost:
    our line says it, and this is shown with -s alone, as pytest captures between tests nothing by itself."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is None or not capture.is_globally_capturing():
        return work()
    capture.resume_global_capture()
    try:
        return work()
    finally:
        capture.suspend_global_capture()
        capture.read_global_capture()


def _rest(session: pytest.Session, items: Sequence[pytest.Item]) -> None:
    for place, item in enumerate(items, start=1):
        _run(session, item, items[place] if place < len(items) else None)


def _run(session: pytest.Session, item: pytest.Item, following: pytest.Item | None = None) -> None:
    """One test. Which one follows, nobody knows yet, so what tests share is torn down: cells share nothing heavy."""
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
