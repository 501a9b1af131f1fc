"""The answer at the end of a session, in words: which model to keep, how sure that is, at what cost, what would decide.

Development rows choose, test rows say how sure it is: what they say changes no choice. A column has one answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from leaderboard import text
from leaderboard.stats.difference import Difference, difference
from leaderboard.tables.group import Block, Group
from leaderboard.tables.scored import scored
from leaderboard.tables.table import Cost
from leaderboard.verdict.decision import Decision, decide
from leaderboard.verdict.more import more
from leaderboard.verdict.reason import to_choose, unasked
from leaderboard.verdict.winner import member_of
from leaderboard.words import CONSTANT

MADE_UP = "Made-up data: this shows that the system runs, and answers nothing about real models."
SCOPE = "Each answer is about its own model, data and setting, and says nothing about others."


@lru_cache(maxsize=64)
def answer(group: Group, block: Block) -> tuple[str, ...]:
    """Sentences about one column; none where no merge was run."""
    if group.gold is None:
        return ()
    decision = decide(block.rows, group.gold)
    if not (decision.contest.merges or decision.contest.unjudged):
        return ()
    said = [MADE_UP] if group.synthetic else []
    if not decision.contest.member:
        return (*said, unasked(decision))
    said += [_kept(block, decision), *_sure(group, block, decision)]
    said.append(_unread(group, block, decision.winner or decision.contest.member))
    said += _of_winner(decision) if decision.winner else ()
    if decision.alike:
        said.append(f"No worse on development rows, and dearer: {decision.equals}.")
    said.append(decision.by_kind)
    if decision.contest.unjudged:
        gaps = text.listed(list(decision.contest.unjudged), 12)
        said.append(f"Not judged, as a seed, a set of members or answers to development rows are missing: {gaps}.")
    return tuple(sentence for sentence in said if sentence)


def _kept(block: Block, decision: Decision) -> str:
    if decision.winner:
        named = decision.contest.named(decision.winner)
        return f"Use {named}: on development rows it is really above the best single member."
    names = {member_of(r, block.records) for r in decision.contest.rows[decision.contest.member]}
    name = f", {names.pop()}" if len(names) == 1 and "" not in names else ""
    return f"Keep the best single member{name}: on development rows no merge is really above it."


def _unread(group: Group, block: Block, row: str) -> str:
    """That an answer which reads no text scores as much as the model to keep, where it does."""
    kept = scored(group, block).get(row)
    blind = None if kept is None else kept.unread
    if kept is None or blind is None or kept.mean > blind.mean:
        return ""
    return (
        f"But it may not read its texts: a {CONSTANT} scores {text.percent(blind.mean)} on the test rows, "
        f"and it {text.percent(kept.mean)}. Train the members longer, or on more rows, before you merge."
    )


def _sure(group: Group, block: Block, decision: Decision) -> Iterator[str]:
    """What test rows say of the winner, or of the merge that comes nearest; and what would decide."""
    if decision.nearest is None:
        return
    row, found = decision.nearest.row, _on_test(group, block, decision.nearest.row, decision.contest.member)
    if found is None:
        yield f"What {row} scores on the test rows has a gap."
        return
    rows, sets, verdict = _test_rows(block, row), len(found.by_replicate or {}), found.told().verdict
    named = decision.contest.named(row)
    basis = f"{rows:,} rows, " + (f"{sets} sets of members" if sets > 1 else "one set of members")
    basis += f", mean of {len(block.populations)} groups" if len(block.populations) > 1 else ""
    told = f"{text.difference(found.told())} ({basis})."
    if decision.winner:
        yield {
            "above": f"The test rows confirm it: {told}",
            "undecided": f"The test rows do not confirm it: {told}",
            "below": f"The test rows say the opposite: {told} More development rows would choose better.",
        }[verdict]
    else:
        yield {
            "above": f"On the test rows {named} is above it: {told} Test rows must not choose, though.",
            "undecided": f"The nearest on development rows, {named}, cannot be told from it on the test rows: {told}",
            "below": f"The nearest on development rows, {named}, is below it on the test rows: {told}",
        }[verdict]
        yield to_choose(decision)
    if verdict == "undecided" and (evidence := more(found, rows, "test")):
        yield f"If it is as large as it looks, to be sure of it would take {evidence}."
    if sets == 1:
        yield "What other trainings of the members would give is not known: that takes several seeds."


def _on_test(group: Group, block: Block, row: str, member: str) -> Difference | None:
    found = scored(group, block)
    return difference(found[row], found[member]) if row in found and member in found else None


def _test_rows(block: Block, row: str) -> int:
    """How many test rows there are, each once, whatever seeds and populations answer them."""
    asked = {str(kept.get("gold")): kept.get("rows") for r in block.rows[row] for kept in r.predictions.values()}
    return sum(rows for rows in asked.values() if isinstance(rows, int))


def _of_winner(decision: Decision) -> Iterator[str]:
    """What the row to keep costs, and what its development rows are worth if it learned from them."""
    yield _spent(decision.cost)
    if decision.cost.unlabelled_rows is not None:
        yield "It learned from development rows without their labels, which may flatter it on them."


def _spent(cost: Cost) -> str:
    """`It costs 3.2 s to merge, of which 1.0 s are statistics, and runs one model at inference.`"""
    if cost.merge_seconds is None or cost.inference_models is None:
        return ""
    seconds, statistics = cost.merge_seconds + (cost.statistics_seconds or 0.0), cost.statistics_seconds or 0.0
    of_which = f", {text.seconds(statistics)} of it for statistics" if statistics >= 0.1 else ""
    tasks = "" if cost.tasks is None else f", another for each of {cost.tasks:.0f} tasks: a row's must be known"
    runs = _models(cost.inference_models)
    return f"It costs {text.seconds(seconds)} to merge{of_which}, and runs {runs} at inference{tasks}."


def _models(count: float) -> str:
    """`one model`, `3 models`; of a route, which costs a share, `2.03 times the blocks of one model`."""
    if count == int(count):
        return "one model" if count == 1 else f"{count:.0f} models"
    return f"{text.times(count)} times the blocks of one model"
