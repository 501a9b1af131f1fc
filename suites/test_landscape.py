"""Test scores over the plane of two models and their ancestor, and where each merge lies in it (paper, Figure 8).

A survey is N x N examinations of every pair, so it is made only where `--grid=N` asks for it. It stands in no table;
`python -m leaderboard publish` draws it.
"""

from collections.abc import Callable

import pytest

from harness.suites.emotion.corpora import IN_DOMAIN
from harness.suites.glue.corpora import PAIRS, TASKS
from harness.suites.setting import Setting


@pytest.mark.setting(Setting("emotion", "pairwise", IN_DOMAIN, "pairs", heads=("same",)))
def test_pairwise(landscape: Callable[[], object]) -> None:
    """Models of two corpora."""
    landscape()


@pytest.mark.setting(Setting("glue", "cross_task", tuple(TASKS), PAIRS, heads=("own",)))
def test_cross_task(landscape: Callable[[], object]) -> None:
    """Models of two tasks, each examined with its own head."""
    landscape()
