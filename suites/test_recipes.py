"""Merging recipes: a model that speaks a language and models that calculate in another become one, which must do both.

Without options in a made-up world; of real models what `--task=FILE.toml` says, where it names sources and a target.
"""

import pytest

from harness.plugin import Question
from harness.suites.own.session import asked
from harness.suites.recipes.suite import OFF_TARGET, RECIPE


@pytest.mark.setting(asked("recipe") or RECIPE)
def test_recipe(question: Question) -> None:
    """The merge is examined on the target, by whose development rows searches choose."""
    question.ask()


@pytest.mark.setting(asked("off_target") or OFF_TARGET)
def test_off_target(question: Question) -> None:
    """The same merge is examined on what each source was fine-tuned for."""
    question.ask()
