"""The published pages as text. Same records, same bytes.

leaderboard.md              how to read, the headline tables, who ranks best, notes
leaderboard/<model>.md      everything about one model, with figures
leaderboard/figures/*.svg   the figures, those of the claims among them
claims.md                   what papers say and what these records say
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from harness.records.diagnosis import Diagnosis
from harness.records.record import slug
from harness.records.terrain import Terrain
from leaderboard import links, text
from leaderboard.claims.claims import findings
from leaderboard.pages import claims, grids, markdown, prose, ranking, verdict
from leaderboard.pages.budgets import budgets
from leaderboard.pages.captions import caption
from leaderboard.pages.diagnoses import Diagnosed
from leaderboard.pages.figures import Figure, figures
from leaderboard.pages.grids import Name
from leaderboard.pages.tuned import tuned
from leaderboard.plots.landscape import landscape
from leaderboard.tables.budgets import same_budget
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group, by_model
from leaderboard.tables.table import Scores, certainty, costs, headline, per_corpus, unseen
from leaderboard.tables.tuned import calibration, default_and_tuned
from leaderboard.verdict.answer import answer
from leaderboard.verdict.tally import beside

INDEX, CLAIMS_PAGE = PurePosixPath("leaderboard.md"), PurePosixPath("claims.md")
FOLDER = PurePosixPath("leaderboard")
FIGURES = "figures"
PICTURES = f"{FOLDER}/{FIGURES}"
HERE, BELOW = (markdown.linked(f"{way}{links.FOLDER}") for way in ("", "../"))


def pages(
    found: list[Group], terrains: Sequence[Terrain] = (), diagnosed: Sequence[Diagnosis] = ()
) -> dict[PurePosixPath, str]:
    """Every published file, by its path below docs/."""
    asked_of = findings(_prepared(found))  # first: each group's tables are made while its answers are in memory
    files = {INDEX: _index(found), CLAIMS_PAGE: claims.page(asked_of, PICTURES)}
    files |= {FOLDER / FIGURES / name: drawing for name, drawing in claims.figures(asked_of).items()}
    for model, own in by_model(found).items():
        parts = [f"# {_model(model, own)}\n", f"{prose.MARK}\n"]
        parts += [prose.SYNTHETIC] if _made_up(own) else []
        parts.append(f"[How to read these tables](../{INDEX})\n")
        for group in own:
            drawn = list(figures(group))
            files |= {FOLDER / FIGURES / figure.name: figure.svg for figure in drawn}
            parts += [f'<a id="{group.anchor}"></a>\n', *_tables(group, BELOW), *_pictures(drawn)]
        seen = [t for t in terrains if t.model == model]
        files |= {FOLDER / FIGURES / _survey_of(t): landscape(_plane(t), t) for t in seen}
        parts += _landscapes(seen)
        told = Diagnosed(own, [d for d in diagnosed if d.model == model])
        files |= {FOLDER / FIGURES / figure.name: figure.svg for figure in told.figures()}
        parts += [*told.text(BELOW), *_pictures(told.figures())]
        files[FOLDER / page_of(model)] = "\n".join(parts)
    diagrams = ranking.diagrams(found)
    return files | {FOLDER / FIGURES / name: drawing for name, drawing in diagrams.items()}


def page_of(model: str) -> str:
    """The name of a model's page; with a digest where the name alone could be another's, or a folder's own page."""
    name = slug(model)
    if name != model or name.lower() in ("index", "readme"):
        name += f"-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
    return f"{name}.md"


def session(found: list[Group]) -> str:
    """All tables in one page without figures: what a run of the suites leaves beside its records."""
    parts = [prose.SESSION_HEAD, prose.HOW_TO_READ]
    for model, own in by_model(found).items():
        parts += [f"## {_model(model, own)}\n", *([prose.SYNTHETIC] if _made_up(own) else [])]
        parts += [part for group in own for part in (*_answers(group), *_tables(group, markdown.name))]
    return "\n".join([*parts, *([prose.NOTHING] if len(parts) == 2 else []), prose.NOTES])


def _index(found: list[Group]) -> str:
    parts = [prose.HEAD, *verdict.told(found, HERE), *ranking.told(found, PICTURES)]
    for model, own in by_model(found).items():
        parts += [f"## {_model(model, own)}\n", *([prose.SYNTHETIC] if _made_up(own) else [])]
        for group in own:
            parts.append(f"### {text.escaped(group.heading)}\n")
            parts += [markdown.table(grids.scores(headline(group), markdown.score, HERE))] * bool(group.blocks())
            parts += _elsewhere(group, HERE)
        parts.append(f"[Differences, corpora, costs, figures, commands]({FOLDER}/{page_of(model)})\n")
    if not found:
        parts.append(prose.NOTHING)
    return "\n".join([*parts, prose.HOW_TO_READ, prose.NOTES])


def _prepared(found: Iterable[Group]) -> Iterator[Group]:
    """Each group with its tables made, while its answers are in memory."""
    for group in found:
        headline(group), per_corpus(group), elsewhere(group), default_and_tuned(group), calibration(group)
        same_budget(group), beside(group)
        yield group


def _model(model: str, own: Iterable[Group]) -> str:
    return text.escaped(model) + (" (synthetic world)" if _made_up(own) else "")


def _made_up(own: Iterable[Group]) -> bool:
    return all(group.synthetic for group in own)


def _answers(group: Group) -> Iterator[str]:
    """What to keep, above the tables that it rests on."""
    for column, block in zip(headline(group).columns, group.blocks(), strict=True):
        if said := answer(group, block):
            yield f"**What to use, {text.escaped(column.title)}**\n"
            yield "".join(f"- {text.escaped(sentence)}\n" for sentence in said)


def _tables(group: Group, name: Name) -> Iterator[str]:
    yield f"### {text.escaped(group.heading)}\n"
    if group.blocks():
        yield from _scores(group, headline(group), name)
    for table in certainty(group):
        yield f"**{text.escaped(table.title)}**\n"
        yield markdown.table(grids.certainty(table, name))
    yield from _elsewhere(group, name)
    yield from tuned(group, name)
    yield from budgets(group, name)
    for table in per_corpus(group):
        yield from _scores(group, table, name)
    for table in unseen(group):
        yield f"**{text.escaped(table.title)}**\n"
        yield markdown.table(grids.scores(table, markdown.score, name))
    spent = costs(group)
    yield f"**{text.escaped(spent.title)}**\n"
    yield markdown.table(grids.costs(spent, name))


def _elsewhere(group: Group, name: Name) -> Iterator[str]:
    """What is no aim, apart from what is, so that no reader takes it for a reason to choose."""
    table = elsewhere(group)
    if table is not None:
        yield from _scores(group, table, name)
        yield prose.ELSEWHERE


def _scores(group: Group, table: Scores, name: Name) -> Iterator[str]:
    yield f"**{text.escaped(table.title)}**\n"
    yield markdown.table(grids.scores(table, markdown.score, name))
    yield caption(group, table)


def _landscapes(seen: Sequence[Terrain]) -> Iterator[str]:
    if seen:
        yield prose.LANDSCAPES
    for terrain in seen:
        yield f"![{text.escaped(_plane(terrain))}]({FIGURES}/{_survey_of(terrain)})\n"
        command, commit = (str(terrain.environment.get(k) or "not recorded") for k in ("command", "commit"))
        yield f"{text.escaped(f'command: {command}; commit: {commit[:12]}')}\n"


def _plane(terrain: Terrain) -> str:
    return f"{terrain.model}, {terrain.suite}, {' and '.join(terrain.members)}, seed {terrain.seed}"


def _survey_of(terrain: Terrain) -> str:
    return f"{terrain.path.stem}.svg"


def _pictures(drawn: Iterable[Figure]) -> Iterator[str]:
    for figure in drawn:
        yield f"![{text.escaped(figure.says)}]({FIGURES}/{figure.name})\n"
        if figure.caption:
            yield figure.caption
