"""What an evolution leaves to chance: the order of births, the mates, and every child's seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from methods.tensors.draws import Crossover, Draws


class Chance(Protocol):
    """Everything in an evolution that is left to chance."""

    def order(self, generation: int, n: int) -> Sequence[int]:
        """The order in which members get their child."""
        ...

    def mates(self, generation: int, i: int, choices: Sequence[int], count: int) -> list[int]:
        """`count` different ones of `choices`."""
        ...

    def share(self, generation: int, i: int) -> float:
        """A number in 0..1."""
        ...

    def draw(self, purpose: str, generation: int, i: int) -> float:
        """A number in 0..1, both excluded, for an adaptation's purpose."""
        ...

    def seed(self, generation: int, i: int) -> int:
        """The seed of the child."""
        ...

    def crossover(self, seed: int, rate: float) -> Crossover:
        """The crossover that belongs to a child's seed."""
        ...


@dataclass(frozen=True)
class HashedChance:
    """Draws as a hash of (base, purpose, generation, i): none depends on how many were made before it."""

    base: int
    permuted: bool

    def order(self, generation: int, n: int) -> Sequence[int]:
        if not self.permuted:
            return range(n)
        return sorted(range(n), key=lambda i: self._hash("order", generation, i))

    def mates(self, generation: int, i: int, choices: Sequence[int], count: int) -> list[int]:
        return sorted(choices, key=lambda j: self._hash("mate", generation, i, j))[:count]

    def share(self, generation: int, i: int) -> float:
        return self._hash("share", generation, i) / 2**63

    def draw(self, purpose: str, generation: int, i: int) -> float:
        return ((self._hash(f"adapt {purpose}", generation, i) >> 11) + 0.5) / 2**52

    def seed(self, generation: int, i: int) -> int:
        return self._hash("child", generation, i)

    def crossover(self, seed: int, rate: float) -> Crossover:
        return Draws(seed, rate)

    def _hash(self, *words: int | str) -> int:
        digest = hashlib.sha256(":".join(map(str, (self.base, *words))).encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1
