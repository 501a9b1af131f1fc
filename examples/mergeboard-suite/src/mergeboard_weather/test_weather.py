"""The cells: pytest --pyargs mergeboard_weather."""

import pytest

from harness.plugin import Question
from mergeboard_weather.suite import ABROAD, PAIRS, TOGETHER


@pytest.mark.setting(TOGETHER)
def test_together(question: Question) -> None:
    """All stations."""
    question.ask()


@pytest.mark.setting(PAIRS)
def test_pairs(question: Question) -> None:
    """Two of them."""
    question.ask()


@pytest.mark.setting(ABROAD)
def test_abroad(question: Question) -> None:
    """A fourth."""
    question.ask()
