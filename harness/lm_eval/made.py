"""A suite made of options: models that were fine-tuned elsewhere are merged, and lm-eval's tasks examine the merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.corpus import Corpus, Split
from harness.data.task import Task
from harness.lm_eval.words import Wanted
from harness.suites.base import Suite, Where
from harness.suites.setting import Setting

NAME, SETTING = "lm_eval", "tasks"
_CAPTION = (
    "Models that were fine-tuned elsewhere become one, which is asked tasks of the lm-evaluation-harness. The score of "
    "a task is the mean of its metric over documents that chose nothing, averaged over tasks."
)
_FEW = {"seeds": (1,), "dev_rows": 200}  # members are the same for every seed, and each document costs a prompt or more


class LmEvalSuite(Suite):
    """The tasks and the members of one session.

    Args:
        wanted: the tasks.
        files: task -> the YAML file that describes it.
        members: what the models are called; nobody knows what they were trained on.
    """

    name, title = NAME, "lm-eval tasks"
    origin = "lm-eval fetches the data of its tasks"
    on_hub = True
    tailored = (("paper", "", _FEW), ("official_code", "", _FEW))

    def __init__(self, wanted: Sequence[Wanted], files: Mapping[str, Path], members: Sequence[str]) -> None:
        self.wanted, self._files, self.members = tuple(wanted), dict(files), tuple(members)
        asked = tuple(one.task for one in wanted)
        self.settings = (Setting(NAME, SETTING, self.members, "all", asked, ("none",), caption=_CAPTION, chosen=asked),)
        self.tasks = tuple(outline(one.task) for one in wanted)
        self._notes: dict[str, None] = {}

    def find(self, where: Where, knobs: Any, seed: int) -> Mapping[str, Corpus]:
        """A corpus of each task, and one without rows for each member; `seed` draws their order, and halves."""
        from harness.lm_eval.corpora import load  # torch and lm_eval

        asked = load([(one, self._files[one.task]) for one in self.wanted], seed, self._notes.setdefault)
        return {**{name: _nothing(name) for name in self.members}, **asked}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which documents choose, and which examine."""
        return tuple(self._notes)


def outline(name: str, asked_by: str = NAME) -> Task:
    """What a task is here: an answer of some kind, and a mark for it."""
    return Task(name, "generation", ("mark",), "mean_mark", (), (), asked_by=asked_by)


def _nothing(name: str) -> Corpus:
    none = Split((), np.empty((0, 1)))
    return Corpus(name, outline(NAME), none, none, none, (True,))
