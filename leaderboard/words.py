"""How methods, heads and protocols are ordered, which rows do not compete, and what rows are called."""

from __future__ import annotations

import re
from collections.abc import Collection

HEADS = ("none", "own", "same", "diff")
PROTOCOLS = ("paper", "official_code", "quick", "sakana")

ABOVE = ("base", "random_convex", "avg", "best")
BELOW = ("domain_specific", "mtl")
REFERENCES = frozenset(ABOVE + BELOW)  # baseline rows: never bold, never tied
SOURCE = re.compile(r"source_(\d{1,4})")  # so is a member alone, by its place
SHOWN = {  # what people read; options and records keep the short names
    "base": "ancestor",
    "random_convex": "random mix",
    "avg": "mean member",
    "best": "best member",
    "domain_specific": "each on its own",
    "mtl": "multi-task",
}
YARDSTICKS = ("best", "avg", "domain_specific", "mtl", "base", "random_convex")  # as tables of scores order them
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

CONSTANT = "constant answer"  # a row that nobody asks for: what the best answer that is alike everywhere scores

OPTIONS = {  # what people read of an option, where its name alone would say little
    "budget": "{} evaluations",
    "generations": "{} generations",
    "steps": "{} steps",
    "search_by": "told {}",
}
SHARE = "dev_fraction"  # of the development rows, the first ones, that are used
SHORT = 2  # letters of an option that is a symbol of its method's formula, as it is typed: `k=0.4`
_METHOD = re.compile(r"[a-z][a-z0-9_]*")  # as methods are registered
_OPTION = re.compile(r" (?=[A-Za-z_][\w.]*=)")

OPTIMISERS = ("random", "grid", "coordinate", "cma", "catcma")  # of this project; random first, the yardstick

Rank = tuple[int | str, ...]


def rank(name: str, known: tuple[str, ...]) -> tuple[int, str]:
    """Known names in their given order, then the others by name."""
    return (known.index(name), "") if name in known else (len(known), name)


def method_rank(method: str, inner: str = "") -> Rank:
    """References on top, merges in the paper's order, newcomers by name, references at the bottom.

    A newcomer that evolves or searches another method stands right below it: `greedy_soup_evolver` after `greedy_soup`.

    Args:
        inner: what this one is made around, where a record says so; else its name has to.
    """
    if method in ABOVE:
        return (0, ABOVE.index(method))
    if member := SOURCE.fullmatch(method):
        return (0, len(ABOVE), int(member[1]))
    if method in BELOW:
        return (2, BELOW.index(method))
    if method in MERGES:
        return (1, MERGES.index(method), 0, "", "")
    base = inner or method
    while base not in MERGES and base_of(base):
        base = base_of(base)
    place = MERGES.index(base) if base in MERGES else len(MERGES)
    return (1, place, 1, base, method)


def base_of(method: str) -> str:
    """The method that this one evolves, searches or calibrates, by its name: `ties_evolver` -> `ties`, or "".

    Only for who has no record at hand: its recipe says it of optimisers that nobody here knows, too.
    """
    base, _, last = method.rpartition("_")
    return base if last in ("evolver", "calibrated") or last in OPTIMISERS else ""


def method_of(row: str) -> str:
    """The method of a row: `ties k=0.4` -> `ties`."""
    return row.partition(" ")[0]


def shown(row: str, without: Collection[str] = ()) -> str:
    """A row as people read it: `best member` of `best`, `member 2` of `source_2`, a method by its own name; of
    `ties_cma budget=20 k=0.4` it is `ties_cma k=0.4 (20 evaluations)`.

    Args:
        without: what is said beside the row already, in the words of `option`.
    """
    method, *options = _OPTION.split(row)
    if not _METHOD.fullmatch(method):
        return row  # what looks like options in it is a part of somebody's name
    source = SOURCE.fullmatch(method)
    symbols = [one for one in options if _symbol(one)]
    told = [said for one in options if not _symbol(one) and (said := option(one)) not in without]
    name = " ".join([f"member {int(source[1])}" if source else SHOWN.get(method, method), *symbols])
    return f"{name} ({', '.join(told)})" if told else name


def option(typed: str) -> str:
    """An option in words: `30 % of development rows` of `dev_fraction=0.3`; a symbol as it is."""
    name, _, value = typed.partition("=")
    if _symbol(typed):
        return typed
    if name == SHARE and re.fullmatch(r"\d?\.?\d{1,6}", value):
        return f"{100 * float(value):g} % of development rows"
    if name in OPTIONS:
        said = OPTIONS[name].format(value)
        return said.removesuffix("s") if value == "1" else said
    return f"{name.rpartition('.')[2].replace('_', ' ')} {value}"


def _symbol(typed: str) -> bool:
    return len(typed.partition("=")[0]) <= SHORT


def row_rank(row: str, inner: str = "") -> Rank:
    """A method's rows beside each other, the one without knobs first."""
    return (*method_rank(method_of(row), inner), row)


def yardstick_rank(row: str) -> Rank:
    """The place of a row that does not compete among its like: what a merge must beat first, single members last."""
    method = method_of(row)
    member = SOURCE.fullmatch(method)
    return (len(YARDSTICKS), int(member[1]), row) if member else (YARDSTICKS.index(method), 0, row)


def yardstick(row: str) -> bool:
    """Whether a row does not compete."""
    method = method_of(row)
    return method in REFERENCES or row == CONSTANT or SOURCE.fullmatch(method) is not None
