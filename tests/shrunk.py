"""As a plugin (`-p tests.shrunk`) it shrinks the world of the session it is loaded into, xdist's workers included.

Who only hands out cells to workers has no world, and is spared all imports.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if Path(sys.argv[0]).name == "default_worker.py":  # of Ray, which imports what -p names and has no hooks
    from tests.small_world import shrink

    shrink(pytest.MonkeyPatch())

PATCHES = pytest.StashKey[pytest.MonkeyPatch]()


def pytest_configure(config: pytest.Config) -> None:
    patch = config.stash[PATCHES] = pytest.MonkeyPatch()
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        from tests.small_world import shrink

        shrink(patch)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (patch := config.stash.get(PATCHES, None)) is not None:  # a session that was refused has shrunk nothing
        patch.undo()
