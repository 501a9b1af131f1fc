"""GLUE: models of two skewed halves of one task, or of two different tasks, are merged and asked about the tasks."""

import pytest

from harness.plugin import Question
from harness.suites.glue.corpora import PAIRS, TASKS
from harness.suites.setting import Setting


@pytest.mark.setting(Setting("glue", "non_iid", tuple(TASKS), "halves"))
def test_non_iid(question: Question) -> None:
    """Two models of one task, trained on partitions with different labels, become one (paper, Figure 3)."""
    question.ask()


@pytest.mark.setting(Setting("glue", "cross_task", tuple(TASKS), PAIRS, heads=("own",)))
def test_cross_task(question: Question) -> None:
    """Models of two tasks share one merged trunk and keep their own heads (paper, Figure 4)."""
    question.ask()
