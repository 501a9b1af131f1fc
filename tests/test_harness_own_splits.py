"""Own tasks whose splits are given: which rows are asked, however files are sorted, and rows that two of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.cells.rowbook import RowBook
from harness.checkpoints.names import ModelName
from harness.data.corpus import Split
from harness.errors import BadData
from harness.protocol.protocol import Protocol
from harness.suites.setting import Setting
from tests.test_harness_own_data import HEAD, load, made, one, table


@pytest.mark.parametrize("sort", [lambda row: row[1], lambda row: row[0], lambda row: 0], ids=["label", "text", "none"])
def test_the_first_rows_of_a_file_that_is_sorted_are_as_those_of_one_that_is_not(tmp_path: Path, sort: Any) -> None:
    """By label, by text, by neither: protocols take the first so many rows of each split."""
    rows = made(900)
    for name, part in (("train", rows[:400]), ("validation", rows[400:600]), ("test", rows[600:])):
        table(tmp_path, f"{name}.csv", sorted(part, key=sort))
    files = 'files = {train = "train.csv", dev = "validation.csv", test = "test.csv"}'
    corpus = one(tmp_path, HEAD + f"[corpora.de]\n{files}\n")
    cell = Cell(
        Setting("t", "s", ("de",), "all"),
        PopulationKey(ModelName("m", "m"), "t", ("de",), ("de",), 1, "same"),
        "simple",
    )

    def asked(rows: int | None, **protocol: Any) -> Split:
        return RowBook({"de": corpus}, Protocol(test_rows=rows, **protocol)).exam(cell, "de")

    assert asked(None).texts == asked(300).texts == tuple(text for text, _ in sorted(rows[600:], key=sort)), (
        "as in the file"
    )
    assert {*asked(50).texts} < {*asked(100).texts} and len(asked(100)) == 100, "smaller exams lie within larger ones"
    firsts = ((corpus.train, corpus.train.first(100)), (corpus.dev, corpus.dev.first(100)), (corpus.test, asked(100)))
    for (split, first), of in zip(firsts, (rows[:400], rows[400:600], rows[600:]), strict=True):
        assert sorted(split.texts) == sorted(text for text, _ in of)
        told = [part.labels[:, :1] == np.arange(len(corpus.task.outputs)) for part in (split, first)]
        assert np.abs(told[0].mean(axis=0) - told[1].mean(axis=0)).max() < 0.15
        places = [sorted(text for text, _ in of).index(text) for text in first.texts]
        assert abs(np.mean(places) - len(of) / 2) < len(of) / 8
    again = one(tmp_path, HEAD + f"[corpora.de]\n{files}\n")
    assert again.train.fingerprint == corpus.train.fingerprint and again.dev.fingerprint == corpus.dev.fingerprint
    assert again.test_order is not None and np.array_equal(again.test_order, corpus.test_order)


def test_development_rows_that_are_trained_on_are_left_out_and_told(tmp_path: Path) -> None:
    rows = made(120)
    table(tmp_path, "train.csv", rows[:60])
    table(tmp_path, "test.csv", rows[90:])
    files = '[corpora.de]\nfiles = {train = "train.csv", dev = "dev.csv", test = "test.csv"}\n'
    table(tmp_path, "dev.csv", [(text.upper(), label) for text, label in rows[40:60]] + rows[60:90])
    found, said = load(tmp_path, HEAD + files)
    assert {*found["de"].dev.texts} == {text for text, _ in rows[60:90]} and len(found["de"].train) == 60
    assert "de: 20 of 50 development rows have the text of a train row and are left out" in said
    table(tmp_path, "dev.csv", rows[:20])
    with pytest.raises(BadData, match="each of its 20 development rows has the text of a train row"):
        load(tmp_path, HEAD + files)


def test_rows_that_two_corpora_share_are_told(tmp_path: Path) -> None:
    rows = made(160)
    (
        table(tmp_path, "de.csv", rows[:60]),
        table(tmp_path, "de-dev.csv", rows[60:80]),
        table(tmp_path, "test.csv", rows[100:]),
    )
    table(tmp_path, "fr.csv", rows[60:100]), table(tmp_path, "test2.csv", rows[110:])
    table(tmp_path, "fr-dev.csv", [(f"new {text}", label) for text, label in rows[:20]])
    files = "[corpora.{0}]\nfiles = {{train = '{0}.csv', dev = '{0}-dev.csv', test = '{1}.csv'}}\n"
    _, said = load(tmp_path, HEAD + files.format("de", "test") + files.format("fr", "test2"))
    told = "\n".join(said)
    assert "de: 50 of 60 test rows have the text of a test row of fr" in told
    assert "de: 20 of 20 development rows have the text of a train row of fr" in told and "fr: 20 of" not in told


def test_a_small_corpus_whose_rows_all_stand_in_a_large_one_is_told(tmp_path: Path) -> None:
    rows = made(800)
    table(tmp_path, "a.csv", rows[:40]), table(tmp_path, "b.csv", rows[40:80])
    table(tmp_path, "large.csv", rows[100:]), table(tmp_path, "small.csv", rows[100:105])
    files = "[corpora.{0}]\nfiles = {{train = '{0}.csv', test = '{1}.csv'}}\nsplit = {{dev = 0}}\n"
    _, said = load(tmp_path, HEAD + files.format("a", "large") + files.format("b", "small"))
    assert any("a: 5 of 700 test rows have the text of a test row of b" in line for line in said)


def test_corpora_that_share_an_exam_are_asked_the_same_rows_of_it_in_whatever_order_and_by_each_seed_others(
    tmp_path: Path,
) -> None:
    rows = made(700)
    table(tmp_path, "a.csv", rows[:40]), table(tmp_path, "b.csv", rows[40:80])
    table(tmp_path, "one.csv", rows[100:]), table(tmp_path, "other.csv", rows[:99:-1])
    files = "[corpora.{0}]\nfiles = {{train = '{0}.csv', test = '{1}.csv'}}\nsplit = {{dev = 0, seed = {2}}}\n"

    def asked(seed: int) -> list[set[str]]:
        found, _ = load(tmp_path, HEAD + files.format("a", "one", seed) + files.format("b", "other", seed))
        return [{*c.sample(c.test, np.arange(len(c.test)), 60).texts} for c in found.values()]

    one, other = asked(0)
    assert one == other and len(one) == 60 and asked(1)[0] != one
