"""Surveys the plane of two members and their ancestor (Evolver paper, section 5.6 and Figure 8)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.recipe import question_recipe, recipe_of, used_by
from harness.cells.run import merged_by
from harness.judging.progress import Progress
from harness.judging.scoring import Exam
from harness.records import earlier, terrain
from harness.records.environment import environment
from harness.records.record import BadRecord, Store, recipe_key
from harness.records.terrain import Place, Terrain
from harness.suites.setting import Setting
from methods import NotApplicable, Population, Weights
from methods.merged import is_one, models_of

LOW, HIGH = -0.25, 1.25  # how far the square reaches along each task vector: the members are at 1
VERSION = 1  # raise it when a landscape comes to mean something else


@dataclass(frozen=True, eq=False)
class Plane:
    """theta(a, b) = theta_0 + a (theta_1 - theta_0) + b (theta_2 - theta_0)."""

    origin: Weights
    first: Weights
    second: Weights

    @classmethod
    def of(cls, population: Population) -> Plane:
        """The plane of a population of two. Errors: `NotApplicable` where ancestor and members differ in parameters."""
        if len(population) != 2 or set(population.ancestor) != set(population.members[0]):
            raise NotApplicable("a landscape needs two members and an ancestor with the same parameters")
        return cls(population.ancestor, *population.members)

    def at(self, a: float, b: float) -> dict[str, torch.Tensor]:
        """The weights of one point."""
        return {n: x + a * (self.first[n] - x) + b * (self.second[n] - x) for n, x in self.origin.items()}

    def place(self, weights: Weights) -> tuple[float, float, float]:
        """a, b of the nearest point (least squares) and the share of the distance from the origin that is outside."""
        inner = torch.zeros(3, 3, dtype=torch.float64)  # of both task vectors and the merge, each less the origin
        for name, x in self.origin.items():
            ways = torch.stack(
                [(w[name].to(x.device) - x).flatten() for w in (self.first, self.second, weights)]
            ).double()
            inner += ways @ ways.T
        ab = torch.linalg.lstsq(inner[:2, :2], inner[:2, 2:]).solution[:, 0]
        whole = float(inner[2, 2])
        outside = max(0.0, whole - float(ab @ inner[:2, 2]))
        return float(ab[0]), float(ab[1]), math.sqrt(outside / whole) if whole else 0.0


def recipe(
    setting: Setting, key: PopulationKey, used: Mapping[str, Collection[str]], lab: Lab, points: int
) -> dict[str, Any]:
    """Everything that decides a landscape; its key is the hash of this. `used`: by each method, of its protocol."""
    asked = {m: recipe_of(Cell(setting, key, m), lab, parts) for m, parts in used.items()}
    plane = question_recipe(Cell(setting, key, "landscape"), lab)
    return {"version": VERSION, "points": points, "low": LOW, "high": HIGH, "plane": plane, "cells": asked}


def stored(
    setting: Setting, key: PopulationKey, methods: tuple[str, ...], lab: Lab, points: int, root: Path
) -> Path | None:
    """The file of this very landscape, if it was surveyed before."""
    for path in terrain.paths_of(root, key.model.display, key.members, key.seed):
        try:
            there = _of_today(terrain.read(path).recipe)
        except BadRecord:
            continue  # reported by the leaderboard; here it is only not used
        cells = there.get("cells")
        if isinstance(cells, dict) and set(cells) == set(methods):
            used = {m: used_by(cells[m]) for m in methods}
            if recipe_key(recipe(setting, key, used, lab, points)) == recipe_key(there):
                return path
    return None


def _of_today(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A landscape's recipe without what recipes said in earlier times."""
    found, cells = dict(recipe), recipe.get("cells")
    if isinstance(cells, Mapping):
        found["cells"] = {m: earlier.recipe_of(r, {}) if isinstance(r, Mapping) else r for m, r in cells.items()}
    if isinstance(plane := recipe.get("plane"), Mapping):
        found["plane"] = earlier.recipe_of(plane, {})
    return found


def survey(
    setting: Setting, key: PopulationKey, methods: tuple[str, ...], lab: Lab, store: Store, points: int
) -> Terrain:
    """Score a square of `points` x `points` models on the test rows, and find every merge's place in it.

    The test rows are opened after the merges, and nothing is chosen by what they say.
    """
    plane = Plane.of(lab.populations.of(key))
    corpora = setting.exam(key.members, lab.rows.corpora)
    found = {m: merged_by(Cell(setting, key, m), lab, store) for m in methods}
    examiner = lab.examiner(Cell(setting, key, "landscape"), corpora)
    progress = Progress(lab.say, f"surveying {lab.subject.model} on {'+'.join(key.members)}")
    step = (HIGH - LOW) / (points - 1)
    axis = tuple(LOW + step * i for i in range(points))
    scores = []
    for b in axis:
        scores.append(tuple(_mean(examiner.examine(plane.at(a, b))) for a in axis))
        progress.tick(f"{len(scores)} of {points} rows")
    ones = {m: models_of(f.merged)[0] for m, f in found.items() if is_one(f.merged)}
    for method in [m for m in found if m not in ones]:
        lab.say(f"{method}: it has no place in a landscape, as it is not one set of weights")
    places = {m: Place(*plane.place(weights), _mean(examiner.examine(weights))) for m, weights in ones.items()}
    made = recipe(setting, key, {m: f.used for m, f in found.items()}, lab, points)
    return Terrain(
        key=recipe_key(made),
        suite=setting.suite,
        setting=setting.name,
        model=key.model.display,
        seed=key.seed,
        members=key.members,
        heads=key.heads,
        recipe=made,
        axis=axis,
        scores=tuple(scores),
        places=places,
        environment=environment(),
    )


def _mean(exams: dict[str, Exam]) -> float:
    return sum(e.score for e in exams.values()) / len(exams)
