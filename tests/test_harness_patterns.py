"""Patterns of files: Python's own `glob` in a folder is the oracle of what they mean among a repository's names."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from harness.data import patterns

NAMES = [  # hidden and plain, at every depth
    *("a.csv", ".a.csv", "b.txt", "d/a.csv", "d/.b.csv", "d/e/a.csv", "d/.h/a.csv", "d/.h/e/b.csv"),
    *(".h/a.csv", ".h/d/a.csv", "d/e/f/b.csv", "x/a.csv"),
]
PARTS = ["**", "*", "*.csv", "d", ".h", ".*", "[de]", "?", "a.csv", "**.csv"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


@pytest.mark.parametrize("deep", [1, 2, 3, 4])
def test_a_pattern_means_the_same_among_names_and_in_a_folder(deep: int, tree: Path) -> None:
    found = 0
    for parts in itertools.product(PARTS, repeat=deep):
        pattern = "/".join(parts)
        here = [path.relative_to(tree).as_posix() for path in patterns.in_folder(tree, pattern) if path.is_file()]
        assert sorted(patterns.among(NAMES, pattern)) == sorted(set(here)), pattern
        found += len(here) > 0
    assert found >= 5, "most would say nothing"


def test_no_file_is_meant_twice(tree: Path) -> None:
    """`**/**` reaches one file in several ways; its rows would count as often."""
    for pattern in ("**/**/a.csv", "**/**", "**/d/**/*.csv"):
        for found in (list(patterns.in_folder(tree, pattern)), patterns.among(NAMES, pattern)):
            assert len(found) == len(set(found)) > 0, pattern
