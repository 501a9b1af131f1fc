"""Landscapes: scores over the plane of two members and their ancestor, and where merges lie in it; one JSON file each.

Standard library only, as records are. A landscape is no answer to a question and stands in no table.

    <root>/landscapes/<model>-<pair>-s<seed>-<key>.json
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.records import beside
from harness.records.record import BadRecord, Store

SCHEMA = 1
FOLDER = "landscapes"


@dataclass(frozen=True)
class Place:
    """Where a merge lies: a and b steps along the two task vectors, and how much of its way leads out of the plane."""

    a: float
    b: float
    off: float  # norm outside the plane as a share of the whole distance from the ancestor, 0 to 1
    score: float


@dataclass(frozen=True)
class Terrain:
    """Mean test score of theta_0 + a (theta_1 - theta_0) + b (theta_2 - theta_0) over a square of a and b."""

    key: str  # hash of `recipe`
    suite: str
    setting: str
    model: str
    seed: int
    members: tuple[str, ...]
    heads: str
    recipe: dict[str, Any]
    axis: tuple[float, ...]  # the values of a, and of b
    scores: tuple[tuple[float, ...], ...]  # scores[j][i] at a = axis[i], b = axis[j]; 0 to 1
    places: dict[str, Place]  # method -> where its merge lies
    environment: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def path(self) -> Path:
        """Where it lies, relative to a store's root."""
        return Path(FOLDER, f"{beside.stem(self.model, self.members, self.seed)}-{self.key}.json")


def text_of(terrain: Terrain) -> str:
    """The content of its file."""
    return beside.text_of(terrain)


def put(store: Store, terrain: Terrain) -> Path:
    """Write it under its own path and return that path."""
    return beside.put(store, terrain, text_of(terrain))


def paths(root: Path) -> list[Path]:
    """Every landscape's file, in a stable order."""
    return beside.paths(root, FOLDER)


def paths_of(root: Path, model: str, members: tuple[str, ...], seed: int) -> list[Path]:
    """The files of all landscapes of one pair."""
    return beside.paths(root, FOLDER, f"{beside.stem(model, members, seed)}-")


def _made(raw: dict[str, Any]) -> Terrain:
    places = {m: Place(**p) for m, p in raw["places"].items()}
    lists = {name: tuple(raw[name]) for name in ("members", "axis")}
    return Terrain(**{**raw, **lists, "scores": tuple(map(tuple, raw["scores"])), "places": places})


def read(path: Path) -> Terrain:
    """One landscape. Raises `BadRecord`, one line that names the file, if it cannot be believed."""
    terrain = beside.read(path, "landscape", _IN_JSON, SCHEMA, _made)
    size, axis = len(terrain.axis), terrain.axis
    if len(terrain.members) != 2 or size < 2 or any(b - a < 1e-6 for a, b in itertools.pairwise(axis)):
        raise BadRecord(f"{path}: a plane has two members, and an axis rises")
    if len(terrain.scores) != size or any(len(row) != size for row in terrain.scores):
        raise BadRecord(f"{path}: scores are not a square of its axis")
    said = [*(s for row in terrain.scores for s in row), *(p.score for p in terrain.places.values())]
    if not all(-1 <= s <= 1 for s in said):
        raise BadRecord(f"{path}: a score is not from -1 to 1")
    where = [*axis, *(v for p in terrain.places.values() for v in (p.a, p.b, p.off))]
    if not all(-100 <= v <= 100 for v in where):
        raise BadRecord(f"{path}: a place is further away than 100 task vectors")
    return terrain


_IN_JSON = {
    **{name: str for name in ("key", "suite", "setting", "model", "heads")},
    **{"seed": int, "schema": int, "recipe": dict[str, Any], "environment": dict[str, Any]},
    **{"members": tuple[str, ...], "axis": tuple[float, ...], "scores": tuple[tuple[float, ...], ...]},
    "places": dict[str, dict[str, float]],
}
