"""One merge under two names is no second witness: methods whose models are equal to the bit, as those of `linear` with
equal weights and of `simple`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kinds import kinds


def twins(block: Block) -> Mapping[str, str]:
    """Method -> an earlier one of its kind in this column that made the very models and scores as it does."""
    told, found = kinds(block.rows), dict[str, str]()
    first: dict[tuple[str, frozenset[tuple[str, int, str, float]]], str] = {}
    for method, row in usual_rows(block.rows).items():
        made = _made(block.rows[row])
        if made and not words.yardstick(method) and (known := first.setdefault((told[row], made), method)) != method:
            found[method] = known
    return found


def _made(records: Iterable[RunRecord]) -> frozenset[tuple[str, int, str, float]]:
    """What was made of each set of members; empty where a model has no weights of its own, as an ensemble."""
    made = frozenset((r.population, r.seed, r.weights_sha256, r.score) for r in records)
    return made if all(weights for _, _, weights, _ in made) else frozenset()


def everywhere(groups: Iterable[Group]) -> Mapping[tuple[str, str], str]:
    """Method and kind -> the method whose twin it is in each column that has it."""
    firsts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for block in (block for group in groups for block in group.blocks()):
        told, alike = kinds(block.rows), twins(block)
        for method, row in usual_rows(block.rows).items():
            firsts[method, told[row]].add(alike.get(method, ""))
    return {key: own.pop() for key, own in firsts.items() if len(own) == 1 and own != {""}}
