"""The made-up world of merging recipes: what its base learned, its sources' trades, and the exam.

The base knows sums by heart, both languages, and how to tell a sum from a story; but it never works one out, and its
answers are in either language, whatever the question's is. `fluent` learns to answer in J; `sums` and `books` learn, in
E alone and from stories in other words, to write down what a sum comes to and to say it. The exam asks sums in J: who
answers must have the number from one source and the language from another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from harness.data.corpus import Corpus, Reference, Split
from harness.data.task import Task
from harness.data.world import word_rng
from harness.records.recipe import Recipe
from harness.suites.recipes.tongues import CHANGES, PEOPLE, SOME, THINGS, TONGUES, VERBS, Fact, Question, Scene, Words

VERSION = 1  # raise it when the same world gives other rows
TARGET = "exam"
SOURCES = ("fluent", "sums", "books")
E, J = map(Words, TONGUES)
TASK = Task(
    name="recipes",
    kind="generation",
    outputs=("mark",),
    metric="mean_mark",
    statements=("",),
    questions=("",),
    prompt="{text}",
    tokens=14,
    graders=("number", f"language:words={'; '.join(f'{w.tongue}: ' + ' '.join(w.all) for w in (E, J))}"),
)
SIZES = {**dict.fromkeys(SOURCES, (1600, 0, 120)), TARGET: (0, 200, 300)}  # rows of train, dev and test


@dataclass(frozen=True)
class Land:
    """How large this world is, and how hard."""

    seed: int = 0
    largest: int = 7  # number that a sum begins or goes on with
    known: float = 1.0  # share of the sums that the base has by heart; the others are in `sums` and `books` alone

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Every sum. None comes to a number that is in it, so who repeats a number of the story is never right."""
        numbers = range(1, self.largest + 1)
        every = (Fact(a, sign, b) for sign in "+-" for a, b in itertools.product(numbers, numbers))
        return tuple(f for f in every if f.result >= 0 and f.result not in (f.first, f.second))

    @property
    def numbers(self) -> tuple[str, ...]:
        """All that may be written."""
        return tuple(map(str, range(2 * self.largest + 1)))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word, number and sign."""
        return (*"+-=.?>", *self.numbers, *E.all, *J.all)

    @cached_property
    def heard(self) -> tuple[Fact, ...]:
        """The sums that the base has by heart."""
        facts = self.facts
        chosen = word_rng(self.seed, "recipes known").permutation(len(facts))[: round(self.known * len(facts))]
        return tuple(facts[k] for k in sorted(chosen))


def for_dev(fact: Fact) -> bool:
    """Whether development rows of the exam ask this sum; test rows ask the others."""
    return (31 * fact.first + 17 * fact.second + 7 * (fact.sign == "+")) % 4 < 2


@lru_cache(maxsize=4)
def load(land: Land) -> Mapping[str, Corpus]:
    """The sources' own rows, and the exam, which no source is trained on. No text is in two splits."""
    scenes = _scenes(land, "recipes scenes")
    found = {name: _corpus(name, _mixed(land, scenes, name), _ROWS[name]) for name in SOURCES}
    mixed = _mixed(land, scenes, TARGET)
    dev, test = ([s for s in mixed if for_dev(s.fact) == wanted] for wanted in (True, False))
    _, some, most = SIZES[TARGET]
    splits = _exam([]), _exam(dev[:some]), _exam(test[:most])
    return {**found, TARGET: Corpus(TARGET, TASK, *splits, annotated=(True,))}


def _corpus(name: str, scenes: Sequence[Scene], rows: Callable[[Sequence[Scene]], Split]) -> Corpus:
    """The rows of a source; its last weights are taken, so nothing chooses among them."""
    train, dev, test = itertools.accumulate(SIZES[name])
    splits = rows(scenes[:train]), rows(scenes[train:dev]), rows(scenes[dev:test])
    return Corpus(name, TASK, *splits, annotated=(True,))


class Lesson(NamedTuple):
    """A part of what the base is taught."""

    rows: Split
    share: float  # of its rows in all that it reads


@lru_cache(maxsize=4)
def lessons(land: Land) -> Mapping[str, Lesson]:
    """What the base is taught: sums, words of one language in the other, stories in both. Its answers to stories are in
    a language drawn for each row, and no story's sum is worked out."""
    rng = word_rng(land.seed, "recipes lessons")
    scenes = _scenes(land, "recipes lesson scenes")
    return {
        "facts": Lesson(_split([_recalled(land, rng) for _ in range(_TAUGHT)]), 0.25),
        "words": Lesson(_split([_translated(land, rng) for _ in range(_TAUGHT)]), 0.15),
        "copies": Lesson(_answered(scenes, rng, ("first", "last")), 0.25),
        "scratch": Lesson(_answered(scenes, rng, ("left", "total")), 0.35),
    }


def recipe(land: Land) -> Recipe:
    """What decides the rows."""
    return {**asdict(land), "sizes": {name: list(size) for name, size in SIZES.items()}, "version": VERSION}


_TAUGHT, _SUMS = 4000, 5  # rows of a lesson; sums in one of its rows


def _scenes(land: Land, name: str) -> list[Scene]:
    """Everybody with everything and every sum, shuffled."""
    every = [Scene(*s) for s in itertools.product(range(PEOPLE), range(THINGS), land.facts)]
    return [every[k] for k in word_rng(land.seed, name).permutation(len(every))]


def _mixed(land: Land, scenes: Sequence[Scene], name: str) -> list[Scene]:
    return [scenes[k] for k in word_rng(land.seed, "recipes rows", name).permutation(len(scenes))]


def _split(rows: Sequence[tuple[str, str]], tongue: str = "") -> Split:
    texts, answers = zip(*rows, strict=True) if rows else ((), ())
    return Split(tuple(texts), np.ones((len(rows), 1)), references=tuple(Reference(a, tongue) for a in answers))


def _worked_out(words: Words, scene: Scene) -> str:
    return words.answer(scene, f"{scene.fact.asked} = {scene.fact.result}", scene.fact.result)


def _sums(scenes: Sequence[Scene]) -> Split:
    return _split([(E.story(s, "left"), _worked_out(E, s)) for s in scenes], "e")


def _books(scenes: Sequence[Scene]) -> Split:
    return _split([(E.story(s, "total", CHANGES[1]), _worked_out(E, s)) for s in scenes], "e")


def _exam(scenes: Sequence[Scene]) -> Split:
    return _split([(J.story(s, "left"), _worked_out(J, s)) for s in scenes], "j")


def _copied(scenes: Sequence[Scene]) -> Split:
    """Numbers of a story said again, in J."""
    return _split([_copy(J, J, s, "first" if k % 2 else "last") for k, s in enumerate(scenes)], "j")


_ROWS: Mapping[str, Callable[[Sequence[Scene]], Split]] = {"fluent": _copied, "sums": _sums, "books": _books}


def _copy(asked: Words, answered: Words, scene: Scene, question: Question) -> tuple[str, str]:
    number = scene.fact.first if question == "first" else scene.fact.second
    return asked.story(scene, question), answered.answer(scene, str(number), number)


def _answered(scenes: Sequence[Scene], rng: np.random.Generator, questions: tuple[Question, Question]) -> Split:
    """Stories of either language, answered in either, by a number of the story or by nobody knows how many."""
    rows = []
    for scene in scenes[:_TAUGHT]:
        asked, answered, which = (int(k) for k in rng.integers(2, size=3))
        one, other, question = (E, J)[asked], (E, J)[answered], questions[which]
        if question in ("first", "last"):
            rows.append(_copy(one, other, scene, question))
        else:
            story = one.story(scene, question, CHANGES[int(rng.integers(2))])
            rows.append((story, other.answer(scene, scene.fact.asked, SOME)))
    return _split(rows)


def _recalled(land: Land, rng: np.random.Generator) -> tuple[str, str]:
    """What a sum comes to, and other sums after it, so that each is known anywhere in a text."""
    first, *others = (land.heard[int(k)] for k in rng.integers(len(land.heard), size=_SUMS))
    return f"{first.asked} =", " > ".join((str(first.result), *(f"{f.asked} = {f.result}" for f in others)))


def _translated(land: Land, rng: np.random.Generator) -> tuple[str, str]:
    """A sentence of one language in the other."""
    person, thing = int(rng.integers(PEOPLE)), int(rng.integers(THINGS))
    number, verb = land.numbers[int(rng.integers(len(land.numbers)))], VERBS[int(rng.integers(len(VERBS)))]
    one, other = (E, J) if rng.integers(2) else (J, E)
    return f"{one.sentence(person, thing, number, verb)} >", other.sentence(person, thing, number, verb)
