"""GLUE's eight tasks as what models are asked, and the pairs of them that are merged."""

from __future__ import annotations

from collections.abc import Mapping

from harness.data.task import Kind, Task


def _task(
    name: str,
    metric: str,
    claims: Mapping[str, tuple[str, str]],
    kind: Kind = "classification",
    pair: bool = True,
    also: tuple[str, ...] = (),
) -> Task:
    """A task whose outputs are claims, each a statement and the same as a question; empty: not asked."""
    statements, questions = zip(*claims.values(), strict=True)
    span = (0.0, 5.0) if kind == "regression" else (0.0, 1.0)
    return Task(name, kind, tuple(claims), metric, statements, questions, pair, span, also=also)


_UNASKED = ("", "")
_SAME = ("The two sentences mean the same.", "do the two sentences mean the same?")
_FOLLOWS = ("Sentence 2 follows from sentence 1.", "does sentence 2 follow from sentence 1?")
TASKS: Mapping[str, Task] = {  # classes in the order of the hub's nyu-mll/glue
    task.name: task
    for task in (
        _task(
            "cola",
            "matthews",
            {
                "unacceptable": _UNASKED,
                "acceptable": ("The sentence is grammatical.", "is the sentence grammatical?"),
            },
            pair=False,
        ),
        _task(
            "sst2",
            "accuracy",
            {
                "negative": _UNASKED,
                "positive": ("The sentence expresses a good opinion.", "does the sentence express a good opinion?"),
            },
            pair=False,
        ),
        _task("mrpc", "accuracy", {"not_equivalent": _UNASKED, "equivalent": _SAME}, also=("f1",)),
        _task("stsb", "pearson", {"score": _SAME}, kind="regression", also=("spearman",)),
        _task(
            "mnli",
            "accuracy",
            {
                "entailment": _FOLLOWS,
                "neutral": (
                    "Sentence 1 leaves open whether sentence 2 is true.",
                    "does sentence 1 leave open whether sentence 2 is true?",
                ),
                "contradiction": ("Sentence 2 contradicts sentence 1.", "does sentence 2 contradict sentence 1?"),
            },
        ),
        _task(
            "qnli",
            "accuracy",
            {
                "entailment": (
                    "Sentence 2 answers the question in sentence 1.",
                    "does sentence 2 answer the question in sentence 1?",
                ),
                "not_entailment": _UNASKED,
            },
        ),
        _task(
            "qqp",
            "accuracy",
            {
                "not_duplicate": _UNASKED,
                "duplicate": (
                    "The two sentences ask the same question.",
                    "do the two sentences ask the same question?",
                ),
            },
            also=("f1",),
        ),
        _task("rte", "accuracy", {"entailment": _FOLLOWS, "not_entailment": _UNASKED}),
    )
}
PAIRS = (  # the cross-task pairs, drawn once by the authors of the published code (D25)
    *(("stsb", "qnli"), ("mrpc", "stsb"), ("qnli", "mnli"), ("sst2", "qqp")),
    *(("qqp", "stsb"), ("cola", "mrpc"), ("mnli", "cola"), ("rte", "qqp")),
)
