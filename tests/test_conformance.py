"""The committed page of comparisons holds: its numbers come out again, and what differs says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module

import pytest

from tests.conformance.page import PAGE, cells
from tests.conformance.shared import Row
from tests.golden_cases import Run, runs


@cache
def rows_of(package: str) -> Sequence[Row]:
    """All comparisons with a package; where it is absent, the test is skipped."""
    pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[dev]' brings it")
    return list(import_module(f"tests.conformance.against_{package}").rows())


def lines_of(title: str) -> list[list[str]]:
    """The lines of the table under this title, cell by cell."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {title}")[1].split("\n## ")[0]
    return [stripped(line.strip("|").split(" | ")) for line in section.splitlines() if re.match(r"\| \[?`", line)]


def stripped(line: Sequence[str]) -> list[str]:
    """Without links, which come with the pages of methods."""
    return [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell).strip() for cell in line]


@pytest.mark.parametrize("package", ["mergekit", "peft"])
def test_the_numbers_of_the_page_come_out_again_within_rounding(package: str) -> None:
    told, now = lines_of(package), [stripped(cells(row)) for row in rows_of(package)]
    assert [words(line) for line in told] == [words(line) for line in now]
    for line, again in zip(told, now, strict=True):
        if line[-1]:  # it has a cause; of all others the next test says that they are rounding
            assert [*map(float, again[-3:-1])] == pytest.approx([*map(float, line[-3:-1])], rel=0.03), line


def words(line: Sequence[str]) -> list[str]:
    """All but the two numbers."""
    return [*line[:-3], line[-1]]


@pytest.mark.parametrize("package", ["mergekit", "peft"])
def test_what_differs_by_more_than_rounding_says_why_and_what_does_not_says_nothing(package: str) -> None:
    for row in rows_of(package):
        assert row.difference.is_rounding == (not row.cause), row


def test_the_page_counts_every_run_of_the_reference_vectors() -> None:
    for method, count, *_ in lines_of("Reference vectors"):
        there = runs(method.strip("`"))
        if not isinstance(there[0].values[0], Run):
            pytest.skip("no reference vectors; MERGEBOARD_GOLDEN names their folder")
        assert int(count) == len(there), method


def test_peft_adds_factors_and_truncates_where_it_should_add_adapters() -> None:
    """What the page warns of: at peft's defaults a sum of two adapters is a third off, and added factors are no sum."""
    off = {row.theirs: row.difference.relative for row in rows_of("peft") if row.ours.startswith("`task_arithmetic`")}
    assert off["`cat`"] < 1e-5 and off["`svd` `svd_rank=8`"] < 1e-5
    assert 0.25 < off["`svd`"] < 0.45 and 0.8 < off["`linear`"] < 1.2
