"""What a cell holds in memory, counted in models; whether that fits, and what would make it fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.planning.estimate import said_bytes

WIDTH = 4  # bytes of a scalar: members, merges and children are float32
PROCESS = 600 * 2**20  # torch, transformers and a corpus: what records of tiny models say that a process holds
NOTABLE = 0.25  # share of the memory from which on a search says what it holds
STREAMABLE = "python -m harness merge, which holds a few tensors at a time and tests nothing"


@dataclass(frozen=True)
class Holding:
    """Models of a cell while it merges.

    Args:
        mapped: members and statistics, which lie in files that the system can read again: they slow down, and go.
        held: the ancestor, merges, children, the model that answers: nothing without room for these.
        scaled: members that a search may scale as wholes, one candidate after another.
    """

    mapped: int
    held: int
    parameters: int  # of one
    score_bytes: int = WIDTH  # of a scalar of the model that answers
    scaled: int = 0

    @property
    def on_gpu(self) -> int:
        """Models that a GPU has room for, or the CPU merges: nothing of it can be read again from files."""
        return self.models + self.scaled

    @property
    def models(self) -> int:
        """All of them."""
        return self.mapped + self.held

    @property
    def least_bytes(self) -> int:
        """What must have room."""
        return PROCESS + self.parameters * (WIDTH * (self.held - 1) + self.score_bytes)

    @property
    def bytes(self) -> int:
        """What it would like to have."""
        return self.least_bytes + self.parameters * WIDTH * self.mapped

    def __str__(self) -> str:
        return f"{self.models} models of {self.parameters / 1e6:,.0f} million parameters, {said_bytes(self.bytes)}"


def holding(method: str, kind: str, members: int, parameters: int, statistics: bool, score_bytes: int) -> Holding:
    """What a cell of this method holds.

    Args:
        method: its name: evolutions hold a population of children beside the members.
        kind: as in costs.Asked.
        statistics: whether it reads those of every member, or makes them.
    """
    if kind in ("avg", "domain_specific", "mtl"):
        return Holding(1, 2, parameters, score_bytes)  # one member after another; the ancestor, and who answers
    children = members if "evolver" in method else 0
    candidates = 1 if kind == "search" else 0  # beside the best so far
    mapped = members * (2 if statistics else 1)
    scaled = members if candidates and not children else 0
    return Holding(mapped, 3 + candidates + children, parameters, score_bytes, scaled)  # ancestor, merge, who answers


def misfit(what: str, needs: Holding, limit: int | None) -> str:
    """Why it cannot run on a machine with this much memory, and what would make it fit; empty if it may."""
    if limit is None or needs.least_bytes <= limit:
        return ""
    return f"{what} would hold {needs}, and this process may take {said_bytes(limit)}; {cures(needs, limit)}"


def cures(needs: Holding, limit: int) -> str:
    """What would make it fit."""
    ways = []
    half = replace(needs, score_bytes=2)
    if needs.score_bytes > 2 and half.least_bytes <= limit:
        ways.append("score in half precision with --set dtype=bf16")
    if needs.held > 4:  # an evolution's children are as many as its members
        ways.append("merge fewer members, or search without an evolution")
    ways += [f"merge with {STREAMABLE}", "or take a smaller model or a machine with more memory"]
    return ", ".join(ways)
