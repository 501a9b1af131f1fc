"""Diagnoses a population before it is merged: its members' changes, and what each member says to the others' rows.

Development rows alone are asked. A diagnosis is made once for a population, whatever the settings that merge it.
"""

from __future__ import annotations

from typing import Any

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.recipe import question_recipe
from harness.cells.rows import dev_answers
from harness.judging.fitness import fitness
from harness.records import diagnosis
from harness.records.diagnosis import Diagnosis
from harness.records.environment import environment
from harness.records.record import BadRecord, Store, recipe_key
from harness.suites.setting import Setting
from methods.diagnosis import Signs, diagnose

VERSION = 1  # raise it when a diagnosis comes to mean something else


def recipe(setting: Setting, key: PopulationKey, lab: Lab) -> dict[str, Any]:
    """Everything that decides a diagnosis: the question without its exam, and without who asks it."""
    asked = dict(question_recipe(Cell(setting, key, "diagnosis"), lab))
    asked["data"] = {name: part for name, part in asked["data"].items() if name != "exam"}
    return {"version": VERSION, **{name: part for name, part in asked.items() if name != "setting"}}


def stored(setting: Setting, key: PopulationKey, lab: Lab, store: Store) -> Diagnosis | None:
    """This very diagnosis, if it was made before."""
    wanted = recipe_key(recipe(setting, key, lab))
    path = store.root / diagnosis.FOLDER / f"{diagnosis.stem(key.model.display, key.members, key.seed)}-{wanted}.json"
    try:
        return diagnosis.read(path) if path.exists() else None
    except BadRecord:
        return None  # reported by the leaderboard; here it is only not used


def made(setting: Setting, key: PopulationKey, lab: Lab) -> Diagnosis:
    """Of this population. Errors: `NotApplicable` where the members have no ancestor."""
    lab.say(f"diagnosing {lab.subject.model} on {'+'.join(key.members)} ...")
    whole, groups = diagnose(lab.populations.of(key))
    crossed: dict[str, dict[str, float]] = {}
    if key.heads != "own":  # a head of another task says nothing to these rows
        answers = dev_answers(Cell(setting, key, "diagnosis"), lab)
        crossed = {member: {c: fitness(a, "marks") for c, a in own.items()} for member, own in answers.items()}
    asked = recipe(setting, key, lab)
    return Diagnosis(
        key=recipe_key(asked),
        suite=setting.suite,
        model=key.model.display,
        seed=key.seed,
        members=key.members,
        heads=key.heads,
        recipe=asked,
        distances=whole.distance,
        cosines=whole.cosines,
        conflict=whole.conflict,
        cancelled=whole.cancelled,
        rank=whole.rank,
        layers={group: _mean(signs) for group, signs in groups.items()},
        crossed=crossed,
        environment=environment(),
    )


def _mean(signs: Signs) -> dict[str, float]:
    distance = sum(signs.distance) / len(signs.distance)
    shares = {"conflict": signs.conflict, "cancelled": signs.cancelled, "rank": signs.rank}
    return {"distance": distance, "cosine": signs.cosine, **shares}
