"""The sums in an invented language: rows that nobody was taught, in a file that is a task."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.grading.named import graders_of
from harness.suites.base import Where
from harness.suites.own import reading
from harness.suites.own.made import OwnSuite

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "invented-sums" / "make.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example writes, of few rows."""
    made = tmp_path_factory.mktemp("sums")
    few = ["--train", "40", "--dev", "20", "--test", "30"]
    subprocess.run([sys.executable, str(EXAMPLE), str(made), *few], check=True)
    return made


@pytest.fixture(scope="module")
def suite(folder: Path) -> OwnSuite:
    return OwnSuite(reading.read(folder / "sums.toml"))


def test_more_rows_than_there_are_is_one_line_and_not_a_search_without_end(tmp_path: Path) -> None:
    few = [sys.executable, str(EXAMPLE), str(tmp_path), "--most", "3"]
    done = subprocess.run(few, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1 and done.stderr == (
        "fluent: train can have 36 different rows, not 600; ask for fewer, or raise --most\n"
    )


def test_it_is_a_task_with_a_target_and_what_stands_beside_it(suite: OwnSuite) -> None:
    recipe, beside = (suite.setting(name) for name in ("recipe", "off_target"))
    assert recipe is not None and recipe.chosen == recipe.examined == ("sums",)
    assert beside is not None and beside.examined == ("fluent", "maths") and beside.role == "off_target"


def test_no_sum_stands_in_two_splits(suite: OwnSuite) -> None:
    corpora = suite.find(Where(), suite.knobs(), 0)
    said: dict[str, set[frozenset[str]]] = {"train": set(), "dev": set(), "test": set()}
    for corpus in corpora.values():
        for split, found in said.items():
            found |= {frozenset(re.findall(r"\d+", text)[:2]) for text in getattr(corpus, split).texts}
    assert not said["train"] & said["dev"] and not (said["train"] | said["dev"]) & said["test"]
    assert not len(corpora["sums"].train), "nobody is taught the exam"


def test_right_answers_get_the_mark_and_answers_in_the_other_language_do_not(suite: OwnSuite) -> None:
    corpora = suite.find(Where(), suite.knobs(), 0)
    graders = graders_of(corpora["sums"].task.graders)
    for corpus in corpora.values():
        for wanted in corpus.test.references or ():
            assert all(grader.mark(wanted.answer, wanted) == 1 for grader in graders.values())
    invented, english = (corpora[name].test.references or () for name in ("sums", "maths"))
    assert graders["language"].mark(english[0].answer, invented[0]) == 0


def test_of_four_choices_one_is_right(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "lm-eval" / "test.jsonl").read_text().splitlines()]
    for row in rows:
        a, b = map(int, re.findall(r"\d+", row["question"]))
        right = [f"= {a + b}." in answer and "Sul" in answer for answer in row["answers"]]
        assert sum(right) == 1 and right[row["right"]]
