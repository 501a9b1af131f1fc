"""The order in which methods, heads and protocols are shown, and which rows do not compete."""

from __future__ import annotations

HEADS = ("none", "own", "same", "diff")
PROTOCOLS = ("paper", "official_code", "quick")

ABOVE = ("avg", "best")
BELOW = ("domain_specific", "mtl")
REFERENCES = frozenset(ABOVE + BELOW)  # yardsticks: never bold, never tied
MERGES = (  # the paper's order of rows
    "ensemble",
    "greedy_soup",
    "simple",
    "evolver",
    "simple_evolver",
    "fisher",
    "fisher_evolver",
    "regmean",
    "regmean_evolver",
    "ties",
    "ties_evolver",
)

Rank = tuple[int | str, ...]


def rank(name: str, known: tuple[str, ...]) -> tuple[int, str]:
    """Known names in their given order, then the others by name."""
    return (known.index(name), "") if name in known else (len(known), name)


def method_rank(method: str) -> Rank:
    """References on top, merges in the paper's order, newcomers by name, references at the bottom.

    An evolved newcomer stands right below what it evolves: `greedy_soup_evolver` after `greedy_soup`.
    """
    if method in ABOVE:
        return (0, ABOVE.index(method))
    if method in BELOW:
        return (2, BELOW.index(method))
    if method in MERGES:
        return (1, MERGES.index(method), 0, "", "")
    base = method
    while base not in MERGES and base_of(base):
        base = base_of(base)
    place = MERGES.index(base) if base in MERGES else len(MERGES)
    return (1, place, 1, base, method)


def base_of(method: str) -> str:
    """The method that this one evolves: `ties_evolver` -> `ties`; "" where there is none."""
    base = method.removesuffix("_evolver")
    return base if base != method else ""


def method_of(row: str) -> str:
    """The method of a row: `ties k=0.4` -> `ties`."""
    return row.partition(" ")[0]


def row_rank(row: str) -> Rank:
    """A method's rows beside each other, the one without knobs first."""
    return (*method_rank(method_of(row)), row)


def yardstick(row: str) -> bool:
    """Whether a row does not compete."""
    return method_of(row) in REFERENCES
