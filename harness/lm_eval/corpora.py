"""The corpora of a session's tasks: rows are documents, and lm-eval asks them and marks the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from harness.data.corpus import Corpus, Split
from harness.lm_eval.asker import LmEvalAsker, Speaker
from harness.lm_eval.documents import documents, hash_of
from harness.lm_eval.made import outline
from harness.lm_eval.opened import opened
from harness.lm_eval.undisturbed import undisturbed
from harness.lm_eval.words import Wanted


def load(asked: Sequence[tuple[Wanted, Path]], seed: int, say: Callable[[str], object]) -> dict[str, Corpus]:
    """Task -> its corpus. One manager opens all, and one speaker asks them.

    Errors: `BadData` or `MergeboardError` in one line.
    """
    with undisturbed():
        from lm_eval.tasks import TaskManager

        manager = TaskManager(include_defaults=False)
    speaker, found = Speaker(), {}
    for wanted, path in asked:
        task = opened(manager, wanted, path)
        with undisturbed():
            there = documents(task, seed)
        say(f"{wanted.task}: {there.told}; its score is {task.metric}, filter {task.filter}, {task.shots}-shot")
        facts = {
            "lm_eval": version("lm_eval"),
            "task_version": task.version,
            "config": task.config,
            "metric": task.metric,
            "filter": task.filter,
            "num_fewshot": task.shots,
        }
        if task.shots:
            facts["examples"] = hash_of("".join(sorted(map(hash_of, there.examples))))[:16]
        asker = LmEvalAsker(task, there, facts, speaker)
        rows = outline(wanted.task, asked_by=", ".join(f"{name}={value}" for name, value in facts.items()))
        train, dev, test = (Split(texts, np.ones((len(texts), 1))) for texts in ((), there.dev, there.test))
        found[wanted.task] = Corpus(wanted.task, rows, train, dev, test, (True,), asker=asker)
    return found
