"""Emotion classification: models of single corpora are merged and asked about all of them, in pairs, or the unseen."""

import pytest

from harness.plugin import Question
from harness.suites.emotion.suite import ALL_TOGETHER, PAIRWISE, UNSEEN


@pytest.mark.setting(ALL_TOGETHER)
def test_in_domain(question: Question) -> None:
    """All single-corpus models become one; it is examined on the test split of every corpus (paper, Table 2)."""
    question.ask()


@pytest.mark.setting(PAIRWISE)
def test_pairwise(question: Question) -> None:
    """Every two models become one; it is examined on the pair's two test splits (paper, Table 3)."""
    question.ask()


@pytest.mark.setting(UNSEEN)
def test_out_of_domain(question: Question) -> None:
    """The in-domain merge again, examined on corpora that no member has seen (paper, Table 4)."""
    question.ask()
