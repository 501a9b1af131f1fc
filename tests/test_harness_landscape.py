"""The plane of two members: places by hand, and a survey of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness.cells.landscape import Plane
from harness.records import terrain
from harness.records.record import BadRecord, Store, recipe_key
from methods import NotApplicable, Population
from tests.small_world import Project


def vectors(*rows: tuple[float, ...]) -> list[dict[str, torch.Tensor]]:
    """Weights of two tensors each."""
    return [{"w": torch.tensor(row[:2]).float(), "b": torch.tensor(row[2:]).float()} for row in rows]


def test_a_place_is_the_nearest_point_and_what_is_left() -> None:
    origin, first, second, merge = vectors((1, 1, 1), (2, 1, 1), (1, 2, 1), (1.3, 1.6, 1.2))
    a, b, off = Plane(origin, first, second).place(merge)
    # the way is (.3, .6, .2), of length .7; (.3, .6, 0) is in the plane
    assert (a, b, off) == pytest.approx((0.3, 0.6, 0.2 / 0.7), abs=1e-6)


def test_task_vectors_need_not_be_at_right_angles() -> None:
    origin, first, second, merge = vectors((0, 0, 0), (1, 0, 0), (1, 1, 0), (1.5, 0.5, 0))
    assert Plane(origin, first, second).place(merge) == pytest.approx((1.0, 0.5, 0.0), abs=1e-6)
    there = Plane(origin, first, second).at(1.0, 0.5)
    assert all(torch.allclose(there[name], merge[name]) for name in merge)
    assert Plane(origin, first, second).place(origin) == (0.0, 0.0, 0.0)


def test_a_plane_needs_two_members_and_their_whole_ancestor() -> None:
    origin, first, second, third = vectors((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    with pytest.raises(NotApplicable, match="two members"):
        Plane.of(Population((first, second, third), ("x", "y", "z"), origin))
    with pytest.raises(NotApplicable, match="ancestor"):
        Plane.of(Population((first, second), ("x", "y"), {"w": origin["w"]}))


def test_a_survey_of_a_tiny_model(project: Project) -> None:
    words = (
        "--grid=3",
        "--method=best",
        "--method=simple",
        "--method=ensemble",
        "--method=avg",
        "-k",
        "landscape and pairwise and dailydialog+crowdflower",
    )
    suite = Path(__file__).parent.parent / "suites" / "test_landscape.py"
    (project.path / "suites" / suite.name).write_text(suite.read_text(encoding="utf-8"), encoding="utf-8")
    assert project.run(*words).parseoutcomes()["passed"] == 1
    (path,) = terrain.paths(project.path / "results")
    found = terrain.read(path)
    assert found.axis == (-0.25, 0.5, 1.25) and len(found.scores) == 3
    assert set(found.places) == {"best", "simple"}, "an ensemble has no place, and avg is no merge"
    best = found.places["best"]
    assert sorted([round(best.a, 4), round(best.b, 4)]) == [0.0, 1.0] and best.off < 1e-3
    before = path.stat().st_mtime_ns
    project.run(*words)
    assert path.stat().st_mtime_ns == before, "it was found in the store"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"other": 1}}, "does not hash"),
        ({"scores": [[0.1]]}, "not a square"),
        ({"axis": [1.0, 0.0]}, "an axis rises"),
        ({"axis": [0.0, 1e-12]}, "an axis rises"),
        ({"axis": [0.0, 10**400]}, "cannot be that"),
        ({"axis": [0.0, "nan"]}, "cannot be that"),
        ({"axis": [0.0, 1e20]}, "further away"),
        ({"seed": "/../../../../up"}, "cannot be that"),
        ({"model": 5}, "cannot be that"),
        ({"environment": "x"}, "cannot be that"),
        ({"scores": [[0.1, 2.0], [0.1, 0.2]]}, "not from -1 to 1"),
        ({"scores": [[0.1, float("nan")], [0.1, 0.2]]}, "not a landscape"),
        ({"surprise": 1}, "not a landscape"),
    ],
)
def test_a_damaged_landscape_is_one_line(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    told = {"suite": "emotion", "setting": "pairwise", "model": "m", "seed": 1, "heads": "same", "recipe": {"a": 1}}
    made = terrain.Terrain(
        key=recipe_key({"a": 1}),
        members=("x", "y"),
        axis=(0.0, 1.0),
        scores=((0.1, 0.2), (0.3, 0.4)),
        places={},
        **told,  # type: ignore[arg-type]
    )
    path = terrain.put(Store(tmp_path), made)
    assert terrain.read(path) == made
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    with pytest.raises(BadRecord, match=said) as caught:
        terrain.read(path)
    assert "\n" not in str(caught.value)
