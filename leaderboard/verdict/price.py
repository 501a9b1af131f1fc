"""What a merge costs and where the merged model comes from, in one sentence: of the model that was asked most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from leaderboard import text, words
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import CONTROL, DEFAULT, each, kinds
from leaderboard.tables.table import spent_on


def price(found: Sequence[Group]) -> Iterator[str]:
    """`On roberta-base a merge takes 0.4 s at its defaults and 31 s with 12 evaluations (medians).`; nothing where no
    real model was merged."""
    real = [group for group in found if not group.synthetic]
    if not real:
        return
    records = {
        model: sum(len(g.records) for g in real if g.key.model == model) for model in {g.key.model for g in real}
    }
    model = min(records, key=lambda m: (-records[m], m))
    seconds = _by_kind([group for group in real if group.key.model == model])
    if seconds:
        told = [f"{_time(median(seconds[kind]))} {_how(kind)}" for kind in each(seconds)]
        yield (
            f"**What it costs:** on {text.escaped(model)} a merge takes {text.joined(told, 12)}: medians over methods, "
            "on the machines of these records. `--export=FOLDER` writes the model that development rows choose."
        )


def _by_kind(groups: Sequence[Group]) -> dict[str, list[float]]:
    """How much was tuned -> seconds with statistics, of each merge in each column."""
    found: dict[str, list[float]] = defaultdict(list)
    for block in (block for group in groups for block in group.blocks()):
        kind = kinds(block.rows)
        for method, row in usual_rows(block.rows).items():
            cost = spent_on(block.rows[row])
            if cost.merge_seconds is not None and not words.yardstick(method):
                found[kind[row]].append(cost.merge_seconds + (cost.statistics_seconds or 0.0))
    return found


def _how(kind: str) -> str:
    if kind == DEFAULT:
        return "at its defaults"
    return kind if kind == CONTROL else f"with {kind}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
