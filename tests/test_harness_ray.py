"""Ray in earnest: workers that are killed, and a session that is; what is left is what one process leaves.

It begins clusters and takes long, so it runs where it is named, as .ci/run does: pytest tests/test_harness_ray.py
"""

from __future__ import annotations

import random
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.kills import Round, base_of, begun, check, disturbed, ended, undisturbed_in

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(find_spec("ray") is None, reason="its extra is not installed")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with the tiny model alone."""
    return base_of(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Round:
    """A session of one process, from nothing."""
    return undisturbed_in(tmp_path_factory.mktemp("one"), base)


@pytest.mark.parametrize("who", ["worker", "session"])
def test_what_is_killed_leaves_the_records_of_an_undisturbed_session(
    who: str, undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    one = begun(tmp_path, who, base)
    killed = disturbed(one, who, 1.0, random.Random(1))
    assert killed, "somebody was there"
    check(one, undisturbed, who)
    said = one.said()
    assert re.search(r"Ray [\d.]+ on this machine: 3 workers, begun in [\d.]+ s", said)
    if who == "worker":
        assert "a worker was lost" in said
    other = begun(tmp_path, "again", base)
    (one.folder / "results").rename(other.folder / "results")
    ended(other.begin("--engine=ray", "--ray-workers=3"), other)
    assert re.search(r"[1-9]\d* cached", other.said()) and " passed" not in other.said()
    assert "Ray " not in other.said() and other.trained() == 0, "who is answered from the store needs no cluster"
