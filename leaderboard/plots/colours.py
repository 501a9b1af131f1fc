"""One colour and shape for a method and what evolves or searches it, told apart by a hollow and a filled mark."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard import words
from leaderboard.plots.svg import SHAPES

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
Colour = tuple[int, int, int]
_PALE, _DEEP = (239, 246, 255), (8, 69, 148)
_WORSE, _SAME, _BETTER = (179, 88, 6), (247, 247, 247), (8, 69, 148)


def colour(method: str) -> str:
    """The colour of a method's family; newcomers take one by their name."""
    base = _family(method)
    return _OF.get(base) or _OTHERS[sum(base.encode()) % len(_OTHERS)]


def shape(method: str) -> str:
    """The shape of a family's marks, for who cannot tell its colour."""
    base = _family(method)
    return SHAPES[(list(_OF).index(base) if base in _OF else sum(base.encode())) % len(SHAPES)]


def _family(method: str) -> str:
    name = words.method_of(method)
    return words.base_of(name) or name


def apart(methods: Sequence[str]) -> dict[str, tuple[str, bool, str]]:
    """Colour, whether it is filled, and shape of each method of one figure: those of its family, or of their places
    where two of them are of one."""
    known = {method: (colour(method), filled(method), shape(method)) for method in methods}
    if len(set(known.values())) == len(known):
        return known
    places = [*_OF.values(), *_OTHERS]
    return {m: (places[k % len(places)], True, SHAPES[k % len(SHAPES)]) for k, m in enumerate(methods)}


def optimiser(name: str) -> str:
    """The colour of what searches, whatever is searched; newcomers take one by their name."""
    return _OPTIMISERS.get(name) or _OTHERS[sum(name.encode()) % len(_OTHERS)]


def filled(method: str) -> bool:
    """Whether the mark is filled: what evolves or searches is, what is searched is hollow."""
    name = words.method_of(method)
    return name == "evolver" or bool(words.base_of(name))


def ramp(share: float) -> str:
    """From pale to deep blue, for shares from 0 to 1."""
    return _between(_PALE, _DEEP, share)


def diverging(share: float) -> str:
    """From orange at -1 through white at 0 to blue at 1."""
    return _between(_SAME, _BETTER if share > 0 else _WORSE, abs(share))


def _between(start: Colour, end: Colour, share: float) -> str:
    share = min(1.0, max(0.0, share))
    return "#" + "".join(f"{round(p + share * (d - p)):02x}" for p, d in zip(start, end, strict=True))


def contrast(one: str, other: str) -> float:
    """How well one colour stands out from another: from 1 to 21, as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour_: str) -> float:
    parts = [int(colour_[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ink(paper: str) -> str:
    """The kind of words that can be read on this colour: black or white, whichever stands out more."""
    return "light" if contrast(paper, "#ffffff") > contrast(paper, "#000000") else "dark"
