"""Two invented languages, E and J: sentences about who has how many of what, and questions after two of them.

No word is in both, and the order is another: E says who, verb, number, thing; J says who, thing, number, verb. Numbers
and signs are in no language.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from harness.data.world import syllables

Tongue = Literal["e", "j"]
Question = Literal["first", "last", "left", "total"]
TONGUES: tuple[Tongue, ...] = ("e", "j")
PEOPLE, THINGS = 6, 6
VERBS = ("has", "gets", "gives", "finds", "drops")
QUESTIONS: tuple[Question, ...] = ("first", "last", "left", "total")
SOME = "some"  # how many nobody has worked out
_APART = 97  # made-up words lie between two of these, which are less alike then
CHANGES = {"+": "gets", "-": "gives"}, {"+": "finds", "-": "drops"}  # how one book of sums, and another, tells them


class Fact(NamedTuple):
    """A sum that is known by heart."""

    first: int
    sign: str
    second: int

    @property
    def result(self) -> int:
        """What it comes to."""
        return self.first + self.second if self.sign == "+" else self.first - self.second

    @property
    def asked(self) -> str:
        """Without what it comes to."""
        return f"{self.first} {self.sign} {self.second}"


class Scene(NamedTuple):
    """Who, what, and how many of it."""

    person: int
    thing: int
    fact: Fact


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    tongue: Tongue

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Every word, in a fixed order; those of the other language are others."""
        size = PEOPLE + THINGS + len(VERBS) + len(QUESTIONS) + 1
        start = TONGUES.index(self.tongue) * size
        return tuple(itertools.islice(syllables(), _APART * start, _APART * (start + size), _APART))

    def sentence(self, person: int, thing: int, number: int | str, verb: str) -> str:
        """One sentence about a number of things."""
        words = self.all
        others = words[PEOPLE + THINGS :]
        count = others[-1] if number == SOME else str(number)
        who, what, does = words[person], words[PEOPLE + thing], others[VERBS.index(verb)]
        return f"{who} {does} {count} {what} ." if self.tongue == "e" else f"{who} {what} {count} {does} ."

    def story(self, scene: Scene, question: Question, changes: Mapping[str, str] = CHANGES[0]) -> str:
        """Two sentences and a question about them."""
        fact, asked = scene.fact, self.all[PEOPLE + THINGS + len(VERBS) + QUESTIONS.index(question)]
        before = self.sentence(scene.person, scene.thing, fact.first, "has")
        after = self.sentence(scene.person, scene.thing, fact.second, changes[fact.sign])
        return f"{before} {after} {asked} ?"

    def answer(self, scene: Scene, scratch: str, number: int | str) -> str:
        """What is worked out first, then a sentence with what it comes to."""
        return f"{scratch} . {self.sentence(scene.person, scene.thing, number, 'has')}"
