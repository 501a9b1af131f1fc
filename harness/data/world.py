"""The made-up world that the tiny models live in: how large it is, how hard, and the words that it is written in.

Every word is invented. What is said with them is each suite's own affair.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Said = npt.NDArray[np.str_]  # words that are drawn from: a list would be made an array for every draw
_SYLLABLES = [c + v for c, v in itertools.product("bdfgklmnprstvz", "aeiou")]


def syllables() -> Iterator[str]:
    """Every made-up word there is, in a fixed order; the tiny models know the first of them."""
    return map("".join, itertools.product(_SYLLABLES, repeat=2))


@dataclass(frozen=True)
class World:
    """How large the world is and how hard it is to live in. `version` rises when the same fields give other rows."""

    rows: int = 900  # of each corpus
    seed: int = 0
    fillers: int = 60  # words that say nothing
    topics: int = 40  # words of one corpus alone
    plain: int = 5  # cue words per label that mean the same everywhere
    slang: int = 40  # cue words that mean another label in another corpus
    slang_share: float = 0.5  # of the cues in a sentence
    noise: float = 0.1  # share of sentences with the wrong label
    version: int = 2

    @property
    def fillers_said(self) -> tuple[str, ...]:
        """The words that say nothing."""
        return tuple(itertools.islice(syllables(), self.fillers))


def word_rng(seed: int, *names: str) -> np.random.Generator:
    """Draws that depend on these names alone."""
    digest = hashlib.sha256(":".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))
