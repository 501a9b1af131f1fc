"""Gates: what must be true of a made-up world before it ranks anything.

A world in which no source can do its trade, or whose base can do it all, would rank noise. Each gate is a number that
lies between two bounds; where one does not, the world is dead, and says so instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BASE, JOINED = "", "+"  # the model that members start from; "a+b": it with all that either of the two learned


@dataclass(frozen=True)
class Gate:
    """A share of development rows that must lie between two bounds."""

    who: str  # a member, two with a + between, or the base
    corpus: str
    grader: str = ""  # the mark of one grader alone; of all together, if empty
    least: float = 0.0
    most: float = 1.0

    @property
    def said(self) -> str:
        """What is measured, in words."""
        who = "the base" if self.who == BASE else " and ".join(self.who.split(JOINED))
        return f"{self.grader or 'score'} of {who} on {self.corpus}"

    @property
    def wanted(self) -> str:
        """What it must be, in words."""
        return f"{self.least:g} or more" if self.least > 0 else f"{self.most:g} at most"


def broken(gates: Sequence[Gate], found: Mapping[Gate, float], away: Mapping[str, float], farthest: float) -> str:
    """What is wrong with a world, in one line; empty for one that is alive.

    Args:
        away: member -> the length of what it learned as a share of its base's, at most `farthest`.
    """
    wrong = [
        f"{gate.said} is {found[gate]:.3f}, wanted {gate.wanted}"
        for gate in gates
        if not gate.least <= found[gate] <= gate.most
    ]
    wrong += [
        f"{member} lies {length:.3f} of its base's length away from it, wanted {farthest:g} at most"
        for member, length in away.items()
        if not length <= farthest
    ]
    return "; ".join(wrong)
