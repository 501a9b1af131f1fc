"""Routes as paths: hops from left to right through a lane of blocks for each source, below them how each is scaled.

As wide as a phone: a path needs no more room, and its words stay as large as the text around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leaderboard.plots.axes import Scale
from leaderboard.plots.svg import Drawing

WIDE, LEFT, RIGHT, LANE, STRIP, LINE, GAP = 390, 40, 10, 18, 34, 16, 8  # pixels; LANE: the words above a lane
SOURCES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's palette
GREY, LETTERS = "#8b949e", 56


class Lane(NamedTuple):
    """A source."""

    name: str
    blocks: int


class Hop(NamedTuple):
    """A block on the way."""

    lane: int
    block: int
    scale: float


class Path(NamedTuple):
    """One way through the blocks of some sources."""

    name: str
    below: str  # a line of words below the name
    lanes: tuple[Lane, ...]
    hops: tuple[Hop, ...]
    scale: str  # what the scales are called

    @property
    def scaled(self) -> bool:
        """Whether there is a scale to show."""
        return any(hop.scale != 1 for hop in self.hops)

    @property
    def high(self) -> float:
        """How high the row of a block is."""
        return max(5.0, min(14.0, 280 / max(1, sum(lane.blocks for lane in self.lanes))))

    @property
    def deep(self) -> float:
        """How high its panel is."""
        lanes = sum(LANE + self.high * lane.blocks for lane in self.lanes)
        return GAP + 3 * LINE + 10 + lanes + (LANE + STRIP + 6 if self.scaled else 0)


@dataclass
class _Pen:
    """A drawing under way, and how far down it has come."""

    draw: Drawing
    y: float


def routes(title: str, paths: Sequence[Path]) -> str:
    """The figure, a panel for each path."""
    told = "; ".join(f"{path.name}: {', '.join(_told(path, hop) for hop in path.hops)}" for path in paths)
    pen = _Pen(Drawing(WIDE, 40 + sum(path.deep for path in paths), title, f"Blocks in their order: {told}"), 24)
    pen.draw.text((16, pen.y), _cut(title))
    for path in paths:
        _panel(pen, path)
    return str(pen.draw)


def _panel(pen: _Pen, path: Path) -> None:
    pen.y += GAP
    for words, kind in ((path.name, ""), (path.below, "soft")):
        pen.y += LINE
        pen.draw.text((16, pen.y), _cut(words), kind=kind)
    x = Scale(0.5, len(path.hops) + 0.5, LEFT, WIDE - RIGHT)
    pen.y += 6
    _lanes(pen, path, x)
    if path.scaled:
        _scales(pen, path, x)
    pen.draw.text((16, pen.y + 12), "hop", kind="soft")
    for tick in (tick for tick in x.ticks if tick == int(tick) and tick > 0):
        pen.draw.text((x(tick), pen.y + 12), f"{tick:g}", "middle", "soft")
    pen.y += LINE + 4


def _lanes(pen: _Pen, path: Path, x: Scale) -> None:
    """Each source's blocks from the bottom up, and the path through them."""
    high, rows = path.high, dict[tuple[int, int], float]()
    for place, lane in enumerate(path.lanes):
        pen.y += LANE
        pen.draw.dot((20, pen.y - 8), _colour(place), radius=4)
        pen.draw.text((30, pen.y - 4), _cut(lane.name))
        rows |= {(place, block): pen.y + high * (lane.blocks - block - 0.5) for block in range(lane.blocks)}
        for block in _numbered(lane.blocks, high):
            pen.draw.line((LEFT, rows[place, block]), (WIDE - RIGHT, rows[place, block]))
            pen.draw.text((LEFT - 4, rows[place, block] + 4), f"{block}", "end", "soft")
        pen.y += high * lane.blocks
    places = [(x(k), rows[hop.lane, hop.block]) for k, hop in enumerate(path.hops, 1)]
    pen.draw.path(places, GREY)
    radius = max(1.5, min(4.5, 0.35 * high, 0.35 * (x(2) - x(1))))
    for k, (hop, at) in enumerate(zip(path.hops, places, strict=True), 1):
        pen.draw.dot(at, _colour(hop.lane), radius=radius, said=f"hop {k}: {_told(path, hop)}")


def _numbered(blocks: int, high: float) -> list[int]:
    """The blocks whose numbers have room beside each other: evenly spread, and the last one."""
    each = max(1, -(-12 // int(high)))
    return [block for block in range(0, blocks, each) if blocks - 1 - block >= each] + [blocks - 1]


def _scales(pen: _Pen, path: Path, x: Scale) -> None:
    """A bar for each hop, from 1 to its scale."""
    low, high = (how(1.0, *(hop.scale for hop in path.hops)) for how in (min, max))
    pen.y += LANE
    pen.draw.text((30, pen.y - 4), path.scale)
    y, wide = Scale(low, high, pen.y + STRIP, pen.y), min(14.0, max(1.5, 0.7 * (x(2) - x(1))))
    for k, hop in enumerate(path.hops, 1):
        top, bottom = sorted((y(hop.scale), y(1.0)))
        said = f"hop {k}: {_told(path, hop)}"
        pen.draw.box((x(k) - wide / 2, top), wide, bottom - top, _colour(hop.lane), said)
    pen.draw.line((LEFT, y(1.0)), (WIDE - RIGHT, y(1.0)), "axis")
    for value in dict.fromkeys((low, high)):
        pen.draw.text((LEFT - 4, y(value) + 4), f"{value:.1f}", "end", "soft")
    pen.y += STRIP + 6


def _told(path: Path, hop: Hop) -> str:
    return f"{path.lanes[hop.lane].name} {hop.block}" + ("" if hop.scale == 1 else f" x {hop.scale:.3g}")


def _colour(lane: int) -> str:
    return SOURCES[lane % len(SOURCES)]


def _cut(words: str) -> str:
    return words if len(words) <= LETTERS else words[: LETTERS - 1] + "…"
