"""One colour for a method and what evolves or searches it, told apart by a hollow and a filled mark."""

from __future__ import annotations

from leaderboard import words

_OF = {  # Okabe and Ito's palette, which colour-blind readers can tell apart
    "ensemble": "#d55e00",
    "greedy_soup": "#7f7f7f",
    "simple": "#0072b2",
    "evolver": "#cc79a7",
    "fisher": "#e69f00",
    "regmean": "#009e73",
    "ties": "#56b4e9",
}
_OTHERS = ("#8c564b", "#6a3d9a", "#b15928", "#1b9e77")
_OPTIMISERS = {
    "random": "#7f7f7f",
    "grid": "#e69f00",
    "coordinate": "#009e73",
    "cma": "#0072b2",
    "catcma": "#cc79a7",
    "evolver": "#d55e00",
}


def colour(method: str) -> str:
    """The colour of a method's family; newcomers take one by their name."""
    name = words.method_of(method)
    base = words.base_of(name) or name
    return _OF.get(base) or _OTHERS[sum(base.encode()) % len(_OTHERS)]


def optimiser(name: str) -> str:
    """The colour of what searches, whatever is searched; newcomers take one by their name."""
    return _OPTIMISERS.get(name) or _OTHERS[sum(name.encode()) % len(_OTHERS)]


def filled(method: str) -> bool:
    """Whether the mark is filled: what evolves or searches is, what is searched is hollow."""
    name = words.method_of(method)
    return name == "evolver" or bool(words.base_of(name))


def ramp(share: float) -> str:
    """From pale to deep blue, for shares from 0 to 1."""
    share = min(1.0, max(0.0, share))
    pale, deep = (239, 246, 255), (8, 69, 148)
    return "#" + "".join(f"{round(p + share * (d - p)):02x}" for p, d in zip(pale, deep, strict=True))
