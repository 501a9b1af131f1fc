"""GLUE's eight tasks in the made-up world: acceptability, sentiment, pairs of sentences, three classes, a score.

The tasks bear the real ones' names, classes and metrics, so the same settings apply; every word is invented. As in the
emotion corpora, *plain* cue words mean the same class number in every task, *slang* is dealt anew for every task, every
task has topic words of its own, classes are skewed, and a share of the labels is wrong. Besides:

* `cola` has no cue words: two words stand in the right order or in the wrong one;
* in pairs the cue may stand in either sentence, and sentences of class 0 or 1 repeat a topic word or do not;
* `stsb` has several cues, and its score is the share of those that agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.data.corpus import Corpus, Labels, Split
from harness.data.task import Task
from harness.data.world import Said, World, syllables, word_rng
from harness.records.recipe import Recipe
from harness.suites.base import Lesson
from harness.suites.emotion.world import Words as Before
from harness.suites.glue.corpora import HeldOut
from harness.suites.glue.tasks import TASKS

_SENSES = 3  # as many as the task with the most classes has
_PLAIN, _SLANG, _TOPICS, _ORDERED = 6, 30, 20, 8
_TRAIN, _TEST = 800, 150
VERSION = 1  # raise it when the same world gives other rows


def recipe() -> Recipe:
    """What decides the rows besides the world."""
    sizes = {"senses": _SENSES, "plain": _PLAIN, "slang": _SLANG, "topics": _TOPICS, "ordered": _ORDERED}
    return {**sizes, "train": _TRAIN, "test": _TEST, "version": VERSION}


@dataclass(frozen=True)
class Words:
    """The words of these tasks; they follow the emotion corpora's in one list of made-up words."""

    world: World

    @property
    def all(self) -> tuple[str, ...]:
        """Every word, in a fixed order."""
        start = len(Before(self.world).all)
        count = _PLAIN * _SENSES + _SLANG + _TOPICS * len(TASKS) + 2 * _ORDERED
        return tuple(itertools.islice(syllables(), start, start + count))

    def cues(self, task: str) -> list[list[str]]:
        """Sense -> its words in this task: plain ones first, then the slang that this task takes so."""
        words = self.all
        slang = list(words[_PLAIN * _SENSES : _PLAIN * _SENSES + _SLANG])
        word_rng(self.world.seed, "glue slang", task).shuffle(slang)
        return [[*words[k * _PLAIN : (k + 1) * _PLAIN], *slang[k::_SENSES]] for k in range(_SENSES)]

    def topic(self, task: str) -> tuple[str, ...]:
        """The words that only this task uses."""
        start = _PLAIN * _SENSES + _SLANG + _TOPICS * list(TASKS).index(task)
        return self.all[start : start + _TOPICS]

    @property
    def ordered(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Words that come first in an acceptable sentence, and words that come second."""
        words = self.all[-2 * _ORDERED :]
        return words[:_ORDERED], words[_ORDERED:]


@lru_cache(maxsize=4)
def load(world: World, held: HeldOut) -> Mapping[str, Corpus]:
    """All eight tasks of the world, with development rows held out as from the real ones."""
    corpora = {}
    for name, task in TASKS.items():
        rows = _write(world, task, _TRAIN + _TEST)
        train, test = rows.take(range(_TRAIN)), rows.take(range(_TRAIN, _TRAIN + _TEST))
        corpora[name] = held.corpus(name, train, test)
    return corpora


def _write(world: World, task: Task, rows: int) -> Split:
    rng = word_rng(world.seed, "glue rows", task.name)
    words = Words(world)
    senses, ordered = list(map(np.array, words.cues(task.name))), list(map(np.array, words.ordered))
    topic, fillers = np.array(words.topic(task.name)), np.array(world.fillers_said)
    classes = 2 if task.kind == "regression" else len(task.outputs)
    skew = rng.dirichlet(np.full(classes, 8.0))
    texts, seconds, labels = [], [], []
    for _ in range(rows):
        label = int(rng.choice(classes, p=skew))
        if task.kind == "regression":
            cues, value = _agreeing(rng, world, senses)
        elif task.name == "cola":
            cues, value = [_in_order(rng, ordered, right=label == 1)], float(label)
        else:
            cues, value = [_cue(rng, world, senses[label])], float(label)
        if rng.random() < world.noise:
            value = float(rng.integers(6) if task.kind == "regression" else rng.integers(classes))
        first, second = _sentences(rng, fillers, topic, cues, label, task.pair)
        texts.append(first)
        seconds.append(second)
        labels.append(value)
    column = np.array(labels, dtype=np.float64)[:, None]
    given: Labels = column if task.kind == "regression" else column.astype(np.int64)
    return Split(tuple(texts), given, tuple(seconds) if task.pair else None)


def _cue(rng: np.random.Generator, world: World, words: Said) -> list[str]:
    """One or two words of a sense, slang as often as the world speaks it."""
    plain, slang = words[:_PLAIN], words[_PLAIN:]
    use = slang if rng.random() < world.slang_share / 2 else plain
    found: list[str] = rng.choice(use, size=rng.integers(1, 3)).tolist()
    return found


def _agreeing(rng: np.random.Generator, world: World, cues: Sequence[Said]) -> tuple[list[list[str]], float]:
    """Four cues, some of the sense that agrees; the score is their share, from 0 to 5."""
    agree = int(rng.integers(5))
    chosen = [_cue(rng, world, cues[1 if k < agree else 0]) for k in range(4)]
    return chosen, 5 * agree / 4


def _in_order(rng: np.random.Generator, ordered: Sequence[Said], right: bool) -> list[str]:
    before, after = (str(rng.choice(words)) for words in ordered)
    return [before, after] if right else [after, before]


def _sentences(
    rng: np.random.Generator,
    fillers: Said,
    topic: Said,
    cues: list[list[str]],
    label: int,
    pair: bool,
) -> tuple[str, str]:
    """One or two sentences; cues stay in one piece each, the second of a pair has the greater part of them."""
    parts: list[list[list[str]]] = [[], []]
    for cue in cues:
        parts[int(rng.random() < 0.7) if pair else 0].append(cue)
    own = rng.choice(topic, size=2, replace=False).tolist()
    again = [own[0]] if label == 1 else [str(rng.choice(topic))]
    parts[0] += [[w] for w in own]
    parts[1] += [[w] for w in again]
    sentences = []
    for part in parts:
        part += [[w] for w in rng.choice(fillers, size=rng.integers(1, 4)).tolist()]
        order = rng.permutation(len(part))
        sentences.append(" ".join(w for k in order for w in part[k]))
    return sentences[0], sentences[1]


def lesson(world: World) -> Lesson:
    """What the tiny models are taught: every task by itself."""

    def rows() -> Mapping[Task, Split]:
        held = HeldOut(fraction=0.05, least=50, most=50, seed=0)
        return {corpus.task: corpus.train for corpus in load(world, held).values()}

    return Lesson(Words(world).all, tuple(TASKS.values()), {"glue": recipe()}, rows)
