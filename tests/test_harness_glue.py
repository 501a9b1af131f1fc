"""GLUE: two layouts and the hub give the same rows, development rows are held out, and broken files are named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from harness.data.corpus import Corpus, Split
from harness.errors import BadData
from harness.suites.glue import corpora as glue
from harness.suites.glue.corpora import HeldOut
from harness.suites.glue.tasks import PAIRS, TASKS
from methods.errors import UnknownName
from tests.hub_server import Hub

DATA = Path(os.environ.get("MERGEBOARD_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
RULE = HeldOut(fraction=0.25, least=2, most=20, seed=0)
Row = tuple[Any, ...]  # the text or the two texts, then a class number or a score

HEADERS = {  # of the original downloads; CoLA has none
    "cola": "",
    "sst2": "sentence\tlabel",
    "mrpc": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "stsb": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
    "mnli": "index\tpromptID\tgenre\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
    "qnli": "index\tquestion\tsentence\tlabel",
    "qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "rte": "index\tsentence1\tsentence2\tlabel",
}
FOLDERS = {
    **{"cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "stsb": "STS-B"},
    **{"mnli": "MNLI", "qnli": "QNLI", "qqp": "QQP", "rte": "RTE"},
}
HUB_COLUMNS = {
    **{"cola": ("sentence",), "sst2": ("sentence",), "qnli": ("question", "sentence")},
    **{"mnli": ("premise", "hypothesis"), "qqp": ("question1", "question2")},
    **dict.fromkeys(("mrpc", "stsb", "rte"), ("sentence1", "sentence2")),
}


def made_up(name: str, rows: int, start: int = 0) -> list[Row]:
    """Rows that are told apart by their texts; classes, or scores of one decimal, in turn."""
    task = TASKS[name]
    found: list[Row] = []
    for k in range(start, start + rows):
        answer: float = (k % 51) / 10 if task.kind == "regression" else k % len(task.outputs)
        found.append((f"first {k}", f"second {k}", answer) if task.pair else (f"only {k}", answer))
    return found


def tsv_line(name: str, row: Row) -> str:
    *texts, answer = row
    if name in ("mnli", "qnli", "rte"):
        answer = TASKS[name].outputs[answer]
    if name == "cola":
        return "\t".join(["src", str(answer), "" if answer else "*", *texts])
    if name == "mrpc":
        return "\t".join([str(answer), "7", "8", *texts])
    label = ["entailment", answer] if name == "mnli" else [f"{answer:.3f}" if name == "stsb" else str(answer)]
    return "\t".join(["x"] * (HEADERS[name].count("\t") + 1 - len(texts) - len(label)) + [*texts, *label])


def tsv_files(name: str) -> tuple[str, str]:
    return "train.tsv", "dev_matched.tsv" if name == "mnli" else "dev.tsv"


def write_tsv(folder: Path, name: str, train: Sequence[Any], dev: Sequence[Any], header: str | None = None) -> Path:
    """The original layout; a row may be given as the line that stands for it."""
    place = folder / "glue" / FOLDERS[name]
    place.mkdir(parents=True, exist_ok=True)
    head = HEADERS[name] if header is None else header
    for file, rows in zip(tsv_files(name), (train, dev), strict=True):
        lines = [row if isinstance(row, str) else tsv_line(name, row) for row in rows]
        (place / file).write_bytes("".join(f"{line}\n" for line in ([head] if head else []) + lines).encode())
    return folder


def table(name: str, rows: Sequence[Row]) -> datasets.Dataset:
    """The hub's columns and types."""
    columns = HUB_COLUMNS[name]
    task = TASKS[name]
    label = datasets.Value("float32") if task.kind == "regression" else datasets.ClassLabel(names=list(task.outputs))
    features = datasets.Features({**{c: datasets.Value("string") for c in columns}, "label": label})
    features["idx"] = datasets.Value("int32")
    cells = zip(*[(*row, k) for k, row in enumerate(rows)], strict=True)
    return datasets.Dataset.from_dict(
        {c: list(v) for c, v in zip((*columns, "label", "idx"), cells, strict=True)}, features=features
    )


def write_parquet(folder: Path, name: str, train: Sequence[Row], dev: Sequence[Row], parts: int = 1) -> Path:
    place = folder / "glue" / name
    place.mkdir(parents=True, exist_ok=True)
    tables = {"train": table(name, train), "validation_matched" if name == "mnli" else "validation": table(name, dev)}
    for split, rows in tables.items():
        for k in range(parts):
            shard = rows.shard(parts, k, contiguous=True)
            shard.to_parquet(str(place / f"{split}-{k:05}-of-{parts:05}.parquet"))
    return folder


def load(folder: Path, *wanted: str, **changes: Any) -> Mapping[str, Corpus]:
    return glue.load(folder, replace(RULE, **changes), wanted or tuple(TASKS))


def rows_of(split: Split) -> list[Row]:
    texts = zip(split.texts, split.seconds, strict=True) if split.seconds is not None else zip(split.texts, strict=True)
    return [(*row, answer) for row, answer in zip(texts, split.labels[:, 0].tolist(), strict=True)]


def fingerprints(corpus: Corpus) -> tuple[str, ...]:
    return corpus.train.fingerprint, corpus.dev.fingerprint, corpus.test.fingerprint


# -- the tasks -------------------------------------------------------------------------------------------------------


def test_the_tasks_in_order() -> None:
    assert tuple(TASKS) == ("cola", "sst2", "mrpc", "stsb", "mnli", "qnli", "qqp", "rte")
    assert all(name == task.name for name, task in TASKS.items())
    assert [name for name, task in TASKS.items() if not task.pair] == ["cola", "sst2"]
    assert {name: task.metric for name, task in TASKS.items() if task.metric != "accuracy"} == {
        "cola": "matthews",
        "stsb": "pearson",
    }
    assert TASKS["stsb"].kind == "regression" and TASKS["stsb"].span == (0, 5) and TASKS["stsb"].width == 1


def test_eight_pairs_of_two_tasks() -> None:
    assert len(set(PAIRS)) == 8 and PAIRS[0] == ("stsb", "qnli") and PAIRS[-1] == ("rte", "qqp")
    assert all(a in TASKS and b in TASKS and a != b for a, b in PAIRS)


@pytest.mark.parametrize("name", TASKS)
def test_a_generative_model_is_asked_just_enough(name: str) -> None:
    task = TASKS[name]
    assert len(task.statements) == len(task.questions) == len(task.outputs)
    assert len(task.asked) == {1: 1, 2: 1, 3: 3}[len(task.outputs)]
    for statement, question in zip(task.statements, task.questions, strict=True):
        assert bool(statement) == bool(question)
        assert not statement or (statement[0].isupper() and statement.endswith(".") and question.endswith("?"))


# -- loading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_all_ways_to_a_task_give_the_same_rows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, dev = made_up(name, 40), made_up(name, 7, start=100)
    one = load(write_tsv(tmp_path / "tsv", name, train, dev))[name]
    other = load(write_parquet(tmp_path / "hub", name, train, dev))[name]
    monkeypatch.setattr(glue, "fetch", lambda *_: tmp_path / "hub" / "glue")
    glue._snapshot.cache_clear()
    third = glue.from_hub(RULE, [name])[name]
    assert fingerprints(one) == fingerprints(other) == fingerprints(third)
    assert sorted(rows_of(one.train) + rows_of(one.dev)) == sorted(train) and rows_of(one.test) == dev
    assert (len(one.train), len(one.dev)) == (30, 10)
    assert one.name == name and one.task is TASKS[name] and one.annotated == (True,) * len(TASKS[name].outputs)
    dtype = np.float64 if name == "stsb" else np.int64
    for split in (one.train, one.dev, one.test):
        assert split.labels.shape == (len(split), 1) and split.labels.dtype == dtype
        assert (split.seconds is not None) == TASKS[name].pair


def test_a_table_in_several_files_is_one_table(tmp_path: Path) -> None:
    train, dev = made_up("rte", 40), made_up("rte", 7)
    one = load(write_parquet(tmp_path / "one", "rte", train, dev))["rte"]
    three = load(write_parquet(tmp_path / "three", "rte", train, dev, parts=3))["rte"]
    assert fingerprints(one) == fingerprints(three)


def test_a_copy_of_the_tables_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    load(write_parquet(tmp_path, "rte", made_up("rte", 40), made_up("rte", 7)))
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_missing_tasks_are_left_out_and_the_order_is_as_wanted(tmp_path: Path) -> None:
    for name in ("cola", "rte", "sst2"):
        write_tsv(tmp_path, name, made_up(name, 20), made_up(name, 3))
    assert list(load(tmp_path)) == ["cola", "sst2", "rte"]
    assert list(load(tmp_path, "rte", "mnli", "cola")) == ["rte", "cola"]


def test_no_task_at_all_is_an_error_that_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"none of the tasks cola, rte is in .*glue; .*gluebenchmark.com") as caught:
        load(tmp_path, "cola", "rte")
    assert "\n" not in str(caught.value)


def test_an_unknown_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no GLUE task named 'sst-2'"):
        load(tmp_path, "sst-2")


def test_half_a_task_is_an_error(tmp_path: Path) -> None:
    write_tsv(tmp_path, "mnli", made_up("mnli", 20), made_up("mnli", 3))
    place = tmp_path / "glue" / "MNLI"
    (place / "dev_matched.tsv").rename(place / "dev.tsv")
    with pytest.raises(BadData, match=r"MNLI: train.tsv is there and dev_matched.tsv is not"):
        load(tmp_path)
    write_parquet(tmp_path / "hub", "rte", made_up("rte", 20), made_up("rte", 3))
    (tmp_path / "hub" / "glue" / "rte" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(BadData, match=r"rte: validation-\*.parquet is there and train-\*.parquet is not"):
        load(tmp_path / "hub")


def test_a_task_is_read_once_and_again_if_its_file_changes(tmp_path: Path) -> None:
    write_tsv(tmp_path, "rte", made_up("rte", 40), made_up("rte", 7))
    first = load(tmp_path)["rte"]
    assert load(tmp_path)["rte"] is first
    file = tmp_path / "glue" / "RTE" / "dev.tsv"
    file.write_text(f"{HEADERS['rte']}\n{tsv_line('rte', ('a', 'b', 1))}\n")
    os.utime(file, ns=(1, 1))
    assert rows_of(load(tmp_path)["rte"].test) == [("a", "b", 1)]


# -- development rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "least", "most", "size"),
    [(0.05, 1, None, 5), (0.05, 8, None, 8), (0.5, 8, 20, 20), (0.124, 1, 12, 12), (0.126, 1, None, 13)],
)
def test_the_development_share_has_bounds(
    fraction: float, least: int, most: int | None, size: int, tmp_path: Path
) -> None:
    write_tsv(tmp_path, "cola", made_up("cola", 100), made_up("cola", 7))
    corpus = load(tmp_path, fraction=fraction, least=least, most=most)["cola"]
    assert (len(corpus.dev), len(corpus.train), len(corpus.test)) == (size, 100 - size, 7)


def test_development_rows_depend_on_seed_and_task(tmp_path: Path) -> None:
    for name in ("mrpc", "rte"):
        write_tsv(tmp_path, name, [(f"{k}", "", k % 2) for k in range(40)], made_up(name, 7))
    first = load(tmp_path)
    assert first["rte"].dev.texts != load(tmp_path, seed=1)["rte"].dev.texts
    assert first["rte"].dev.texts != first["mrpc"].dev.texts
    assert list(map(int, first["rte"].train.texts)) != sorted(map(int, first["rte"].train.texts)), "shuffled"
    assert load(tmp_path, seed=1)["rte"].test.fingerprint == first["rte"].test.fingerprint
    more = load(tmp_path, least=15)["rte"]
    assert more.dev.texts[:10] == first["rte"].dev.texts and more.train.texts == first["rte"].train.texts[5:]


def test_rows_must_be_left_to_train_on(tmp_path: Path) -> None:
    write_tsv(tmp_path, "cola", made_up("cola", 10), made_up("cola", 7))
    with pytest.raises(BadData, match="cola: 10 of 10 train rows held out leave none"):
        load(tmp_path, least=10)
    with pytest.raises(BadData, match="cola: 0 of 10 train rows held out leave none"):
        load(tmp_path, fraction=0.01, least=0)


def test_one_class_cannot_be_learned(tmp_path: Path) -> None:
    write_tsv(tmp_path, "cola", [(f"{k}", 1) for k in range(20)], made_up("cola", 7))
    with pytest.raises(BadData, match=r"cola: all .* rows have the same labels"):
        load(tmp_path)


# -- texts that trap a reader ----------------------------------------------------------------------------------------

TRAPS = (
    'a lone " quote',
    '"begins and never ends',
    '"quoted"',
    'two "" in a row',
    "next\x85line",
    "form\x0cfeed and \x1c and \u2028 and \x0b",
    "a \r inside",
    "None",
    "n/a",
    "NULL",
    "",
    " spaces stay ",
    "\ufeff",
    "na\u00efve \u732b",
    "back\\slash \\t",
)


@pytest.mark.parametrize("name", ["cola", "mrpc", "rte"])
@pytest.mark.parametrize("write", [write_tsv, write_parquet])
def test_texts_are_kept_as_they_are(name: str, write: Any, tmp_path: Path) -> None:
    pair = TASKS[name].pair
    rows = [(text, *([text] if pair else []), k % 2) for k, text in enumerate(TRAPS)]
    corpus = load(write(tmp_path, name, made_up(name, 20) + rows, rows))[name]
    assert rows_of(corpus.test) == rows
    assert set(rows) <= {*rows_of(corpus.train), *rows_of(corpus.dev)}


@pytest.mark.parametrize("name", ["cola", "mrpc"])
def test_marks_at_the_ends_of_a_file_are_no_content(name: str, tmp_path: Path) -> None:
    write_tsv(tmp_path / "plain", name, made_up(name, 20), made_up(name, 5))
    write_tsv(tmp_path / "marked", name, made_up(name, 20), made_up(name, 5))
    for file in tsv_files(name):
        path = tmp_path / "marked" / "glue" / FOLDERS[name] / file
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().removesuffix(b"\n").replace(b"\n", b"\r\n"))
    plain, marked = (load(tmp_path / which)[name] for which in ("plain", "marked"))
    assert fingerprints(plain) == fingerprints(marked)


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    swapped = [f"{k % 2}\ttext {k}\textra" for k in range(20)]
    write_tsv(tmp_path, "sst2", swapped, swapped, header="label\tsentence\tmore")
    assert rows_of(load(tmp_path)["sst2"].test) == [(f"text {k}", k % 2) for k in range(20)]


# -- files that cannot be believed -----------------------------------------------------------------------------------


def broken(folder: Path, name: str, line: str) -> str:
    """What is said of a train file whose fourth row is this line."""
    rows: list[Any] = list(made_up(name, 20))
    rows[3] = line
    with pytest.raises(BadData) as caught:
        load(write_tsv(folder, name, rows, made_up(name, 5)))
    said = str(caught.value)
    assert "\n" not in said
    where = f"{folder / 'glue' / FOLDERS[name] / 'train.tsv'}, line {4 if name == 'cola' else 5}: "
    assert said.startswith(where)
    return said.removeprefix(where)


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("cola", "src\t1\ttext", "3 fields, not 4"),
        ("cola", "src\t2\t\ttext", "the label is one of 0, 1, not '2'"),
        ("rte", "1\ta\tb\tc\tentailment", "5 fields, not 4"),
        ("rte", "", "1 fields, not 4"),
        ("rte", "1\ta\tb\tEntailment", "the label is one of entailment, not_entailment, not 'Entailment'"),
        ("mnli", "\t".join("12345678-"), "the label is one of entailment, neutral, contradiction, not '-'"),
        ("sst2", "text\t", "the label is one of 0, 1, not ''"),
        ("qqp", "1\t2\t3\ta\tb\tc\t1", "7 fields, not 6"),
        *(
            ("stsb", "\t".join(["x"] * 9 + [score]), f"the score is a number from 0 to 5, not {score!r}")
            for score in ("five", "", "nan", "inf", "-0.1", "5.001", "0_5", "\0", "1,5", "1e400")
        ),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(name: str, line: str, said: str, tmp_path: Path) -> None:
    assert broken(tmp_path, name, line) == said


def test_rows_of_qqp_that_are_cut_short_are_skipped(tmp_path: Path) -> None:
    whole = made_up("qqp", 20)
    rows: list[Any] = [*whole[:5], "5\t6\t7\tcut", *whole[5:], ""]
    corpus = load(write_tsv(tmp_path, "qqp", rows, made_up("qqp", 5)))["qqp"]
    assert sorted(rows_of(corpus.train) + rows_of(corpus.dev)) == sorted(whole)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_text_are_named_by_line(mark: bytes, tmp_path: Path) -> None:
    write_tsv(tmp_path, "rte", made_up("rte", 20), made_up("rte", 5))
    path = tmp_path / "glue" / "RTE" / "dev.tsv"
    path.write_bytes(mark + path.read_bytes().replace(b"second 2", b"second \xe9"))
    with pytest.raises(BadData, match=r"dev.tsv, line 4: not UTF-8"):
        load(tmp_path)


def test_wrong_columns_are_named(tmp_path: Path) -> None:
    write_tsv(tmp_path, "mrpc", ["1\ta\tb"] * 9, ["1\ta\tb"], header="Quality\tsentence1\t#2 String")
    with pytest.raises(BadData, match=r"train.tsv: no column '#1 String'; the columns are Quality, sentence1, #2 Str"):
        load(tmp_path)


@pytest.mark.parametrize(("name", "content"), [("cola", ""), ("rte", f"{HEADERS['rte']}\n")])
def test_a_file_without_rows_is_named(name: str, content: str, tmp_path: Path) -> None:
    write_tsv(tmp_path, name, made_up(name, 20), made_up(name, 3))
    (tmp_path / "glue" / FOLDERS[name] / "dev.tsv").write_text(content)
    with pytest.raises(BadData, match=r"dev.tsv: no rows"):
        load(tmp_path)


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    write_tsv(tmp_path, "rte", made_up("rte", 20), made_up("rte", 3))
    (tmp_path / "glue" / "RTE" / "dev.tsv").write_text("")
    with pytest.raises(BadData, match=r"dev.tsv: no column 'sentence1', 'sentence2', 'label'"):
        load(tmp_path)


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path, "rte", made_up("rte", 20), made_up("rte", 3))
    (tmp_path / "glue" / "rte" / "train-00000-of-00001.parquet").write_bytes(b"no table")
    with pytest.raises(BadData, match=r"rte.train-\*.parquet: not readable as Parquet"):
        load(tmp_path)


# -- the hub ---------------------------------------------------------------------------------------------------------


def said_of(rows: datasets.Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a hub whose train rows of RTE are these."""
    write_parquet(folder, "rte", made_up("rte", 3), made_up("rte", 3))
    rows.to_parquet(str(folder / "glue" / "rte" / "train-00000-of-00001.parquet"))
    monkeypatch.setattr(glue, "fetch", lambda *_: folder / "glue")
    glue._snapshot.cache_clear()
    glue._load.cache_clear()
    with pytest.raises(BadData) as caught:
        glue.from_hub(RULE, ["rte"])
    return str(caught.value)


def test_glue_is_fetched_at_its_commit_with_nothing_else(hub: Hub, tmp_path: Path) -> None:
    for name in TASKS:
        write_parquet(tmp_path, name, made_up(name, 40), made_up(name, 7, start=100))
    place = tmp_path / "glue"
    for other in ("ax/test-00000-of-00001.parquet", "rte/test-00000-of-00001.parquet", "README.md"):
        (place / other).parent.mkdir(exist_ok=True)
        (place / other).write_text("not wanted")
    hub.put("nyu-mll/glue", place, "main", kind="datasets", commit=glue.REVISION)
    hub.put("nyu-mll/glue", tmp_path, "main", kind="datasets")  # moved on since
    corpora = glue.from_hub(RULE)
    assert corpora.keys() == TASKS.keys()
    assert all(fingerprints(corpora[name]) == fingerprints(corpus) for name, corpus in load(tmp_path).items())
    assert len(hub.files_asked()) == 16 and not [name for name in hub.files_asked() if "test" in name]
    glue._snapshot.cache_clear()
    hub.asked.clear()
    glue.from_hub(RULE)
    assert hub.asked == [], "a commit that is cached is not asked for again"


def test_a_hub_without_a_task_lacks_it(hub: Hub, tmp_path: Path) -> None:
    write_parquet(tmp_path, "rte", made_up("rte", 40), made_up("rte", 7))
    hub.put("nyu-mll/glue", tmp_path / "glue", kind="datasets", commit=glue.REVISION)
    assert list(glue.from_hub(RULE)) == ["rte"]
    with pytest.raises(BadData, match="nyu-mll/glue holds none of the tasks cola, mnli"):
        glue.from_hub(RULE, ["cola", "mnli"])


def test_a_table_of_another_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table("rte", made_up("rte", 20))
    said = said_of(rows.remove_columns("sentence1"), tmp_path, monkeypatch)
    assert "no column 'sentence1'; the columns are" in said
    turned = rows.cast_column("label", datasets.ClassLabel(names=["not_entailment", "entailment"]))
    said = said_of(turned, tmp_path, monkeypatch)
    assert said.endswith("the classes are not_entailment, entailment, not entailment, not_entailment")
    plain = datasets.Dataset.from_dict({"sentence1": ["a", "b"], "sentence2": ["c", None], "label": [0, 1]})
    assert said_of(plain, tmp_path, monkeypatch).endswith("row 2: None is not a text")


@pytest.mark.parametrize("label", [-1, 2, None])
def test_a_class_that_is_none_is_named_by_row(
    label: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = datasets.Dataset.from_dict({"sentence1": ["a"] * 3, "sentence2": ["b"] * 3, "label": [0, 1, label]})
    assert said_of(plain, tmp_path, monkeypatch).endswith(f"row 3: the label is one of 0, 1, not {label!r}")


@pytest.mark.parametrize(
    "label",
    [[[0], [1]], [{"a": 1}, {"a": 0}], ["0", "1"], [b"0", b"1"], [0.5, 1.0], [True, False]],
    ids=["lists", "objects", "texts", "bytes", "numbers", "truths"],
)
def test_a_label_column_of_another_kind_is_one_line(
    label: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = datasets.Dataset.from_dict({"sentence1": ["a"] * 2, "sentence2": ["b"] * 2, "label": label})
    said = said_of(plain, tmp_path, monkeypatch)
    assert "rte/train-*.parquet" in said and said.isprintable() and len(said) < 600


def test_a_file_of_another_kind_is_named_in_few_words(tmp_path: Path) -> None:
    write_tsv(tmp_path, "rte", made_up("rte", 20), made_up("rte", 3))
    path = tmp_path / "glue" / "RTE" / "train.tsv"
    for content in (b"{" + b"x" * 100_000 + b"}\n", b"\0\x1b[31m\r" * 999, b"a,b,c\n" * 99):
        path.write_bytes(content)
        with pytest.raises(BadData, match=r"train.tsv: no column") as caught:
            load(tmp_path)
        assert len(str(caught.value)) < 600 and str(caught.value).isprintable()


def test_a_hub_out_of_reach_is_one_line(hub: Hub) -> None:
    hub.down = ("/",)
    with pytest.raises(BadData) as caught:
        glue.from_hub(RULE, ["rte"])
    said = str(caught.value)
    assert said.startswith(f"nyu-mll/glue: not in the local cache, and {hub.endpoint} answers with error 500")
    assert "\n" not in said and "gluebenchmark.com" in said


# -- the real tasks --------------------------------------------------------------------------------------------------

OFFICIAL = {  # rows of train and of the validation split
    **{"cola": (8551, 1043), "sst2": (67349, 872), "mrpc": (3668, 408), "stsb": (5749, 1500)},
    **{"mnli": (392702, 9815), "qnli": (104743, 5463), "qqp": (363846, 40430), "rte": (2490, 277)},
}


@pytest.fixture(scope="module")
def real() -> Mapping[str, Corpus]:
    try:
        return glue.load(DATA, HeldOut(0.05, 100, 2000, 0))
    except BadData as error:
        if str(error).startswith("none of the tasks"):
            pytest.skip(f"no GLUE task in {DATA / glue.FOLDER}; MERGEBOARD_DATA names another folder")
        raise


def test_the_real_tasks_have_the_official_sizes(real: Mapping[str, Corpus]) -> None:
    for name, corpus in real.items():
        train, validation = OFFICIAL[name]
        rows = len(corpus.train) + len(corpus.dev)
        assert len(corpus.test) == validation, name
        assert rows == train or (name == "qnli" and rows < train), f"{name}: {rows} train rows"
        assert len(corpus.dev) == min(max(round(0.05 * rows), 100), 2000), name


def test_the_real_labels_are_the_tasks_classes_or_scores(real: Mapping[str, Corpus]) -> None:
    for name, corpus in real.items():
        for split in (corpus.train, corpus.dev, corpus.test):
            if corpus.task.kind == "regression":
                assert 0 <= split.labels.min() < 1 and 4 < split.labels.max() <= 5
            else:
                assert set(split.labels[:, 0].tolist()) == set(range(len(corpus.task.outputs))), name
            assert (split.seconds is not None) == corpus.task.pair
