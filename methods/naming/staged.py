"""Methods that are searches by themselves: of what they are made, by the names and knobs that a user gives.

dfs       a search of `route`, by the optimiser of its preset
ps_dfs    the search that its knob `ps` names, and then one as of dfs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Knobs = Mapping[str, Mapping[str, Any]]

SEARCHES = frozenset({"dfs", "ps_dfs"})
OPTIMISER_OF = {"pair": "cma", "hop": "catcma"}  # preset -> what is told to search it
PS = "dare_ties_cma"  # the first stage of the paper
_OF_BOTH = ("budget", "best", "apart")  # what a search of two stages says for each


def optimiser_of(name: str, knobs: Knobs) -> str:
    """The optimiser of its routes."""
    return OPTIMISER_OF.get(str(knobs.get(name, {}).get("preset", "pair")), "cma")  # a wrong word is refused elsewhere


def first_of(name: str, knobs: Knobs) -> str:
    """The name of its first stage; "" where it has one stage alone."""
    return str(knobs.get(name, {}).get("ps", PS)) if name == "ps_dfs" else ""


def of_first(knobs: Knobs) -> Knobs:
    """The knobs of a first stage: layers are searched apart, and what is said of both stages is not said again."""
    search = {"layers": "blocks", **knobs.get("search", {})}
    return {**knobs, "search": {name: value for name, value in search.items() if name not in _OF_BOTH}}


def of_routes(name: str, knobs: Knobs) -> Knobs:
    """The knobs of the routes that are searched: their preset is the search's own, and so is who takes part, where
    there are always two."""
    held = {"preset"} if name == "dfs" else {"preset", "first", "sources"}
    return {**knobs, "route": {knob: value for knob, value in knobs.get("route", {}).items() if knob not in held}}


def of_optimiser(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of its optimiser: n x n matrices of thousands of variables are nobody's wish."""
    return {knob: value for knob, value in knobs.items() if knob != "separable"}


def within_a_search(knobs: Knobs) -> Knobs:
    """One budget for both, as one word gives it, is that of the search: its evolutions have their generations."""
    evolver, search = knobs.get("evolver", {}), knobs.get("search", {})
    if "budget" not in evolver or str(evolver["budget"]) != str(search.get("budget")):
        return knobs
    return {**knobs, "evolver": {name: value for name, value in evolver.items() if name != "budget"}}
