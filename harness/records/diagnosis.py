"""Diagnoses: what was said of a population before it was merged; one JSON file each.

Standard library only, as records are. A diagnosis is no answer to a question and stands in no table of scores.

    <root>/diagnoses/<model>-<members>-s<seed>-<key>.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.records import beside
from harness.records.record import BadRecord, Store

SCHEMA = 1
FOLDER = "diagnoses"
OF_LAYERS = ("distance", "cosine", "conflict", "cancelled", "rank")  # what is kept of each group of layers
LONGEST = 60  # of the members' names in a file's name


@dataclass(frozen=True)
class Diagnosis:
    """Of one population; methods/diagnosis.py says what the numbers mean."""

    key: str  # hash of `recipe`
    suite: str
    model: str
    seed: int
    members: tuple[str, ...]
    heads: str
    recipe: dict[str, Any]
    distances: tuple[float, ...]  # of each member
    cosines: tuple[tuple[float, ...], ...]  # (members, members)
    conflict: float
    cancelled: float
    rank: float
    layers: dict[str, dict[str, float]]  # group -> mean distance, mean cosine, ...; in the order of computing
    crossed: dict[str, dict[str, float]]  # member -> corpus -> development score; empty where heads are not shared
    environment: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def path(self) -> Path:
        """Where it lies, relative to a store's root."""
        return Path(FOLDER, f"{stem(self.model, self.members, self.seed)}-{self.key}.json")

    @property
    def cosine(self) -> float:
        """The mean over pairs; 1 of a member alone."""
        pairs = [self.cosines[i][j] for i in range(len(self.cosines)) for j in range(i)]
        return sum(pairs) / len(pairs) if pairs else 1.0

    @property
    def distance(self) -> float:
        """The mean over members."""
        return sum(self.distances) / len(self.distances)

    @property
    def gap(self) -> float | None:
        """How much better members are on their own corpora than the others are there, on average; None if unknown."""
        mine: dict[bool, list[float]] = {True: [], False: []}
        for member, scores in self.crossed.items():
            for corpus, score in scores.items():
                mine[member.partition("#")[0] == corpus].append(score)  # "cola#1" is a part of cola
        own, others = mine[True], mine[False]
        return sum(own) / len(own) - sum(others) / len(others) if own and others else None


def stem(model: str, members: tuple[str, ...], seed: int) -> str:
    """What the file's name begins with."""
    return beside.stem(model, members, seed, LONGEST)


def text_of(diagnosis: Diagnosis) -> str:
    """The content of its file."""
    return beside.text_of(diagnosis, ordered=True)  # unsorted: layers are in order


def put(store: Store, diagnosis: Diagnosis) -> Path:
    """Write it under its own path and return that path."""
    return beside.put(store, diagnosis, text_of(diagnosis))


def paths(root: Path) -> list[Path]:
    """Every diagnosis' file, in a stable order."""
    return beside.paths(root, FOLDER)


def _made(raw: dict[str, Any]) -> Diagnosis:
    lists = {name: tuple(raw[name]) for name in ("members", "distances")}
    return Diagnosis(**{**raw, **lists, "cosines": tuple(map(tuple, raw["cosines"]))})


def read(path: Path) -> Diagnosis:
    """One diagnosis. Raises `BadRecord`, one line that names the file, if it cannot be believed."""
    found = beside.read(path, "diagnosis", _IN_JSON, SCHEMA, _made)
    count = len(found.members)
    if not count or len(found.distances) != count or [len(row) for row in found.cosines] != [count] * count:
        raise BadRecord(f"{path}: it has not one number for each member, or pair of members")
    if any(set(own) != set(OF_LAYERS) for own in found.layers.values()):
        raise BadRecord(f"{path}: a group of layers has not {', '.join(OF_LAYERS)}")
    shares = [found.conflict, found.cancelled, found.rank, *(own[n] for own in found.layers.values() for n in SHARES)]
    angles = [*(c for row in found.cosines for c in row), *(own["cosine"] for own in found.layers.values())]
    scores = [score for own in found.crossed.values() for score in own.values()]
    if not all(0 <= x <= 1 for x in shares) or not all(-1 <= x <= 1 for x in (*angles, *scores)):
        raise BadRecord(f"{path}: a share is not from 0 to 1, or a cosine or a score not from -1 to 1")
    if not all(0 <= x <= 1e6 for x in (*found.distances, *(own["distance"] for own in found.layers.values()))):
        raise BadRecord(f"{path}: a distance is not from 0 to 1,000,000")
    return found


SHARES = ("conflict", "cancelled", "rank")
_IN_JSON = {
    **{name: str for name in ("key", "suite", "model", "heads")},
    **{"seed": int, "schema": int, "recipe": dict[str, Any], "environment": dict[str, Any]},
    **{"members": tuple[str, ...], "distances": tuple[float, ...], "cosines": tuple[tuple[float, ...], ...]},
    **{"conflict": float, "cancelled": float, "rank": float},
    **{"layers": dict[str, dict[str, float]], "crossed": dict[str, dict[str, float]]},
}
