"""The table of everything as HTML. Whatever stands in a record is escaped in one place: `escaped`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from leaderboard import links, text, words
from leaderboard.pages import grids
from leaderboard.pages.grids import BASE, BEST, THE_BEST, TUNED
from leaderboard.site.rows import Row, page_of
from leaderboard.stats.difference import Told
from leaderboard.tables.searches import searcher_of

TABLE = ("model", "suite", "protocol", "setting")  # they tell a row's table: rows of two may not be compared
FILTERS = (*TABLE, "method", "searched by", "architecture")


class _Column(NamedTuple):
    title: str
    show: Callable[[Row], str]  # text, not yet escaped
    value: Callable[[Row], float | None] | None = None  # what a column of numbers is sorted by


COLUMNS = (
    _Column("method", lambda r: words.shown(r.method)),
    _Column("score", lambda r: text.score(r.cell), lambda r: r.cell.mean),
    _Column("model", lambda r: r.group.key.model),
    _Column("setting", lambda r: r.title),
    _Column("recovery", lambda r: text.share(r.cell.recovery), lambda r: r.cell.recovery),
    _Column(BEST, lambda r: to_best(r), lambda r: _mean(r.cell.to_best) if not r.best else 0.0),
    _Column(BASE, lambda r: text.difference(r.cell.to_base), lambda r: _mean(r.cell.to_base)),
    _Column(grids.MEMBER, lambda r: text.difference(r.cell.to_member), lambda r: _mean(r.cell.to_member)),
    _Column(grids.ANCESTOR, lambda r: text.difference(r.cell.to_ancestor), lambda r: _mean(r.cell.to_ancestor)),
    _Column(grids.SECONDS, lambda r: text.amount(r.cost.merge_seconds, 2), lambda r: r.cost.merge_seconds),
    _Column(
        grids.STATISTICS,
        lambda r: text.amount(r.cost.statistics_seconds, 2),
        lambda r: r.cost.statistics_seconds,
    ),
    _Column(grids.CALLS, lambda r: text.amount(r.cost.dev_calls, 0), lambda r: r.cost.dev_calls),
    _Column(grids.MEMORY, lambda r: text.amount(_mebibytes(r), 0), lambda r: _mebibytes(r)),
    _Column(
        grids.MODELS,
        lambda r: text.run_at_inference(r.cost.inference_models, r.cost.tasks),
        lambda r: r.cost.inference_models,
    ),
    _Column(TUNED, lambda r: r.cell.kind or text.GAP),
    _Column("searched by", lambda r: searcher_of(r.records[0]) or text.GAP),
    _Column("suite", lambda r: r.group.key.suite),
    _Column("architecture", lambda r: r.architecture),
    _Column("protocol", lambda r: r.group.name),
)


def scrolled(content: str) -> str:
    """Each table that Markdown made in a box that scrolls by itself, by mouse and keyboard, without scripts too."""
    box = '<div class="wide" role="group" aria-label="Table" tabindex="0"><table class="sheet">'
    return content.replace("<table>", box).replace("</table>", "</table></div>")


def lazy(content: str) -> str:
    """Each figure but the first is fetched when a reader comes near it: a page has dozens, most of them folded."""
    first, image, rest = content.partition("<img ")
    return first + image + rest.replace("<img ", '<img loading="lazy" decoding="async" ')


def explorer(rows: Sequence[Row]) -> str:
    """The table of everything; explore.js makes it sortable and filterable, without it the table is still whole."""
    head = "".join(f'<th scope="col" data-kind="{_kind(c)}">{escaped(c.title)}</th>' for c in COLUMNS)
    body = "\n".join(map(_explored, rows))
    return (
        f'<div class="explore" data-filters="{",".join(FILTERS)}" data-table="{",".join(TABLE)}">\n'
        '<div class="explore-table" role="region" aria-label="All results" tabindex="0">\n'
        f'<table class="explore-rows"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n</div></div>'
    )


def _explored(row: Row) -> str:
    cells = []
    for column in COLUMNS:
        shown = escaped(column.show(row))
        if column.title == "method":
            shown = about(row.method, "", f' title="{shown}"')
        if column.title == "score":
            if row.cell.mark:
                shown = f"<strong>{shown}</strong>" if row.best else shown + text.mark(row.cell)
            shown = f'<a href="runs/{address(page_of(row.group))}.html#{address(row.anchor)}">{shown}</a>'
        value = column.value(row) if column.value else None
        kind = ' class="number"' if column.value else ""
        data = "" if value is None else f' data-value="{value:.8g}"'
        cells.append(f"<td{kind}{data}>{shown}</td>")
    row_kind = ' class="yardstick"' if words.yardstick(row.method) else ""
    return f"<tr{row_kind}>{''.join(cells)}</tr>"


def about(method: str, up: str, told: str = "") -> str:
    """A method's name as a link to its page, below `up`; a plug-in's has none."""
    page, _, heading = links.page_of(method).partition("#")
    if not page:
        return escaped(words.shown(method))
    name = "index" if page == links.INDEX.name else page.removesuffix(".md")
    place = f"{up}{links.FOLDER}/{address(name)}.html{'#' if heading else ''}{heading}"
    return f'<a{told} href="{place}">{escaped(words.shown(method))}</a>'


def to_best(row: Row) -> str:
    return THE_BEST if row.best else text.difference(row.cell.to_best)


def _mean(difference: Told | None) -> float | None:
    return None if difference is None else difference.mean


def _mebibytes(row: Row) -> float | None:
    return None if row.cost.peak_bytes is None else row.cost.peak_bytes / 2**20


def _kind(column: _Column) -> str:
    return "number" if column.value else "text"


def escaped(words_: str) -> str:
    return escape(text.plain(words_))


def address(path: str) -> str:
    return quote(path)
