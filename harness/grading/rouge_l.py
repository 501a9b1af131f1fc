"""rouge_l: how much of the reference's words stand in the answer in their order, as an F1.

References:
    Lin. ROUGE: A Package for Automatic Evaluation of Summaries. 2004; computed by the package rouge-score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from harness.data.corpus import Reference
from harness.grading import register
from methods.errors import MergeboardError


@register("rouge_l")
@dataclass(frozen=True)
class RougeL:
    """A share, from 0 to 1.

    tokens: "latin" is the package's own way, letters a to z and digits and nothing else; "words" takes the words of
    every script, "characters" all signs but blanks, for languages that put none between words.
    """

    version: ClassVar[int] = 1
    tokens: Literal["latin", "words", "characters"] = "latin"

    def mark(self, said: str, wanted: Reference) -> float:
        """The F1 of the longest common subsequence. Errors: `MergeboardError` where rouge-score is not installed."""
        return float(_scorer(self.tokens).score(wanted.answer, said)["rougeL"].fmeasure)

    def require_installed(self) -> None:
        """Refuse where the package is missing."""
        if find_spec("rouge_score") is None:
            raise MergeboardError("the grader rouge_l needs the package rouge-score: pip install 'mergeboard[rouge]'")

    def require(self, wanted: Reference) -> None:
        """Refuse a reference in which no token is seen: every answer would get 0."""
        if not _Tokens(self.tokens).tokenize(wanted.answer):
            raise MergeboardError(
                f"its answer {wanted.answer!r:.60} has nothing that the grader rouge_l takes for a word; write "
                "rouge_l:tokens=words, or rouge_l:tokens=characters"
            )


class _Tokens:
    """The words of a text, as the package asks for them."""

    SIGNS: ClassVar[Mapping[str, str]] = {"latin": r"[a-z0-9]+", "words": r"\w+", "characters": r"\S"}

    def __init__(self, kind: str) -> None:
        self._signs = re.compile(self.SIGNS[kind])

    def tokenize(self, text: str) -> list[str]:
        return self._signs.findall(text.lower())


@cache
def _scorer(tokens: str) -> Any:
    RougeL().require_installed()
    from rouge_score.rouge_scorer import RougeScorer  # nltk is with it: a second

    return RougeScorer(["rougeL"], tokenizer=_Tokens(tokens))
