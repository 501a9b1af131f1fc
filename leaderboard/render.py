"""Tables to text: Markdown for the page and the README, plain tables for a terminal. Same records, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tabulate import tabulate

from harness.record import RunRecord
from leaderboard import captions, text, words
from leaderboard.cell import Cell
from leaderboard.group import Group, groups, question_of
from leaderboard.table import Costs, Scores, asked, costs, headline, per_corpus

Grid = tuple[list[str], list[list[str]]]  # headers, rows

HOW_TO_READ = """\
# Leaderboard

Written by `python -m leaderboard publish`; do not edit.

## How to read

- A number is the mean score times 100 over seeds, ± half of its 95 % interval (Student's t over seeds). `(n=1)` is one
  seed: nothing is known about its spread.
- **Bold** is the best merged model of a column. `≈` marks those that cannot be told from it: the 95 % interval of the
  paired difference per seed contains 0. Rows in *italics* are yardsticks and do not compete.
- `—` is a gap. `— (2 of 3)` says that answers which other methods of the column have are missing; what is there is not
  averaged.
- A table holds one model, one suite and one protocol; a column holds one setting over the same corpora, "3 of 5" if
  some were not at hand. Nothing is averaged or compared across columns or tables.
- *paper* is the number of the Evolver paper (arXiv:2406.12208). † and ‡ are explained in the notes.
- Costs are medians over seeds. Seconds depend on the machine.
"""

NOTES = """\
## Notes

- † The paper's number is doubtful: it contradicts another of its numbers, or its column had to be inferred.
- ‡ The paper's row "Evolver" stands beside `simple_evolver`, which judges the mean of the whole population, as the
  authors' code does. `evolver`, as the text describes it, returns the best individual; several published cells lie
  below the best member, which that variant cannot explain.
- Where the paper prints one number for both head initialisations, it stands beside the same-heads column only.
- The paper's numbers are over all corpora and under its own protocol. Beside fewer corpora, or another protocol, they
  are for orientation only.
"""

BELOW_BLOCK = "In-domain macro-F1 x 100; [how to read it, and everything else](docs/leaderboard.md).\n"

SYNTHETIC = "A tiny model on generated text: it shows that the whole system runs and says nothing about real models.\n"


def page(records: Iterable[RunRecord]) -> str:
    """docs/leaderboard.md."""
    parts = [HOW_TO_READ]
    found = groups(records)
    for model in sorted({g.key.model for g in found}, key=words.model_rank):
        parts.append(f"## {text.escaped(model)}{' (synthetic world)' if words.synthetic(model) else ''}\n")
        if words.synthetic(model):
            parts.append(SYNTHETIC)
        parts += [section(group) for group in found if group.key.model == model]
    if not found:
        parts.append("No results yet.\n")
    return "\n".join([*parts, NOTES])


def section(group: Group) -> str:
    """All tables of one group in Markdown."""
    parts = [f"### {text.escaped(_heading(group))}\n"]
    for scores in (headline(group), *per_corpus(group)):
        parts += [
            f"**{text.escaped(scores.title)}**\n",
            _markdown(score_grid(scores, _bold, _row_name)),
            _caption(group, scores),
        ]
    spent = costs(group)
    parts += [f"**{text.escaped(spent.title)}**\n", _markdown(cost_grid(spent, _row_name))]
    return "\n".join(parts)


def block(records: Iterable[RunRecord]) -> str:
    """The README's table: in-domain scores, a column for each model, from its leading group."""
    leading: dict[str, Group] = {}
    for group in groups(records):
        if group.questions()[0].setting == "in_domain":
            leading.setdefault(group.key.model, group)
    if not leading:
        return "No results yet.\n"
    columns = {model: headline(group).columns[0] for model, group in leading.items()}
    methods = sorted({m for column in columns.values() for m in column.cells}, key=words.method_rank)
    rows = [[_row_name(m), *(_bold(column.cells.get(m)) for column in columns.values())] for m in methods]
    asks = {model: f"{_heading(group)}, {asked(group.questions()[0])}" for model, group in leading.items()}
    lines = [f"- {text.escaped(model)}: {text.escaped(ask)}" for model, ask in asks.items()]
    return "\n".join([_markdown((["method", *columns], rows)), BELOW_BLOCK, *lines]) + "\n"


def terminal(found: Iterable[Group]) -> str:
    """Score and cost tables for a terminal; `*` is the best, `≈` cannot be told from it."""
    parts = []
    for group in found:
        questions = "; ".join(map(asked, group.questions()))
        head = f"{text.plain(group.key.model)}: {text.plain(_heading(group))}\n{text.plain(questions)}"
        spent = costs(group)
        for title, grid in (
            (head, score_grid(headline(group), _starred, text.plain)),
            (text.plain(spent.title), cost_grid(spent, text.plain)),
        ):
            headers, rows = grid
            parts.append(f"{title}\n{tabulate(rows, [text.plain(h) for h in headers], disable_numparse=True)}\n")
    return "\n".join(parts)


def score_grid(scores: Scores, show: Callable[[Cell | None], str], name: Callable[[str], str]) -> Grid:
    """Headers and rows; a column of the paper's numbers follows each column for which it has any."""
    headers, columns = ["method"], [[name(m) for m in scores.methods]]
    for column in scores.columns:
        headers.append(column.title)
        columns.append([show(column.cells.get(m)) for m in scores.methods])
        numbers = {m: cell.paper for m, cell in column.cells.items()}
        if any(numbers.values()):
            headers.append("paper")
            columns.append([text.paper(numbers.get(m), m) for m in scores.methods])
    return headers, [list(row) for row in zip(*columns, strict=True)]


def cost_grid(spent: Costs, name: Callable[[str], str]) -> Grid:
    """Headers and rows of the costs."""
    rows = [
        [
            name(method),
            text.amount(cost.merge_seconds, 2),
            text.amount(cost.statistics_seconds, 2),
            text.amount(cost.dev_calls, 0),
            text.amount(None if cost.peak_bytes is None else cost.peak_bytes / 2**20, 0),
            text.amount(cost.inference_models, 0),
        ]
        for method, cost in spent.rows.items()
    ]
    return ["method", "merge s", "statistics s", "dev calls", "peak MiB", "models at inference"], rows


def _heading(group: Group) -> str:
    return f"{group.key.suite}, protocol {group.key.protocol} ({group.key.digest})"


def _caption(group: Group, scores: Scores) -> str:
    """What the settings ask, and how to get the table again."""
    records = [r for r in group.records if question_of(r) in scores.questions]
    asks = []
    for question in scores.questions:
        corpora = sorted({corpus for r in records if question_of(r) == question for corpus in r.scores})
        names = text.escaped(text.listed(corpora, 12)) or "not named"
        asks.append(f"- {text.escaped(asked(question))}: {captions.caption(question.setting)} Examined: {names}.")
    made = [
        f"Protocol: {group.key.protocol} ({group.key.digest})",
        f"seeds: {text.listed([str(s) for s in scores.seeds], 12)}",
        f"command: {text.listed(_of_environment(records, 'command')) or 'not recorded'}",
        f"commit: {text.listed([c[:12] for c in _of_environment(records, 'commit')]) or 'not recorded'}",
    ]
    return "\n".join([*asks, f"- {text.escaped('; '.join(made))}"]) + "\n"


def _of_environment(records: Iterable[RunRecord], name: str) -> list[str]:
    return sorted({str(r.environment[name]) for r in records if r.environment.get(name)})


def _markdown(grid: Grid) -> str:
    """A GitHub-flavoured table; rows are safe already, headers are made safe here."""
    headers, rows = grid
    lines = [_row([text.escaped(h) for h in headers]), _row(["---", *("---:" for _ in headers[1:])])]
    return "\n".join([*lines, *map(_row, rows)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _row_name(method: str) -> str:
    name = text.escaped(method)
    return f"*{name}*" if method in words.REFERENCES else name


def _bold(cell: Cell | None) -> str:
    shown = text.score(cell)
    if cell is None or not cell.mark:
        return shown
    return f"**{shown}**" if cell.mark == "best" else f"{shown} ≈"


def _starred(cell: Cell | None) -> str:
    mark = "" if cell is None else {"best": " *", "tied": " ≈"}.get(cell.mark, "")
    return text.score(cell) + mark
