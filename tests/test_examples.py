"""The example package, installed as a stranger would install it, and the one-file route."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "mergeboard-median"

ONE_FILE = """
from dataclasses import dataclass
from methods import register, resolve

@register("first_mean", paper="none")
@dataclass(frozen=True)
class FirstMean:
    share: float = 1.0

    def merge(self, population, score, rng):
        return resolve("simple").merge(population, score, rng)
"""

BETWEEN = "-- the next question --\n"
STRANGER = f"""
import json, sys, pytest
from methods import known, resolve

print(resolve("median"), resolve("median_evolver"), "median" in known())
for words in sys.argv[1:]:
    print({BETWEEN!r}, end="")
    assert pytest.main(["-q", "-p", "no:cacheprovider", *json.loads(words)]) == 0
"""


def run(*words: str, path: Path) -> str:
    """What a fresh interpreter prints, with `path` in front of everything else it imports from."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into; built from a copy, so that nothing is left in the tree."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    shutil.copytree(EXAMPLE, source, dirs_exist_ok=True)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    run("-m", "pip", "install", *offline, "--target", str(target), str(source), path=target)
    return target


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def said(installed: Path, small_zoo: Path, results: Path) -> list[str]:
    """What one stranger's interpreter, which has the package and the file, says to each of the four questions."""
    (installed / "first_mean.py").write_text(ONE_FILE)
    small = [f"--set={name}" for name in ("epochs=1", "train_rows=32", "dev_rows=16", "test_rows=16")]
    sessions = (
        [str(EXAMPLE / "tests")],
        ["suites/test_emotion.py", "--method=median", "--collect-only"],
        [
            *("suites/test_emotion.py", "-k", "pairwise and dailydialog+isear", "--seeds=1", "--model=tiny-encoder"),
            *("-p", "tests.shrunk", "-p", "first_mean", "--method=first_mean", "--set=first_mean.share=0.5"),
            *(*small, f"--results={results}", f"--zoo={small_zoo}"),
        ],
    )
    return run("-c", STRANGER, *map(json.dumps, sessions), path=installed).split(BETWEEN)


def test_the_installed_package_is_found_by_name(said: list[str]) -> None:
    assert said[0].startswith("Median() Evolver(inner=Median(), ") and said[0].endswith("True\n")


def test_its_own_test_passes(said: list[str]) -> None:
    assert "2 passed" in said[1]


def test_the_benchmark_lists_its_cells(said: list[str]) -> None:
    cells = [line for line in said[2].splitlines() if "::" in line]
    assert "suites/test_emotion.py::test_in_domain[tiny-encoder-s1-median]" in cells
    assert all(line.endswith("-median]") for line in cells)


def test_one_file_on_the_command_line_is_enough(said: list[str], results: Path) -> None:
    """The whole way in the small world: members are trained, merged by the file's method, examined and shown."""
    assert "1 passed" in said[3] and "first_mean" in said[3]
    (record,) = (results / "emotion" / "pairwise" / "tiny-encoder").iterdir()
    assert record.name.startswith("first_mean-s1-") and '"share": 0.5' in record.read_text()
