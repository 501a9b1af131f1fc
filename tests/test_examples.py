"""The example packages, installed as a stranger would install them, and the one-file route."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parent.parent
METHOD, OPTIMISER, GRADER, SUITE, MERGEKIT = (
    ROOT / "examples" / f"mergeboard-{what}" for what in ("median", "optimiser", "grader", "suite", "mergekit")
)
HAS_MERGEKIT = find_spec("mergekit") is not None

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
sys.stderr = sys.stdout  # in order
from harness.grading.named import grader_of
from methods import known, resolve

print(resolve("median"), resolve("median_evolver"), "median" in known())
print(resolve("median_climb"))
print(grader_of("choice"))
for words in sys.argv[1:]:
    print({BETWEEN!r}, end="")
    print("ended with", int(pytest.main(["-q", "-p", "no:cacheprovider", *json.loads(words)])))
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
    """The folder that all were installed into; built from copies, so that nothing is left in the tree."""
    examples = (METHOD, OPTIMISER, GRADER, SUITE, *([MERGEKIT] if HAS_MERGEKIT else []))
    target, sources = tmp_path_factory.mktemp("target"), [tmp_path_factory.mktemp(p.name) for p in examples]
    for example, source in zip(examples, sources, strict=True):
        shutil.copytree(example, source, dirs_exist_ok=True)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    run("-m", "pip", "install", *offline, "--target", str(target), *map(str, sources), path=target)
    return target


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def said(installed: Path, small_zoo: Path, results: Path) -> list[str]:
    """What one stranger's interpreter, which has the packages and the file, says to each question."""
    (installed / "first_mean.py").write_text(ONE_FILE)
    small = [f"--set={name}" for name in ("epochs=1", "train_rows=32", "dev_rows=16", "test_rows=16")]
    sessions = (
        [str(package / "tests") for package in (METHOD, OPTIMISER, GRADER)],
        ["suites/test_emotion.py", "--method=median", "--collect-only"],
        [
            *("suites/test_emotion.py", "-k", "pairwise and dailydialog+isear", "--seeds=1", "--model=tiny-encoder"),
            *("-p", "tests.shrunk", "-p", "first_mean", "--method=first_mean", "--set=first_mean.share=0.5"),
            *(*small, f"--results={results}", f"--zoo={small_zoo}"),
        ],
        ["--pyargs", "mergeboard_weather", "--set=weather_fgo=0.3"],
        [
            *("--pyargs", "mergeboard_weather", "-k", "pairs and north+south", "--seeds=1", "--model=tiny-encoder"),
            *("-p", "tests.shrunk", "--method=simple", "--set=weather_fog=0.3", "--set=epochs=1"),
            *("--method=simple_climb", "--set=search.budget=24"),
            *(f"--results={results}", f"--zoo={small_zoo}"),
        ],
        [str(MERGEKIT / "tests")],
    )
    return run("-c", STRANGER, *map(json.dumps, sessions), path=installed).split(BETWEEN)


def test_the_installed_package_is_found_by_name(said: list[str]) -> None:
    method, search, grader, *_ = said[0].splitlines()
    assert method.startswith("Median() Evolver(inner=Median(), ") and method.endswith("True")
    assert search.startswith("Search(inner=Median(), optimiser=Climb(step=0.2)")
    assert grader == "Choice(letters='ABCD')"


def test_their_own_tests_pass(said: list[str]) -> None:
    assert "7 passed" in said[1]


@pytest.mark.skipif(not HAS_MERGEKIT, reason="mergekit is not installed: pip install mergekit==0.1.5")
def test_every_method_of_mergekit_keeps_the_contract(said: list[str]) -> None:
    assert re.search(r"^\d+ passed", said[6].splitlines()[-2]), said[6]


def test_the_benchmark_lists_its_cells(said: list[str]) -> None:
    cells = [line for line in said[2].splitlines() if "::" in line]
    assert "suites/test_emotion.py::test_in_domain[tiny-encoder-s1-median]" in cells
    assert all(line.endswith("-median]") for line in cells)


def test_one_file_on_the_command_line_is_enough(said: list[str], results: Path) -> None:
    """The whole way in the small world: members are trained, merged by the file's method, examined and shown."""
    assert "1 passed" in said[3] and "first_mean" in said[3]
    (record,) = (results / "emotion" / "pairwise" / "tiny-encoder").iterdir()
    assert record.name.startswith("first_mean-s1-") and '"share": 0.5' in record.read_text()


def test_every_question_has_an_answer(said: list[str]) -> None:
    none_collected = 5  # of mergekit's methods, where mergekit is absent
    codes = [0, 0, 0, 4, 0, 0 if HAS_MERGEKIT else none_collected]
    assert [int(answer.rsplit("ended with ")[-1]) for answer in said[1:]] == codes


def test_an_installed_suite_runs_and_is_shown_in_its_own_words(said: list[str], results: Path) -> None:
    """Its corpora, knob, setting and titles: found by the entry point, trained, merged, examined, shown."""
    assert "2 passed" in said[5] and "two stations" in said[5] and "Weather, protocol quick" in said[5]
    (path,) = (results / "weather" / "pairs" / "tiny-encoder").glob("simple-s1-*")
    record = json.loads(path.read_text())
    assert record["says"]["title"] == "two stations" and record["says"]["metric"] == "accuracy"
    assert record["says"]["caption"].startswith("Every two models become one") and record["says"]["order"] == 1
    assert set(record["scores"]) == {"north", "south"} and all(0 < score < 1 for score in record["scores"].values())


def test_an_installed_optimiser_searches_a_method_of_the_package(said: list[str], results: Path) -> None:
    (path,) = (results / "weather" / "pairs" / "tiny-encoder").glob("simple_climb-s1-*")
    record = json.loads(path.read_text())
    described = record["recipe"]["method"]["knobs"]["optimiser"]
    assert described["name"] == "climb" and described["code"]  # a plug-in's: its results may change with it
    assert record["trace"]["optimiser"] == "climb" and record["dev"]["calls"] <= 24 == record["trace"]["budget"]


def test_a_wrong_word_finds_the_knob_of_an_installed_suite(said: list[str]) -> None:
    (line,) = [line for line in said[4].splitlines() if line.startswith("ERROR: ")]
    assert line.startswith("ERROR: no protocol option named 'weather_fgo'. Did you mean 'weather_fog'?")
