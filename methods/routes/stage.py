"""A development score as one of two stages asks it: candidates of the second are those of what the first has made.

Both stages share one journal and one budget. What the second is told holds for the models that it leads through, so its
candidates' keys hang on a hash of what the first stage made: a journal of other weights is refused, not believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch

from methods.asking import say, score_at
from methods.base import DevScore, Merged, Weights


class Stage:
    """The score of one stage. `mark`: what its candidates are made of; nothing, of a first stage."""

    def __init__(self, score: DevScore, mark: str = "") -> None:
        self._score, self._mark, self.calls = score, mark, 0

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        return self._score(merged)

    def expect(self, total: int, space: str = "") -> None:
        """Nothing: all stages were announced at once."""

    def say(self, line: str) -> None:
        """A line for whoever watches."""
        say(self._score, line)

    def at(self, key: str, make: Callable[[], Merged]) -> float:
        """The score of a candidate of this stage."""
        self.calls += 1
        return score_at(self._score, self._named(key), make)

    @property
    def apart(self) -> Callable[[str, Callable[[], Merged]], float] | None:
        """The same on rows that the search does not see; None where none are kept apart."""
        asked = getattr(self._score, "apart", None)
        return None if asked is None else partial(self._ask_apart, asked)

    def _ask_apart(self, asked: Callable[..., float], key: str, make: Callable[[], Merged]) -> float:
        self.calls += 1
        return float(asked(self._named(key), make))

    def _named(self, key: str) -> str:
        return joined(key, self._mark) if self._mark else key


def joined(key: str, mark: str) -> str:
    """A key of both, as long as a key of one."""
    return hashlib.sha256(f"{key} of {mark}".encode()).hexdigest()[: len(key)]


def mark_of(weights: Weights) -> str:
    """A hash of all names and bytes."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(name.encode())
        tensor = weights[name].detach().cpu().contiguous()
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return found.hexdigest()[:24]
