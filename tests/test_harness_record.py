"""Records: written whole or not at all, found by their recipe, exact where it counts, not believed when damaged."""

from __future__ import annotations

import base64
import errno
import json
import math
import os
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import NotKept
from harness.records.bits import pack, pack_floats, unpack
from harness.records.record import (
    LARGEST,
    SCHEMA,
    BadRecord,
    RunRecord,
    Store,
    canonical,
    read,
    recipe_key,
    rounded,
    slug,
    write_whole,
)

FINE = 1.0000000001e-10  # lost if it were rounded like a score
RECIPE = {"method": {"name": "ties", "knobs": {"eps": FINE, "k": 0.2}}, "seed": 1}


def record(**changes: Any) -> RunRecord:
    recipe = changes.pop("recipe", RECIPE)
    plain = RunRecord(
        key=recipe_key(recipe),
        **{"suite": "emotion", "setting": "in_domain", "model": "org/tiny", "method": "ties", "seed": 1},
        **{"population": "all", "heads": "same", "recipe": recipe, "metric": "macro_f1", "coverage": "2 of 5"},
        score=0.123456789,
        scores={"isear": 0.2, "tec": 0.046913578},
        members=("isear", "tec"),
        trace={"lineage": [{"score": FINE, "mates": [0, 1], "seed": 2**63 - 25}]},
    )
    return replace(plain, **changes)


def find(store: Store, wanted: RunRecord) -> RunRecord | None:
    return store.find(wanted.suite, wanted.setting, wanted.model, wanted.method, wanted.seed, wanted.key)


def edit(path: Path, **changes: Any) -> None:
    """Change fields of a stored record by hand; a field that is None goes away."""
    raw = {k: v for k, v in {**json.loads(path.read_text()), **changes}.items() if v is not REMOVED}
    path.write_text(json.dumps(raw), encoding="utf-8")


HUGE = 10**400  # a number in JSON, but of no use to anyone
REMOVED = object()


# -- there and back --------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_but_for_rounded_scores(tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    path = store.put(wanted)
    assert path == tmp_path / "emotion" / "in_domain" / "org--tiny" / f"ties-s1-{wanted.key}.json"
    assert find(store, wanted) == replace(wanted, score=0.123457, scores={"isear": 0.2, "tec": 0.046914})
    assert store.paths() == [path]


def test_recipe_and_trace_lose_no_digit(tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    store.put(wanted)
    found = find(store, wanted)
    assert found is not None and found.trace is not None
    assert found.recipe["method"]["knobs"]["eps"] == FINE != rounded(FINE)
    assert found.trace["lineage"][0] == {"score": FINE, "mates": [0, 1], "seed": 2**63 - 25}
    assert recipe_key(found.recipe) == wanted.key


def test_a_cell_that_was_never_answered_is_not_found(tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    store.put(wanted)
    for other in (replace(wanted, seed=2), replace(wanted, method="simple"), record(recipe={**RECIPE, "seed": 2})):
        assert find(store, other) is None
    assert find(Store(tmp_path / "elsewhere"), wanted) is None


def test_a_file_is_sorted_ends_with_a_newline_and_is_the_same_again(tmp_path: Path) -> None:
    path = Store(tmp_path).put(record())
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and list(json.loads(text)) == sorted(json.loads(text))
    assert Store(tmp_path / "again").put(record()).read_text(encoding="utf-8") == text


def test_a_recipe_key_changes_with_any_leaf_and_not_with_the_order() -> None:
    assert recipe_key({"a": 1, "b": {"c": [1, 2]}}) == recipe_key({"b": {"c": [1, 2]}, "a": 1})
    recipes = [
        {"a": 1},
        {"a": 1.5},
        {"a": "1"},
        {"a": None},
        {"a": [1]},
        {"b": 1},
        {"a": 1, "b": 1},
        {"a": 1.5 + 1e-15},
    ]
    assert len({recipe_key(r) for r in recipes}) == len(recipes)


def test_what_is_no_number_has_no_place_in_a_recipe() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"lr": math.nan})


def test_a_score_that_is_no_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Store(tmp_path).put(record(score=math.nan))
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("org/name", "org--name"),
        ("a b(c)", "a_b_c_"),
        ("../up", "--up"),
        ("..", "_"),
        ("", "_"),
        (".x", "x"),
        ("é", "_"),
    ],
)
def test_a_slug_never_leaves_its_folder(name: str, safe: str) -> None:
    assert slug(name) == safe


# -- written whole or not at all -------------------------------------------------------------------------------------


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("call", ["replace", "fsync", "chmod"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.put(record())
    before = files(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(NotKept, match="no space left on device"):
        store.put(record(score=0.5))
    with pytest.raises(NotKept, match="no space left on device"):
        store.put(record(seed=2))
    with pytest.raises(NotKept, match="no space left on device"):
        store.put_gold([[1]])
    assert files(tmp_path) == before


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "deep" / "file.json", "text")
    assert files(tmp_path) == {}


def test_what_a_killed_write_leaves_behind_is_no_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.put(record())
    (path.parent / ".half.tmp").write_text("{", encoding="utf-8")
    (path.parent / ".half.json").write_text("{", encoding="utf-8")
    assert store.paths() == [path]


# -- damaged ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 40, -2])
def test_a_truncated_record_is_reported_in_one_line(length: int, tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    path = store.put(wanted)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BadRecord) as error:
        find(store, wanted)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 7},
        {"members": None},
        {"members": "isear"},
        {"members": [1, 2]},
        {"recipe": {**RECIPE, "lr": math.nan}},
        {"recipe": []},
        {"recipe": None},
        {"recipe": {**RECIPE, "seed": 2}},
        {"key": 7},
        {"key": "0" * 16},
        {"score": None},
        {"score": "0.5"},
        {"score": math.nan},
        {"score": math.inf},
        {"score": HUGE},
        {"details": {"deep": [math.nan]}},
        {"score": True},
        {"scores": [0.1]},
        {"scores": {"isear": None}},
        {"scores": {"isear": math.nan}},
        {"seed": "1"},
        {"seed": True},
        {"method": ["ties"]},
        {"trace": []},
        {"dev": 1},
        {"cost": None},
        {"surprise": 1},
        {"score": REMOVED},
        {"method": REMOVED},
        {"recipe": REMOVED},
        {"population": REMOVED},
        {"metric": REMOVED},
    ],
    ids=lambda changes: " ".join(f"{k}={'removed' if v is REMOVED else v}"[-40:] for k, v in changes.items()),
)
def test_a_record_that_contradicts_itself_is_reported_in_one_line(changes: dict[str, Any], tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    path = store.put(wanted)
    edit(path, **changes)
    with pytest.raises(BadRecord) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"[]", b"7", b"null", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b'{"schema": 1} {}'], ids=str
)
def test_what_is_no_record_at_all_is_reported_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadRecord) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e309", "1E+400", "1" + "0" * 250 + "e99", "1" + "0" * 310 + ".0"]
)
def test_a_number_without_end_is_reported_wherever_it_stands(number: str, tmp_path: Path) -> None:
    path = Store(tmp_path).put(record(cost={"merge_seconds": 0.25}))
    path.write_text(path.read_text(encoding="utf-8").replace("0.25", number), encoding="utf-8")
    with pytest.raises(BadRecord, match=r"^[^\n]+$"):
        read(path)


def test_a_folder_in_a_records_place_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="cannot be read"):
        read(tmp_path)


def test_a_record_in_anothers_place_is_not_taken_for_it(tmp_path: Path) -> None:
    store, mine, other = Store(tmp_path), record(), record(recipe={**RECIPE, "seed": 7})
    (tmp_path / mine.path).parent.mkdir(parents=True)
    (tmp_path / mine.path).write_bytes(store.put(other).read_bytes())
    with pytest.raises(BadRecord, match=f"belongs to .*{other.key}"):
        find(store, mine)
    assert find(store, other) is not None


@pytest.mark.parametrize("schema", [0, SCHEMA + 1, "1", "2", True, 1.0, None, REMOVED])
def test_a_record_of_another_schema_is_ignored_and_not_deleted(schema: Any, tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), record()
    path = store.put(wanted)
    edit(path, schema=schema, surprise=1)
    assert find(store, wanted) is None
    assert path.exists()


# -- gold labels -----------------------------------------------------------------------------------------------------


def test_gold_labels_are_kept_once_under_their_content(tmp_path: Path) -> None:
    store, labels = Store(tmp_path), [[1, 0, -100], [0, 0, 1]]
    name = store.put_gold(labels)
    assert store.put_gold([row[:] for row in labels]) == name != store.put_gold([[1]])
    assert store.gold(name) == labels
    assert len(list((tmp_path / "gold").iterdir())) == 2
    assert store.paths() == [], "gold labels are no records"


def test_changed_gold_labels_are_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put_gold([[1, 0]])
    (tmp_path / "gold" / f"{name}.json").write_text("[[1,1]]\n", encoding="utf-8")
    with pytest.raises(BadRecord, match="does not match its name"):
        store.gold(name)
    with pytest.raises(BadRecord, match="cannot be read"):
        store.gold("0" * 16)


def test_damaged_gold_labels_are_mended_by_the_next_record_that_has_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put_gold([[1, 0]])
    (tmp_path / "gold" / f"{name}.json").write_text("[[1,", encoding="utf-8")
    assert store.put_gold([[1, 0]]) == name
    assert store.gold(name) == [[1, 0]]


def test_gold_labels_that_are_no_text_are_reported(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put_gold([[1, 0]])
    (tmp_path / "gold" / f"{name}.json").write_bytes(b"\xff\xff")
    with pytest.raises(BadRecord, match=name):
        store.gold(name)


# -- predictions as bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "outputs"), [(0, 3), (1, 1), (1, 8), (3, 7), (5, 16), (97, 7)])
def test_bits_come_back(rows: int, outputs: int) -> None:
    bits = [[(r * 31 + o * 17 + r * o) % 3 % 2 for o in range(outputs)] for r in range(rows)]
    assert unpack(pack(bits), rows, outputs) == bits


@pytest.mark.parametrize(
    "numbers", [[], [0.0], [1 / 3, -2.5e-30, 3.4e38, float("nan")], [float(k) / 7 for k in range(999)]]
)
def test_scores_come_back_as_float32(numbers: list[float]) -> None:
    raw = zlib.decompress(base64.b64decode(pack_floats(numbers)))
    assert np.array_equal(np.frombuffer(raw, "<f4"), np.array(numbers, np.float32), equal_nan=True)


def test_bits_are_most_significant_first_row_by_row() -> None:
    assert zlib.decompress(base64.b64decode(pack([[1, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]))) == b"\x83\xf0"


@pytest.mark.parametrize(("rows", "outputs"), [(3, 8), (1, 8), (2, 9), (2, 3)])
def test_bits_of_another_shape_are_refused(rows: int, outputs: int) -> None:
    with pytest.raises(ValueError, match="bytes of predictions cannot be"):
        unpack(pack([[1] * 8, [0] * 8]), rows, outputs)


def test_bits_that_swell_are_refused_before_they_do() -> None:
    whole = zlib.compressobj(9)
    bomb = b"".join(whole.compress(bytes(1 << 20)) for _ in range(64)) + whole.flush()  # 64 MiB from 64 KiB
    tracemalloc.start()
    with pytest.raises(ValueError, match="bytes of predictions cannot be"):
        unpack(base64.b64encode(bomb).decode(), 3, 7)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_bits_that_stop_in_the_middle_are_refused() -> None:
    raw = base64.b64decode(pack([[1, 0, 1]] * 500))
    with pytest.raises(ValueError, match="bytes of predictions cannot be"):
        unpack(base64.b64encode(raw[:-5]).decode(), 500, 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "gold" / f"{'0' * 16}.json"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    for reading in (lambda: read(path), lambda: Store(tmp_path).gold("0" * 16)):
        with pytest.raises(BadRecord, match="more than 8,000,000 bytes"):
            reading()


def test_twenty_thousand_rows_take_a_few_kilobytes() -> None:
    assert len(pack([[int(r % 50 == o) for o in range(7)] for r in range(20_000)])) < 4000
