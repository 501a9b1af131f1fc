"""Heads whose labels have no names: development rows tell an order that is another, and only where they surely do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.cells.judges import Judges
from harness.data.corpus import MASKED, Split
from harness.data.task import Task
from harness.members.order import MOST, told_by
from methods.errors import Misfit
from tests.brought import bring, lab_of

Array = np.ndarray


def task_of(outputs: int, kind: str = "classification") -> Task:
    names = tuple(f"label{k}" for k in range(outputs))
    return Task("mood", kind, names, "accuracy" if kind == "classification" else "macro_f1", names, names)  # type: ignore[arg-type]


def answers(gold: Array, places: Array, share: float, rng: np.random.Generator) -> Array:
    """Logits of a head that is right on a share of the rows, if its output k stands for label places[k]."""
    outputs, wrong = len(places), rng.random(len(gold)) > share
    said = np.where(wrong, rng.integers(outputs, size=len(gold)), np.argsort(places)[gold])
    logits: Array = rng.normal(size=(len(gold), outputs))
    logits[np.arange(len(gold)), said] += 9
    return logits


@pytest.mark.parametrize(("outputs", "rows", "share"), [(2, 80, 0.9), (4, 240, 0.6), (16, 300, 0.5), (60, 400, 0.9)])
def test_another_order_is_found_and_one_that_is_right_is_believed(outputs: int, rows: int, share: float) -> None:
    rng, task = np.random.default_rng(outputs), task_of(outputs)
    for _ in range(5):
        gold = rng.permutation(np.arange(rows) % outputs)
        places = rng.permutation(outputs)
        for order in (places, np.roll(np.arange(outputs), 1)):
            found = told_by(answers(gold, order, share, rng), gold[:, None], task)
            same = sum(a == f"label{k}" for a, k in zip(found.order, order, strict=False))
            if (order == np.arange(outputs)).sum() > outputs / 2:
                continue  # hardly another
            assert same > 0.8 * outputs and found.better > found.right and found.rows == rows // 2
        own = told_by(answers(gold, np.arange(outputs), share, rng), gold[:, None], task)
        assert own.sure and own.order == ()


@pytest.mark.parametrize("outputs", [2, 5, 77])
def test_a_head_that_has_learned_nothing_is_accused_of_nothing(outputs: int) -> None:
    rng, task = np.random.default_rng(outputs), task_of(outputs)
    for rows in (1, 2, 9, 200, MOST):
        for _ in range(20):
            gold = np.minimum(rng.geometric(0.4, size=rows) - 1, outputs - 1)  # some labels are common
            assert told_by(rng.normal(size=(rows, outputs)), gold[:, None], task).order == ()
            always = np.zeros((rows, outputs))
            always[:, outputs - 1] = 1.0
            found = told_by(always, gold[:, None], task)
            assert found.order == () and not found.sure, "to say one thing to all rows is no order"


def test_of_several_labels_rows_with_one_and_annotated_outputs_count() -> None:
    rng, task = np.random.default_rng(0), task_of(5, "multi_label")
    gold = np.arange(200) % 3 + np.arange(200) % 2
    labels = np.zeros((200, 5), dtype=np.int64)
    labels[np.arange(200), gold] = 1
    labels[:, 4] = MASKED
    logits = np.hstack([answers(gold, np.array([1, 0, 2, 3]), 0.9, rng), np.full((200, 1), 99.0)])
    found = told_by(logits, labels, task)
    assert found.order == ("label1", "label0", "label2", "label3", "label4")
    labels[:, :4] = 1
    assert told_by(logits, labels, task) == (0, 0, False, (), 0)


@pytest.mark.parametrize("turned", [True, False, None])
def test_a_member_in_another_order_is_refused_before_anything_is_trained(
    turned: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, said = bring(tmp_path, "encoder"), list[str]()
    path = members["tec"] / "config.json"
    content = json.loads(path.read_text())
    names = {f"LABEL_{k}": k for k in range(len(content["id2label"]))}
    path.write_text(json.dumps({**content, "label2id": names, "id2label": {k: n for n, k in names.items()}}))
    lab = lab_of(tmp_path, members, "encoder")
    monkeypatch.setattr(lab.workshop, "_say", said.append)
    gold = np.arange(60) % 3

    def dev(corpus: str, draw: int) -> Split:
        labels = np.full((60, len(names)), MASKED)
        labels[:, :3] = np.eye(3)[gold]
        return Split(("a",) * (60 if turned is not None else 0), labels if turned is not None else labels[:0])

    def asked(self: Judges, task: Task, split: Split, weights: object) -> Tensor:
        assert len(split) == 60
        return torch.eye(len(names))[(gold + bool(turned)) % 3]

    monkeypatch.setattr(lab.rows, "dev", dev)
    monkeypatch.setattr(Judges, "asked", asked)
    if turned:
        with pytest.raises(Misfit) as error:
            lab.workshop.try_member(("tec", None))
        line = str(error.value)
        assert line.startswith("--member tec: its labels have no names, and in the task's order 0 of 30 development ")
        assert str(path) in line and ", ... 30; write id2label" in line and "\n" not in line
    else:
        lab.workshop.try_member(("tec", None))
        assert sum("its labels have no names; they are taken in the order" in line for line in said) == 1
        assert any("no development rows that could tell" in line for line in said) == (turned is None)


def test_that_rows_do_not_tell_an_order_is_said_of_a_head_that_names_nothing_alone(tmp_path: Path) -> None:
    members, said = bring(tmp_path, "encoder"), list[str]()
    lab = lab_of(tmp_path, members, "encoder")
    for corpus, path in members.items():
        content = json.loads((path / "config.json").read_text())
        if corpus == "tec":
            content = {name: value for name, value in content.items() if name not in ("id2label", "label2id")}
            content |= {"id2label": {str(k): f"LABEL_{k}" for k in range(16)}}
        (path / "config.json").write_text(json.dumps(content))
    for corpus in members:
        lab.workshop._say = said.append
        lab.workshop.try_member((corpus, None))
    assert [line for line in said if "tell whether" in line] == [
        "--member tec: development rows of tec do not tell whether that is their order"
    ]


@pytest.mark.parametrize("turned", [True, False])
def test_labels_that_a_head_names_otherwise_than_it_answers_are_told_and_not_refused(
    turned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of who numbers labels by the alphabet and names them from another list afterwards."""
    members, said = bring(tmp_path, "encoder"), list[str]()
    lab = lab_of(tmp_path, members, "encoder")
    monkeypatch.setattr(lab.workshop, "_say", said.append)
    gold, outputs = np.arange(60) % 3, len(lab.rows.task("tec").outputs)
    labels = np.full((60, outputs), MASKED)
    labels[:, :3] = np.eye(3)[gold]
    monkeypatch.setattr(lab.rows, "dev", lambda corpus, draw: Split(("a",) * 60, labels))
    monkeypatch.setattr(Judges, "asked", lambda *_: torch.eye(outputs)[(gold + turned) % 3])
    lab.workshop.try_member(("tec", None))
    told = [line for line in said if "as its config.json names its labels" in line]
    assert len(told) == turned
    if turned:
        assert "0 of 30 development rows are answered rightly" in told[0] and "mend id2label and label2id" in told[0]
