"""emr in a cell: a model for each member's task, which other tasks are refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.cells.cell import Cell, PopulationKey
from harness.cells.run import run
from harness.members import finetune
from harness.records.record import Store
from harness.suites.glue.tasks import TASKS
from harness.suites.setting import Setting
from methods import NotApplicable, resolve
from methods.merged import models_of
from methods.refereeing.toys import toy_score
from tests.brought import SETTING, TASKS_OF_TWO, lab_of_two_tasks, record_of_two_tasks
from tests.emotion_cells import IN, OUT, cell, forbid
from tests.small_world import make_lab


def test_across_tasks_each_has_its_own_trunk_under_its_own_head(tmp_path: Path) -> None:
    lab, store = lab_of_two_tasks(tmp_path), Store(tmp_path / "results")
    record = record_of_two_tasks(lab, store, "emr")
    key = PopulationKey(lab.subject.model, "glue", TASKS_OF_TWO, tuple(TASKS), 1, "own")
    population, heads = lab.populations.of(key), lab.populations.heads(key)
    merged = resolve("emr").merge(population, toy_score(), torch.Generator())
    for corpus, trunk in zip(TASKS_OF_TWO, models_of(merged), strict=True):
        alone = lab.examiner(Cell(SETTING, key, "x"), (corpus,)).examine({**trunk, **heads[corpus]})
        assert alone[corpus].score == pytest.approx(record.scores[corpus], abs=1e-6)
    assert record.cost["inference_models"] == 1
    assert record.cost["tasks"] == 2
    assert record.cost["stored_parameters"] > 2 * sum(x.numel() for x in population.ancestor.values())


HALVES = Setting("glue", "non_iid", ("cola",), "halves", heads=("same",))


def test_a_task_of_no_member_is_refused_before_anything_is_trained(
    small_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, (finetune, "finetune"))
    emotion, glue, store = make_lab(small_zoo), make_lab(small_zoo, suite="glue"), Store(tmp_path)
    with pytest.raises(NotApplicable, match=r"^emr makes a model for each member's task, and emoint is none of daily"):
        run(cell("emr", OUT), emotion, store)
    parts = ("cola#1", "cola#2")
    key = PopulationKey(glue.subject.model, "glue", parts, parts, 1, "same")
    with pytest.raises(NotApplicable, match=r"and cola is none of cola#1, cola#2$"):
        run(Cell(HALVES, key, "emr"), glue, store)


def test_the_members_own_corpora_are_answered(small_zoo: Path, tmp_path: Path) -> None:
    record = run(cell("emr", IN), make_lab(small_zoo), Store(tmp_path))
    assert set(record.scores) == set(IN.members)
    assert record.cost["inference_models"] == 1 and record.cost["tasks"] == len(IN.members)
