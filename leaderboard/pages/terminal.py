"""Tables for a terminal: `*` is the best merge of its kind, `≈` cannot be told from it, of `?` nothing is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tabulate import tabulate

from harness.records.diagnosis import OF_LAYERS, Diagnosis
from leaderboard import text, words
from leaderboard.claims.claims import Claim, Finding, verdict
from leaderboard.pages import grids
from leaderboard.tables.budgets import same_budget
from leaderboard.tables.cell import Cell
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group
from leaderboard.tables.table import ablations, asked, certainty, costs, headline, unseen
from leaderboard.tables.tuned import calibration, default_and_tuned
from leaderboard.verdict.answer import SCOPE, answer
from leaderboard.verdict.basis import basis_of


def tables(found: Iterable[Group]) -> str:
    """Scores, differences and costs of each group."""
    parts = []
    for group in found:
        questions = "; ".join(asked(group, question) for question in group.questions())
        heading = f"{text.plain(group.key.model)}: {text.plain(group.heading)}\n{text.plain(questions)}"
        parts.append(table(heading, grids.scores(headline(group), starred, name)) if group.blocks() else heading)
        beside = elsewhere(group)
        parts += [table(beside.title, grids.scores(beside, starred, name))] if beside else []
        parts += [table(text.plain(t.title), grids.certainty(t, name)) for t in certainty(group)]
        parts += [table(text.plain(t.title), grids.ablations(t, starred, name)) for t in ablations(group)]
        for both in default_and_tuned(group):
            parts.append(table(text.plain(both.title), grids.tuned(both, starred, name)))
        for control in calibration(group):
            parts.append(table(text.plain(control.title), grids.calibration(control, starred, name)))
        for equal in same_budget(group):
            parts.append(table(text.plain(equal.title), grids.same_budget(equal, starred, name, wide=False)))
        parts += [table(text.plain(t.title), grids.scores(t, starred, name)) for t in unseen(group)]
        spent = costs(group)
        parts.append(table(text.plain(spent.title), grids.costs(spent, name)))
    return "\n".join(parts)


def answers(found: Iterable[Group], session: Collection[str]) -> str:
    """What to keep, for each column that has a record of this session, by its seeds, and on what evidence; "" where no
    merge was run."""
    parts, told = [], []
    for group in found:
        for column, block in zip(headline(group).columns, group.blocks(), strict=True):
            seeds = {record.seed for record in block.records if record.path.as_posix() in session}
            own = block.of_seeds(seeds)
            if said := answer(group, own) if seeds else ():
                title = f"{group.key.model}: {group.called}, {column.title}"
                parts.append("\n".join([text.plain(title), *(f"  {text.plain(sentence)}" for sentence in said)]))
                told.append((group, own))
    basis, made_up = basis_of(told), any(group.synthetic for group, _ in told)
    rests = [text.plain(basis.of_real if made_up else basis.said)] if basis else []
    return "\n".join([*parts, *rests, SCOPE]) if parts else ""


def diagnoses(seen: Sequence[Diagnosis]) -> str:
    """What was said of the session's populations before they were merged, and of the largest one layer by layer."""
    largest = max(seen, key=lambda d: len(d.members))
    rows = [[group, *(f"{100 * own[n]:.1f}" for n in OF_LAYERS)] for group, own in largest.layers.items()]
    title = f"{largest.model}, {'+'.join(largest.members)}, seed {largest.seed}: layer by layer, times 100"
    whole = table("Distances, cosines and shares times 100", grids.diagnoses(seen, name))
    return f"{whole}\n{table(text.plain(title), (['layers', *OF_LAYERS], rows))}"


def claim(asked_for: Claim, found: Sequence[Finding]) -> str:
    """What the paper says and its number, the verdict over all real models, and where we looked."""
    heading = f"{text.plain(asked_for.says)}: {verdict(found)}; the paper: {asked_for.number or 'no numbers'}"
    return table(heading, grids.findings(list(found), name)) if found else f"{heading}\n"


def table(title: str, grid: grids.Grid) -> str:
    """A grid below its title."""
    headers, rows = grid
    return f"{title}\n{tabulate(rows, [text.plain(h) for h in headers], disable_numparse=True)}\n"


def name(row: str) -> str:
    """A row as readers know it."""
    return text.plain(words.shown(row))


def starred(cell: Cell | None) -> str:
    """A score and how it stands to the best merge of its kind."""
    return text.score(cell) + (" *" if cell is not None and cell.mark == "best" else text.mark(cell))
