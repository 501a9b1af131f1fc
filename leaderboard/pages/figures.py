"""Which figures a group of records gives, and under what names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness.records.record import RunRecord
from leaderboard import text, words
from leaderboard.pages import prose, routes
from leaderboard.plots import curves as curve
from leaderboard.plots import heat as heats
from leaderboard.plots import pareto as costs
from leaderboard.plots.curves import curves, steps
from leaderboard.plots.heat import heat
from leaderboard.plots.pareto import Spent, pareto
from leaderboard.plots.races import Course, Race, together
from leaderboard.plots.races import races as races_of
from leaderboard.stats.interval import mean
from leaderboard.tables.ablations import usual_rows, variants
from leaderboard.tables.budgets import SameBudget, same_budget
from leaderboard.tables.cell import ANCESTOR, MEMBER, Column
from leaderboard.tables.group import Block, Group
from leaderboard.tables.rows import label
from leaderboard.tables.searches import MARKS, best_so_far, by_generation, is_named, part, searcher_of
from leaderboard.tables.table import headline, per_corpus, spent_on

SHOWS = {  # kind of a figure -> what its file is called by
    "cost": "score against time",
    "routes": "routes",
    "curves": "score by generation",
    "corpora": "score in parts",
}
BEST = "best"  # the row that heat maps are held against


class Figure(NamedTuple):
    """One picture."""

    name: str  # of its file; before files.py made one of it, in words: of what it is, and what it shows
    says: str  # what a reader sees in it
    svg: str
    caption: str = ""  # how to read it, where its names do not say
    block: Block | None = None  # of a group's figure: the column that it is of
    kind: str = ""  # of a group's figure: where it stands on the page of its model


def figures(group: Group) -> Iterator[Figure]:
    """Score against cost, development curves and a heat map for each column of scores that has what they need."""
    maps, budgets = {table.blocks[0]: table for table in per_corpus(group)}, same_budget(group)
    for block, column in zip(group.blocks(), headline(group).columns, strict=True):
        place = f"{group.key.model}, {group.called}, {column.title}, protocol {group.name}"
        of = f"{group.key.model}, {group.key.suite}, {group.name}, {column.title}"
        metric = group.said(block.question).metric

        def figure(kind: str, says: str, svg: str, caption: str, block: Block = block, of: str = of) -> Figure:
            return Figure(f"{of}, {SHOWS.get(kind, says)}", says, svg, caption, block, kind)

        short = headline(group).short  # what all rows share stands below the title
        spent = _spent(block, column, short)
        where = ", ".join([place, *map(words.option, headline(group).shared)])
        if len(spent) > 1:
            yield figure(
                "cost",
                f"{costs.TITLE}, {column.title}",
                pareto(where, spent, metric, _held(block, column)),
                costs.CAPTION,
            )
        yield from (race for table in budgets if table.block is block for race in _races(of, place, table))
        if ways := routes.ways(block):
            says = f"The routes through the models' blocks, {column.title}"
            yield figure("routes", says, routes.figure(place, ways), routes.caption(ways))
        histories = {short(row): seeds for row, seeds in _histories(block).items()}
        if histories:
            yield figure("curves", f"{curve.TITLE}, {column.title}", curves(where, histories, metric), curve.CAPTION)
        table = maps.get(block)
        if table is not None:
            scores = {c.title: {m: x.mean for m, x in c.cells.items() if x.mean is not None} for c in table.columns}
            base = BEST if scores and all(BEST in own for own in scores.values()) else ""
            title = f"Score {table.title.partition(',')[0].lower()}"  # `Score per corpus`
            svg = heat(title, table.methods, scores, place=place, base=base)
            yield figure("corpora", table.title, svg, heats.CAPTION if base else "")


def _held(block: Block, column: Column) -> dict[str, float]:
    """The best member, the ancestor, where they were asked, and the constant answer; those of one height together."""
    usual = usual_rows(block.rows)
    cells = {text.plain(words.shown(m)): column.cells.get(usual.get(m, "")) for m in (MEMBER, ANCESTOR)}
    means = {name: cell.mean for name, cell in cells.items() if cell is not None} | {words.CONSTANT: column.unread}
    together: dict[str, dict[str, float]] = defaultdict(dict)
    for name, score in means.items():
        if score is not None:
            together[text.percent(score)][name] = score
    return {text.joined(list(own)): next(iter(own.values())) for own in together.values()}


def _spent(block: Block, column: Column, short: Callable[[str], str]) -> list[Spent]:
    found = []
    for method, cell in column.cells.items():
        cost = spent_on(block.rows[method])
        if words.yardstick(method) or cell.variant or cell.mean is None or cost.merge_seconds is None:
            continue
        seconds = cost.merge_seconds + (cost.statistics_seconds or 0.0)
        found.append(Spent(short(method), seconds, cell.mean, cell.half, cost.inference_models or 1, cell.kind))
    return found


def _races(of: str, place: str, table: SameBudget) -> Iterator[Figure]:
    """The courses of all searches of one budget; one figure for each kind of number that they were told.

    Args:
        of: what they are of, for the names of files, and `place`: the same for readers.
    """
    for by in dict.fromkeys(found.by for found in table.rows.values()):
        panels = _panels(table, by)
        if by != MARKS and not panels:
            continue
        said = f"{table.budget} evaluation{'' if table.budget == 1 else 's'}" + (
            "" if by == MARKS else f", told by {by}"
        )
        says = f"Best development score so far against evaluations, of {table.budget} in all"
        logs = by == "likelihood"
        svg = races_of(f"{place}, {said}", panels, *((1, "mean log-probability so far") if logs else ()))
        yield Figure(f"{of}, searches of {said}", says, svg, prose.RACES, table.block, "searches")


def _panels(table: SameBudget, by: str) -> dict[str, dict[str, Race]]:
    """One for whatever was searched the same of, of those searches that were told this."""
    panels: dict[str, dict[str, Race]] = {}
    for title, rows in table.panels.items():
        own = {row: _courses(table.block.rows[row]) for row in rows if table.rows[row].by == by}
        panels[title] = {_short(table.block.rows[row][0]): race for row, race in own.items() if race}
    return {title: races for title, races in panels.items() if races}


def _short(record: RunRecord) -> str:
    """What searched, and what it was given itself: `cma sigma=0.1`; of a search with a name of its own, that."""
    if is_named(record):
        return label(record.method, {knob: value for knob, value in record.knobs.items() if knob != "budget"})
    knobs = part(part(part(part(record.recipe, "method"), "knobs"), "optimiser"), "knobs")
    return label(searcher_of(record), {k: v for k, v in record.knobs.items() if k in knobs})


def _courses(records: Iterable[RunRecord]) -> Race:
    """The course of each seed, averaged over the seed's populations."""
    found: dict[int, list[Course]] = defaultdict(list)
    for record in records:
        if course := best_so_far(record):
            found[record.seed].append(course)
    return [together(found[seed], mean) for seed in sorted(found)]


def _histories(block: Block) -> dict[str, list[list[float]]]:
    """Row -> seed -> development score per generation, averaged over the seed's populations. Of a method whose rows
    one stands for, as points of an ablation have one, that alone."""
    usual, points = usual_rows(block.rows), variants(block.rows)
    found: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for row, record in ((row, record) for row, own in block.rows.items() for record in own):
        if history := by_generation(record):
            found[row][record.seed].append(history)
    return {
        row: [[mean(step) for step in steps(found[row][seed])] for seed in sorted(found[row])]
        for row, own in block.rows.items()
        if row in found and not points.get(row) and usual.get(own[0].method, row) == row
    }
