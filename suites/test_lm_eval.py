"""Tasks of the lm-evaluation-harness: models that `--member` brings are merged, and `--lm-eval-task` asks the merge."""

import pytest

from harness.lm_eval.session import asked
from harness.plugin import Question

if setting := asked("tasks"):

    @pytest.mark.setting(setting)
    def test_tasks(question: Question) -> None:
        """All members become one; it is examined on documents of each task that chose nothing."""
        question.ask()
