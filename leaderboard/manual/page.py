"""One method's page as Markdown, and the index of all: written from its own file, which is never told twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from leaderboard import links, text, words
from leaderboard.manual.standing import Asked, Ranked, Records
from leaderboard.pages import grids, markdown, prose
from leaderboard.tables.group import Group
from leaderboard.tables.kinds import BY_TASK, of_several
from methods.catalogue import AROUND, BUILT_IN
from methods.naming.manual import Manual, manual
from methods.naming.values import plain
from methods.needs import NEEDS
from methods.space import SCALE, Gene

ALONE = """\
It is ranked with no other merge: it makes a model for each task, so each row's task must be known. The last column
holds it against the best member.
"""
NOTHING = "nothing but the members"
REPORTED = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}


def pages(found: list[Group]) -> dict[PurePosixPath, str]:
    """Every page by its path below docs/."""
    records = Records(found)
    told = {name: manual(name) for name in BUILT_IN}
    files = {links.FOLDER / f"{name}.md": page(one, records) for name, one in told.items()}
    return {links.INDEX: index(told, records), **files}


def page(told: Manual, records: Records) -> str:
    """One page."""
    head = [f"# {told.name}\n", f"{prose.MADE}\n", f"[All methods]({links.INDEX.name})\n"]
    return "\n".join([*head, *_parts(told, records)])


def _parts(told: Manual, records: Records) -> Iterator[str]:
    yield f"{text.prose(told.idea)}\n"
    if told.itself:
        yield f"`{told.name}`: {text.prose(told.itself)}\n"
    yield f"```text\n{told.formula}\n```\n"
    yield from (f"{text.prose(paragraph)}\n" for paragraph in told.prose)
    yield "## What it needs\n"
    yield _needs(told)
    if told.elsewhere:
        yield f"## Elsewhere under this name\n\n{text.prose(told.elsewhere)}\n"
    yield "## Options\n"
    yield from _knobs(told)
    yield "## Rank here\n"
    asked = records.asked(told.name)
    yield from _ranks(records.ranks(told.name), asked)
    yield from _questions(asked)
    yield "## Cost here\n"
    yield from _costs(told.name, records)
    yield "## Paper\n"
    yield "".join(f"- {line}\n" for line in (linked(told.paper), *map(text.prose, told.references)))


def index(told: Mapping[str, Manual], records: Records) -> str:
    """A line for each method, and what rows are that are no methods."""
    rows = []
    for name in sorted(told):
        own = [r for r in records.ranks(name) if r.row == name and r.rank]
        best = {r.world.world: _place(r) for r in reversed(own)}  # on all questions, if it has both
        worlds = [best.get(world, text.GAP) for world in ("real models", "synthetic world")]
        one = told[name]
        rows.append([f"[{name}]({name}.md)", text.prose(one.itself), ", ".join(one.needs) or text.GAP, *worlds])
    head = ["method", "in a sentence", "needs", "rank, real models", "rank, made-up world"]
    return "\n".join(
        [f"# Methods\n\n{prose.MADE}\n", prose.METHODS, markdown.table((head, rows), words=3), prose.YARDSTICKS]
    )


def _place(one: Ranked) -> str:
    """`3 of 25`; of a ranking beside the usual one also which: `1 of 5 (5 generations)`, `4 of 30 (13 questions)`."""
    apart = ", ".join(filter(None, [one.world.kind, f"{one.world.questions} questions" if one.world.most else ""]))
    return f"{one.place} of {one.of}{f' ({apart})' if apart else ''}"


def linked(paper: str) -> str:
    """The short name of a paper, its number a link."""

    def link(found: re.Match[str]) -> str:
        return f"[{found[0]}]({REPORTED[found[1]]}{found[2]})"

    return re.sub(r"(arXiv|doi):([^\s;,]+)", link, text.prose(paper))


def _needs(told: Manual) -> str:
    lines = [NEEDS[need] for need in told.needs] or [NOTHING]
    lines += [f"the order of the members: {told.order}"] if told.order else []
    said = "".join(f"- {text.prose(line[:1].upper() + line[1:])}.\n" for line in lines)
    moved = f"N equal members do not come back as one of them: {text.prose(told.moves)}.\n" if told.moves else ""
    return f"{said}\n{moved}" if moved else said


def _knobs(told: Manual) -> Iterator[str]:
    if told.knobs:
        rows = [[f"`{told.name}.{k.name}`", k.may_be, text.prose(k.default), text.prose(k.says)] for k in told.knobs]
        yield markdown.table((["option", "may be", "default", "what it is"], rows), words=4)
        one = f"{told.name}.{told.knobs[0].name}"
        yield f"[What protocols set otherwise](../protocols.md). Set one by `--set {one}=...`.\n"
    else:
        yield "None.\n"
    if told.name not in AROUND:
        genes = told.genes or (SCALE,)
        said = "; ".join(map(_gene, genes))
        none = "" if told.genes else "It has none to search, so what each member changed is scaled. "
        yield f"{none}[A search](../search.md) varies {said}.\n"


def _gene(gene: Gene) -> str:
    """`lambda` from 0 to 2."""
    values = ", ".join(map(plain, gene.choices))
    span = f"over {values}" if values else f"from {plain(gene.low)} to {plain(gene.high)}"
    each = ", one for each member" if gene.each == "member" else ""
    return f"`{gene.knob}` {span}{each}{', where it is asked for' if gene.asked else ''}"


def _ranks(ranked: list[Ranked], asked: list[Asked]) -> Iterator[str]:
    if not ranked:
        by_task = bool(asked) and all(BY_TASK in one.cell.kind for one in asked)
        yield ALONE if by_task else "No records rank it.\n"
        return
    rows = []
    for one in ranked:
        world = one.world
        place = f"{one.place} of {one.of}" if one.rank else f"{text.GAP} ({one.lacks} of {world.questions} missing)"
        mean = text.amount(one.rank, 2)
        n = f"{world.ranking.questions} models and suites, {world.questions} questions"
        among = f"{of_several(world.kind)}{', most methods' if world.most else ''}"
        rows.append([text.escaped(words.shown(one.row)), _world(world.world), among, place, mean, n])
    yield markdown.table((["row", "world", "among merges", "rank", "mean rank", "n"], rows), words=3)
    yield "[Who ranks best](../leaderboard.md#who-ranks-best)\n"


def _questions(asked: list[Asked]) -> Iterator[str]:
    if not asked:
        return
    rows = []
    for one in asked:
        key, best = one.group.key, grids.THE_BEST if one.cell.mark == "best" else text.difference(one.cell.to_best)
        model = f"{text.escaped(key.model)}{' (made up)' if one.group.synthetic else ''}"
        place = f"{one.place} of {one.of}"
        where = text.escaped(f"{one.group.heading}: {one.title}")
        rows.append(
            [
                text.escaped(words.shown(one.row)),
                model,
                where,
                of_several(one.cell.kind),
                place,
                text.score(one.cell, text.escaped),
                best,
                text.difference(one.cell.to_member),
            ]
        )
    yield "Question by question, among the rows of its kind:\n"
    head = ["row", "model", "asked", "among merges", "rank", "score", grids.BEST, grids.MEMBER]
    yield markdown.table((head, rows), words=4)


def _world(world: str) -> str:
    return {"synthetic world": "made up"}.get(world, world)


def _costs(name: str, records: Records) -> Iterator[str]:
    rows = []
    for group, title, cost in records.costs(name):
        model = f"{text.escaped(group.key.model)}{' (made up)' if group.synthetic else ''}"
        times = [text.amount(cost.merge_seconds, 2), text.amount(cost.statistics_seconds, 2)]
        memory = text.amount(None if cost.peak_bytes is None else cost.peak_bytes / 2**20, 0)
        counts = [text.amount(cost.dev_calls, 0), memory, text.times(cost.inference_models)]
        counts.append(text.count(cost.stored_parameters) if cost.stored_parameters else "one model's")
        asked = text.escaped(f"{group.heading}: {title.partition(', ')[2]}")
        rows.append([model, asked, *times, *counts])
    head = [
        "model",
        "asked",
        *(grids.SECONDS, grids.STATISTICS, grids.CALLS, grids.MEMORY, grids.MODELS),
        "parameters stored",
    ]
    yield markdown.table((head, rows), words=2) if rows else "No records tell.\n"
