"""A made-up world of ten emotion corpora, so that the whole system runs for real without data, network or GPU.

The corpora bear the real ones' names and label sets, so the same settings apply, but every word is invented. What makes
merging worth measuring is built in:

* every corpus has its own topic words, so models specialise;
* *plain* cue words mean the same emotion everywhere, so models have something in common;
* *slang* cue words mean different emotions in different corpora, so models contradict each other;
* labels are skewed, each corpus in its own way, and a share of them is wrong, so no model is perfect.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.data.corpus import MASKED, Corpus, Split, cut
from harness.suites.emotion.corpora import IN_DOMAIN, LABELS, OUT_OF_DOMAIN, TASK

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
_SYLLABLES = [c + v for c, v in itertools.product("bdfgklmnprstvz", "aeiou")]


def syllables() -> Iterator[str]:
    """Every made-up word there is, in a fixed order."""
    return map("".join, itertools.product(_SYLLABLES, repeat=2))


@dataclass(frozen=True)
class World:
    """How large the world is and how hard it is to live in. `version` rises when the same fields give other rows."""

    rows: int = 900  # of each corpus: 630 train, 90 dev, 180 test
    seed: int = 0
    fillers: int = 60  # words that say nothing
    topics: int = 40  # words of one corpus alone
    plain: int = 5  # cue words per label that mean the same everywhere
    slang: int = 40  # cue words that mean another label in another corpus
    slang_share: float = 0.5  # of the cues in a sentence
    noise: float = 0.1  # share of sentences with the wrong label
    version: int = 2

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word of the world, in a fixed order."""
        count = self.fillers + self.slang + self.plain * len(LABELS) + self.topics * len(ANNOTATED)
        return tuple(itertools.islice(syllables(), count))

    def lexicon(self, corpus: str) -> Mapping[str, tuple[str, ...]]:
        """The cue words of one corpus: label -> words; slang is dealt anew for every corpus."""
        words = self.vocabulary[self.fillers :]
        slang, words = list(words[: self.slang]), words[self.slang :]
        own = ANNOTATED[corpus]
        word_rng(self.seed, "slang", corpus).shuffle(slang)
        plain = {label: words[i * self.plain : (i + 1) * self.plain] for i, label in enumerate(LABELS)}
        return {
            label: (*plain[label], *slang[i :: len(own)]) if self.slang else plain[label] for i, label in enumerate(own)
        }

    def topic(self, corpus: str) -> tuple[str, ...]:
        """The words that only this corpus uses."""
        start = self.fillers + self.slang + self.plain * len(LABELS) + self.topics * list(ANNOTATED).index(corpus)
        return self.vocabulary[start : start + self.topics]


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
    own, lexicon, topic = ANNOTATED[corpus], world.lexicon(corpus), world.topic(corpus)
    fillers = world.vocabulary[: world.fillers]
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


def _cue(rng: np.random.Generator, world: World, words: Sequence[str]) -> list[str]:
    plain, slang = words[: world.plain], words[world.plain :]
    use = slang if slang and rng.random() < world.slang_share else plain
    return [str(w) for w in rng.choice(use, size=rng.integers(1, 3))]


def _sentence(rng: np.random.Generator, cues: list[list[str]], topic: Sequence[str], fillers: Sequence[str]) -> str:
    words = [w for cue in cues for w in cue]
    words += [str(w) for w in rng.choice(topic, size=rng.integers(1, 4))]
    words += [str(w) for w in rng.choice(fillers, size=rng.integers(2, 7))]
    rng.shuffle(words)
    return " ".join(words)


def word_rng(seed: int, *names: str) -> np.random.Generator:
    """Draws that depend on these names alone."""
    digest = hashlib.sha256(":".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))
