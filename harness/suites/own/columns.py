"""What the columns of an own corpus are called, as the file says it."""

from __future__ import annotations

import re
from dataclasses import replace
from unicodedata import normalize

from harness.suites.own.described import Columns
from harness.suites.own.entries import Entries
from harness.suites.own.questions import Asked
from harness.suites.own.writing import Writes
from methods.errors import MergeboardError, UnknownName


def read(table: Entries, asked: Asked, split: str | None, language: str) -> Columns:
    """The columns of a corpus' table.

    Args:
        split: the column that says which rows are which, where the corpus names it.
        language: that all its answers are wanted in, where it says so.

    Errors: `MergeboardError` in one line.
    """
    own = ("label", "separator") if asked.writes is None else ("answer", "language")
    said = (table.table("columns") or Entries(table.where, {})).only("text", "second", *own, "split")
    texts, second = said.texts("text") or ("text",), said.take("second", str)
    texts = (*texts, second) if second else texts
    labels, separator = said.texts("label") or ("label",), said.take("separator", str)
    by = said.take("split", str)
    if by and split and by != split:
        raise MergeboardError(f"{said.where}: split is {by}, and {split} in [corpora]; leave one out")
    if len(texts) > 2 or (asked.pair is not None and (len(texts) == 2) != asked.pair):
        wanted = 'two columns, text = ["...", "..."]' if asked.pair else 'one column, text = "..."'
        if asked.writes is not None:
            wanted += f"; its prompt has {'' if asked.pair else 'no '}{{second}}"
        raise MergeboardError(f"{said.where}: text names {', '.join(texts)}; the task asks about {wanted}")
    if len(labels) > 1 and asked.kind != "multi_label":
        raise MergeboardError(f"{said.where}: label names {len(labels)} columns; a {asked.kind} has one")
    if asked.writes is not None:
        return _written(said, asked.writes, Columns(texts, (), None, by or split), language)
    if language:
        raise MergeboardError(f"{table.where}: language is that of written answers, and this task has labels")
    read = (*texts, *labels, *((by or split,) if by or split else ()))
    if twice := [name for k, name in enumerate(read) if name in read[:k]]:
        raise MergeboardError(f"{said.where}: {twice[0]} is named twice; text, label and split are a column each")
    by_name = [name for name in labels if normalize("NFC", name) in (asked.labels or ())]
    if len(labels) > 1 and asked.labels and (by_name or len(labels) != len(asked.labels)):
        for name in labels:  # some by name and some by place would be a guess
            if name not in by_name:
                raise MergeboardError(f"{said.where}: label: {UnknownName('label', name, asked.labels)}")
    for place, name in enumerate(labels if len(labels) > 1 and asked.labels and not by_name else ()):
        if meant := [
            label for label in asked.labels or () if _names(name, label) and not _names(name, _at(asked, place))
        ]:
            raise MergeboardError(
                f"{said.where}: label: {name} stands in the place of {_at(asked, place)} and is named as {meant[0]}; "
                "list the columns in the order of labels"
            )
    if separator is not None and (asked.kind != "multi_label" or len(labels) > 1 or not separator):
        raise MergeboardError(f"{said.where}: separator stands between several labels in one cell; leave it out here")
    return Columns(texts, labels, separator, by or split)


def _at(asked: Asked, place: int) -> str:
    return (asked.labels or ())[place]


def _names(column: str, label: str) -> bool:
    """Whether a column is named as a label: `is_joy` as joy."""
    whole, wanted = column.casefold(), label.casefold()
    return wanted in re.split(r"[\W_]+", whole) or (len(wanted) > 2 and whole.endswith(wanted))


def _written(said: Entries, writes: Writes, others: Columns, language: str) -> Columns:
    """The columns of written answers: the answer, and the language that it is wanted in, if a grader asks that."""
    column = said.take("language", str, usual="" if language or not writes.asks_language else "language")
    if column and language:
        raise MergeboardError(f"{said.where}: language is {column}, and {language} in [corpora]; leave one out")
    found = replace(others, labels=(), answer=said.take("answer", str, usual="answer"), language=column)
    if len(found.all) < len(found.texts) + 1 + bool(found.language) + bool(found.split):
        raise MergeboardError(f"{said.where}: a column is named twice; text, answer, language and split are one each")
    return found
