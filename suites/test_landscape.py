"""Test scores over the plane of two models and their ancestor, and where each merge lies in it (paper, Figure 8).

A survey is N x N examinations of every pair, so it is made only where `--grid=N` asks for it. It stands in no table;
`python -m leaderboard publish` draws it.
"""

from collections.abc import Callable

import pytest

from harness.suites.emotion.suite import PAIRWISE
from harness.suites.glue.suite import CROSS_TASK


@pytest.mark.setting(PAIRWISE)
def test_pairwise(landscape: Callable[[], object]) -> None:
    """Models of two corpora."""
    landscape()


@pytest.mark.setting(CROSS_TASK)
def test_cross_task(landscape: Callable[[], object]) -> None:
    """Models of two tasks, each examined with its own head."""
    landscape()
