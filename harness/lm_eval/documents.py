"""Which documents choose, which examine, and which may be examples: no question is ever two of these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.errors import BadData
from harness.lm_eval.opened import Opened


@dataclass(frozen=True, eq=False)
class Documents:
    """The documents of one task, by the JSON text of which lm-eval makes its own `doc_hash`."""

    dev: tuple[str, ...]  # in a seeded order
    test: tuple[str, ...]
    told: str  # where they come from, for the user
    examples: Mapping[str, Any]  # that may stand in front of a document, by their texts
    _sources: dict[str, tuple[Any, int]] = field(default_factory=dict)  # text -> the data set and the place in it

    def of(self, text: str) -> Any:
        """The document of this text, as the task gives it."""
        rows, place = self._sources[text]
        return rows[place]


def documents(asked: Opened, seed: int) -> Documents:
    """Development documents are those of the task's validation split, else of its train split; where it has neither,
    a seeded half of what is examined, and the other half is the exam.

    Errors: `BadData` in one line where one of the two, or the examples, would have nothing.
    """
    exam = asked.task.eval_docs
    sources: dict[str, tuple[Any, int]] = {}

    def question(text: str) -> str:
        rows, place = sources[text]
        return question_of(asked.task, rows[place])

    split, own = _development(asked)
    if own is None:
        every = _texts(exam, _order(asked, "halves", len(exam), seed), sources)
        questions = {text: question(text) for text in every}
        distinct = tuple(dict.fromkeys(questions.values()))  # one that is there twice is wholly on one side
        choosing = set(distinct[: len(distinct) // 2])
        dev, test = (tuple(t for t in every if (questions[t] in choosing) == wanted) for wanted in (True, False))
        told = f"{len(dev):,} of its {len(exam):,} documents choose, by the seed, and the others are tested on"
    else:
        test = _texts(exam, _order(asked, "test", len(exam), seed), sources)
        examined = set(map(question, test))
        found = _texts(own, _order(asked, "dev", len(own), seed), sources)
        dev = tuple(text for text in found if question(text) not in examined)
        told = (
            f"{len(dev):,} documents of its {split} split choose, and {len(test):,} of {asked.exam_split} are tested on"
        )
    if not dev or not test:
        raise BadData(f"{asked.words}: {len(dev) + len(test)} documents are too few to choose and test on")
    examples = _examples(asked, dev, set(map(question, test)), sources) if asked.shots else {}
    return Documents(dev, test, told, examples, sources)


def canonical(document: Any) -> str:
    """The text that lm-eval hashes a document by."""
    from lm_eval.utils import handle_non_serializable

    return json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False)


def question_of(task: Any, document: Any) -> str:
    """What is asked by a document and what is right: two that differ in a number of theirs are one question."""
    try:
        choices = None if task.config.doc_to_choice is None else task.doc_to_choice(document)
        return repr((task.doc_to_text(document), choices, task.doc_to_target(document)))
    except Exception:  # the task's own code, which is asked again where an error has words
        return canonical(document)


def hash_of(text: str) -> str:
    """lm-eval's `doc_hash`."""
    return hashlib.sha256(text.encode()).hexdigest()


def _development(asked: Opened) -> tuple[str, Any]:
    """The split of development documents and those; None where the task has no split for it."""
    config, task = asked.task.config, asked.task
    for name, there, take in (
        (config.validation_split, task.has_validation_docs(), task.validation_docs),
        (config.training_split, task.has_training_docs(), task.training_docs),
    ):
        if there and name != asked.exam_split and len(found := take()):
            return str(name), found
    return "", None


def _order(asked: Opened, what: str, rows: int, seed: int) -> list[int]:
    """A fixed shuffle that depends on the task's name and the seed alone; lm-eval's `limit` would take the first."""
    digest = hashlib.sha256(f"lm_eval:{seed}:{asked.task.config.task}:{what}".encode()).digest()
    order: list[int] = np.random.default_rng(int.from_bytes(digest[:8], "little")).permutation(rows).tolist()
    return order


def _texts(rows: Any, places: Sequence[int], sources: dict[str, tuple[Any, int]]) -> tuple[str, ...]:
    found = []
    for place in places:
        text = canonical(rows[place])
        sources.setdefault(text, (rows, place))
        found.append(text)
    return tuple(found)


def _examples(asked: Opened, dev: Sequence[str], exam: set[str], sources: dict[str, tuple[Any, int]]) -> dict[str, Any]:
    """What may stand in front of a document: the task's own examples, but development documents where those are of the
    split that is examined. Questions that are examined, `exam`, are left out."""
    task, config = asked.task, asked.task.config
    split = task.fewshot_cfg.split or config.training_split or config.validation_split or config.test_split
    fixed = task.fewshot_cfg.split is None and task.fewshot_cfg.samples is not None
    if split == asked.exam_split and not fixed:
        pool = [rows[place] for rows, place in sorted((sources[text] for text in dict.fromkeys(dev)), key=_place)]
    else:
        pool = list(task.fewshot_docs())
    found = {canonical(document): document for document in pool if question_of(task, document) not in exam}
    if len(found) < asked.shots + 2:  # one may be the document itself, one more is drawn in its place
        raise BadData(
            f"{asked.words}: {asked.shots} examples stand in front of each document, and {len(found)} documents that "
            "are not tested on can be one; set num_fewshot in its YAML to fewer"
        )
    return found


def _place(source: tuple[Any, int]) -> int:
    return source[1]
