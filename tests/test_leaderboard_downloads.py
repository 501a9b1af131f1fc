"""The same rows as plain files: what a spreadsheet or a program reads is what the pages show, and runs nothing."""

from __future__ import annotations

import csv
import io
import json

import pytest

from leaderboard import downloads
from leaderboard.generated import LIST
from leaderboard.places import page_of, stems
from leaderboard.tables.group import groups
from leaderboard.text import FORMULA
from tests.test_leaderboard_table import record

EVIL = (
    "=HYPERLINK(1)",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\uff1d1+1",
    "\uff20SUM(A1)",
    'a,b\n"c" |d| <script>alert(1)</script> ../../x \x1b[31m\u202e',
)


def read(text: str) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    return list(csv.DictReader(io.StringIO(text)))


def test_every_row_of_a_table_stands_in_both_files_with_its_records() -> None:
    made = [record(method, seed, 0.4 + seed / 100) for method in ("avg", "simple") for seed in (1, 2, 3)]
    files = {path.name: text for path, text in downloads.files(groups(made)).items()}
    assert set(files) == {"rows.csv", "rows.json", "tiny-encoder.csv", "tiny-encoder.json"}
    assert files["rows.csv"] == files["tiny-encoder.csv"]
    as_text, as_objects = read(files["rows.csv"]), json.loads(files["rows.json"])
    assert [line["method"] for line in as_text] == [line["method"] for line in as_objects] == ["avg", "simple"]
    simple, told = as_text[1], as_objects[1]
    assert simple["score"] == "0.42" and told["score"] == 0.42 and simple["by_members"] == "0.41 0.42 0.43"
    assert told["records"] == sorted(r.key for r in made if r.method == "simple")
    assert simple["minus_base_method"] == "" and told["minus_base_method"] is None and simple["synthetic"] == "true"


def test_the_order_of_records_changes_no_byte() -> None:
    made = [record(method, seed, 0.4) for method in ("avg", "simple") for seed in (1, 2)]
    assert downloads.files(groups(made)) == downloads.files(groups(made[::-1]))
    assert downloads.files([]) == {}


def test_no_model_takes_the_place_of_another_file_whatever_it_is_called() -> None:
    names = ("rows", "ROWS", "generated", "rows-of-model", "README", "index", "a", "a ", "A", "BERT-base", "bert-base")
    made = groups([record("simple", model=name) for name in names])
    stem = stems(names)
    found = [downloads.FOLDER / f"{stem[name]}.json" for name in names]
    every = [*found, downloads.FOLDER / "rows.json", LIST, *(page_of(stem[name]) for name in names)]
    assert len({path.as_posix().lower() for path in every}) == len(every), "on disks that know no capitals, too"
    assert LIST not in (written := downloads.files(made)) and set(found) < set(written)
    assert stem["BERT-base"] == "BERT-base" and stem["rows-of-model"] == "rows-of-model"


@pytest.mark.parametrize("evil", EVIL)
def test_a_hostile_name_is_one_cell_that_no_spreadsheet_runs(evil: str) -> None:
    made = record(evil, model=evil, setting=evil, heads=evil, coverage=evil, suite=evil)
    found = downloads.files(groups([made]))
    assert all(len(path.parts) == 2 and ".." not in path.parts for path in found)
    for path, text in found.items():
        if path.suffix == ".json":
            (line,) = json.loads(text)
            assert line["method"].isprintable()
            continue
        (line,) = read(text)
        assert not any(value.startswith(FORMULA) for value in line.values())
        assert line["method"].isprintable() and line["method"].removeprefix("'")[:1] == evil[:1]


def test_a_negative_number_stays_a_number() -> None:
    made = [record("simple", 1, 0.4, scores={"a": 0.4}), record("simple_evolver", 1, 0.3, scores={"a": 0.3})]
    lines = read(downloads.files(groups(made))[downloads.FOLDER / "rows.csv"])
    assert any(float(line["minus_base_method"]) == pytest.approx(-0.1) for line in lines if line["minus_base_method"])
