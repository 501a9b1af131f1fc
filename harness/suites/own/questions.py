"""The tasks of an own suite, from the file's words; labels that it does not name are told by the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args
from unicodedata import normalize

from harness.data.task import MOST_CLASSES, OF_KIND, Kind, Task
from harness.suites.own import writing
from harness.suites.own.entries import Entries
from harness.suites.own.named import plain
from harness.suites.own.writing import Writes
from methods.errors import MergeboardError, UnknownName

_ALSO = {  # what is reported beside the metric that counts
    "classification": ("accuracy", "macro_f1", "matthews"),
    "multi_label": ("macro_f1", "micro_f1", "weighted_f1"),
    "regression": ("pearson", "spearman"),
}
_LONGEST = 100  # characters of a label
LARGEST = 1e9  # a score; training on more would leave no number at all
KEYS = ("kind", "labels", "pair", "metric", "span", "words", *writing.KEYS)


@dataclass(frozen=True)
class Asked:
    """A task as the file describes it."""

    where: str  # in the file, for errors
    name: str
    kind: Kind
    labels: tuple[str, ...] | None  # None: those of the rows
    pair: bool | None  # None: as many texts as a corpus names
    metric: str
    span: tuple[float, float] | None  # of a regression; None: that of the rows
    words: Mapping[str, tuple[str, str]]  # label -> statement, question
    writes: Writes | None = None  # of a generation

    def task(self, labels: Sequence[str], pair: bool, span: tuple[float, float] = (0.0, 1.0)) -> Task:
        """The task, with what the rows had to tell. Errors: `MergeboardError` for labels that no model could have."""
        if self.writes is not None:
            return self.writes.task(self.name, self.metric)
        outputs = tuple(labels) if self.kind != "regression" else (self.labels or ("score",))[:1]
        _require_labels(self.where, self.kind, outputs)
        if self.metric == "f1" and len(outputs) != 2:
            raise MergeboardError(
                f"{self.where}: metric f1 is that of the second of two classes, and there are {len(outputs)}; "
                "write macro_f1, micro_f1 or weighted_f1"
            )
        for label in self.words:
            if label not in outputs:
                raise MergeboardError(f"{self.where}: words: {UnknownName('label', label, outputs)}")
        statements, questions = zip(*(self._words(label, outputs, pair) for label in outputs), strict=True)
        also = tuple(name for name in _ALSO[self.kind] if name != self.metric)
        return Task(self.name, self.kind, outputs, self.metric, statements, questions, pair, span, also=also)

    def outline(self) -> Task:
        """The task as far as it is known without a look at the rows."""
        if self.writes is not None:
            return self.writes.task(self.name, self.metric)
        labels = self.labels or (("first", "second") if self.kind != "regression" else ("score",))
        return Task(self.name, self.kind, labels, self.metric, labels, labels, bool(self.pair))

    def _words(self, label: str, outputs: tuple[str, ...], pair: bool) -> tuple[str, str]:
        """How a generative model is asked about a label. Of two classes one question is enough."""
        if label in self.words:
            return self.words[label]
        others = [other for other in outputs if other in self.words]
        if self.kind == "classification" and len(outputs) == 2 and (others or label == outputs[0]):
            return "", ""
        text, said = "the two texts" if pair else "the text", label.replace("_", " ")
        if self.kind == "regression":
            return f"The {said} of {text} is high.", f"is the {said} of {text} high?"
        return f'The label of {text} is "{said}".', f'is the label of {text} "{said}"?'


def read(entries: Entries, name: str) -> Asked:
    """One task from its table, or from the file itself where that asks one. Errors: `MergeboardError`."""
    kind = entries.take("kind", str)
    if kind is None:
        raise MergeboardError(f"{entries.where}: kind is missing; write one of {', '.join(get_args(Kind))}")
    if kind not in get_args(Kind):
        raise MergeboardError(f"{entries.where}: {UnknownName('kind of task', kind, get_args(Kind))}")
    metric = entries.take("metric", str, usual=OF_KIND[kind][0])
    if metric not in OF_KIND[kind]:
        raise MergeboardError(f"{entries.where}: {UnknownName(f'metric of {kind}', metric, OF_KIND[kind])}")
    if kind == "generation":
        writes = writing.read(entries)
        return Asked(entries.where, name, kind, None, writes.pair, metric, None, {}, writes)
    writing.refuse(entries, kind)
    labels = entries.texts("labels")
    if labels is not None:
        labels = tuple(normalize("NFC", label) for label in labels)
        _require_labels(entries.where, kind, labels)
    pair = entries.take("pair", bool)
    return Asked(entries.where, name, kind, labels, pair, metric, _span(entries, kind), _words(entries))


def _span(entries: Entries, kind: Kind) -> tuple[float, float] | None:
    value = entries.take("span", list)
    if value is None:
        return None
    if kind != "regression":
        raise MergeboardError(f"{entries.where}: span is that of the scores of a regression; leave it out")
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if len(value) != 2 or not numbers or not -LARGEST < value[0] < value[1] < LARGEST:
        raise MergeboardError(f"{entries.where}: span is {value!r:.60}; write the lowest and the highest score, [0, 5]")
    return float(value[0]), float(value[1])


def _words(entries: Entries) -> dict[str, tuple[str, str]]:
    found = {}
    for key, table in entries.tables("words").items():
        label, words = normalize("NFC", key), table.only("statement", "question")
        statement, question = words.take("statement", str), words.take("question", str)
        if not (statement or "").strip() or not (question or "").strip():
            raise MergeboardError(f"{words.where}: it needs both, a statement and a question about a text with it")
        found[label] = statement, question
    return found


def _require_labels(where: str, kind: Kind, labels: Sequence[str]) -> None:
    if kind == "classification" and len(labels) < 2:
        raise MergeboardError(f"{where}: a classification has two labels or more, not {len(labels)}")
    if not labels:
        raise MergeboardError(f"{where}: a {kind} has labels, and no row has any; is the label column the right one?")
    if len(labels) > MOST_CLASSES:
        raise MergeboardError(
            f"{where}: {len(labels):,} labels, and {MOST_CLASSES:,} at most can be asked; is the label column "
            "the right one, and kind what it should be?"
        )
    seen: dict[str, str] = {}
    for label in labels:
        if not label.strip() or not label.isprintable() or len(label) > _LONGEST:
            raise MergeboardError(f"{where}: {label!r:.60} is no label; write up to {_LONGEST} characters in one line")
        if (other := seen.setdefault(re.sub(r"\s+", " ", str(plain(label)).casefold()), label)) is not label:
            raise MergeboardError(
                f"{where}: the labels {other!r} and {label!r} are one but for capitals, blanks and zeros; heads that "
                "name their labels could not be told apart; rename one"
            )
