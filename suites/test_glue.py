"""GLUE: models of two skewed halves of one task, or of two different tasks, are merged and asked about the tasks."""

import pytest

from harness.plugin import Question
from harness.suites.glue.suite import CROSS_TASK, HALVES


@pytest.mark.setting(HALVES)
def test_non_iid(question: Question) -> None:
    """Two models of one task, trained on partitions with different labels, become one (paper, Figure 3)."""
    question.ask()


@pytest.mark.setting(CROSS_TASK)
def test_cross_task(question: Question) -> None:
    """Models of two tasks share one merged trunk and keep their own heads (paper, Figure 4)."""
    question.ask()
