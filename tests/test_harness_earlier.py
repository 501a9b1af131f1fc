"""Records that were written before a recipe said less, or more: found again, and never mixed with others' unseen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.cells.recipe
from harness.cells.lab import Lab
from harness.cells.recipe import keys_of, recipe_of
from harness.cells.run import run
from harness.records.earlier import COMMIT
from harness.records.environment import engine
from harness.records.recipe import exam_key, recipe_key
from harness.records.record import BadRecord, RunRecord, Store, read
from harness.suites.emotion.corpora import IN_DOMAIN
from leaderboard.tables.exams import exams
from tests.emotion_cells import answer, cell
from tests.small_world import alone, bring, forget, make_lab

SHA, OTHER = "a" * 40, "b" * 40


def as_before(store: Store, record: RunRecord, recipe: Mapping[str, Any], details: Mapping[str, Any]) -> Path:
    """Put a record as it would have been written with this recipe."""
    old = {"recipe": dict(recipe), "key": recipe_key(recipe), "exam_key": exam_key(recipe), "details": dict(details)}
    return store.put(replace(record, **old))


def found(lab: Lab, store: Store, method: str = "simple") -> RunRecord | None:
    asked = cell(method)
    return store.find("emotion", "in_domain", "tiny-encoder", method, 1, *keys_of(asked, lab))


@pytest.fixture
def brought(small_zoo: Path, tmp_path: Path) -> Lab:
    """A laboratory all of whose members were brought."""
    made, lab = make_lab(small_zoo), make_lab(small_zoo)
    folders = {}
    for corpus in IN_DOMAIN:
        folders[corpus] = tmp_path / corpus
        model = made.subject.fresh(made.rows.task(corpus), 1).model
        model.load_state_dict(dict(made.workshop.member(alone(corpus))))
        model.save_pretrained(folders[corpus])  # type: ignore[operator]
    bring(lab, folders)
    forget(lab)
    return lab


# -- the commit of a model ---------------------------------------------------------------------------------------------


def snapshot(lab: Lab, tmp_path: Path, sha: str) -> None:
    """Let the model be one of the hub's, at a commit."""
    folder = tmp_path / "snapshots" / sha
    shutil.copytree(lab.subject.folder, folder)
    (folder / "README.md").write_text(sha)
    lab.subject.source = folder
    vars(lab.subject).pop("identity", None)
    forget(lab)


def test_a_cell_is_the_same_at_every_commit_that_changed_nothing_that_decides(small_zoo: Path, tmp_path: Path) -> None:
    keys, records = [], []
    for sha in (SHA, OTHER):
        lab = make_lab(small_zoo)
        snapshot(lab, tmp_path, sha)
        keys.append(keys_of(cell("simple"), lab))
        records.append(run(cell("simple"), lab, Store(tmp_path / sha)))
    assert keys[0] == keys[1] == keys_of(cell("simple"), make_lab(small_zoo)) and records[0].key == records[1].key
    assert [record.details[COMMIT] for record in records] == [SHA, OTHER], "each says where it came from"


def test_a_record_with_the_commit_in_its_recipe_is_found_at_any_commit(lab: Lab, tmp_path: Path) -> None:
    store, now = Store(tmp_path), run(cell("simple"), lab, Store(tmp_path / "else"))
    recipe = {**now.recipe, "model": {**now.recipe["model"], "commit": SHA}}
    path = as_before(store, now, recipe, now.details)
    before = found(lab, store)
    assert before is not None and before.key == recipe_key(recipe) != now.key
    assert before.recipe == now.recipe and before.details[COMMIT] == SHA and before.exam_key == now.exam_key
    assert found(lab, store, "ties") is None
    other = {**recipe, "model": {**recipe["model"], "fingerprint": "0" * 16}}
    path.unlink()
    as_before(store, now, other, now.details)
    assert found(lab, store) is None, "of another model"


def test_a_search_is_replayed_from_a_record_with_the_commit_in_its_recipe(lab: Lab, tmp_path: Path) -> None:
    from harness.cells.replayed import same_merge

    store, now = Store(tmp_path), run(cell("greedy_soup"), lab, Store(tmp_path / "else"))
    recipe = {**now.recipe, "model": {**now.recipe["model"], "commit": SHA}}
    as_before(store, now, recipe, now.details)
    same = same_merge(cell("greedy_soup"), lab, store)
    assert same is not None and same.weights_sha256 == now.weights_sha256


def test_a_search_that_was_told_another_metrics_scores_is_not_replayed(lab: Lab, tmp_path: Path) -> None:
    """Of models that somebody brought, the task stands in no member's key; nor do the graders of what chooses."""
    from harness.cells.replayed import same_merge

    store, now = Store(tmp_path), run(cell("greedy_soup"), lab, Store(tmp_path / "else"))
    (name,) = now.recipe["data"]["tasks"]
    for tasks, found in (({name: "0" * 16}, False), ({"another": "0" * 16, **now.recipe["data"]["tasks"]}, True)):
        other = {**now.recipe, "data": {**now.recipe["data"], "tasks": tasks}}
        store.put(replace(now, recipe=other, key=recipe_key(other), exam_key=""))
        assert (same_merge(cell("greedy_soup"), lab, store) is not None) == found


def test_an_exam_key_that_was_edited_is_refused_in_records_of_any_time(lab: Lab, tmp_path: Path) -> None:
    store, now = Store(tmp_path), run(cell("simple"), lab, Store(tmp_path / "else"))
    path = as_before(store, now, {**now.recipe, "model": {**now.recipe["model"], "commit": SHA}}, now.details)
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({**raw, "exam_key": "0" * 16}))
    with pytest.raises(BadRecord, match=f"^{path}: exam_key is '0000000000000000', not what the recipe says"):
        read(path)


# -- the engine --------------------------------------------------------------------------------------------------------


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.cells.recipe, "engine", lambda: {**engine(), "torch": "0.1"})


def test_where_all_members_are_brought_another_engine_makes_another_cell_and_another_column(
    brought: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    here = answer(brought, store, cell("simple"))
    assert found(brought, store) is not None
    elsewhere(monkeypatch)
    assert found(brought, store) is None, "readable, and not taken for one of this engine"
    there = run(cell("ties"), brought, store)
    assert here.exam_key != there.exam_key and len(exams([here, there])) == 2


def test_where_a_member_is_trained_its_key_names_the_engine_and_the_cell_does_not(lab: Lab) -> None:
    assert "engine" not in recipe_of(cell("simple"), lab)


@pytest.mark.parametrize("same", [True, False])
def test_a_record_without_its_engine_is_found_by_what_its_environment_says(
    same: bool, brought: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = Store(tmp_path), run(cell("simple"), brought, Store(tmp_path / "else"))
    recipe = {name: value for name, value in now.recipe.items() if name != "engine"}
    as_before(store, now, recipe, now.details)
    if not same:
        elsewhere(monkeypatch)
    before = found(brought, store)
    assert (before is not None) == same
    if before is not None:
        assert before.key == recipe_key(recipe) and before.exam_key == now.exam_key, "one column with those of today"


# -- members of another configuration ----------------------------------------------------------------------------------


def test_members_of_another_configuration_are_told_and_make_another_cell(brought: Lab, tmp_path: Path) -> None:
    asked, plain = cell("simple"), keys_of(cell("simple"), brought)
    for part in (brought.identity, brought.workshop):
        part._any_config = True
    forget(brought)
    assert keys_of(asked, brought) == plain, "where configurations are alike the option changes nothing"
    path = tmp_path / "isear" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_act": "relu"}))
    # the file decides, so it renames the member too; fingerprints are remembered, so here the option alone does
    brought.identity._others.clear()
    forget(brought)
    assert not set(keys_of(asked, brought)) & set(plain)
    record = run(asked, brought, Store(tmp_path / "results"))
    assert record.details["other_configs"] == {"isear": ["hidden_act"]}
    for part in (brought.identity, brought.workshop):
        part._any_config = False
    forget(brought)
    assert keys_of(asked, brought) == plain, "without the option it is the question that is refused"
