"""What a merge costs and where the merged model comes from, in one sentence: of the table with most records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from leaderboard import text, words
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Block, Group
from leaderboard.tables.kinds import BY_TASK, CONTROL, DEFAULT, OWN, each, kinds
from leaderboard.tables.table import spent_on


def price(found: Sequence[Group]) -> Iterator[str]:
    """`On roberta-base, GLUE, cross-task, a merge takes 0.4 s at its defaults and 31 s with 12 evaluations.`; nothing
    where no real model was merged."""
    real = [group for group in found if not group.synthetic and group.blocks()]
    if not real:
        return
    group = max(real, key=lambda g: len(g.records))
    block, where = group.blocks()[0], f"{group.key.model}, {group.called}, {group.said(group.questions()[0]).title},"
    if seconds := _by_kind(block):
        told = [f"{_span(seconds[kind])} {_how(kind)}" for kind in each(seconds)]
        yield (
            f"**What it costs:** on {text.escaped(where)} a merge takes {text.joined(told, 12)}, as a median over "
            "methods of a kind. `--export=FOLDER` writes the model to use: a merge if one is better beyond luck on "
            "development rows, else the best member."
        )


def _span(seconds: Sequence[float]) -> str:
    """`1.1 s (less than 0.1 s to 4 min)`: the median, and the shortest and longest."""
    low, high, middle = (text.seconds(pick(seconds)) for pick in (min, max, median))
    return middle if low == high else f"{middle} ({low} to {high})"


def _by_kind(block: Block) -> dict[str, list[float]]:
    """How much was tuned -> seconds with statistics, of each merge of a column."""
    found: dict[str, list[float]] = defaultdict(list)
    kind = kinds(block.rows)
    for method, row in usual_rows(block.rows).items():
        cost = spent_on(block.rows[row])
        if cost.merge_seconds is not None and not words.yardstick(method):
            found[kind[row]].append(cost.merge_seconds + (cost.statistics_seconds or 0.0))
    return found


def _how(kind: str) -> str:
    if kind == DEFAULT:
        return "at its defaults"
    if kind == OWN:
        return f"by {kind}"
    if kind.startswith(BY_TASK):
        return f"as {kind}"
    return kind if kind == CONTROL else f"with {kind}"
