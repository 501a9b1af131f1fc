"""Own tests run on one thread: their tensors are tiny, and threads that wait for each other only cost time.

What takes long to make is made once for all workers, and each takes tests that stand together. No test pulls a plug, so
nothing waits for the disk.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from threadpoolctl import threadpool_limits

from harness.grading import BUILT_IN as BUILT_IN_GRADERS
from harness.members.garbage import imports_left_out, no_last_look
from harness.suites.registry import BUILT_IN as BUILT_IN_SUITES
from methods import known
from methods.catalogue import BUILT_IN, METHODS
from methods.optimisers import OPTIMISERS
from tests.made_once import made_once

if TYPE_CHECKING:
    from harness.cells.lab import Lab
    from tests.hub_server import Hub
    from tests.small_world import Project  # heavy: only the tests that ask for it shall pay

torch.set_num_threads(1)
threadpool_limits(1)  # NumPy's
os.environ["OMP_NUM_THREADS"] = "1"  # those of the processes that tests start

# Sessions inside a session forget what they imported, but registries would not: let them know everything before.
for _module in (
    *(*BUILT_IN.values(), *OPTIMISERS.built_in.values()),
    *(*BUILT_IN_GRADERS.values(), *BUILT_IN_SUITES.values()),
):
    import_module(_module)

no_last_look()
os.fsync = lambda _: None  # type: ignore[assignment]


class _Package:
    """An installed package that reads once which plugins it has."""

    def __init__(self, found: importlib.metadata.Distribution) -> None:
        self._found = found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)

    @cached_property
    def entry_points(self) -> Any:
        return self._found.entry_points


@cache
def _packages(*_path: str) -> list[_Package]:
    return [_Package(found) for found in _distributions()]


# A session inside a session looks for plugins several times, in every folder of this path.
_distributions = importlib.metadata.distributions
importlib.metadata.distributions = lambda **asked: _distributions(**asked) if asked else _packages(*sys.path)  # type: ignore


LONG = ("cluster", "published", "whole")  # marks of pyproject.toml


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With -n, a worker takes tests that stand together; who is done takes half of what another has left.

    The suites' plugin would deal them out like cells.
    """
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist", "no") == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long runs where its file is named, or its mark: so the others answer within minutes."""
    named = {(config.invocation_params.dir / str(word).partition("::")[0]).resolve() for word in config.args}

    def unasked(item: pytest.Item) -> bool:
        marks = [name for name in LONG if item.get_closest_marker(name) is not None]
        return bool(marks) and item.path not in named and not any(name in config.option.markexpr for name in marks)

    if out := [item for item in items if unasked(item)]:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """All that tests import is imported by now, or here."""
    with imports_left_out():
        return (yield)


@pytest.fixture(scope="session")
def small_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo that knows the small world: its tiny encoder and the members of seed 1. Tests may add to it."""
    from tests.small_world import make_zoo

    made = made_once(tmp_path_factory, "small zoo", make_zoo)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("zoo") / "zoo"))


@pytest.fixture
def project(pytester: pytest.Pytester, small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the emotion suite on the small world."""
    return _project(pytester, small_zoo, monkeypatch, "emotion")


@pytest.fixture
def glue_project(pytester: pytest.Pytester, small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the GLUE suite on the small world."""
    return _project(pytester, small_zoo, monkeypatch, "glue")


@pytest.fixture
def answered(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose in-domain and out-of-domain cells are answered; the first test that wants it pays for it."""
    from tests.emotion_cells import BOTH

    def answer(folder: Path) -> None:
        project.run(*BOTH).assert_outcomes(passed=29, skipped=1, deselected=150)
        shutil.move(project.path / "results", folder)

    shutil.copytree(made_once(tmp_path_factory, "emotion answers", answer), project.path / "results")
    return project


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on the loopback, with an empty cache, for everything in this process that asks one."""
    from tests.hub_server import at, serving

    with serving() as server:
        at(server.endpoint, tmp_path / "hub cache", monkeypatch)
        yield server


@pytest.fixture(scope="session")
def lab(small_zoo: Path) -> Lab:
    """A laboratory for tests that leave it as it is."""
    from tests.small_world import make_lab

    return make_lab(small_zoo)


def _project(pytester: pytest.Pytester, zoo: Path, monkeypatch: pytest.MonkeyPatch, suite: str) -> Project:
    from tests.small_world import ROOT, Project

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "300")  # no summary line is cut short
    return Project(pytester, zoo, suite)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site that was built from records of its own."""
    pytest.importorskip("mkdocs", reason="the site needs mkdocs-material")
    from tests.site_world import build

    return made_once(tmp_path_factory, "checkout with a site", build) / "built"


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[str]:
    """Its address."""
    from tests.site_world import served

    with served(built) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skipped where there is none."""
    from tests.site_world import headless

    with headless() as running:
        yield running


@pytest.fixture
def own_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that forgets what is registered meanwhile."""
    known()
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    yield
