"""What the README and the site's home show: what to use, score against time, and the README also a table of scores."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from leaderboard import links, text, words
from leaderboard.pages import grids, markdown, prose, verdict
from leaderboard.places import page_of, stems
from leaderboard.plots import pareto as costs
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import ANCESTOR, MEMBER, Cell, seeds_of, unread_of
from leaderboard.tables.group import Group, by_model
from leaderboard.tables.kinds import BY_TASK
from leaderboard.tables.order import by_score
from leaderboard.tables.searches import inner_of
from leaderboard.tables.table import asked, headline, seeds_in_words
from leaderboard.tables.written import all_or_nothing

ELSEWHERE = "[all pages](docs/leaderboard.md)"
MOST = 3  # merges at their defaults, and as many that were tuned; a README is read at one go
AGAINST = (MEMBER, "domain_specific", ANCESTOR)  # the yardsticks that one asks about first
RARE = "that no more than half of these models were asked about"
_PICTURE = re.compile(
    rf"^!\[(?P<says>{re.escape(costs.TITLE)}[^\]\n]*)\]\((?P<file>[^)\s]+)\)\n\n(?P<caption>(?:[^\n]+\n)*)", re.M
)
NAME = markdown.linked(f"docs/{links.FOLDER}")


def home(found: list[Group]) -> str:
    """The advice alone, with links from within docs/."""
    return verdict.shortly(found, markdown.linked(links.FOLDER.as_posix()))


def block(found: list[Group]) -> str:
    """The advice, and a table."""
    return f"{verdict.shortly(found, NAME)}\n{_table(found)}"


def picture(found: list[Group], files: Mapping[PurePosixPath, str], folder: str) -> str:
    """The figure of score against time that stands first on a real model's page, with its caption; "" where none does.

    Args:
        files: every published file, by its path below docs/.
        folder: that of the models' pages, from where the picture is shown.
    """
    stem = stems(group.key.model for group in found)
    for model in by_model([group for group in found if not group.synthetic]):
        shown = _PICTURE.search(files.get(page_of(stem[model]), ""))
        if shown:
            return f"\n![{shown['says']}: {text.escaped(model)}]({folder}/{shown['file']})\n\n{shown['caption']}"
    return ""


def _table(found: list[Group]) -> str:
    """Scores of the question that most models were asked first, a column for each; a row for each method that more than
    half of these models were asked. Made-up models are shown where there are no others."""
    aiming = [group for group in found if group.blocks()]
    aiming = [group for group in aiming if not group.synthetic] or aiming
    first = Counter(ask for own in by_model(aiming).values() for ask in dict.fromkeys(map(_first, own)))
    wanted = first.most_common(1)[0][0] if first else None
    leading = _leading(by_model([group for group in aiming if _first(group) == wanted]))
    if not leading:
        return prose.NOTHING
    columns = {model: _by_method(group) for model, group in leading.items()}
    inner = {r.method: inner_of(r) for group in leading.values() for r in group.records}
    asked_of = Counter(m for cells in columns.values() for m in cells)
    shared = [m for m, models in asked_of.items() if 2 * models > len(columns)]  # or it would be a column of dashes
    known = sorted(shared or asked_of, key=lambda m: words.method_rank(m, inner[m]))
    methods = by_score(_foremost(known, list(columns.values())), list(columns.values()))
    kinds = {m: dict.fromkeys(cells[m].kind for cells in columns.values() if m in cells) for m in methods}
    tuned = {m: [" or ".join(own)] if any(map(any, kinds.values())) else [] for m, own in kinds.items()}
    rows = [[NAME(m), *tuned[m], *(markdown.score(cells.get(m)) for cells in columns.values())] for m in methods]
    if any(floors := [unread_of(cells.values()) for cells in columns.values()]):
        empty = [""] if any(tuned.values()) else []
        shown = [NAME(words.CONSTANT), *empty, *map(text.percent, floors)]
        rows.insert(sum(map(words.yardstick, methods)), shown)
    lines = [f"- {text.escaped(ask)}: {text.escaped('; '.join(of))}" for ask, of in _evidence(leading).items()]
    if left := sum(not words.yardstick(m) for m in asked_of.keys() - {*methods}):
        hidden = [m for m, cells in columns.items() if any(cells[k].mark == "best" for k in cells.keys() - {*methods})]
        best = f"; of {text.escaped(text.joined(hidden))} a best merge is among them" if hidden else ""
        more = f"{left} more method{'' if left == 1 else 's'}"
        hides = any(not words.yardstick(m) for m in {*known} - {*methods})
        lower = [f"that rank{'s' if left == 1 else ''} lower on average"] if hides else []
        rare = [RARE] if len(known) < len(asked_of) else []
        lines.append(f"- {more}, {' or '.join([*lower, *rare])}{best}: {ELSEWHERE}")
    one = next(iter(leading.values()))
    told = one.said(one.questions()[0])
    metric = "share of right answers" if all_or_nothing(one.blocks()[0].records) else told.metric
    below = prose.BELOW_BLOCK.format(what=text.escaped(f"{told.title[:1].upper()}{told.title[1:]} {metric}"))
    head = ["method", *([grids.TUNED] if any(tuned.values()) else []), *columns]
    return "\n".join([markdown.table((head, rows)), below, *lines]) + "\n"


def _foremost(methods: Sequence[str], columns: Sequence[Mapping[str, Cell]]) -> list[str]:
    """What merges are held against, and of merges at their defaults and of tuned ones those that rank best on average
    over models."""
    merges = [m for m in methods if not words.yardstick(m)]
    tuned = {m for m in merges if any(cells[m].kind for cells in columns if m in cells)}
    merges = [m for m in merges if all(BY_TASK not in cells[m].kind for cells in columns if m in cells)]
    shown = {m for m in methods if m in AGAINST}
    for like in ([m for m in merges if m not in tuned], [m for m in merges if m in tuned]):
        shown.update(sorted(like, key=lambda m: sum(_place(m, like, cells) for cells in columns))[:MOST])
    return [m for m in methods if m in shown] or list(methods)  # a store may hold other yardsticks alone


def _place(method: str, like: Sequence[str], cells: Mapping[str, Cell]) -> float:
    """The rank of a merge in one column, of equals the mean one; a gap is behind all that have a score."""

    def mean(m: str) -> float:
        score = cells[m].mean if m in cells else None
        return -math.inf if score is None else score

    above, alike = (sum(known(mean(m)) for m in like) for known in (mean(method).__lt__, mean(method).__eq__))
    return above + (alike + 1) / 2


def _leading(groups_of: Mapping[str, list[Group]]) -> dict[str, Group]:
    """Of each model's groups the one with most of the methods that more than half of the models were asked; the first
    of equals."""
    cells = {model: [_by_method(group).keys() for group in own] for model, own in groups_of.items()}
    asked_of = Counter(method for own in cells.values() for method in set().union(*own))
    shared = {method for method, models in asked_of.items() if 2 * models > len(cells)}
    counts = {model: [len(shared & methods) for methods in own] for model, own in cells.items()}
    return {model: own[counts[model].index(max(counts[model]))] for model, own in groups_of.items()}


def _evidence(leading: Mapping[str, Group]) -> Mapping[str, list[str]]:
    """What was asked -> of whom: `Emotion, protocol quick, in-domain, 3 of 5` -> `roberta-base, 3 seeds: 1-3`."""
    found: dict[str, list[str]] = {}
    for model, group in leading.items():
        seeds = seeds_in_words(seeds_of(group.blocks()[0].records))
        found.setdefault(f"{group.heading}, {asked(group, group.questions()[0])}", []).append(f"{model}, {seeds}")
    return found


def _first(group: Group) -> tuple[str, str]:
    """The suite and the setting that a group's first column answers."""
    return group.key.suite, group.questions()[0].setting


def _by_method(group: Group) -> Mapping[str, Cell]:
    """The cells of a group's first column, of each method that row which stands for it."""
    cells = headline(group).columns[0].cells
    return {method: cells[row] for method, row in usual_rows(group.blocks()[0].rows).items()}
