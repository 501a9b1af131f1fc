"""A fine-tuning that is killed goes on from its checkpoint, and ends with the member of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cells.cell import Source
from harness.members.finetune import _FamilyTrainer
from tests.small_world import DECODER, TINY, alone, make_lab, needs_fork

pytestmark = [needs_fork, pytest.mark.whole]

ALWAYS = 1e-9  # minutes: a checkpoint wherever one may be
TEC = alone("tec")  # 56 rows of 8 in 2 epochs: 14 steps
SMALL = ("train_rows=56", "epochs=2", "dev_rows=20")


def zoo_of(tmp_path: Path, small_zoo: Path) -> Path:
    """A zoo that has the tiny models and no member."""
    (tmp_path / "zoo").mkdir(parents=True, exist_ok=True)
    shutil.copytree(small_zoo / "tiny", tmp_path / "zoo" / "tiny", dirs_exist_ok=True)
    return tmp_path / "zoo"


def train(zoo: Path, *settings: str, source: Source = TEC, minutes: float = ALWAYS, **more: Any) -> Path:
    """The member's file, by a laboratory of its own; what it said is in `said.txt` beside the zoo."""
    with (zoo.parent / "said.txt").open("a") as said:
        lab = make_lab(zoo, *SMALL, *settings, say=lambda line: print(line, file=said, flush=True), **more)
        lab.workshop._minutes = minutes
        lab.workshop.member(source)
    return zoo / "members" / lab.workshop._zoo.path("members", lab.identity.member(source)).name / "model.safetensors"


def killed(steps: int, run: Callable[[], object]) -> None:
    """Run in another process that is killed when it begins its step after so many."""
    done = [0]
    plain = _FamilyTrainer.training_step

    def training_step(self: Any, *words: Any) -> Any:
        if done[0] == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        done[0] += 1
        return plain(self, *words)

    def work() -> None:
        _FamilyTrainer.training_step = training_step
        run()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(timeout=120)
    assert process.exitcode == -signal.SIGKILL


LAST = "checkpoint=last"  # so that every step is in the member
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "the best weights, found before": ((), {}),
    "rows in any order": ((LAST,), {}),
    "rows of one length together": ((LAST, "train_batches=by_length"), {}),
    "checked every few steps, ending within an epoch": (("steps=12", "check_every=5"), {}),
    "several tasks with heads of their own": (
        (LAST, "train_rows=28", "glue_dev_least=20", "glue_dev_most=20"),
        {"source": Source(("cola", "rte"), 1, 1), "suite": "glue"},
    ),
    "a model that is asked in words": ((LAST, "train_rows=28", "epochs=4"), {"model": DECODER}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_is_killed_twice_ends_with_the_same_member(kind: str, tmp_path: Path, small_zoo: Path) -> None:
    settings, more = KINDS[kind]
    make_lab(small_zoo, model=more.get("model", TINY))  # which is built once for both zoos below
    undisturbed = train(zoo_of(tmp_path / "undisturbed", small_zoo), *settings, minutes=10, **more)
    assert "goes on" not in (tmp_path / "undisturbed" / "said.txt").read_text()
    zoo = zoo_of(tmp_path / "disturbed", small_zoo)
    for steps in (3, 5):  # within the first epoch, then early in the second
        killed(steps, lambda: train(zoo, *settings, **more))
    member = train(zoo, *settings, minutes=10, **more)
    assert member.read_bytes() == undisturbed.read_bytes()
    assert "goes on after step 3" in (said := (tmp_path / "disturbed" / "said.txt").read_text())
    assert "goes on after step 8" in said or "goes on after step 7" in said
    assert [p.name for p in (zoo / "members").iterdir()] == [member.parent.name], "nothing is left behind"
