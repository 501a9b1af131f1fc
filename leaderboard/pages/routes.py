"""The routes of a column as a figure and in words: a panel for each row that has one, of its lowest seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leaderboard import text
from leaderboard.pages import prose
from leaderboard.plots import routes as plot
from leaderboard.tables.group import Block
from leaderboard.tables.routes import Way, way_of


def ways(block: Block) -> Mapping[str, Way]:
    """`dfs budget=200, seed 1` -> its route; of several seeds and populations, the first one's."""
    first = {row: min(records, key=lambda r: (r.seed, r.population)) for row, records in block.rows.items()}
    several = len(block.populations) > 1
    found = {
        f"{row}, seed {record.seed}" + (f", {record.population}" if several else ""): way_of(record)
        for row, record in first.items()
    }
    return {name: way for name, way in found.items() if way is not None}


def figure(place: str, found: Mapping[str, Way]) -> str:
    """All of them as paths."""
    return plot.routes(place, [path for name, way in found.items() for path in _paths(name, way)])


def caption(found: Mapping[str, Way]) -> str:
    """How to read them, and each hop in words, for who cannot see or point at one."""
    lines = [f"- {text.escaped(name)}: {text.escaped(', '.join(_words(way)))}" for name, way in found.items()]
    return "\n".join([prose.ROUTES, *lines]) + "\n"


def _paths(name: str, way: Way) -> Iterator[plot.Path]:
    """One for each stack of blocks, as an encoder and a decoder are."""
    below = f"{len(way.steps)} hops, and {way.blocks} blocks in one model: x {text.times(len(way.steps) / way.blocks)}"
    below += f", {way.cut} cut off" if way.cut else ""
    for stack, counts in way.stacks.items():
        part = f", {stack.partition('.')[0]}" if len(way.stacks) > 1 else ""
        lanes = tuple(plot.Lane(source, blocks) for source, blocks in zip(way.sources, counts, strict=True))
        hops = tuple(plot.Hop(s.source, s.block, s.scale) for s in way.steps if s.stack == stack)
        if hops:
            yield plot.Path(name + part, below, lanes, hops, f"scale ({way.mode})")


def _words(way: Way) -> Iterator[str]:
    """`1:0`, `2:3 x 0.87`: the source from 1 and its block from 0."""
    for step in way.steps:
        stack = f"{step.stack.partition('.')[0]} " if len(way.stacks) > 1 else ""
        yield f"{stack}{step.source + 1}:{step.block}" + ("" if step.scale == 1 else f" x {step.scale:.3g}")
