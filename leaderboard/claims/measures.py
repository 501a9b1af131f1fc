"""Ways to ask a group of records one number: the difference that a claim says is above 0, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from harness.record import RunRecord, canonical
from leaderboard import words
from leaderboard.stats.difference import Contender, Difference, between, difference, pooled
from leaderboard.tables.cell import contenders
from leaderboard.tables.group import USED, Block, Group, Question

Measure = Callable[[Group, Sequence[Group]], Difference | str]  # of a group among all
NOT_ASKED = "not asked"


def gain(method: str, base: str, settings: tuple[str, ...]) -> Measure:
    """`method` minus `base`, averaged over the columns of these settings in which both are complete."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        blocks = [b for b in group.blocks() if b.question.setting in settings]
        if not blocks or _sweeps_dev(group, groups):
            return NOT_ASKED
        pairs = [(c[method], c[base]) for b in blocks if method in (c := _of(group, b)) and base in c]
        return pooled([difference(*pair) for pair in pairs]) if pairs else f"{method} or {base} is incomplete"

    return measure


def best(method: str, settings: tuple[str, ...]) -> Measure:
    """`method` minus its strongest rival: the other merge with the highest mean over these settings' columns."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        blocks = [b for b in group.blocks() if b.question.setting in settings]
        if not blocks or _sweeps_dev(group, groups):
            return NOT_ASKED
        columns = [c for b in blocks if method in (c := _of(group, b))]
        rivals = {m for c in columns for m in c} - words.REFERENCES - {method}
        against = [
            pooled([difference(c[method], c[rival]) for c in columns])
            for rival in sorted(rivals)
            if all(rival in c for c in columns)
        ]
        return min(against, key=lambda d: d.mean) if against else f"{method} is incomplete or has no rival"

    return measure


def steadier(method: str, base: str) -> Measure:
    """What `base` loses from same to different heads, minus what `method` loses."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        if _sweeps_dev(group, groups):
            return NOT_ASKED
        by = {(b.question, b.heads): _of(group, b) for b in group.blocks() if b.heads in ("same", "diff")}
        both = [q for q, heads in by if heads == "same" and (q, "diff") in by]
        if not both:
            return NOT_ASKED
        found = []
        for question in both:
            same, diff = by[question, "same"], by[question, "diff"]
            if {method, base} <= set(same) & set(diff):
                found.append(between((same[base], diff[base]), (same[method], diff[method])))
        return pooled(found) if found else f"{method} or {base} is incomplete"

    return measure


def more_dev(method: str) -> Measure:
    """All development rows minus the smallest part of them that was tried, everything else being equal."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        if _dev_fraction(group) != 1.0:
            return NOT_ASKED
        smaller = [g for g in groups if _differs_in_dev_alone(g, group) and _dev_fraction(g) < 1.0]
        if not smaller:
            return NOT_ASKED
        least, found = min(smaller, key=_dev_fraction), []
        fewer = {(b.question, b.heads): _of(least, b) for b in least.blocks()}
        for block in group.blocks():
            more, less = _of(group, block).get(method), fewer.get((block.question, block.heads), {}).get(method)
            if more is not None and less is not None:
                found.append(difference(more, less))
        return pooled(found) if found else f"{method} was not run on both"

    return measure


def _of(group: Group, block: Block) -> Mapping[str, Contender]:
    return _columns(group)[block.question, block.heads]


@lru_cache(maxsize=64)
def _columns(group: Group) -> Mapping[tuple[Question, str], Mapping[str, Contender]]:
    """The contenders of each column; a dozen claims ask for them."""
    return {(b.question, b.heads): contenders(b.records, _score, group.draws) for b in group.blocks()}


def _score(record: RunRecord) -> float:
    return record.score


def _protocol(group: Group) -> dict[str, object]:
    protocol = group.records[0].recipe.get("protocol")
    parts = {n: part for n, part in protocol.items() if n not in USED} if isinstance(protocol, dict) else {}
    return {**parts, **{n: v for n, v in group.records[0].knobs.items() if n == "dev_fraction"}}


def _dev_fraction(group: Group) -> float:
    value = _protocol(group).get("dev_fraction", 1.0)
    return float(value) if isinstance(value, int | float) else 1.0


def _differs_in_dev_alone(one: Group, other: Group) -> bool:
    same = (one.key.model, one.key.suite) == (other.key.model, other.key.suite)
    rest = [canonical({k: v for k, v in _protocol(g).items() if k != "dev_fraction"}) for g in (one, other)]
    return same and rest[0] == rest[1]


def _sweeps_dev(group: Group, groups: Sequence[Group]) -> bool:
    """Whether this group only exists to try fewer development rows; other claims are asked of its full sibling."""
    return any(_differs_in_dev_alone(g, group) and _dev_fraction(g) > _dev_fraction(group) for g in groups)
