"""Whether a diagnosis tells what merging gains: correlations by hand, and no word where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.records.diagnosis import Diagnosis
from harness.records.record import RunRecord
from leaderboard.tables.diagnoses import LEAST, Link, links, spearman
from tests.test_harness_diagnosis import made


def test_spearman_by_hand() -> None:
    rising, falling = np.array([1.0, 2, 3, 4]), np.array([40.0, 30, 20, 10])
    assert spearman(rising, rising**3) == pytest.approx(1) and spearman(rising, falling) == pytest.approx(-1)
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert spearman(np.array([1.0, 2, 2, 3]), rising) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert spearman(np.ones(4), rising) is None


def record(method: str, score: float, recipe: dict[str, Any]) -> RunRecord:
    who = {"suite": "emotion", "setting": "pairwise", "model": "m", "method": method, "seed": 1, "population": "x+y"}
    said = {"heads": "same", "score": score, "scores": {"x": score}, "metric": "macro_f1", "members": ("x", "y")}
    return RunRecord(key=f"{method}{recipe['members']}", recipe=recipe, exam_key=str(recipe["members"]), **who, **said)  # type: ignore[arg-type]


def populations(count: int, gain: float) -> tuple[list[Diagnosis], list[RunRecord]]:
    """Populations whose merge gains the more the larger the cosine is, or nothing that hangs on it."""
    diagnoses, records = [], []
    chance = np.random.default_rng(0)
    for i in range(count):
        recipe = {"model": {"fingerprint": "f"}, "members": [f"x{i}", f"y{i}"], "population": {"heads": "same"}}
        cosine = i / count
        diagnoses.append(made(recipe=recipe, cosines=((1.0, cosine), (cosine, 1.0))))
        score = 0.5 + gain * cosine + 0.01 * float(chance.normal())
        for method, value in (("best", 0.5), ("simple", score)):
            records.append(record(method, value, {**recipe, "method": {"name": method}}))
    return diagnoses, records


def link(count: int, gain: float) -> Link:
    found = links(*populations(count, gain))
    return next(one for one in found if one.sign == "mean cosine" and one.method == "simple")


def test_a_sign_that_goes_with_gains_is_told_and_others_are_undecided() -> None:
    told = link(20, gain=0.3)
    assert told.populations == 20 and told.says == "gains rise with it" and 0 < told.low < (told.rho or 0) < told.high
    assert link(20, gain=0.0).says == "undecided"
    assert link(LEAST - 1, gain=0.3).says == "undecided", "too few to say"


def test_what_never_varies_is_undecided() -> None:
    found = links(*populations(10, 0.3))
    flat = next(one for one in found if one.sign == "sign conflict")
    assert flat.rho is None and flat.says == "undecided"
