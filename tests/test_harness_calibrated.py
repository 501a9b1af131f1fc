"""A calibrated merge in its cell: asked once on development rows, never on test rows, and written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from harness.cells.lab import Lab
from harness.cells.run import merged_by
from harness.data.corpus import MASKED
from harness.export.deliver import Order, deliver
from harness.export.remake import cell_of
from harness.judging.fitness import fitness
from harness.judging.live import LiveModel
from harness.judging.scoring import DevScorer
from harness.judging.sheet import Sheet
from harness.judging.shifting import Shiftable
from harness.records.record import RunRecord, Store
from harness.storage import journal
from leaderboard import audit
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from leaderboard.tables.kinds import kind_of
from leaderboard.tables.tuned import calibration
from methods import Offset
from methods.calibrated import Calibrated
from methods.merged import heart_of, models_of, trace_of
from tests.brought import bring, lab_of, lab_of_two_tasks, record_of, record_of_two_tasks
from tests.emotion_cells import forbid
from tests.small_world import swap_all

BIAS = "classifier.bias"


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Lab]:
    root = tmp_path_factory.mktemp("calibrated")
    made = {kind: lab_of(root / kind, bring(root / kind, kind), kind) for kind in ("encoder", "decoder")}
    return {**made, "two tasks": lab_of_two_tasks(root / "tasks")}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("results") / "results")


@pytest.fixture(scope="module")
def records(labs: Mapping[str, Lab], store: Store) -> Mapping[str, RunRecord]:
    """Of each lab, with and without."""
    found = {}
    for kind, lab in labs.items():
        ask = record_of_two_tasks if kind == "two tasks" else record_of
        for method in ("dare_linear", "dare_linear_calibrated"):
            found[f"{kind} {method}".removesuffix(" dare_linear")] = ask(lab, store, method)
    return found


def merged(lab: Lab, store: Store, record: RunRecord) -> Any:
    return merged_by(cell_of(record, lab.subject.model), lab, store, before=record).merged


@pytest.mark.parametrize("kind", ["encoder", "decoder", "two tasks"])
def test_a_calibration_costs_one_evaluation_and_loses_nothing_on_the_rows_that_it_is_made_of(
    kind: str, records: Mapping[str, RunRecord]
) -> None:
    plain, found = records[kind], records[f"{kind} dare_linear_calibrated"]
    trace: Any = found.trace
    start, final = (pytest.approx(trace[name], abs=1e-5) for name in ("start", "final"))  # records are rounded
    assert found.dev["calls"] == 1 and plain.dev["score"] == start and found.dev["best"] == start
    assert trace["start"] <= trace["final"] and found.dev["score"] == final
    assert any(any(own) for own in trace["offsets"].values()), "or nothing was shown"


def test_an_encoder_with_a_merged_head_is_one_model_with_another_bias(
    labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord]
) -> None:
    lab, found = labs["encoder"], records["encoder dare_linear_calibrated"]
    plain, whole = merged(lab, store, records["encoder"]), merged(lab, store, found)
    assert found.cost["inference_models"] == 1 and "stored_parameters" not in found.cost
    assert all(torch.equal(whole[n], plain[n]) for n in plain if n != BIAS), "the same masks, and the same all else"
    (offsets,) = (found.trace or {})["offsets"].values()
    torch.testing.assert_close(whole[BIAS] - plain[BIAS], torch.tensor(offsets))


@pytest.mark.parametrize("kind", ["decoder", "two tasks"])
def test_elsewhere_logits_are_shifted_as_by_hand(
    kind: str, labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord]
) -> None:
    lab, found = labs[kind], records[f"{kind} dare_linear_calibrated"]
    whole, key = merged(lab, store, found), cell_of(found, lab.subject.model).key
    assert isinstance(whole, Offset) and set(whole.offsets) == ({"emotion"} if kind == "decoder" else set(key.members))
    heads = lab.populations.heads(key)
    for corpus in key.members:
        sheet: Any = lab.judges._sheet(corpus, lab.rows.dev(corpus, 1), heads)
        by_hand = sheet.logits(heart_of(whole)) + torch.tensor(whole.offsets[sheet.layer])
        assert isinstance(sheet, Sheet) and torch.equal(sheet.logits(whole), by_hand)


def test_the_leaderboard_holds_it_against_the_same_merge_uncalibrated(
    store: Store, records: Mapping[str, RunRecord]
) -> None:
    plain, found = records["encoder"], records["encoder dare_linear_calibrated"]
    assert [line for line in audit.unlikely(found) if "names no command" not in line] == []
    assert (kind_of(plain), kind_of(found)) == ("", "calibrated")
    (group,) = groups([plain, found], gold_of(store))
    ((row,),) = [table.rows for table in calibration(group)]
    assert row.row == "dare_linear" and row.gain is not None
    assert row.gain.mean == pytest.approx(found.score - plain.score)


def test_poisoned_test_rows_change_no_offset(
    labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord], tmp_path: Path
) -> None:
    lab, found = labs["encoder"], records["encoder dare_linear_calibrated"]
    clean = lab.rows.corpora

    def turned(split: Any) -> Any:
        return replace(split, labels=np.where(split.labels == MASKED, MASKED, 1 - split.labels))

    swap_all(lab, {name: replace(corpus, test=turned(corpus.test)) for name, corpus in clean.items()})
    try:
        other = record_of(lab, Store(tmp_path / "results"), "dare_linear_calibrated")
    finally:
        swap_all(lab, clean)
    assert other.scores != found.scores and other.weights_sha256 == found.weights_sha256
    assert other.trace == found.trace and other.dev == found.dev


def test_a_trace_makes_it_again_without_asking(
    labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, (DevScorer, "said"), (DevScorer, "__call__"))
    for kind, lab in labs.items():
        again = merged(lab, store, records[f"{kind} dare_linear_calibrated"])
        assert len(models_of(again)) == 1


def test_a_killed_one_counts_its_evaluation_once(
    labs: Mapping[str, Lab], records: Mapping[str, RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, wanted, said = labs["encoder"], records["encoder dare_linear_calibrated"], list[str]()
    monkeypatch.setattr(journal, "forget", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr("methods.calibrated._shifted", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            record_of(lab, Store(tmp_path / "results"), "dare_linear_calibrated")
    monkeypatch.setattr(lab, "say", said.append)
    found = record_of(lab, Store(tmp_path / "results"), "dare_linear_calibrated")
    assert said == ["1 development score of an interrupted run is read back"]
    assert found.dev == wanted.dev and found.weights_sha256 == wanted.weights_sha256


@pytest.mark.parametrize("kind", ["decoder", "two tasks"])
def test_what_is_written_has_the_numbers_in_its_heads_or_beside_it(
    kind: str, labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord], tmp_path: Path
) -> None:
    lab, found = labs[kind], records[f"{kind} dare_linear_calibrated"]
    target, trace = tmp_path / "out", found.trace or {}
    deliver(Order(found, "For the test."), cell_of(found, lab.subject.model), lab, store, store, target)
    page, file = (target / "README.md").read_text(), target / "offsets.json"
    assert file.exists() == ("`offsets.json`" in page) == (kind == "decoder")
    if kind == "decoder":
        assert list(json.loads(file.read_text())["offsets"].values()) == trace["offsets"]["emotion"]
        return
    for corpus in found.scores:
        bias = AutoModelForSequenceClassification.from_pretrained(target / corpus).classifier.bias
        own = lab.populations.heads(cell_of(found, lab.subject.model).key)[corpus][BIAS]
        torch.testing.assert_close(bias.detach() - own, torch.tensor(trace["offsets"][corpus]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("seed", range(2))
def test_in_every_precision_what_is_promised_on_development_rows_is_what_the_merge_scores_there(
    labs: Mapping[str, Lab], store: Store, records: Mapping[str, RunRecord], dtype: torch.dtype, seed: int
) -> None:
    """A bias is added before logits are rounded: moved in bf16, it adds something else than what was fitted."""
    lab, key = labs["encoder"], cell_of(records["encoder"], labs["encoder"].subject.model).key
    full: Any = lab.judges._sheet(key.members[0], lab.rows.dev(key.members[0], 1), lab.populations.heads(key))
    live = LiveModel(full.live.family, full.live.task, deepcopy(full.live.model), dtype)
    sheet = replace(full, live=live)
    noise = torch.Generator().manual_seed(seed)
    made = merged(lab, store, records["encoder"])
    fixed = {n: (t + 0.2 * torch.randn(t.shape, generator=noise)).to(dtype) for n, t in made.items()}

    def said(candidate: Any) -> Shiftable:
        return Shiftable(
            {"rows": sheet}, {"rows": sheet.logits(candidate)}, lambda found: fitness(found["rows"], "marks")
        )

    inner = SimpleNamespace(merge=lambda population, score, rng: fixed)
    whole: Any = Calibrated(inner).merge(population=None, score=SimpleNamespace(answers=said), rng=noise)  # type: ignore[arg-type]
    trace: Any = trace_of(whole)
    assert said(whole).score({}) == trace["final"] >= trace["start"] == said(fixed).score({})
    assert isinstance(whole, Mapping) == (dtype == torch.float32)
