"""Cells of own tasks that look like another thing than they are: each is read as what it is, or refused in a line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import BadData
from tests.test_harness_own_data import NAMED, TEXT, by_text, load, made, one, table

SEVERAL = 'name = "t"\nkind = "multi_label"\n'
ONE = 'name = "t"\nkind = "classification"\n'
FOUR = 'labels = ["a", "b", "c", "d"]\n'
VECTORS = ((0, 1, 1, 0), (1, 0, 0, 0), (1, 1, 0, 1))


def jsonl(folder: Path, cells: Sequence[Any]) -> None:
    rows = [{"text": text, "label": cells[k % len(cells)]} for k, (text, _) in enumerate(made(60))]
    (folder / "de.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@pytest.mark.parametrize("labels", [FOUR, ""], ids=["named", "unnamed"])
@pytest.mark.parametrize("of", [int, float, bool, str], ids=lambda of: of.__name__)
def test_a_vector_of_yes_and_no_is_no_list_of_labels(tmp_path: Path, of: type, labels: str) -> None:
    """It was read as the labels of the places 0 and 1, of every row, and scored so."""
    jsonl(tmp_path, [[of(yes) for yes in vector] for vector in VECTORS])
    with pytest.raises(BadData, match=r"twice; a vector of yes and no is no list of labels|no label named"):
        load(tmp_path, f'{SEVERAL}{labels}[corpora.de]\ndata = "de.jsonl"\n')


def test_a_vector_in_one_text_is_none_either(tmp_path: Path) -> None:
    rows = [(text, ";".join(map(str, VECTORS[k % 3]))) for k, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", rows)
    with pytest.raises(BadData, match="twice; a vector"):
        load(tmp_path, f'{SEVERAL}{FOUR}[corpora.de]\ndata = "de.csv"\ncolumns = {{separator = ";"}}\n')


def parquet(folder: Path, cells: Sequence[Any], feature: Any, kind: pa.DataType) -> list[str]:
    """Numbers of classes whose names the file knows. Gives the texts."""
    texts = [text for text, _ in made(len(cells))]
    made_of = {"text": pa.array(texts), "label": pa.array(cells, type=kind)}
    told = {b"huggingface": json.dumps({"info": {"features": {"text": TEXT, "label": feature}}})}
    pq.write_table(pa.table(made_of).replace_schema_metadata(told), folder / "de.parquet")
    return texts


TURNED = 'labels = ["joy", "anger", "fear"]\n[corpora.de]\ndata = "de.parquet"\n'


def test_a_missing_entry_of_a_list_leaves_the_files_names_to_the_others(tmp_path: Path) -> None:
    cells = [([0, None], [None, 1], [2, 0])[k % 3] for k in range(60)]
    texts = parquet(tmp_path, cells, {"feature": NAMED, "_type": "List"}, pa.list_(pa.int64()))
    corpus = one(tmp_path, SEVERAL + TURNED)
    for text, cell in zip(texts, cells, strict=True):
        there = {NAMED["names"][k] for k in cell if k is not None}
        assert there == {corpus.task.outputs[k] for k, yes in enumerate(by_text(corpus)[text]) if yes}


def test_numbers_of_classes_that_became_floats_are_the_files_names_still(tmp_path: Path) -> None:
    """As one missing number makes a column of them."""
    cells = [None, *(float(k % 3) for k in range(59))]
    texts = parquet(tmp_path, cells, NAMED, pa.float64())
    corpus = one(tmp_path, ONE + TURNED + 'missing = "skip"\n')
    for text, cell in list(zip(texts, cells, strict=True))[1:]:
        assert cell is not None and corpus.task.outputs[by_text(corpus)[text][0]] == NAMED["names"][int(cell)]


@pytest.mark.parametrize(
    "labels, cells, refused",
    [
        (["1 star", "2 stars", "3 stars"], (1, 2), True),
        (["level 1", "level 2", "level 3"], (1, 2), True),
        (["0 stars", "1 star", "2 stars"], (0, 1, 2), False),
        (["level 0", "level 1"], (0, 1), False),
        (["covid-19", "flu"], (0, 1), False),  # a number that tells no labels apart
    ],
)
def test_a_number_is_no_place_where_labels_have_other_numbers_in_their_names(
    tmp_path: Path, labels: list[str], cells: tuple[int, ...], refused: bool
) -> None:
    """1 was read as the label at place 1, which is called 2 stars."""
    table(tmp_path, "de.csv", made(60, cells))
    text = f'{ONE}labels = {json.dumps(labels)}\n[corpora.de]\ndata = "de.csv"\n'
    if refused:
        with pytest.raises(BadData, match=r"1 may be .* of that number or the one of that place, '(2 stars|level 2)'"):
            load(tmp_path, text)
    else:
        _, said = load(tmp_path, text)
        assert any("taken as places" in line for line in said)


FLAGS = f'{SEVERAL}[corpora.de]\ndata = "de.csv"\ncolumns = {{label = ["a", "b"]}}\n'


@pytest.mark.parametrize("empty, refused", [("", True), (0, False)])
def test_a_label_to_which_no_row_says_no_is_refused_where_others_are_empty(
    tmp_path: Path, empty: Any, refused: bool
) -> None:
    """What is empty is not asked: whoever says yes to everything would have an F1 of 1."""
    rows = [(text, 1 if k % 3 == 0 else empty, 1 if k % 2 else 0) for k, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", rows, ("text", "a", "b"))
    if refused:
        with pytest.raises(BadData, match="no row says no to a, and some are empty, which is not annotated; write 0"):
            load(tmp_path, FLAGS)
    else:
        assert one(tmp_path, FLAGS).annotated == (True, True)


def test_a_label_that_a_corpus_does_not_annotate_and_one_that_has_both_are_taken(tmp_path: Path) -> None:
    rows = [(text, "", 1 if k % 3 == 0 else 0 if k % 3 == 1 else "") for k, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", rows, ("text", "a", "b"))
    assert one(tmp_path, FLAGS + 'missing = "skip"\n').annotated == (False, True)


UNSEEN = {"backspace": "\b", "zero width": "\u200b", "byte order mark": "\ufeff", "soft hyphen": "\u00ad", "wide": ""}


@pytest.mark.parametrize("sign", UNSEEN)
def test_rows_that_differ_in_signs_that_nobody_sees_are_one_text(tmp_path: Path, sign: str) -> None:
    """A tokenizer reads them alike: who learned one by heart knows the other."""
    rows = made(60)
    turned = [
        (
            "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t) if sign == "wide" else UNSEEN[sign] + t,
            label,
        )
        for t, label in rows
    ]
    table(tmp_path, "a.csv", rows)
    table(tmp_path, "b.csv", turned[:40])
    table(tmp_path, "c.csv", made(40, start=100))
    files = '{train = "a.csv", dev = "b.csv", test = "c.csv"}'
    with pytest.raises(BadData, match="development rows"):
        load(tmp_path, f"{ONE}[corpora.de]\nfiles = {files}\n")
    files = '{train = "a.csv", dev = "c.csv", test = "b.csv"}'
    corpus = one(tmp_path, f"{ONE}[corpora.de]\nfiles = {files}\n")
    assert set(corpus.test.readings) <= set(corpus.train.readings), "and an exam leaves them out"
    assert not set(corpus.test.text_hashes) & set(corpus.train.text_hashes), "what orders rows knows their signs"


def test_a_file_under_two_names_is_one_file(tmp_path: Path) -> None:
    table(tmp_path, "a.csv", made(60))
    os.symlink(tmp_path / "a.csv", tmp_path / "b.csv")
    table(tmp_path, "c.csv", made(40, start=100))
    for files, said in (
        ('{train = ["a.csv", "b.csv"], test = "c.csv"}', "twice for train"),
        ('{train = "a.csv", test = "b.csv"}', "for train and test"),
    ):
        with pytest.raises(BadData, match=said):
            load(tmp_path, f"{ONE}[corpora.de]\nfiles = {files}\n")


@pytest.mark.parametrize(
    "answer, refused",
    [
        ("first\n#### 6", True),
        ("\n6", True),
        ("6\n", False),  # its end is the stop word
        ("6\nwhich is 2 and 4", True),  # the last number counts
        ("6\nis the answer", False),  # what counts stands before
        ("6", False),
    ],
)
def test_an_answer_that_would_end_before_it_is_over_is_refused(tmp_path: Path, answer: str, refused: bool) -> None:
    """Nobody could give it: every model would score nothing."""
    rows = [{"question": f"what is {k}", "answer": answer.replace("6", str(k))} for k in range(40)]
    (tmp_path / "de.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = (
        'name = "t"\nkind = "generation"\nprompt = "{text}: "\ntokens = 12\nstop = ["\\n"]\ngraders = ["number"]\n'
        '[corpora.de]\ndata = "de.jsonl"\ncolumns = {text = "question", answer = "answer"}\n'
    )
    if refused:
        with pytest.raises(BadData, match=r"its answer holds '\\n', at which answers end; take it out of stop"):
            load(tmp_path, text)
    else:
        assert len(one(tmp_path, text).everything) == 40
