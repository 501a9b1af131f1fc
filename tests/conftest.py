"""Own tests run on one thread: their tensors are tiny, and threads that wait for each other only cost time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from tests.small_world import Project  # heavy: only the tests that ask for it shall pay

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo that knows the small world: its tiny model and the members of seed 1. Tests may add to it."""
    from tests.small_world import make_zoo

    return make_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def project(pytester: pytest.Pytester, small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the emotion suite on the small world."""
    from tests.small_world import ROOT, Project

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "300")  # no summary line is cut short
    return Project(pytester, small_zoo)
