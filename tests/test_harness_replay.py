"""Answers that are there already: taken from the store, or from a search that another setting has made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

import harness.cells.workshop
import harness.members.finetune
from harness.cells.lab import Lab
from harness.cells.recorded import weights_sha256
from harness.cells.workshop import Workshop
from harness.judging.scoring import DevScorer, Examiner
from harness.records.record import read
from methods import Merged, resolve
from tests.emotion_cells import BOTH, METHODS, SEARCHES, cell, forbid, name_of
from tests.small_world import Project, outcome

# -- answered from the store -----------------------------------------------------------------------------------------


def test_a_second_run_is_answered_from_the_store_and_trains_nothing(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answered.contents()
    training = ((harness.members.finetune, "finetune"), (Workshop, "member"))
    forbid(monkeypatch, *training, (DevScorer, "answers"), (Examiner, "examine"))
    result = answered.run(*BOTH)
    result.stdout.fnmatch_lines(["*1 skipped, 150 deselected*29 cached*"])
    assert result.ret == 0 and answered.contents() == before


def test_rerun_answers_nothing_from_the_store(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: outcome(record) for name, record in answered.records().items()}
    calls = []
    ask = DevScorer.__call__
    monkeypatch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(1) or ask(self, merged))
    result = answered.run("--rerun", "--heads=same", "--method=ties_evolver", "-k", "in_domain")
    result.assert_outcomes(passed=1, deselected=11)
    assert len(calls) == 1 + 2 * 5, "the search is made again, not replayed"
    assert {name: outcome(record) for name, record in answered.records().items()} == before


def test_a_cell_has_the_same_record_whatever_ran_before_it(answered: Project) -> None:
    torch.manual_seed(12345)
    for method in ("regmean_evolver", "greedy_soup"):
        words = ("--heads=same", f"--method={method}", "-k", "in_domain", "--results=alone")
        answered.run(*words).assert_outcomes(passed=1, deselected=11)
    shared = answered.records()
    for name, record in answered.records("alone").items():
        assert outcome(record) == outcome(shared[name]), name


def test_a_damaged_record_is_reported_and_made_again(answered: Project) -> None:
    wanted = answered.records()["in_domain/same/all/fisher"]
    path = answered.path / "results" / wanted.path
    path.write_bytes(path.read_bytes()[:100])
    result = answered.run(*BOTH)
    result.stdout.fnmatch_lines([f"*damaged record, made again: {path}*", "*1 passed*28 cached*"])
    assert outcome(answered.records()["in_domain/same/all/fisher"]) == outcome(wanted)


def test_a_changed_setting_is_another_cell_and_leaves_the_first(answered: Project) -> None:
    before = answered.contents()
    result = answered.run("--heads=same", "--method=ties", "-k", "in_domain", "--set=ties.k=0.5")
    result.assert_outcomes(passed=1, deselected=11)
    after = answered.contents()
    assert {name: after[name] for name in before} == before
    new = [name for name in after if name not in before and "gold" not in name]
    assert len(new) == 1 and new[0].startswith("emotion/in_domain/tiny-encoder/ties-s1-")


@pytest.mark.parametrize("setting", ["evolver.F=0.25", "dev_fraction=0.5"])
def test_a_search_of_another_kind_is_made_and_not_replayed(
    setting: str, answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    ask = DevScorer.__call__
    monkeypatch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(1) or ask(self, merged))
    before, known_ = answered.records()["in_domain/same/all/simple_evolver"], set(answered.store().paths())
    result = answered.run("--heads=same", "--method=simple_evolver", "-k", "in_domain", f"--set={setting}")
    result.assert_outcomes(passed=1, deselected=11)
    (path,) = set(answered.store().paths()) - known_
    found = read(path)
    assert found is not None and found.trace is not None and before.trace is not None
    assert len(calls) == 1 + 2 * 5 + ("dev" in setting) and found.trace["F"] == (
        0.25 if "F" in setting else before.trace["F"]
    )
    assert found.dev != before.dev


# -- replayed --------------------------------------------------------------------------------------------------------


def test_out_of_domain_replays_the_in_domain_search(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answered.records()
    shutil.rmtree(answered.path / "results" / "emotion" / "out_of_domain")
    forbid(monkeypatch, (DevScorer, "answers"))
    result = answered.run("--heads=same", *(f"--method={m}" for m in SEARCHES), "-k", "out_of_domain")
    result.assert_outcomes(passed=len(SEARCHES), deselected=11 * len(SEARCHES))
    for method in SEARCHES:
        inside, outside = (answered.records()[f"{s}_domain/same/all/{method}"] for s in ("in", "out_of"))
        assert inside.weights_sha256 == outside.weights_sha256 == whole[name_of(outside)].weights_sha256
        assert inside.dev == outside.dev and inside.trace == outside.trace
        assert outcome(outside) == outcome(whole[name_of(outside)])
        assert outside.cost["merge_seconds"] == inside.cost["merge_seconds"], "it cost what it cost when it was made"


def test_a_replay_of_an_older_record_answers_the_development_rows_that_it_does_not_tell_of(answered: Project) -> None:
    whole = answered.records()["in_domain/same/all/evolver"]
    path = answered.path / "results" / whole.path
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["dev"]["predictions"]
    path.write_text(json.dumps(told), encoding="utf-8")
    shutil.rmtree(answered.path / "results" / "emotion" / "out_of_domain")
    answered.run("--heads=same", "--method=evolver", "-k", "in_domain or out_of_domain")
    inside, outside = (answered.records()[f"{s}_domain/same/all/evolver"] for s in ("in", "out_of"))
    assert inside.key == whole.key and inside.dev == told["dev"], "an old record is an answer"
    assert outside.dev == whole.dev


def test_in_domain_and_out_of_domain_judge_the_same_weights(answered: Project) -> None:
    records = answered.records()
    for method in METHODS:
        inside, outside = (records[f"{s}_domain/same/all/{method}"] for s in ("in", "out_of"))
        assert inside.weights_sha256 == outside.weights_sha256, method
        assert inside.key != outside.key and inside.score != outside.score


def test_every_trace_gives_its_weights_again(answered: Project, lab: Lab) -> None:
    population = lab.populations.of(cell("best").key)

    def refuse(merged: Merged) -> float:
        raise AssertionError("a replay scores nothing")

    refuse.calls = 0  # type: ignore[attr-defined]
    replayed = []
    for record in answered.records().values():
        if record.trace is not None and record.setting == "in_domain":
            method: Any = resolve(record.method, lab.protocol.methods)
            again = method.replay(population, record.trace, refuse, torch.Generator().manual_seed(99))
            assert weights_sha256(again) == record.weights_sha256, record.method
            replayed.append(record.method)
    assert set(replayed) == set(SEARCHES)
    lineages = [r.trace["lineage"] for r in answered.records().values() if r.trace and "lineage" in r.trace]
    assert max(map(len, lineages)) > 1, "some children were accepted"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda trace: {**trace, "F": trace["F"] / 2},
        lambda trace: {},
        lambda trace: {**trace, "lineage": [{**trace["lineage"][0], "i": 99}]},
    ],
    ids=["other weights", "empty", "no such member"],
)
def test_a_trace_that_cannot_be_replayed_is_reported_and_the_search_made_again(
    spoil: Callable[[Mapping[str, Any]], Any], answered: Project
) -> None:
    inside, wanted = (answered.records()[f"{s}_domain/same/all/simple_evolver"] for s in ("in", "out_of"))
    answered.store().put(replace(inside, trace=spoil(inside.trace or {})))
    (answered.path / "results" / wanted.path).unlink()
    result = answered.run("--heads=same", "--method=simple_evolver", "-k", "out_of_domain")
    result.assert_outcomes(passed=1, deselected=11)
    result.stdout.fnmatch_lines([f"*{inside.path}: its trace cannot be replayed (*"])
    assert outcome(answered.records()[name_of(wanted)]) == outcome(wanted)
