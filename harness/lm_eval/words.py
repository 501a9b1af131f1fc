"""The words of `--lm-eval-task`: a task and, where it has several, the metric and the filter that count."""

from __future__ import annotations

import re
from typing import NamedTuple

from methods.errors import MergeboardError

OPTION, FOLDER = "--lm-eval-task", "--lm-eval-tasks"
INSTALL = 'pip install "mergeboard[lm-eval]"'
_NAME = re.compile(r"[\w.+,()/=-]+( [\w.+,()/=-]+)*")  # some have blanks; # and @ would part a corpus' name


class Wanted(NamedTuple):
    """One task as it was asked for."""

    task: str
    metric: str = ""  # empty: the first of its own that can be taken
    filter: str = ""  # empty: its first

    @property
    def words(self) -> str:
        """The option, by which every line about it begins."""
        measured = ",".join(word for word in (self.metric, self.filter) if word)
        return f"{OPTION} {self.task}{':' * bool(measured)}{measured}"


def wanted_of(text: str) -> Wanted:
    """`NAME`, `NAME:metric` or `NAME:metric,filter`. Errors: `MergeboardError` in one line."""
    name, colon, measured = text.strip().partition(":")
    metric, comma, kind = measured.partition(",")
    if not _NAME.fullmatch(name) or (colon and not metric.strip()) or (comma and not kind.strip()):
        raise MergeboardError(
            f"{OPTION} {text}: write NAME, or NAME:metric,filter, for instance gsm8k:exact_match,strict-match"
        )
    return Wanted(name, metric.strip(), kind.strip())
