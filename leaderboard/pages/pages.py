"""The published pages as text. Same records, same bytes.

leaderboard.md              how to read, the headline tables, who ranks best, notes
leaderboard/<model>.md      everything about one model, with figures
leaderboard/figures/*.svg   the figures, those of the claims among them
claims.md                   what papers say and what these records say
ablations.md                what one choice does, all else as it is
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath

from harness.records.diagnosis import Diagnosis
from harness.records.terrain import Terrain
from leaderboard import links, text
from leaderboard.claims.claims import findings
from leaderboard.pages import claims, grids, markdown, model, prose, ranking, section, varied, verdict
from leaderboard.pages.diagnoses import Diagnosed
from leaderboard.pages.figures import figures
from leaderboard.pages.files import Files
from leaderboard.pages.grids import Name
from leaderboard.pages.outcomes import Varied
from leaderboard.pages.prepared import prepare
from leaderboard.pages.repeat import repeat
from leaderboard.places import FOLDER, Stems, page_of, stems
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group, by_model
from leaderboard.tables.table import headline
from leaderboard.verdict.answer import answer

INDEX, CLAIMS_PAGE = PurePosixPath("leaderboard.md"), PurePosixPath("claims.md")
VARIED_PAGE = PurePosixPath("ablations.md")
PICTURES = FOLDER / model.FIGURES
HERE = markdown.linked(str(links.FOLDER))


def pages(
    found: list[Group], terrains: Sequence[Terrain] = (), diagnosed: Sequence[Diagnosis] = ()
) -> dict[PurePosixPath, str]:
    """Every published file, by its path below docs/."""
    prepare(found)
    asked_of = findings(found)
    stem = stems(group.key.model for group in found)
    files = {INDEX: _index(found, stem), CLAIMS_PAGE: claims.page(asked_of, PICTURES.as_posix())}
    shared = {str(name): drawing for name, drawing in claims.figures(asked_of).items()} | ranking.diagrams(found)
    files |= {PICTURES / name: drawing for name, drawing in shared.items()}
    names, alone = Files(shared), dict[Group, list[Varied]]()
    for name, own in by_model(found).items():
        drawn = {group: [names.named(figure) for figure in figures(group)] for group in own}
        for group in own:
            alone[group] = [v._replace(figure=names.named(v.figure)) for v in varied.varied(group)]
            drawn[group] += [v.figure for v in alone[group]]
        seen = [(t, names.named(model.survey(t))) for t in terrains if t.model == name]
        told = Diagnosed(own, [d for d in diagnosed if d.model == name])
        layers = [names.named(figure) for figure in told.figures()]
        every = [*(f for of_group in drawn.values() for f in of_group), *(f for _, f in seen), *layers]
        files |= {PICTURES / figure.name: figure.svg for figure in every}
        whole = model.page(_model(name, own), own, drawn, seen, told, layers)
        files[page_of(stem[name])] = f"{whole}\n{prose.DOWNLOAD.format(stem=stem[name])}"
    parts = {group: f"{page_of(stem[group.key.model])}#{group.anchor}" for group in found}
    return files | {VARIED_PAGE: varied.page(alone, PICTURES.as_posix(), parts)}


def session(found: list[Group]) -> str:
    """All tables in one page without figures: what a run of the suites leaves beside its records."""
    parts = [prose.SESSION_HEAD, prose.HOW_TO_READ]
    for called, own in by_model(found).items():
        parts += [f"## {_model(called, own)}\n", *([prose.SYNTHETIC] if model.made_up(own) else [])]
        parts += [part for group in own for part in (*_answers(group), *_tables(group, markdown.name))]
        parts += [markdown.heading("Run it again"), *repeat(record for group in own for record in group.records)]
    return "\n".join([*parts, *([prose.NOTHING] if len(parts) == 2 else []), prose.NOTES])


def _index(found: list[Group], stem: Stems) -> str:
    """Of each real model and suite the leading table; all others stand on the models' pages alone."""
    parts = [prose.HEAD, *verdict.told(found, HERE), *ranking.told(found, PICTURES.as_posix())]
    real = any(not group.synthetic for group in found)
    for called, own in by_model(found).items():
        parts += [f"## {_model(called, own)}\n", *([prose.SYNTHETIC] if model.made_up(own) else [])]
        first = {suite: next(of_suite) for suite, of_suite in groupby(own, lambda group: group.key.suite)}
        shown = [] if real and model.made_up(own) else list(first.values())
        for group in shown:
            parts.append(f"### {text.escaped(group.heading)}\n")
            parts += [markdown.table(grids.scores(headline(group), markdown.score, HERE))] * bool(group.blocks())
            parts += _elsewhere(group, HERE)
        if further := [group for group in own if group not in shown]:
            named = (f"[{text.escaped(g.heading)}]({page_of(stem[called])}#{g.anchor})" for g in further)
            parts.append(f"Tables on its page: {'; '.join(named)}.\n")
        parts.append(f"[Differences, corpora, costs, figures, commands]({page_of(stem[called])})\n")
    if not found:
        parts.append(prose.NOTHING)
    return "\n".join([*parts, prose.HOW_TO_READ, prose.NOTES])


def _model(name: str, own: Sequence[Group]) -> str:
    return text.escaped(name) + (" (synthetic world)" if model.made_up(own) else "")


def _answers(group: Group) -> Iterator[str]:
    """What to keep, above the tables that it rests on."""
    for column, block in zip(headline(group).columns, group.blocks(), strict=True):
        if said := answer(group, block):
            yield f"**What to use, {text.escaped(column.title)}**\n"
            yield "".join(f"- {text.escaped(sentence)}\n" for sentence in said)


def _tables(group: Group, name: Name) -> Iterator[str]:
    """All of a group, open."""
    yield f"### {text.escaped(group.heading)}\n"
    yield from section.scores(group, name)
    yield from section.sure(group, name)
    for part in section.more(group, name):
        yield from part.text


def _elsewhere(group: Group, name: Name) -> Iterator[str]:
    """What is no aim, apart from what is, so that no reader takes it for a reason to choose."""
    table = elsewhere(group)
    if table is not None:
        yield from section.of_scores(group, table, name)
        yield prose.ELSEWHERE
