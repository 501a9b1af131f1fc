"""The published pages as text. Same records, same bytes.

leaderboard.md              how to read, the headline tables, who ranks best, notes
leaderboard/<model>.md      everything about one model, with figures
leaderboard/figures/*.svg   the figures
claims.md                   what the paper says and what these records say
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from harness.record import RunRecord, slug
from harness.terrain import Terrain
from leaderboard import captions, grids, markdown, text, words
from leaderboard.claims import CLAIMS, Finding, verdict
from leaderboard.figures import Figure, figures
from leaderboard.group import Group, question_of
from leaderboard.overall import overall
from leaderboard.plots.landscape import landscape
from leaderboard.plots.ranks import diagram
from leaderboard.table import Scores, asked, certainty, costs, headline, per_corpus

INDEX, CLAIMS_PAGE = PurePosixPath("leaderboard.md"), PurePosixPath("claims.md")
FOLDER = PurePosixPath("leaderboard")
FIGURES = "figures"

HEAD = """\
# Leaderboard

Written by `python -m leaderboard publish`; do not edit. [How to read](#how-to-read) · [Notes](#notes)
"""

HOW_TO_READ = """\
## How to read

- A number is the mean score times 100 over seeds, ± half of its 95 % interval (Student's t over seeds). `(n=1)` is one
  seed: nothing is known about its spread.
- **Bold** is the best merged model of a column. `≈` marks those that cannot be told from it. Two chances are asked:
  other test rows (a paired bootstrap over the rows, 1,000 resamples) and, with several seeds, other trainings
  (Student's t of the differences per seed). Only a difference that survives both counts. Each comparison stands by
  itself; among many, some will look real by chance.
- *minus the best* and *minus its base* are such differences with the wider of both 95 % intervals; the base of
  `ties_evolver` is `ties`. *recovery* is the score as a share of `domain_specific`: each member on its own corpus.
- Rows in *italics* are yardsticks and do not compete.
- `—` is a gap. `— (2 of 3)` says that answers which other methods of the column have are missing; what is there is not
  averaged.
- A table holds one model, one suite and one protocol; a column holds one setting over the same corpora, "3 of 5" if
  some were not at hand. No score is averaged or compared across columns or tables.
- *paper* is the number of the Evolver paper (arXiv:2406.12208). † and ‡ are explained in the notes.
- Costs are medians over seeds and populations. Seconds depend on the machine. Peak memory is that of the whole process
  while it merged. An ensemble runs all members at inference, every other merge one model.
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

RANKS = """\
## Who ranks best

The mean rank of every merge over the columns of all tables (1 is best), where all of the ranked methods answered; in
the diagram, a bar joins those whose mean ranks are closer than Nemenyi's critical difference at 5 % (Demšar 2006).
Columns share members and test rows, so they are not independent, as the test supposes: take it as a guide.
"""

CLAIMS_HEAD = """\
# What the paper says, and what these records say

Written by `python -m leaderboard publish`; do not edit. `pytest suites/test_claims.py` prints the same verdicts.

A claim *holds* for a model where the whole 95 % interval of its difference, averaged over the settings that were asked,
lies above 0; it *fails* where it lies below; otherwise it is *undecided*. Over all real models it holds if it holds
everywhere, and fails if it fails anywhere. The synthetic world is shown and not counted. The paper's number is the mean
over its own cells, how many stands in brackets; † marks doubtful cells among them. The intervals are those of the
[leaderboard](leaderboard.md).
"""

LANDSCAPES = """\
### Landscapes

The mean test score of every model *ancestor + a (first - ancestor) + b (second - ancestor)* of a grid, as in the
paper's Figure 8, and where the merges lie in that plane: the nearest point of each, its own score, and how much of its
way from the ancestor leads out of the plane. One seed; the grid was scored after the merges and nothing was chosen by
it.
"""

BELOW_BLOCK = "In-domain macro-F1 x 100; [how to read it, and everything else](docs/leaderboard.md).\n"

SYNTHETIC = "A tiny model on generated text: it shows that the whole system runs and says nothing about real models.\n"
NOTHING = "No results yet.\n"


def pages(found: list[Group], terrains: Sequence[Terrain] = ()) -> dict[PurePosixPath, str]:
    """Every published file, by its path below docs/."""
    files = {INDEX: _index(found), CLAIMS_PAGE: _claims(found)}
    for model, own in _by_model(found).items():
        parts = [f"# {_model(model)}\n", "Written by `python -m leaderboard publish`; do not edit.\n"]
        parts += [SYNTHETIC] if words.synthetic(model) else []
        parts.append(f"[How to read these tables](../{INDEX})\n")
        for group in own:
            drawn = list(figures(group))
            files |= {FOLDER / FIGURES / figure.name: figure.svg for figure in drawn}
            parts += [*_tables(group), *_pictures(drawn)]
        seen = [t for t in terrains if t.model == model]
        files |= {FOLDER / FIGURES / _survey_of(t): landscape(_plane(t), t) for t in seen}
        parts += _landscapes(seen)
        files[FOLDER / page_of(model)] = "\n".join(parts)
    for each in overall(found):
        files[FOLDER / FIGURES / _diagram_of(each.world)] = diagram(f"Mean ranks, {each.world}", each.ranking)
    return files


def page_of(model: str) -> str:
    """The name of a model's page."""
    return f"{slug(model)}.md"


def session(found: list[Group]) -> str:
    """All tables in one page without figures: what a run of the suites leaves beside its records."""
    parts = [HEAD, HOW_TO_READ]
    for model, own in _by_model(found).items():
        parts += [f"## {_model(model)}\n", *([SYNTHETIC] if words.synthetic(model) else [])]
        parts += [part for group in own for part in _tables(group)]
    return "\n".join([*parts, *([NOTHING] if len(parts) == 2 else []), NOTES])


def block(found: list[Group]) -> str:
    """The README's table: in-domain scores, a column for each model, from its leading group."""
    leading: dict[str, Group] = {}
    for group in found:
        if group.questions()[0].setting == "in_domain":
            leading.setdefault(group.key.model, group)
    if not leading:
        return NOTHING
    columns = {model: headline(group).columns[0] for model, group in leading.items()}
    methods = sorted({m for column in columns.values() for m in column.cells}, key=words.method_rank)
    rows = [[markdown.name(m), *(markdown.score(column.cells.get(m)) for column in columns.values())] for m in methods]
    asks = {model: f"{group.heading}, {asked(group.questions()[0])}" for model, group in leading.items()}
    lines = [f"- {text.escaped(model)}: {text.escaped(ask)}" for model, ask in asks.items()]
    return "\n".join([markdown.table((["method", *columns], rows)), BELOW_BLOCK, *lines]) + "\n"


def _index(found: list[Group]) -> str:
    parts = [HEAD, *_ranks(found)]
    for model, own in _by_model(found).items():
        parts += [f"## {_model(model)}\n", *([SYNTHETIC] if words.synthetic(model) else [])]
        for group in own:
            grid = grids.scores(headline(group), markdown.score, markdown.name)
            parts += [f"### {text.escaped(group.heading)}\n", markdown.table(grid)]
        parts.append(f"[Differences, corpora, costs, figures, commands]({FOLDER}/{page_of(model)})\n")
    if not found:
        parts.append(NOTHING)
    return "\n".join([*parts, HOW_TO_READ, NOTES])


def _ranks(found: list[Group]) -> Iterator[str]:
    worlds = overall(found)
    if worlds:
        yield RANKS
    for each in worlds:
        yield f"### {each.world.capitalize()}\n"
        yield f"![Mean ranks, {each.world}]({FOLDER}/{FIGURES}/{_diagram_of(each.world)})\n"
        yield markdown.table(grids.ranks(each, markdown.name))
        chance = "p < 0.001" if each.ranking.chance < 0.001 else f"p = {each.ranking.chance:.3f}"
        yield (
            f"{each.ranking.questions} columns; Friedman's test {chance}; critical difference "
            f"{each.ranking.critical:.2f}; {len(each.left_out)} columns left out for a gap.\n"
        )


def _diagram_of(world: str) -> str:
    return f"ranks-{slug(world)}.svg"


def _claims(found: list[Group]) -> str:
    asked_of = {claim.name: claim.findings(found) for claim in CLAIMS.values()}
    rows = [
        [text.escaped(claim.says), f"**{verdict(asked_of[name])}**", _counts(asked_of[name]), claim.paper or text.GAP]
        for name, claim in CLAIMS.items()
    ]
    summary = markdown.table((["the paper says", "verdict", "real models", "paper's difference"], rows))
    details = [
        f"## {text.escaped(claim.says)}\n\n" + markdown.table(grids.findings(asked_of[name], text.escaped))
        for name, claim in CLAIMS.items()
        if asked_of[name]
    ]
    return "\n".join([CLAIMS_HEAD, summary, *details])


def _counts(found: list[Finding]) -> str:
    said = [f.verdict for f in found if not f.synthetic]
    counts = [f"{said.count(v)} {v}" for v in ("holds", "fails", "undecided") if v in said]
    return ", ".join(counts) or "not asked"


def _by_model(found: list[Group]) -> Mapping[str, list[Group]]:
    models = sorted({g.key.model for g in found}, key=words.model_rank)
    return {model: [g for g in found if g.key.model == model] for model in models}


def _model(model: str) -> str:
    return text.escaped(model) + (" (synthetic world)" if words.synthetic(model) else "")


def _tables(group: Group) -> Iterator[str]:
    yield f"### {text.escaped(group.heading)}\n"
    yield from _scores(group, headline(group))
    for table in certainty(group):
        yield f"**{text.escaped(table.title)}**\n"
        yield markdown.table(grids.certainty(table, markdown.name))
    for table in per_corpus(group):
        yield from _scores(group, table)
    spent = costs(group)
    yield f"**{text.escaped(spent.title)}**\n"
    yield markdown.table(grids.costs(spent, markdown.name))


def _scores(group: Group, table: Scores) -> Iterator[str]:
    yield f"**{text.escaped(table.title)}**\n"
    yield markdown.table(grids.scores(table, markdown.score, markdown.name))
    yield _caption(group, table)


def _landscapes(seen: Sequence[Terrain]) -> Iterator[str]:
    if seen:
        yield LANDSCAPES
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
