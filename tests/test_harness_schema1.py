"""Records of schema 1: read as if they had been written today, with nothing in their files changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.protocol.protocol import Protocol
from harness.protocol.protocols import PROTOCOLS
from harness.records import schema1
from harness.records.record import BadRecord, RunRecord, Store, read, recipe_key

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "leaderboard" / "results"
FLAT = {**schema1.DEFAULTS, "name": "quick", **schema1.OWN["quick"], "train_rows": 1200, "ood_labels": "basic"}
TIES = {"name": "ties", "version": 1, "knobs": dict(schema1.METHODS["ties"])}


def raw(**changes: Any) -> dict[str, Any]:
    """A file of schema 1; `changes` of its recipe's protocol, method and model, and of its own fields."""
    protocol = {**FLAT, **changes.pop("protocol", {})}
    recipe = {
        "model": {"name": "mine", "fingerprint": "f", "family": "encoder"} | changes.pop("of_model", {}),
        "setting": {"suite": "emotion", "name": "in_domain", "version": 1},
        "population": {"members": ["tec", "isear"], "seeds": [1, 1], "heads": "same"},
        "members": ["a", "b"],
        "protocol": protocol,
        "method": changes.pop("of_method", TIES),
        "data": {"dev": {"tec": "d"}, "exam": {"tec": "e"}},
        "seed": 1,
    }
    plain = {
        **{"suite": "emotion", "setting": "in_domain", "model": recipe["model"]["name"], "method": "ties", "seed": 1},
        **{"population": "tec+isear", "heads": "same", "metric": "macro_f1", "score": 0.5, "scores": {"tec": 0.5}},
        **{"members": ["tec", "isear"], "coverage": "2 of 5", "schema": 1, "dev": {"calls": 0}, "cost": {}},
    }
    return {**plain, "recipe": recipe, "key": recipe_key(recipe), **changes}


def loaded(folder: Path, **changes: Any) -> RunRecord:
    (folder / "x.json").write_text(json.dumps(raw(**changes)), encoding="utf-8")
    found = read(folder / "x.json")
    assert found is not None
    return found


def evolved(**knobs: Any) -> dict[str, Any]:
    return {"name": "evolver", "version": 1, "knobs": {**schema1.METHODS["evolver"], "generations": 5, **knobs}}


def test_every_published_record_is_read_with_its_key_and_its_place() -> None:
    store = Store(PUBLISHED)
    exams: dict[str, set[tuple[object, ...]]] = {}
    paths = store.paths()
    for path in paths:
        record = read(path)
        assert record is not None and record.lies_at(path.relative_to(store.root)), path
        if record.schema == 1:  # later records say themselves whether their model is made up
            assert record.recipe["model"].get("synthetic", False) == (record.model in schema1.SYNTHETIC)
        place = record.model, record.setting, record.population, record.heads, record.seed
        exams.setdefault(record.exam_key, set()).add(place)
    assert len(paths) >= 2442 and all(len(places) == 1 for places in exams.values()), "an exam is one question"


def test_a_recipe_is_told_by_what_is_not_at_its_default_and_by_what_was_used(tmp_path: Path) -> None:
    record = loaded(tmp_path)
    assert record.schema == 1 and record.recipe["method"] == {"name": "ties", "version": 1, "knobs": {}}
    assert record.recipe["protocol"] == {"name": "quick", "training": {}, "choosing": {}, "scoring": {}, "heads": {}}
    assert record.key == raw()["key"] and record.knobs == {} and len(record.exam_key) == 16
    searched = loaded(tmp_path, of_method=evolved(inner=TIES), dev={"calls": 11}, protocol={"dev_fraction": 0.5})
    assert searched.recipe["protocol"]["search"] == {"dev_fraction": 0.5}
    assert searched.recipe["method"]["knobs"] == {"generations": 5, "inner": {**TIES, "knobs": {}}}


def test_what_is_given_besides_a_protocols_own_values_is_named(tmp_path: Path) -> None:
    changed = {**TIES, "knobs": {**TIES["knobs"], "k": 0.4}}
    assert loaded(tmp_path, of_method=changed).knobs == {"k": 0.4}
    assert loaded(tmp_path, of_method=evolved(inner=changed, F=0.3)).knobs == {"k": 0.4, "F": 0.3}
    assert loaded(tmp_path, of_method=evolved(inner=TIES)).knobs == {}, "quick gives evolver five generations"
    assert loaded(tmp_path, of_method=evolved(generations=15)).knobs == {"generations": 15}
    assert loaded(tmp_path, protocol={"fisher_rows": 60}).knobs == {}, "ties reads none"
    fisher = {"name": "fisher", "version": 1, "knobs": dict(schema1.METHODS["fisher"])}
    assert loaded(tmp_path, of_method=fisher, protocol={"fisher_rows": 60}).knobs == {"fisher_rows": 60}
    assert loaded(tmp_path, protocol={"epochs": 3}).knobs == {}, "which all cells of a table share"
    assert loaded(tmp_path, of_method={"name": "avg", "version": 1}).knobs == {}


def test_exams_are_compared_by_what_they_rest_on(tmp_path: Path) -> None:
    key = loaded(tmp_path).exam_key
    assert loaded(tmp_path, of_method=evolved(), protocol={"gram_rows": 7, "dev_fraction": 0.5}).exam_key == key
    assert loaded(tmp_path, protocol={"threshold": 0.0}).exam_key != key
    assert loaded(tmp_path, of_model={"fingerprint": "g"}).exam_key != key


@pytest.mark.parametrize(
    ("name", "synthetic"),
    [("tiny-encoder", True), ("tiny-decoder", True), ("tiny-roberta", False), ("tiny", False), ("mine", False)],
)
def test_the_made_up_world_is_known_by_three_names(name: str, synthetic: bool, tmp_path: Path) -> None:
    assert loaded(tmp_path, of_model={"name": name}).recipe["model"].get("synthetic", False) == synthetic


def test_the_defaults_of_that_time_are_those_of_its_protocols() -> None:
    for name, own in schema1.OWN.items():
        was = {**schema1.DEFAULTS, **own}
        for part in ("search", "heads", "fisher", "gram"):
            now = {n: getattr(PROTOCOLS[name], n) for n in schema1.PARTS[part] if n != "max_length"}
            assert now == {n: was[n] for n in now}, "a protocol changed since: then this line goes, and nothing else"
    assert all(getattr(Protocol(), n) == value for n, value in schema1.DEFAULTS.items())


@pytest.mark.parametrize(
    "recipe",
    [
        *({}, {"model": 7}, {"protocol": []}, {"protocol": {}}, {"method": {"knobs": []}}),
        *({"method": {"knobs": {"inner": 7}}}, {"data": 7}, {"method": {"name": [], "knobs": {"k": {}}}}),
        {"model": {"name": {}}, "protocol": {"name": {}, "fisher_rows": {}}},
    ],
    ids=str,
)
def test_a_recipe_of_any_shape_is_read_or_refused_in_one_line(recipe: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**raw(), "recipe": recipe, "key": recipe_key(recipe)}), encoding="utf-8")
    try:
        assert read(path) is not None
    except BadRecord as error:
        assert "\n" not in str(error)


def test_an_edited_file_is_not_believed_and_none_is_written(tmp_path: Path) -> None:
    record = loaded(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps({**raw(), "key": "0" * 16}), encoding="utf-8")
    with pytest.raises(BadRecord, match="does not hash to key"):
        read(tmp_path / "x.json")
    with pytest.raises(ValueError, match="of schema 1, which is read and never written"):
        Store(tmp_path).put(record)
