"""Your own task: models of the corpora that `--task=FILE.toml` names are merged, and asked what the file allows."""

import pytest

from harness.plugin import Question
from harness.suites.own.session import asked

if setting := asked("together"):

    @pytest.mark.setting(setting)
    def test_together(question: Question) -> None:
        """All models of a task become one; it is examined on the test rows of every corpus."""
        question.ask()


if setting := asked("pairs"):

    @pytest.mark.setting(setting)
    def test_pairs(question: Question) -> None:
        """Every two models become one; it is examined on the pair's test rows."""
        question.ask()


if setting := asked("unseen"):

    @pytest.mark.setting(setting)
    def test_unseen(question: Question) -> None:
        """A merge is examined on a corpus that none of its members has seen."""
        question.ask()


if setting := asked("cross_task"):

    @pytest.mark.setting(setting)
    def test_cross_task(question: Question) -> None:
        """Models of different tasks share one merged trunk and keep their own heads."""
        question.ask()


if setting := asked("soup"):

    @pytest.mark.setting(setting)
    def test_soup(question: Question) -> None:
        """Models of one corpus that differ by seed or training become one."""
        question.ask()
