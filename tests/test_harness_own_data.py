"""Own tasks from a TOML file: labels in every form, splits that never share a text, and one line for what is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.cells.rowbook import RowBook
from harness.checkpoints.names import ModelName
from harness.data import tables
from harness.data.corpus import MASKED, Corpus
from harness.errors import BadData
from harness.protocol.protocol import Protocol
from harness.protocol.told import Told
from harness.suites.own import corpora, reading
from harness.suites.setting import Setting
from methods.errors import MergeboardError
from tests.hub_server import Hub

WORDS = ("red", "green", "blue", "grey", "pink", "black", "white", "gold")


def table(folder: Path, name: str, rows: Sequence[Sequence[Any]], columns: Sequence[str] = ("text", "label")) -> Path:
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",").writerows([columns, *rows])
    return folder / name


def made(count: int, labels: Sequence[Any] = ("no", "yes"), start: int = 0) -> list[tuple[str, Any]]:
    """Rows with texts of their own, the labels in turn."""
    return [(f"{WORDS[k % 8]} {WORDS[k // 8 % 8]} {k}", labels[k % len(labels)]) for k in range(start, start + count)]


def toml(folder: Path, text: str) -> Path:
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return folder / "task.toml"


def load(folder: Path, text: str) -> tuple[dict[str, Corpus], list[str]]:
    said: list[str] = []
    return corpora.load(reading.read(toml(folder, text)), said.append), said


def one(folder: Path, text: str) -> Corpus:
    (corpus,) = load(folder, text)[0].values()
    return corpus


HEAD = 'name = "t"\nkind = "classification"\n'
DE = '[corpora.de]\ndata = "de.csv"\n'


def by_text(corpus: Corpus) -> dict[str, list[float]]:
    every = corpus.everything
    return {text: labels.tolist() for text, labels in zip(every.texts, every.labels, strict=True)}


# -- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "labels", "outputs"),
    [
        (("no", "yes"), '["no", "yes"]', ("no", "yes")),
        (("yes", "no"), '["no", "yes"]', ("no", "yes")),
        ((0, 1), '["no", "yes"]', ("no", "yes")),
        (("0", "1.0"), '["no", "yes"]', ("no", "yes")),
        ((7, 3), "[3, 7]", ("3", "7")),
        ((7, 3), None, ("3", "7")),
        ((10, 9), None, ("9", "10")),
        (("true", "false"), None, ("false", "true")),
    ],
)
def test_a_class_is_a_text_or_a_number(
    tmp_path: Path, written: tuple[Any, Any], labels: str | None, outputs: tuple[str, ...]
) -> None:
    table(tmp_path, "de.csv", made(40, written))
    named = "" if labels is None else f"labels = {labels}\n"
    corpus = one(tmp_path, HEAD + named + DE)
    assert corpus.task.outputs == outputs
    names = {str(value).removesuffix(".0") for value in written}
    wanted = {text: str(label).removesuffix(".0") for text, label in made(40, written)}
    positions = not names & set(outputs)
    for text, (k,) in by_text(corpus).items():
        assert (str(int(k)) if positions else outputs[int(k)]) == wanted[text]


COMPOSED, APART = "f\u00e9lin", "fe\u0301lin"  # one name, as systems write it


@pytest.mark.parametrize("kind", ["classification", "multi_label"])
@pytest.mark.parametrize("named", ["", f'labels = ["chien", "{COMPOSED}"]\n', f'labels = ["chien", "{APART}"]\n'])
def test_a_name_is_one_however_its_accents_and_the_blanks_around_it_are_written(
    kind: str, named: str, tmp_path: Path
) -> None:
    table(tmp_path, "de.csv", made(60, (COMPOSED, f" {APART} ", "chien", "chien ")))
    corpus = one(tmp_path, f'name = "t"\nkind = "{kind}"\n{named}{DE}')
    assert corpus.task.outputs == ("chien", COMPOSED)
    counts = np.unique(corpus.everything.labels, axis=0, return_counts=True)[1]
    assert counts.tolist() == [30, 30]


def test_a_column_of_a_label_is_found_however_its_accents_are_written(tmp_path: Path) -> None:
    rows = [(text, int(k % 2 == 0), int(k % 3 == 0)) for k, (text, _) in enumerate(made(60))]
    for file, column in ((COMPOSED, APART), (APART, COMPOSED)):
        table(tmp_path, "de.csv", rows, ("text", "chien", file))
        for named in ("", f'labels = ["{file}", "chien"]\n'):
            text = f'name = "t"\nkind = "multi_label"\n{named}{DE}columns = {{label = ["chien", "{column}"]}}\n'
            corpus = one(tmp_path, text)
            there = corpus.everything.labels.sum(axis=0)
            assert dict(zip(corpus.task.outputs, there, strict=True)) == {"chien": 30, COMPOSED: 20}
    both = tables.read([table(tmp_path, "x.csv", [(1, 2)], (COMPOSED, APART))], [APART, COMPOSED])
    assert both.columns == {APART: ["2"], COMPOSED: ["1"]}, "where a file tells them apart, so do we"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + f'labels = ["{COMPOSED}", "{APART}"]\n' + DE, "are one but for capitals, blanks and "),
        (HEAD + f'labels = ["{COMPOSED}", "{APART.upper()} "]\n' + DE, "are one but for capitals, blanks and "),
        (HEAD + DE + DE.replace("corpora.de", "corpora.De"), "[corpora.de] and [corpora.De] are one but for capitals"),
        (HEAD + '[corpora."de "]\ndata = "de.csv"\n', "'de ' cannot be a name; use letters, digits"),
        (HEAD + f'[corpora."{APART}"]\ndata = "de.csv"\n', "cannot be a name; use letters, digits"),
        (
            'name = "t"\n[tasks.a]\nkind = "regression"\n[tasks.A]\nkind = "regression"\n' + DE + 'task = "a"\n',
            "[tasks.a] and [tasks.A] are one but for capitals",
        ),
    ],
)
def test_names_that_are_one_to_people_are_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MergeboardError) as error:
        reading.read(toml(tmp_path, text))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_rows_whose_labels_differ_in_capitals_are_refused_whether_labels_are_named_or_not(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(60, ("chien", "Chien", "chat")))
    with pytest.raises(MergeboardError, match="'Chien' and 'chien' are one but for capitals"):
        load(tmp_path, HEAD + DE)
    with pytest.raises(MergeboardError, match=r"no label named 'Chien'\. Did you mean 'chien'"):
        load(tmp_path, HEAD + 'labels = ["chien", "chat"]\n' + DE)


def test_numbers_that_are_taken_as_places_are_said(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(40, (0, 1)))
    _, said = load(tmp_path, HEAD + 'labels = ["no", "yes"]\n' + DE)
    assert said == ["de: 40 labels are numbers, taken as places: 0 is no, 1 is yes"]


def test_a_data_sets_own_names_of_classes_are_taken(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bug", "ask"])})
    rows = dict(zip(("text", "label"), map(list, zip(*made(40, (0, 1)), strict=True)), strict=True))
    datasets.Dataset.from_dict(rows, features).to_parquet(tmp_path / "de.parquet")
    text = HEAD + '[corpora.de]\ndata = "de.parquet"\n'
    assert one(tmp_path, text).task.outputs == ("bug", "ask")
    turned = one(tmp_path, text.replace("\n[", '\nlabels = ["ask", "bug"]\n['))
    assert by_text(turned)[made(1)[0][0]] == [1], "by its name, whatever the order"


NAMED = {"names": ["fear", "joy", "anger"], "_type": "ClassLabel"}
TEXT = {"dtype": "string", "_type": "Value"}


@pytest.mark.parametrize(
    "feature, other",
    [
        (NAMED, TEXT),
        (NAMED, [{"a": TEXT}]),
        (NAMED, None),
        ({"feature": NAMED, "_type": "List"}, TEXT),
        ({"feature": NAMED, "_type": "LargeList"}, [TEXT]),
        ({"feature": NAMED, "length": -1, "_type": "Sequence"}, {"feature": [TEXT], "_type": "Sequence"}),
        ([NAMED], 5),
    ],
    ids=str,
)
def test_names_of_classes_are_found_in_whatever_form_a_file_has_them(tmp_path: Path, feature: Any, other: Any) -> None:
    """The file's numbers are places in its own names, whatever the order in which the task has the labels."""
    several = feature is not NAMED
    texts, numbers = zip(*made(60, (0, 1, 2)), strict=True)
    cells = [[k, (k + 1) % 3] for k in numbers] if several else list(numbers)
    features = {"text": TEXT, "label": feature, "other": other}
    plain = pa.table({"text": list(texts), "label": cells, "other": ["x"] * 60})
    told = {b"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(plain.replace_schema_metadata(told), tmp_path / "de.parquet")
    kind = "multi_label" if several else "classification"
    asked = f'name = "t"\nkind = "{kind}"\nlabels = ["joy", "anger", "fear"]\n[corpora.de]\ndata = "de.parquet"\n'
    found, said = load(tmp_path, asked)
    names = NAMED["names"]
    for text, own in zip(texts, cells, strict=True):
        there = {names[k] for k in (own if several else [own])}
        labels = by_text(found["de"])[text]
        outputs = found["de"].task.outputs
        assert there == ({outputs[k] for k, yes in enumerate(labels) if yes} if several else {outputs[labels[0]]})
    assert not any("taken as places" in line for line in said)


def test_several_labels_stand_in_a_cell_in_a_list_or_in_columns_of_their_own(tmp_path: Path) -> None:
    rows = [(text, [name for name, k in (("a", 2), ("b", 3)) if i % k == 0]) for i, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", [(text, "; ".join(names)) for text, names in rows])
    (tmp_path / "fr.jsonl").write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in rows))
    table(tmp_path, "it.csv", [(t, int("a" in n), int("b" in n)) for t, n in rows], ("text", "a", "b"))
    found, _ = load(
        tmp_path,
        'name = "t"\nkind = "multi_label"\nlabels = ["a", "b"]\n'
        '[corpora.de]\ndata = "de.csv"\ncolumns = {separator = ";"}\n'
        '[corpora.fr]\ndata = "fr.jsonl"\n[corpora.it]\ndata = "it.csv"\ncolumns = {label = ["a", "b"]}\n',
    )
    wanted = {text: [int("a" in names), int("b" in names)] for text, names in rows}
    assert by_text(found["de"]) == by_text(found["fr"]) == by_text(found["it"]) == wanted


def test_lists_that_were_written_as_text_are_no_labels(tmp_path: Path) -> None:
    """As a table of pandas writes a column of lists."""
    table(tmp_path, "de.csv", [(text, str(["a", "b"][k % 2 :])) for k, (text, _) in enumerate(made(60))])
    with pytest.raises(BadData, match=r"\['.*'\] is a list that was written as text"):
        one(tmp_path, 'name = "t"\nkind = "multi_label"\n' + DE)


def test_columns_of_labels_are_known_by_name_or_else_by_their_order(tmp_path: Path) -> None:
    rows = [(text, k % 2, k % 3 == 0) for k, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", rows, ("text", "is_a", "is_b"))
    table(tmp_path, "fr.csv", rows, ("text", "b", "a"))
    head = 'name = "t"\nkind = "multi_label"\nlabels = ["a", "b"]\n'
    de = one(tmp_path, head + DE + 'columns = {label = ["is_a", "is_b"]}\n')
    fr = one(tmp_path, head + '[corpora.fr]\ndata = "fr.csv"\ncolumns = {label = ["b", "a"]}\n')
    assert by_text(de)[rows[1][0]] == [1, 0] and by_text(fr)[rows[1][0]] == [0, 1]
    with pytest.raises(MergeboardError, match="no label named 'is_a'"):
        one(tmp_path, head.replace('"a", ', '"a", "c", ') + DE + 'columns = {label = ["is_a", "is_b"]}\n')


def test_columns_that_are_named_as_other_labels_are_refused_and_nameless_ones_are_told(tmp_path: Path) -> None:
    rows = [(text, k % 2, k % 3 == 0) for k, (text, _) in enumerate(made(60))]
    head = 'name = "t"\nkind = "multi_label"\nlabels = ["joy", "no joy"]\n'
    for columns, wrong in (
        (("is_b", "is_a"), True),
        (("B", "A"), True),
        (("a_flag", "b_flag"), False),
        (("x", "y"), False),
    ):
        table(tmp_path, "de.csv", rows, ("text", *columns))
        asked = head.replace('"joy", "no joy"', '"a", "b"') + DE + f"columns = {{label = {json.dumps(columns)}}}\n"
        if wrong:
            with pytest.raises(MergeboardError, match=f"{columns[0]} stands in the place of a and is named as b"):
                one(tmp_path, asked)
        else:
            _, said = load(tmp_path, asked)
            assert f"de: columns are taken as labels by their order: {columns[0]} is a, {columns[1]} is b" in said


def test_columns_of_which_only_some_are_labels_are_not_taken_by_their_order(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", [(text, k % 2, k % 3 == 0) for k, (text, _) in enumerate(made(60))], ("text", "c", "a"))
    head = 'name = "t"\nkind = "multi_label"\nlabels = ["a", "b"]\n'
    with pytest.raises(MergeboardError, match=r"columns: label: no label named 'c'. Known: a, b"):
        one(tmp_path, head + DE + 'columns = {label = ["c", "a"]}\n')


def test_a_label_is_met_however_its_number_and_its_blanks_are_written(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(40, ("1", "2.0 ")))
    corpus = one(tmp_path, HEAD + 'labels = ["1.0", " 2"]\n' + DE)
    assert by_text(corpus)[made(1)[0][0]] == [0] and by_text(corpus)[made(2)[1][0]] == [1]
    with pytest.raises(MergeboardError, match=r"the labels '1' and '1\.0' are one"):
        one(tmp_path, HEAD + 'labels = ["1", "1.0", "2"]\n' + DE)


@pytest.mark.parametrize("label", [["no"], {"name": "no"}])
def test_a_list_or_an_object_is_no_name_of_a_class(tmp_path: Path, label: object) -> None:
    rows = [{"text": text, "label": label if k % 2 else "yes"} for k, (text, _) in enumerate(made(40))]
    (tmp_path / "de.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(MergeboardError, match=r"de.jsonl, line 2: the label is .*; it must be one name or number"):
        one(tmp_path, HEAD + DE.replace("csv", "jsonl"))


def test_a_label_column_without_a_value_is_not_annotated_there(tmp_path: Path) -> None:
    rows = [(text, k % 2, "" if k % 3 else k % 2) for k, (text, _) in enumerate(made(60))]
    table(tmp_path, "de.csv", rows, ("text", "a", "b"))
    corpus = one(tmp_path, 'name = "t"\nkind = "multi_label"\n' + DE + 'columns = {label = ["a", "b"]}\n')
    assert corpus.task.outputs == ("a", "b") and corpus.annotated == (True, True)
    assert by_text(corpus)[rows[1][0]] == [1, MASKED] and by_text(corpus)[rows[3][0]] == [1, 1]


def test_scores_are_numbers_and_their_span_is_that_of_the_rows_that_are_learned_from(tmp_path: Path) -> None:
    table(tmp_path, "a.csv", made(30, (1, 2.5, "4")))
    table(tmp_path, "b.csv", made(9, (0, 9.5), start=50))
    corpus = one(tmp_path, 'name = "t"\nkind = "regression"\n[corpora.de]\nfiles = {train = "a.csv", test = "b.csv"}\n')
    assert corpus.task.outputs == ("score",) and corpus.task.metric == "pearson" and corpus.task.span == (1.0, 4.0)
    assert {*corpus.test.labels[:, 0].tolist()} == {0.0, 9.5} and corpus.test.labels.dtype == np.float64


def test_pairs_have_two_columns_of_texts(tmp_path: Path) -> None:
    table(tmp_path, "de.tsv", [(text, f"2 {text}", label) for text, label in made(40)], ("q", "a", "label"))
    corpus = one(tmp_path, HEAD + '[corpora.de]\ndata = "de.tsv"\ncolumns = {text = ["q", "a"]}\n')
    assert corpus.task.pair and corpus.train.seconds is not None
    assert all(second == f"2 {first}" for first, second in zip(corpus.train.texts, corpus.train.seconds, strict=True))


# -- words -----------------------------------------------------------------------------------------------------------


def test_words_for_generative_models_come_from_the_labels_or_from_the_file(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(60, ("bug", "bill_ing", "ask")))
    words = '[words.ask]\nstatement = "It asks."\nquestion = "does it ask?"\n'
    task = one(tmp_path, HEAD + 'labels = ["bug", "bill_ing", "ask"]\n' + words + DE).task
    assert task.statements == ('The label of the text is "bug".', 'The label of the text is "bill ing".', "It asks.")
    assert task.questions[1:] == ('is the label of the text "bill ing"?', "does it ask?")


def test_of_two_classes_one_is_asked_about(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(40))
    assert one(tmp_path, HEAD + DE).task.asked == (1,)
    words = 'words.no = {statement = "No.", question = "no?"}\n'
    assert one(tmp_path, HEAD + words + DE).task.asked == (0,)


# -- splits ----------------------------------------------------------------------------------------------------------


def test_drawn_splits_have_their_shares_and_no_text_in_common(tmp_path: Path) -> None:
    rows = [*made(800, ("a", "b", "b", "b")), *[(f"  RED red {k} ".replace(" ", "  "), "a") for k in range(0, 200, 8)]]
    table(tmp_path, "de.csv", [*rows, *rows[:100]])
    corpus = one(tmp_path, HEAD + DE)
    splits = (corpus.train, corpus.dev, corpus.test)
    assert sum(map(len, splits)) == 925
    assert [len(s) / 925 for s in splits] == pytest.approx([0.7, 0.1, 0.2], abs=0.01)
    hashes = [set(s.text_hashes.tolist()) for s in splits]
    assert not (hashes[0] & hashes[1] or hashes[0] & hashes[2] or hashes[1] & hashes[2])
    assert [float((s.labels == 0).mean()) for s in splits] == pytest.approx([0.27] * 3, abs=0.05)


def test_a_text_is_one_however_its_accents_are_written(tmp_path: Path) -> None:
    rows = [(f"caf\u00e9 \u1e69 {k}", "ab"[k % 2]) for k in range(60)]
    table(tmp_path, "de.csv", [*rows, *((normalize("NFD", text).upper(), label) for text, label in rows)])
    corpus = one(tmp_path, HEAD + DE)
    parts = [{normalize("NFC", text.lower()) for text in s.texts} for s in (corpus.train, corpus.dev, corpus.test)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 60, "each text is in one split, in both its forms"


def test_a_draw_depends_on_seed_and_name_alone(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", made(100))

    def texts(name: str, split: str) -> tuple[str, ...]:
        return one(tmp_path, HEAD + f'[corpora.{name}]\ndata = "de.csv"\nsplit = {split}\n').test.texts

    assert texts("de", "{train = 0.5, dev = 0.1}") == texts("de", "{train = 0.5, dev = 0.1, seed = 0}")
    others = texts("fr", "{train = 0.5, dev = 0.1}"), texts("de", "{train = 0.5, dev = 0.1, seed = 1}")
    assert len({texts("de", "{train = 0.5, dev = 0.1}"), *others}) == 3
    assert len(texts("de", "{train = 0.5, dev = 10, test = 20}")) == 20


def test_every_class_of_a_skewed_corpus_is_trained_on(tmp_path: Path) -> None:
    labels = [f"c{k:02}" for k in range(30)]
    rows = [(f"text {k}", labels[0] if k % 10 else labels[k // 10 % 30]) for k in range(600)]
    table(tmp_path, "de.csv", rows)
    corpus = one(tmp_path, HEAD + DE + "split = {train = 0.3, dev = 0.1}\n")
    assert len(corpus.task.outputs) == 30 and set(corpus.train.labels[:, 0]) == set(range(30))


def test_a_column_says_which_rows_are_which(tmp_path: Path) -> None:
    rows = [
        (text, label, ("train", "train", "Validation", "test")[k // 2 % 4]) for k, (text, label) in enumerate(made(80))
    ]
    table(tmp_path, "de.csv", rows, ("text", "label", "fold"))
    corpus = one(tmp_path, HEAD + DE + 'split = "fold"\n')
    assert [len(s) for s in (corpus.train, corpus.dev, corpus.test)] == [40, 20, 20]
    same = one(tmp_path, HEAD + DE + 'columns = {split = "fold"}\n')
    assert same.test.texts == corpus.test.texts
    assert sorted(same.test.texts) == sorted(text for text, _, fold in rows if fold == "test")
    table(tmp_path, "de.csv", [*rows, ("one more", "no", "later")], ("text", "label", "fold"))
    with pytest.raises(MergeboardError, match=r"de.csv, line 82: fold is 'later'; write train, dev or test"):
        one(tmp_path, HEAD + DE + 'split = "fold"\n')


def test_files_say_which_rows_are_which_and_development_rows_are_held_out_of_train(tmp_path: Path) -> None:
    table(tmp_path, "a1.csv", made(50))
    table(tmp_path, "a2.csv", made(50, start=50))
    table(tmp_path, "b.csv", made(30, start=90))
    found, said = load(tmp_path, HEAD + '[corpora.de]\nfiles = {train = "a*.csv", test = "b.csv"}\n')
    de = found["de"]
    assert [len(s) for s in (de.train, de.dev, de.test)] == [90, 10, 30]
    assert not set(de.dev.texts) & {*de.test.texts, *de.train.texts}, "ten train rows are test rows; they stay in train"
    assert "de: 10 of its train rows are held out as development rows" in said
    none = one(tmp_path, HEAD + '[corpora.de]\nfiles = {train = "a*.csv", test = "b.csv"}\nsplit = {dev = 0}\n')
    assert (len(none.dev), len(none.train)) == (0, 100)


def test_rows_are_read_from_a_folder_that_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table(tmp_path / "in", "a.csv", made(60))
    table(tmp_path / "in", "b.csv", made(20, start=60))
    text = HEAD + '[corpora.de]\ndata = "in"\nfiles = {train = "a.csv", test = "b.csv"}\n'
    assert len(one(tmp_path, text).test) == 20


def test_a_corpus_may_have_test_rows_alone(tmp_path: Path) -> None:
    table(tmp_path, "b.csv", made(30))
    corpus = one(tmp_path, HEAD + '[corpora.de]\nfiles = {test = "b.csv"}\n')
    assert (len(corpus.train), len(corpus.dev), len(corpus.test)) == (0, 0, 30)
    assert corpus.train.labels.shape == (0, 1) and corpus.train.labels.dtype == corpus.test.labels.dtype


def test_rows_without_a_value_are_left_out_where_one_says_so(tmp_path: Path) -> None:
    rows = [*made(50), ("", "yes"), ("blank label", ""), ("  ", "no")]
    table(tmp_path, "de.csv", rows)
    found, said = load(tmp_path, HEAD + DE + 'missing = "skip"\n')
    assert len(found["de"].everything) == 50 and "de: 3 rows without a text or a label are left out" in said


@pytest.mark.parametrize(("times", "told"), [(1, 0), (5, 80)])
def test_rows_that_stand_in_a_test_file_again_are_told(times: int, told: int, tmp_path: Path) -> None:
    """Five times the same twenty rows are no hundred rows, and intervals reckon with a hundred."""
    table(tmp_path, "a.csv", made(60))
    table(tmp_path, "b.csv", made(20, start=60) * times)
    _, said = load(tmp_path, HEAD + '[corpora.de]\nfiles = {train = "a.csv", test = "b.csv"}\n')
    lines = [line for line in said if "repeat the text" in line]
    assert len(lines) == bool(told)
    if told:
        assert lines[0].startswith(f"de: {told} of 100 test rows repeat the text of another test row; ")


def test_a_hundred_thousand_rows_of_many_classes_are_read_in_seconds(tmp_path: Path) -> None:
    rows = made(100_000, [f"c{k}" for k in range(77)])
    pq.write_table(pa.table({"text": [t for t, _ in rows], "label": [x for _, x in rows]}), tmp_path / "de.parquet")
    corpus = one(tmp_path, HEAD + '[corpora.de]\ndata = "de.parquet"\n')
    assert (len(corpus.train), len(corpus.task.outputs)) == (70_000, 77)


def test_a_data_set_of_the_hub_is_read_at_its_commit_by_files_or_as_datasets_finds_them(
    tmp_path: Path, hub: Hub
) -> None:
    (tmp_path / "repo").mkdir()
    for name, count, start in (("train", 60, 0), ("validation", 10, 60), ("test", 20, 70)):
        table(tmp_path / "repo", f"{name}.csv", made(count, start=start))
    commit = hub.put("org/tickets", tmp_path / "repo", kind="datasets")
    de = f'[corpora.de]\ndata = "hub:org/tickets@{commit}"\n'
    corpus = one(tmp_path, HEAD + de)
    assert [len(s) for s in (corpus.train, corpus.dev, corpus.test)] == [60, 10, 20]
    assert corpus.source == f"org/tickets@{commit}"
    named = one(tmp_path, HEAD + de + 'files = {train = "t*n.csv", test = "validation.csv"}\nsplit = {dev = 0}\n')
    assert [len(s) for s in (named.train, named.dev, named.test)] == [60, 0, 10]
    (tmp_path / "alone").mkdir()
    table(tmp_path / "alone", "train.csv", made(40))
    drawn = de.replace(commit, hub.put("org/alone", tmp_path / "alone", kind="datasets")).replace("tickets", "alone")
    assert len(one(tmp_path, HEAD + drawn + "split = {train = 0.5, dev = 0.1}\n").test) == 16
    with pytest.raises(MergeboardError, match=r"it has no file none\.csv"):
        one(tmp_path, HEAD + de + 'files = {test = "none.csv"}\n')
    with pytest.raises(MergeboardError, match=r"it has no file /train\.csv"):
        one(tmp_path, HEAD + de + 'files = {train = "/train.csv", test = "test.csv"}\n')
    with pytest.raises(MergeboardError, match="no branch, tag or commit 0000"):
        one(tmp_path, HEAD + de.replace(commit, "0" * 40))


PATTERNS = {  # what is written -> which of the files that are there it means
    "train-0.csv": ["train-0.csv"],
    "./train-0.csv": ["train-0.csv"],
    "train-*.csv": ["train-0.csv"],
    "train-[0-9].csv": ["train-0.csv"],
    "*/train-*.csv": ["deep/train-1.csv"],
    "**/train-*.csv": ["deep/er/train-2.csv", "deep/train-1.csv", "train-0.csv"],
    "deep/**/*.csv": ["deep/er/train-2.csv", "deep/train-1.csv"],
    "deep/*": ["deep/train-1.csv"],
    "**rain-0.csv": ["train-0.csv"],
    "odd[1].csv": ["odd[1].csv"],
    "odd*.csv": ["odd[1].csv"],
}


def deep_folder(folder: Path) -> Path:
    """Six rows in each file, whose texts say where."""
    for k, name in enumerate(("train-0.csv", "deep/train-1.csv", "deep/er/train-2.csv", "odd[1].csv", "test.csv")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table(folder, name, [(f"{name} {text}", label) for text, label in made(6, start=10 * k)])
    return folder


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_the_same_files_in_a_folder_and_on_the_hub_whatever_its_cache_holds(
    pattern: str, tmp_path: Path, hub: Hub
) -> None:
    commit = hub.put("org/deep", deep_folder(tmp_path / "deep data"), kind="datasets")
    asked = f'files = {{train = "{pattern}", test = "test.csv"}}\nsplit = {{dev = 0}}\n'
    on_the_hub = f'[corpora.de]\ndata = "hub:org/deep@{commit}"\n'
    local = one(tmp_path, HEAD + '[corpora.de]\ndata = "deep data"\n' + asked)
    first = one(tmp_path, HEAD + on_the_hub + asked)
    every = [f'"{name}"' for name in PATTERNS["**/train-*.csv"] + PATTERNS["odd*.csv"]]
    one(tmp_path, HEAD + on_the_hub + f'files = {{train = [{", ".join(every)}], test = "test.csv"}}\n')
    again = one(tmp_path, HEAD + on_the_hub + asked)
    for corpus in (local, first, again):
        assert sorted({text.split()[0] for text in corpus.train.texts}) == PATTERNS[pattern]


def test_a_pattern_may_begin_at_the_root_and_a_hidden_file_is_named_or_left_out(tmp_path: Path) -> None:
    for k, name in enumerate((".a.csv", "b.csv", "test.csv")):
        table(tmp_path, name, made(6, start=10 * k))
    rows = {f"{tmp_path}/[b]*.csv": 6, "[.b]*.csv": 6, ".*.csv": 6, ".a.csv": 6}
    for pattern, count in rows.items():
        files = f'files = {{train = "{pattern}", test = "test.csv"}}\nsplit = {{dev = 0}}\n'
        assert len(one(tmp_path, HEAD + "[corpora.de]\n" + files).train) == count, pattern


def test_members_of_a_soup_that_name_epochs_take_no_steps_of_the_protocol() -> None:
    told = Told(Protocol(steps=50), generative=False)
    assert told.training({}).steps == 50 and told.training({"steps": 5}).steps == 5
    assert told.training({"epochs": 2}).steps is None, "two numbers of epochs would be one training"


# -- what is wrong ---------------------------------------------------------------------------------------------------

PLAIN: Mapping[str, list[tuple[Any, ...]]] = {
    "de.csv": made(40),
    "one.csv": made(20, ("yes",)),
    "odd.csv": [*made(30), ("odd", "maybe")],
    "tiny.csv": made(3),
    "huge.csv": made(40, (1, "3e30")),
    "gap.csv": [*made(5), ("", "yes")],
    "gap2.csv": [*made(5), ("x", "")],
    "more.csv": made(20, start=35),
    "scores.csv": made(60, (1, 2.5)),
    "scores2.csv": made(9, (1, 2), start=300),
    "level.csv": made(9, (2,), start=200),
    "yes.csv": made(9, ("yes",), start=200),
    "same.csv": made(40),
    "half.csv": [*made(20, ("no", "yes"), start=100), ("x", "rare")],
}
FILES = '[corpora.de]\nfiles = {train = "de.csv", test = "%s"}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3", "name is 3; it must be a text"),
        (HEAD + "[corpora.de\n", "no TOML"),
        (HEAD, "no corpora; write"),
        (DE, "name is missing"),
        ('name = "T x"\n' + DE, "name is 'T x'; write name"),
        ('name = "t"\n' + DE, "kind is missing; write one of multi_label, classification, regression"),
        (
            HEAD.replace("ification", "ificaton") + DE,
            "no kind of task named 'classificaton'. Did you mean 'classification'",
        ),
        (HEAD + 'labls = ["a"]\n' + DE, "no key named 'labls'. Did you mean 'labels'"),
        (HEAD + 'metric = "acuracy"\n' + DE, "no metric of classification named 'acuracy'. Did you mean 'accuracy'"),
        (HEAD + 'metric = "pearson"\n' + DE, "no metric of classification named 'pearson'"),
        (HEAD + 'labels = ["a", "A"]\n' + DE, "the labels 'a' and 'A' are one but for capitals"),
        (HEAD + 'labels = ["a"]\n' + DE, "a classification has two labels or more, not 1"),
        (HEAD + DE + "colums = {}\n", r"\[corpora.de\]: no key named 'colums'. Did you mean 'columns'"),
        (HEAD + DE + 'columns = {txt = "a"}\n', "columns: no key named 'txt'. Did you mean 'text'"),
        (HEAD + DE + 'columns = {text = "body"}\n', "de.csv: no column named 'body'.* Known: label, text"),
        (HEAD + "pair = true\n" + DE, "text names text; the task asks about two columns"),
        (HEAD + DE + 'columns = {text = ["text", "label"]}\npair = true', r"no key named 'pair'"),
        (HEAD + DE + "split = {train = 0.7, devel = 0.1}\n", "split: no key named 'devel'. Did you mean 'dev'"),
        (HEAD + DE + "split = {train = 0.9, dev = 0.2}\n", "leave no test rows; shares are of all rows"),
        (HEAD + DE + "split = {train = 1.0}\n", "leave no test rows; shares"),
        (HEAD + DE + "split = {train = -1}\n", "train is -1; write a share"),
        (HEAD + DE + "split = {train = nan}\n", "train is nan; write a share"),
        (HEAD + DE + 'columns = {text = "label"}\n', "label is named twice; text, label and split are a column each"),
        (HEAD + DE + 'columns = {text = ["text", "text"]}\n', "text is named twice"),
        (HEAD + DE + 'columns = {label = "label", split = "label"}\n', "label is named twice"),
        ('name = "t"\nkind = "multi_label"\n' + DE + 'columns = {label = ["a", "a"]}\n', "a is named twice"),
        ('name = "t"\nkind = "regression"\n' + DE.replace("de.csv", "huge.csv"), "the score is '3e30'; .* below 1e.09"),
        (HEAD + DE + "split = {train = 30, dev = 10}\n", "test would have no rows; there are 40 in all"),
        (HEAD + DE + 'split = "fold"\n', "no column named 'fold'"),
        (HEAD + DE + 'task = "u"\n', "no task named 'u'. Known: t"),
        (HEAD + 'unseen = ["ed"]\n' + DE, "unseen: no corpus named 'ed'. Known: de"),
        (HEAD + DE.replace("de.csv", "none.csv"), "none.csv: there is no such file"),
        (HEAD + DE.replace("de.csv", "de.xlsx"), "de.xlsx: files end with one of"),
        (HEAD + DE.replace("de.csv", "hub:org/name"), "hub:org/name: name a commit"),
        (HEAD + DE.replace("de.csv", "one.csv"), "a classification has two labels or more|one class only"),
        (HEAD + 'labels = ["no", "yes"]\n' + DE.replace("de.csv", "one.csv"), r"\[corpora.de\]: .*one class only"),
        (
            HEAD + 'labels = ["no", "yes"]\n' + DE.replace("de.csv", "odd.csv"),
            "odd.csv, line 32: no label named 'maybe'",
        ),
        (HEAD + DE.replace("de.csv", "tiny.csv"), "dev would have no rows|test would have no rows"),
        (HEAD + DE.replace("de.csv", "gap.csv"), 'gap.csv, line 7: no text in column text; .*missing = "skip"'),
        (HEAD + DE.replace("de.csv", "gap2.csv"), "gap2.csv, line 7: no label in column label"),
        (
            'name = "t"\nkind = "regression"\n'
            + FILES.replace('"de.csv"', '"scores.csv", dev = "scores2.csv"') % "level.csv",
            "test: 9 rows, all of one label, so no answer has a pearson; give rows that differ",
        ),
        (
            'name = "t"\nkind = "regression"\nmetric = "spearman"\n'
            + FILES.replace('"de.csv"', '"scores.csv", dev = "level.csv"') % "scores2.csv",
            "dev: 9 rows, all of one label, so no answer has a spearman",
        ),
        (HEAD + 'metric = "matthews"\n' + FILES % "yes.csv", "test: 9 rows, all of one label, so no .* matthews"),
        (HEAD + FILES % "half.csv", "test has labels that no train row has: rare; add such train rows"),
        (
            HEAD + FILES.replace('"de.csv"', '"de.csv", dev = "more.csv"') % "same.csv",
            "more.csv, line 2: this text is a test row too, as are 5 of 20",
        ),
        (HEAD + FILES % "n*.csv", r"no file of .* is n\*.csv"),
        (HEAD + '[corpora.de]\nfiles = {train = "de.csv"}\n', "files names no test rows"),
        (HEAD + FILES % "same.csv" + "split = {train = 0.5}\n", "files say what is train; only dev can be drawn"),
        (HEAD + FILES % "de.csv", r"files names de.csv for train and test; leave it out of one"),
        (HEAD + FILES % "./de.csv", r"files names de.csv for train and test; leave it out of one"),
        (HEAD + FILES % "d*.csv", r"files names de.csv for train and test; leave it out of one"),
        (HEAD + FILES.replace('"de.csv"', '["de.csv", "d*.csv"]') % "more.csv", "files names de.csv twice for train"),
        (HEAD + FILES.replace('"%s"', '["more.csv", "more.csv"]'), "files names more.csv twice for test; name it once"),
        (HEAD + DE.replace("de.csv", "~nobody-there/de.csv"), "~nobody-there/de.csv: there is no home of nobody-there"),
        (HEAD + FILES % "~nobody-there/*.csv", "there is no home of nobody-there here"),
        (HEAD + DE.replace("de.csv", "de\\u0000.csv"), "data is 'de.x00.csv'; it must be without zero bytes"),
        (HEAD + FILES.replace('"%s"', '["a\\u0000"]'), "test is .'a.x00'.; it must be without zero bytes"),
        (
            HEAD.replace("classification", "multi_label") + DE.replace("de.csv", "nulls.parquet"),
            "a multi_label has labels, and no row has any; is the label column the right one",
        ),
        (HEAD + DE.replace("de.csv", "bytes.parquet"), "bytes.parquet, row 1: the label is b'n'; it must be one name"),
        (
            HEAD.replace("classification", "multi_label") + DE.replace("de.csv", "structs.parquet"),
            "structs.parquet, row 1: the label is {'a': 1}; it must be one name",
        ),
        (HEAD + DE + 'members = {x = "a"}\n', "members has x = 'a'; write seed = folder"),
        (HEAD + DE + "soup = {seeds = [1]}\n", "soup: it makes 1 members"),
        (HEAD + DE + "soup = {sedes = [1, 2]}\n", "soup: no key named 'sedes'. Did you mean 'seeds'"),
        (HEAD + DE + "soup = {seeds = [1, 1]}\n", "seeds is .1, 1.; write each value once"),
        (HEAD + DE + "soup = {learning_rate = [1, 1.0]}\n", "learning_rate is .*; write each value once"),
        (HEAD + DE + "soup = {learning_rate = [-1.0, 1e-3]}\n", "soup: learning_rate is -1.0; it must be above 0, up"),
        (HEAD + DE + "soup = {learning_rate = [nan, 1e-3]}\n", "soup: learning_rate is nan; it must be above 0"),
        (HEAD + DE + 'soup = {learning_rate = ["x", 1e-3]}\n', "learning_rate has 'x'; it must be a number, above 0"),
        (HEAD + DE + "soup = {epochs = [0, 1]}\n", "soup: epochs is 0; it must be from 1 to 10,000"),
        (HEAD + DE + "soup = {steps = [1.5, 2]}\n", "soup: steps has 1.5; it must be a whole number, from 1"),
        (HEAD + DE + "soup = {batch_size = [true, 8]}\n", "soup: batch_size has True; it must be a whole number"),
        (HEAD + DE + "soup = {epochs = [1, 2], steps = [1, 2]}\n", "soup: epochs and steps both say how long"),
        (HEAD + 'words.nope = {statement = "x", question = "y"}\n' + DE, "words: no label named 'nope'"),
        (HEAD + 'words.no = {statement = "x"}\n' + DE, "it needs both, a statement and a question"),
        ('name = "t"\nkind = "multi_label"\n' + DE + 'columns = {separator = ""}\n', "separator stands between"),
        ('name = "t"\nkind = "regression"\n' + DE, "de.csv, line 2: the score is 'no'; it must be a number"),
        ('name = "t"\nkind = "regression"\nspan = [5, 1]\n' + DE, "span is .5, 1.; write the lowest"),
        (HEAD + '[tasks.a]\nkind = "regression"\n' + DE, "kind stands in each of .tasks."),
        (
            'name = "t"\n[tasks.a]\nkind = "regression"\n[tasks.b]\nkind = "regression"\n' + DE,
            "task is missing; write one of a, b",
        ),
    ],
)
def test_what_cannot_be_right_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    for name, rows in PLAIN.items():
        table(tmp_path, name, rows)
    texts = [text for text, _ in made(40)]
    for name, cells in (("nulls", [None] * 40), ("bytes", [b"n", b"y"] * 20), ("structs", [{"a": 1}, {"a": 2}] * 20)):
        pq.write_table(pa.table({"text": texts, "label": cells}), tmp_path / f"{name}.parquet")
    with pytest.raises(MergeboardError, match=said) as caught:
        load(tmp_path, text)
    assert ("\n" not in str(caught.value) and str(tmp_path) in str(caught.value)) or "hub:" in text


def test_a_task_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MergeboardError, match=r"--task .*none.toml: it cannot be read \(No such file or directory\)"):
        reading.read(tmp_path / "none.toml")


def test_an_exam_that_no_record_could_hold_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cells.rowbook.LARGEST", 20_000)
    table(tmp_path, "de.csv", made(40_000))
    corpus = one(tmp_path, HEAD + DE)
    setting = Setting("t", "s", ("de", "fr"), "all")
    cell = Cell(setting, PopulationKey(ModelName("m", "m"), "t", ("de", "fr"), ("de", "fr"), 1, "same"), "simple")
    book = RowBook({"de": corpus, "fr": corpus}, Protocol())
    with pytest.raises(MergeboardError, match=r"8,000 test rows are 0 MB, .*--set test_rows=4000$"):
        book.exam(cell, "de")
    assert len(RowBook({"de": corpus, "fr": corpus}, Protocol(test_rows=4000)).exam(cell, "de")) == 4000
