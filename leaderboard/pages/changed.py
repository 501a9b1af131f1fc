"""What a change does to many rows at once: coefficients searched, outputs calibrated, seen test rows left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboard import text, words
from leaderboard.pages import prose
from leaderboard.pages.outcomes import Varied, drawn, joined, metric, place, really
from leaderboard.plots.dumbbells import dumbbells
from leaderboard.stats.interval import mean
from leaderboard.tables.ablations import variants
from leaderboard.tables.cell import Column
from leaderboard.tables.coefficients import Coefficients
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import BY_TASK
from leaderboard.tables.paper import by_coefficients
from leaderboard.tables.table import Scores, title_of
from leaderboard.tables.tuned import Calibration

COEFFICIENTS, CALIBRATED = "Coefficients searched, plain and evolved", "How much of a gain is calibration"
SEEN = "Test rows that a member was trained on, left out"
MOST = 16  # rows of a figure

Marks = Mapping[str, Sequence[float | None]]  # row -> its number of each kind


def searched(group: Group, one: Coefficients) -> Varied:
    """Merges and their evolutions, each as it is and with searched coefficients."""
    title = f"Coefficients searched by {one.optimiser}, {one.budget} evaluations"
    rows = {row: (own.before, own.after) for row, own in one.rows.items()}
    kinds = ("as it is", "coefficients searched")
    svg = dumbbells(title, place(group, one.block, one.seeds), kinds, _short(rows), metric(group, one.block))
    outcome = really("the same as it is", {f"{words.shown(row)} searched": own.gain for row, own in one.rows.items()})
    caption = prose.COEFFICIENT_MARKS, outcome, by_coefficients(one.rows)
    figure = drawn(group, one.block, f"coefficients by {one.optimiser} {one.budget}", title, svg, *caption)
    return Varied(COEFFICIENTS, figure, outcome, title_of(group, one.block), prose.COEFFICIENT_MARKS)


def gains(table: Calibration) -> dict[str, tuple[float, float, float | None]]:
    """Tuned row -> what calibration alone gains, what tuning gains, and both where both were run; the most first.

    Points of an option that was varied are left out: they have figures of their own.
    """
    apart = variants(table.block.rows)
    alone = {c.row: c.gain.mean for c in table.rows if c.gain is not None}
    tuned = {c.tuned_row: (alone[c.row], c.tuned_gain.mean) for c in table.rows if c.row in alone and c.tuned_gain}
    own = {row: both for row, both in tuned.items() if row not in apart}
    order = sorted(own, key=lambda row: -own[row][1])[:MOST]
    return {row: (*own[row], own[row][1] + alone[row] if row in alone else None) for row in order}


def calibrated(group: Group, table: Calibration) -> Varied:
    """What calibration gains beside what tuning gains."""
    rows = gains(table)
    both = any(together is not None for _, _, together in rows.values())
    kinds = ("calibrated alone", "tuned alone", *(["tuned, then calibrated"] if both else []))
    shown = _short({row: own[: len(kinds)] for row, own in rows.items()})
    where, axis = place(group, table.block), f"gain in {metric(group, table.block)}"
    svg = dumbbells(CALIBRATED, where, kinds, shown, axis, zero=True)
    told = {c.row: c for c in table.rows if c.tuned_row in rows}
    gained = really("the method at its defaults", {f"{words.shown(row)} calibrated": c.gain for row, c in told.items()})
    beyond = {words.shown(c.tuned_row): c.beyond for c in table.rows if c.tuned_row in rows}
    outcome = joined(gained, really("calibration alone", beyond))
    caption = prose.CALIBRATION_MARKS, outcome
    figure = drawn(group, table.block, "calibration", CALIBRATED, svg, *caption, kind="calibration")
    return Varied(CALIBRATED, figure, outcome, title_of(group, table.block), prose.CALIBRATION_MARKS)


def unseen(group: Group, table: Scores) -> Varied:
    """The merges that score highest, and how far their scores on the corpora in question change without those rows."""
    (block,), whole, without = table.blocks, table.columns[::2], table.columns[1::2]
    scored = {row: (_over(whole, row), _over(without, row)) for row in complete(table)}
    best = sorted(scored, key=lambda row: -scored[row][0])
    changes = {row: after - before for row, (before, after) in scored.items()}
    rows = _short({row: (changes[row],) for row in best[:MOST]})
    svg = dumbbells(SEEN, place(group, block), ("change of the score",), rows, metric(group, block), zero=True)
    alike = [row for row in best if not whole[0].cells[row].kind.startswith(BY_TASK)] or best  # those know more
    whose = "of merges that are one model for all tasks " if len(alike) < len(best) else ""
    first = max(alike, key=lambda row: scored[row][1])
    stays = f"{whose}{words.shown(first)} is highest "
    stays += "with and without them" if first == alike[0] else f"instead of {words.shown(alike[0])}"
    low, high = (_signed(end(changes.values())) for end in (min, max))
    outcome = f"Without them scores on these corpora change by {low} to {high} points; {stays}."
    corpora = f"Corpora: {text.joined([_in_brackets(column.title) for column in whole])}."
    more = f"The {MOST} highest of {len(best)} are shown." if len(best) > MOST else ""
    figure = drawn(group, block, "without seen rows", SEEN, svg, prose.SEEN_MARKS, corpora, outcome, more, kind="seen")
    return Varied(SEEN, figure, outcome, title_of(group, block), prose.SEEN_MARKS)


def _in_brackets(title: str) -> str:
    """`dailydialog (4 % seen)` of `dailydialog, 4 % seen`, so that several can be listed."""
    corpus, _, share = title.rpartition(", ")
    return f"{corpus} ({share})"


def complete(table: Scores) -> list[str]:
    """The merges that have a score in each column."""
    merges = (row for row in table.methods if not words.yardstick(row))
    return [row for row in merges if all(row in c.cells and c.cells[row].mean is not None for c in table.columns)]


def _over(columns: Sequence[Column], row: str) -> float:
    """The mean over corpora."""
    return mean([column.cells[row].mean or 0.0 for column in columns])


def _signed(change: float) -> str:
    """`+0.1`, `0.0`: what rounds to nothing has no sign."""
    said = f"{100 * change:+.1f}"
    return "0.0" if float(said) == 0 else said


def _short(rows: Marks) -> Marks:
    """By their methods alone, where no two rows share one."""
    names = [words.method_of(row) for row in rows]
    return dict(zip(names, rows.values(), strict=True)) if len(set(names)) == len(names) else rows
