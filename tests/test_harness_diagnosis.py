"""Diagnoses: asked for by one word, made once for a population, believed only if whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.records import diagnosis
from harness.records.diagnosis import OF_LAYERS, Diagnosis
from harness.records.record import BadRecord, Store, recipe_key
from tests.small_world import Project

WORDS = ("--diagnose", "--method=simple", "--method=best", "-k", "pairwise and dailydialog+crowdflower")


def test_a_session_that_asks_for_it_shows_it_and_keeps_it(project: Project) -> None:
    shown = project.run(*WORDS)
    shown.stdout.fnmatch_lines(["*before merging*", "*dailydialog+crowdflower*", "*block 0*"])
    (path,) = diagnosis.paths(project.path / "results")
    found = diagnosis.read(path)
    assert found.members == ("dailydialog", "crowdflower") and set(found.crossed) == set(found.members)
    assert all(distance > 0 for distance in found.distances) and "embeddings" in found.layers
    before = path.stat().st_mtime_ns
    project.run(*WORDS).stdout.fnmatch_lines(["*before merging*"])
    assert path.stat().st_mtime_ns == before, "it was found in the store"


def made(**changes: object) -> Diagnosis:
    told = {"suite": "emotion", "model": "m", "seed": 1, "heads": "same", "recipe": {"a": 1}}
    signs = {"distances": (0.1, 0.2), "cosines": ((1.0, 0.5), (0.5, 1.0)), "conflict": 0.2, "cancelled": 0.1}
    layers = {"block 0": dict.fromkeys(OF_LAYERS, 0.5)}
    more = {"rank": 0.3, "layers": layers, "crossed": {}, "key": recipe_key({"a": 1}), "members": ("x", "y")}
    return Diagnosis(**{**told, **signs, **more, **changes})  # type: ignore[arg-type]


def test_the_gap_is_what_members_are_ahead_of_the_others_on_their_own_rows() -> None:
    crossed = {"x": {"x": 0.9, "y": 0.3}, "y": {"x": 0.5, "y": 0.7}}
    assert made(crossed=crossed).gap == pytest.approx((0.9 + 0.7) / 2 - (0.3 + 0.5) / 2)
    assert made().gap is None and made(members=("c#1", "c#2"), crossed={"c#1": {"c": 1.0}}).gap is None
    assert made().cosine == 0.5 and made().distance == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"other": 1}}, "does not hash"),
        ({"distances": [0.1]}, "one number for each member"),
        ({"cosines": [[1.0], [0.5, 1.0]]}, "one number for each member"),
        ({"cosines": [[1.0, 2.0], [0.5, 1.0]]}, "not from -1 to 1"),
        ({"conflict": 1.5}, "not from 0 to 1"),
        ({"rank": float("nan")}, "not a diagnosis"),
        ({"layers": {"block 0": {"rank": 0.5}}}, "has not distance"),
        ({"distances": [0.1, -1]}, "a distance is not"),
        ({"crossed": {"x": {"y": 7}}}, "not from -1 to 1"),
        ({"crossed": {"x": "?"}}, "cannot be that"),
        ({"seed": "/../../up"}, "cannot be that"),
        ({"surprise": 1}, "not a diagnosis"),
    ],
)
def test_a_damaged_diagnosis_is_one_line(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = diagnosis.put(Store(tmp_path), made())
    assert diagnosis.read(path) == made()
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    with pytest.raises(BadRecord, match=said) as caught:
        diagnosis.read(path)
    assert "\n" not in str(caught.value)
