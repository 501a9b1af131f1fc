"""What stands below a table of scores: what its settings ask, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.records.record import RunRecord, canonical
from leaderboard import text
from leaderboard.tables.group import Block, Group
from leaderboard.tables.table import Scores, asked
from leaderboard.tables.written import all_or_nothing, cut_off


def caption(group: Group, scores: Scores) -> str:
    """What the settings ask, and which protocol, seeds and commit answered."""
    records, asks = scores.records, []
    for question in scores.questions:
        blocks = list(dict.fromkeys(block for block in scores.blocks if block.question == question))
        own = [r for block in blocks for r in block.records]
        corpora = sorted({corpus for r in own for corpus in r.scores})
        names = text.escaped(text.listed(corpora, 12)) or "not named"
        caption = text.sentence(group.said(question).caption)
        asks.append(f"- {text.escaped(asked(group, question))}: {caption} Tested on: {names}.{_written(blocks)}")
    made = [
        f"Protocol: {group.name}",
        f"seeds: {text.listed([str(s) for s in scores.seeds], 12)}",
        f"commit: {text.listed([c[:12] for c in _of_environment(records, 'commit')]) or 'not recorded'}",
    ]
    mixed = [
        f"- {text.escaped(column.title)}: made by several engines, whose numbers may differ a little: "
        f"{text.escaped('; '.join(engines))}."
        for column, block in zip(scores.columns, scores.blocks, strict=False)
        if len(engines := _engines(block.records)) > 1
    ]
    return "\n".join([*asks, f"- {text.escaped('; '.join(made))}", *mixed]) + "\n"


def _written(blocks: Sequence[Block]) -> str:
    """What is to be known of answers that were written, behind the other sentences."""
    said = ""
    if all_or_nothing(r for block in blocks for r in block.records):
        said += " Each answer is right or wrong, so a score is the share of right ones."
    counts = [f"{row} {cut:,} of {rows:,}" for row, (cut, rows) in cut_off(blocks).items()]
    return f"{said} Answers that ran out of tokens: {text.escaped(text.listed(counts, 12))}." if counts else said


def _engines(records: Iterable[RunRecord]) -> list[str]:
    """What made these records: processor, libraries; a record of before that was kept says nothing."""
    told = {canonical(r.environment.get("engine") or {}): r.environment.get("engine") for r in records}
    return sorted(
        ", ".join(f"{name} {value}" for name, value in sorted(engine.items()))
        if isinstance(engine, Mapping)
        else "not recorded"
        for engine in told.values()
    )


def _of_environment(records: Iterable[RunRecord], name: str) -> list[str]:
    return sorted({str(r.environment[name]) for r in records if r.environment.get(name)})
