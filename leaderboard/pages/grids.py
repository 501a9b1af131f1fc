"""Tables as headers and rows of text, for Markdown, a terminal and the site alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.records.diagnosis import Diagnosis
from leaderboard import text, words
from leaderboard.claims.claims import Finding
from leaderboard.stats.difference import Told
from leaderboard.tables.budgets import SameBudget
from leaderboard.tables.cell import Cell
from leaderboard.tables.diagnoses import Link
from leaderboard.tables.overall import Overall
from leaderboard.tables.table import Ablations, Cost, Costs, Scores
from leaderboard.tables.tuned import Calibration, DefaultAndTuned

TUNED = "tuned by"
BEST = "minus best merge"
THE_BEST = "best of its kind"
BASE = "minus base method"
MEMBER, ANCESTOR = "minus best member", "minus ancestor"
SECONDS, STATISTICS, CALLS, MEMORY, MODELS = (  # what a merge cost, in the words of every table
    "seconds to merge",
    "seconds for statistics",
    "scores on development rows",
    "peak memory, MiB",
    "models at inference",
)
Grid = tuple[list[str], list[list[str]]]  # headers, rows
Name = Callable[[str], str]


def scores(table: Scores, show: Callable[[Cell | None], str], name: Name) -> Grid:
    """A column of the paper's numbers follows each column for which it has any; a column before all says how much was
    tuned on development rows, where some row was."""
    tuned = [table.tuned(m) for m in table.methods]
    names = [name(_untold(table.short(m), told)) for m, told in zip(table.methods, tuned, strict=True)]
    headers, columns = [_method(table)], [names]
    if any(tuned):
        headers.append(TUNED)
        columns.append(tuned)
    for column, head in zip(table.columns, table.heads, strict=True):
        headers.append(head)
        columns.append([show(column.cells.get(m)) for m in table.methods])
        numbers = {m: cell.paper for m, cell in column.cells.items()}
        if any(numbers.values()):
            headers.append("paper")
            columns.append([text.paper(numbers.get(m), m) for m in table.methods])
    rows = [list(row) for row in zip(*columns, strict=True)]
    found = {head: column.unread for column, head in zip(table.columns, table.heads, strict=True)}
    if any(value is not None for value in found.values()):
        shown = [text.percent(found[h]) if h in found else "" for h in headers[1:]]
        rows.insert(sum(map(words.yardstick, table.methods)), [name(words.CONSTANT), *shown])
    return headers, rows


def _method(table: Scores) -> str:
    """The head of the rows' names, with what all of them share that could have it otherwise."""
    return ", ".join(["method", *map(words.option, table.shared)])


def _untold(row: str, tuned: str) -> str:
    """A row's name without what the column beside it says."""
    for option in row.split()[1:]:
        row = row.replace(f" {option}", "") if words.option(option) in tuned.split(", ") else row
    return row


def certainty(table: Scores, name: Name) -> Grid:
    """One column of scores, read across: the distance to the best member and the ancestor, where they were asked, to
    the best merge and to the base method, and the share of the members' own scores."""
    (column,) = table.columns
    further = [(MEMBER, [column.cells[m].to_member for m in table.methods])]
    further += [(ANCESTOR, [column.cells[m].to_ancestor for m in table.methods])]
    asked = [(title, told) for title, told in further if any(told)]
    rows = []
    for place, method in enumerate(table.methods):
        cell = column.cells[method]
        best = THE_BEST if cell.mark == "best" else text.difference(cell.to_best)
        beside = [text.difference(told[place]) for _, told in asked]
        rows.append(
            [name(table.short(method)), *beside, best, text.difference(cell.to_base), text.share(cell.recovery)]
        )
    return [_method(table), *(title for title, _ in asked), BEST, BASE, "recovery"], rows


def ablations(table: Ablations, show: Callable[[Cell | None], str], name: Name) -> Grid:
    """Each method as it is, and below it what other options make of it."""
    rows = [[name(row), cell.kind, show(cell), *_verdict(cell.to_default)] for row, cell in table.rows.items()]
    return ["method", TUNED, "score", "minus the same without these options", "verdict"], rows


def tuned(table: DefaultAndTuned, show: Callable[[Cell | None], str], name: Name) -> Grid:
    """Each method at its defaults and tuned, and what tuning gains."""
    rows = [
        [
            name(p.row),
            show(p.default),
            name(p.tuned_row) or text.GAP,
            tuned_by(p.tuned),
            show(p.tuned),
            *_verdict(p.gain),
        ]
        for p in table.pairs
    ]
    return ["method", "default", "tuned row", TUNED, "tuned", "tuned minus default", "verdict"], rows


def tuned_by(cell: Cell | None) -> str:
    """`12 evaluations`."""
    return text.GAP if cell is None else cell.kind


def calibration(table: Calibration, show: Callable[[Cell | None], str], name: Name) -> Grid:
    """What calibration alone gains, and what is left of what tuning gains."""
    rows = [
        [
            *(name(c.row), show(c.plain), show(c.calibrated), *_verdict(c.gain), name(c.tuned_row) or text.GAP),
            *(text.difference(c.tuned_gain), *_verdict(c.beyond), text.share(c.share)),
        ]
        for c in table.rows
    ]
    head = ["method", "score", "calibrated", "calibration gains", "verdict", "beside", "tuning gains"]
    return [*head, "tuned minus calibrated", "verdict", "share that is calibration"], rows


def _verdict(told: Told | None) -> list[str]:
    """A difference, and whether it is more than chance."""
    return [text.difference(told), "" if told is None else told.verdict]


def same_budget(table: SameBudget, show: Callable[[Cell | None], str], name: Name, wide: bool = True) -> Grid:
    """What searches of one budget found beside what it is worth; what they spent too, where there is room."""
    headers = ["method", "best seen", "kept apart", "exam", "best seen - exam", "by luck", "minus random"]
    likely = any(found.likelihood is not None for found in table.rows.values())
    spent = ["evaluations", "rows scored", "forward passes", "variables", "budget / variables"]
    rows = []
    for method, found in table.rows.items():
        scores = [text.percent(found.best), text.percent(found.apart), show(found.exam)]
        worth = [text.percent(found.gap), text.percent(found.luck), text.difference(found.to_random)]
        each = table.budget / found.variables if found.variables else None
        counts = [found.evaluations, found.items, found.forwards, found.variables]
        used = [*(text.count(n) for n in counts), text.amount(each, 1)] if wide else []
        right = [text.amount(found.likelihood, 3)] if likely else []
        rows.append([name(method), *used, *scores, *worth, *right])
    return [headers[0], *(spent if wide else []), *headers[1:], *(["likelihood"] if likely else [])], rows


def costs(table: Costs, name: Name) -> Grid:
    """Medians of what each method spent; what must be kept of it, and known to ask it, where some record says."""
    tasks = any(cost.tasks is not None for cost in table.rows.values())
    learned = any(cost.unlabelled_rows is not None for cost in table.rows.values())
    stored = any(cost.stored_parameters is not None for cost in table.rows.values())
    rows = [
        [
            name(method),
            text.amount(cost.merge_seconds, 2),
            text.amount(cost.statistics_seconds, 2),
            text.amount(cost.dev_calls, 0),
            text.amount(None if cost.peak_bytes is None else cost.peak_bytes / 2**20, 0),
            text.times(cost.inference_models),
            *([text.count(cost.stored_parameters)] if stored else []),
            *([_known(cost)] if tasks else []),
            *([text.count(cost.unlabelled_rows)] if learned else []),
        ]
        for method, cost in table.rows.items()
    ]
    headers = ["method", SECONDS, STATISTICS, CALLS, MEMORY, MODELS]
    further = {"parameters stored": stored, "must be known": tasks, "rows learned from": learned}
    return [*headers, *(title for title, there in further.items() if there)], rows


def _known(cost: Cost) -> str:
    """What who asks must know of a row."""
    return "" if cost.tasks is None else f"which of {text.count(cost.tasks)} tasks"


def ranks(overall: Overall, name: Name) -> Grid:
    """Mean ranks, best first; below them who has none yet."""
    rows = [[name(method), f"{rank:.2f}"] for method, rank in overall.ranking.ranks.items()]
    return ["method", "mean rank"], rows + [[name(method), text.GAP] for method in overall.waiting]


def findings(found: list[Finding], name: Name) -> Grid:
    """One row for each place where a claim was asked."""
    rows = [
        [
            *(name(f.place), f.verdict if f.asked else "not asked"),
            text.difference(f.difference.told() if f.difference else None) or name(f.reason),
            _sets(f),
            f.kinds or text.GAP,
        ]
        for f in found
    ]
    head = ["where we looked", "verdict, taken alone", "our difference", "sets of members", "rows that were compared"]
    return head, rows


def _sets(found: Finding) -> str:
    """How many sets of members a difference rests on."""
    known = None if found.difference is None else found.difference.by_replicate
    return text.GAP if known is None else str(len(known))


def diagnoses(seen: Sequence[Diagnosis], name: Name) -> Grid:
    """One row for a population; distances and shares times 100."""
    headers = ["population", "seed", "distance", "cosine", "conflict", "cancelled", "rank", "gap"]
    rows = []
    for d in seen:
        heads = f" ({d.heads} heads)" if d.heads in ("diff", "own") else ""
        shares = [f"{100 * x:.1f}" for x in (d.distance, d.cosine, d.conflict, d.cancelled, d.rank)]
        gap = text.GAP if d.gap is None else f"{100 * d.gap:.1f}"
        rows.append([name(f"{d.suite}: {'+'.join(d.members)}{heads}"), str(d.seed), *shares, gap])
    return headers, rows


def links(found: Sequence[Link], name: Name) -> Grid:
    """One row for a sign and a method; a correlation of too few populations has no interval."""
    rows = []
    for link in found:
        rho = text.GAP if link.rho is None else f"{link.rho:+.2f}"
        between = text.GAP if (link.low, link.high) == (-1, 1) else f"[{link.low:+.2f}, {link.high:+.2f}]"
        rows.append([name(link.method), link.sign, str(link.populations), rho, between, link.says])
    return ["gain of", "against", "populations", "correlation", "interval", "so"], rows
