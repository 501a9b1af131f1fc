"""Ten emotion corpora in the made-up world, so that the whole system runs for real without data, network or GPU.

The corpora bear the real ones' names and label sets, so the same settings apply, but every word is invented. What makes
merging worth measuring is built in:

* every corpus has its own topic words, so models specialise;
* *plain* cue words mean the same emotion everywhere, so models have something in common;
* *slang* cue words mean different emotions in different corpora, so models contradict each other;
* labels are skewed, each corpus in its own way, and a share of them is wrong, so no model is perfect.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.data.corpus import MASKED, Corpus, Split, concatenate, cut
from harness.data.task import Task
from harness.data.world import Said, World, syllables, word_rng
from harness.suites.base import Lesson
from harness.suites.emotion.labels import IN_DOMAIN, LABELS, OUT_OF_DOMAIN, TASK

_SIX = ("joy", "anger", "sadness", "disgust", "fear", "surprise")
ANNOTATED: Mapping[str, tuple[str, ...]] = {  # the real corpora's label sets
    "dailydialog": (*_SIX, "noemo"),
    "crowdflower": (*_SIX, "love", "noemo"),
    "tec": _SIX,
    "tales-emotion": (*_SIX, "noemo"),
    "isear": ("joy", "anger", "sadness", "disgust", "fear", "shame", "guilt"),
    "emoint": ("joy", "anger", "sadness", "fear"),
    "ssec": (*_SIX, "trust"),
    "electoraltweets": (*_SIX, "trust", "noemo", "confusion", "anticipation"),
    "grounded_emotions": ("joy", "sadness"),
    "affectivetext": _SIX,
}
LESSON_SHARE = 0.6  # of the steps that teach a tiny model


@dataclass(frozen=True)
class Words:
    """The words of these corpora, the first of the world's."""

    world: World

    @property
    def all(self) -> tuple[str, ...]:
        """Every word, in a fixed order."""
        w = self.world
        count = w.fillers + w.slang + w.plain * len(LABELS) + w.topics * len(ANNOTATED)
        return tuple(itertools.islice(syllables(), count))

    def lexicon(self, corpus: str) -> Mapping[str, tuple[str, ...]]:
        """The cue words of one corpus: label -> words; slang is dealt anew for every corpus."""
        w, own = self.world, ANNOTATED[corpus]
        words = self.all[w.fillers :]
        slang, words = list(words[: w.slang]), words[w.slang :]
        word_rng(w.seed, "slang", corpus).shuffle(slang)
        plain = {label: words[i * w.plain : (i + 1) * w.plain] for i, label in enumerate(LABELS)}
        return {
            label: (*plain[label], *slang[i :: len(own)]) if w.slang else plain[label] for i, label in enumerate(own)
        }

    def topic(self, corpus: str) -> tuple[str, ...]:
        """The words that only this corpus uses."""
        w = self.world
        start = w.fillers + w.slang + w.plain * len(LABELS) + w.topics * list(ANNOTATED).index(corpus)
        return self.all[start : start + w.topics]


def load(world: World, seed: int) -> Mapping[str, Corpus]:
    """All ten corpora of the world, cut by `seed` like real ones."""
    return _load(world, seed)


@lru_cache(maxsize=4)
def _load(world: World, seed: int) -> Mapping[str, Corpus]:
    corpora = {}
    for name in (*IN_DOMAIN, *OUT_OF_DOMAIN):
        annotated = tuple(label in ANNOTATED[name] for label in LABELS)
        corpora[name] = cut(_write(world, name), name, TASK, annotated, seed, published=True)
    return corpora


def _write(world: World, corpus: str) -> Split:
    """Sentences of one corpus. Each is about one label (twice as often two in ssec, as in the real one)."""
    rng = word_rng(world.seed, "rows", corpus)
    own, words, fillers = ANNOTATED[corpus], Words(world), np.array(world.fillers_said)
    lexicon = {label: np.array(cues) for label, cues in words.lexicon(corpus).items()}
    topic = np.array(words.topic(corpus))
    skew = rng.dirichlet(np.full(len(own), 2.0)) * 0.7 + 0.3 / len(own)
    texts, labels = [], np.full((world.rows, len(LABELS)), MASKED, dtype=np.int64)
    labels[:, [LABELS.index(label) for label in own]] = 0
    for row in range(world.rows):
        count = 2 if corpus == "ssec" and rng.random() < 0.4 else 1
        chosen = [own[i] for i in rng.choice(len(own), size=count, replace=False, p=skew)]
        texts.append(_sentence(rng, [_cue(rng, world, lexicon[label]) for label in chosen], topic, fillers))
        wrong = rng.random() < world.noise
        for label in [own[rng.integers(len(own))]] if wrong else chosen:
            labels[row, LABELS.index(label)] = 1
    return Split(tuple(texts), labels)


def _cue(rng: np.random.Generator, world: World, words: Said) -> list[str]:
    plain, slang = words[: world.plain], words[world.plain :]
    use = slang if len(slang) and rng.random() < world.slang_share else plain
    found: list[str] = rng.choice(use, size=rng.integers(1, 3)).tolist()
    return found


def _sentence(rng: np.random.Generator, cues: list[list[str]], topic: Said, fillers: Said) -> str:
    words = [w for cue in cues for w in cue]
    words += rng.choice(topic, size=rng.integers(1, 4)).tolist()
    words += rng.choice(fillers, size=rng.integers(2, 7)).tolist()
    rng.shuffle(words)
    return " ".join(words)


def lesson(world: World) -> Lesson:
    """What the tiny models are taught: all corpora together."""

    def rows() -> Mapping[Task, Split]:
        return {TASK: concatenate([corpus.train for corpus in load(world, seed=0).values()])}

    return Lesson(Words(world).all, (TASK,), {"emotion_share": LESSON_SHARE}, rows, LESSON_SHARE)
