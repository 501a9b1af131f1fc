"""The page of one model: what to use, at what cost, the scores and how sure they are; the rest is folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from harness.records.terrain import Terrain
from leaderboard import links, text
from leaderboard.pages import markdown, prose, section, times, verdict
from leaderboard.pages.diagnoses import Diagnosed
from leaderboard.pages.figures import Figure
from leaderboard.pages.fold import folded
from leaderboard.pages.grids import Name
from leaderboard.pages.repeat import block, repeat
from leaderboard.plots.landscape import landscape
from leaderboard.tables.group import Group

FIGURES = "figures"  # below the page's folder
NAME = markdown.linked(f"../{links.FOLDER}")


def page(
    title: str,
    own: Sequence[Group],
    drawn: Mapping[Group, Sequence[Figure]],
    seen: Sequence[tuple[Terrain, Figure]],
    told: Diagnosed,
    layers: Sequence[Figure],
) -> str:
    """All of it.

    Args:
        title: the model's name, safe already.
        own: its groups, the leading one first.
        drawn: the figures of each.
        seen: its landscapes, drawn.
        told: what was said of its members before they were merged, and `layers`: its figures.
    """
    first = next((f for group in own for f in drawn[group] if f.kind == "cost"), None)
    parts = [f"# {title}\n", f"{prose.MADE}\n", prose.WAYS, *_verdict(own, NAME)]
    parts += section.shown([first] if first else [], FIGURES)
    for _, of_suite in groupby(own, lambda group: group.key.suite):
        parts += _suite(list(of_suite), {g: [f for f in drawn[g] if f is not first] for g in own})
    parts.append(folded("Landscapes between two members", _landscapes(seen)))
    parts.append(folded(times.TITLE, times.told({title: own})))
    parts.append(folded("Before merging", [*told.text(NAME), *section.shown(layers, FIGURES)]))
    parts += ["## Run it again\n", *repeat(record for group in own for record in group.records)]
    return "\n".join(filter(None, parts))


def made_up(own: Sequence[Group]) -> bool:
    """Whether all that was asked of a model lies in the synthetic world."""
    return all(group.synthetic for group in own)


def survey(terrain: Terrain) -> Figure:
    """A landscape's figure."""
    plane = f"{terrain.model}, {terrain.suite}, {' and '.join(terrain.members)}, seed {terrain.seed}"
    return Figure(f"{plane}, landscape", plane, landscape(plane, terrain))


def _verdict(own: Sequence[Group], name: Name) -> Iterator[str]:
    """What all questions say together; of a made-up model, that it answers none."""
    yield "## What to use\n"
    if made_up(own):
        yield prose.SYNTHETIC
        return
    yield verdict.sentences(own, name)
    if each := verdict.by_setting(own, name, lambda _: ""):
        yield f"### Each setting by itself\n\n{prose.BY_SETTING}"
        yield each
    yield folded("Against the best single member", filter(None, [verdict.tallied(own, name)]))


def _suite(own: Sequence[Group], drawn: Mapping[Group, Sequence[Figure]]) -> Iterator[str]:
    """The leading protocol open, further ones folded."""
    yield f"## {text.escaped(own[0].called[:1].upper() + own[0].called[1:])}\n"
    for group in own:
        parts = [f'<a id="{group.anchor}"></a>\n', f"### {text.escaped(group.heading)}\n", *_group(group, drawn[group])]
        if group is own[0]:
            yield from parts
        else:
            yield folded(group.heading, parts)


def _group(group: Group, drawn: Sequence[Figure]) -> Iterator[str]:
    yield from section.scores(group, NAME)
    sure = section.sure(group, NAME)
    yield from sure[:1]
    yield folded("How sure, the other columns", sure[1:])
    for part in section.more(group, NAME, drawn, FIGURES):
        yield folded(part.title, part.text)


def _landscapes(seen: Sequence[tuple[Terrain, Figure]]) -> Iterator[str]:
    if seen:
        yield prose.LANDSCAPES
    for terrain, figure in seen:
        yield from section.shown([figure], FIGURES)
        command, commit = (str(terrain.environment.get(k) or "not recorded") for k in ("command", "commit"))
        yield f"Commit: {text.escaped(commit[:12])}. Command:\n"
        yield block(command)
