"""A record's answers beside a user's own rows: which rows they are, what is said of each, and what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.corpus import MASKED, Corpus, Reference, Split, cut
from harness.data.task import Task
from harness.data.world import World
from harness.records.bits import pack, pack_floats, pack_marks
from harness.records.record import RunRecord, Store
from harness.records.written import Written, WrittenRow
from harness.suites.base import Where
from harness.suites.registry import resolve
from leaderboard.__main__ import main
from leaderboard.joined.against import Counts
from leaderboard.joined.answers import Answer, answers_of
from leaderboard.joined.command import _write
from leaderboard.joined.exam import rows_of
from leaderboard.joined.keys import record_of
from leaderboard.joined.refused import Refused
from leaderboard.joined.told import command_of
from tests.test_leaderboard_table import record

ISEAR = "isear"


def task(kind: Any, *outputs: str) -> Task:
    metric = {
        "multi_label": "macro_f1",
        "classification": "accuracy",
        "regression": "pearson",
        "generation": "mean_mark",
    }
    return Task("mine", kind, outputs, metric[kind], outputs, outputs)


def feelings(rows: int = 50) -> Corpus:
    """Rows that each have one of two labels; a third one is not annotated."""
    labels = np.array([[k % 2, (k + 1) % 2, MASKED] for k in range(rows)])
    whole = Split(tuple(f"text {k}" for k in range(rows)), labels)
    return cut(whole, ISEAR, task("multi_label", "joy", "fear", "shame"), (True, True, False), seed=0)


def of(corpus: Corpus, exam: Split, rows: int | None = None, **fields: Any) -> RunRecord:
    """A record that was examined on these rows and answered joy to each."""
    said = {"bits": pack([[1, 0]] * len(exam)), "outputs": ["joy", "fear"], "rows": len(exam), "gold": "", **fields}
    told = {"predictions": {corpus.name: {"metric": "macro_f1", **said}}, "members": (corpus.name,)}
    return record(recipe={"data": {"exam": {corpus.name: exam.fingerprint}}}, **told)


# -- which rows they are -----------------------------------------------------------------------------------------------


def test_rows_are_the_first_test_rows_or_the_first_of_all() -> None:
    corpus = feelings()
    for exam in (corpus.test, corpus.test.first(4), corpus.everything, corpus.everything.first(30)):
        assert rows_of(of(corpus, exam), ISEAR, {ISEAR: corpus}).texts == exam.texts


def test_rows_that_were_asked_at_random_of_somebodys_file_are_found_and_so_are_the_first_ones_of_before() -> None:
    corpus = replace(feelings(), test_order=np.array([7, 2, 9, 0, 5, 1, 3, 4, 6, 8]))
    exam = corpus.sample(corpus.test, np.arange(10), 4)
    assert exam.texts == tuple(corpus.test.texts[k] for k in (0, 2, 7, 9))
    assert corpus.sample(corpus.test, np.array([1, 2, 3, 4]), 2).texts == tuple(corpus.test.texts[k] for k in (1, 2))
    for rows in (exam, corpus.test.first(4), corpus.test):
        assert rows_of(of(corpus, rows), ISEAR, {ISEAR: corpus}).texts == rows.texts


def test_labels_that_were_not_asked_are_masked() -> None:
    corpus = feelings()
    whole = np.array(corpus.test.labels)
    whole[:, 2] = 1  # so that it is annotated, and was not asked
    annotated = replace(corpus, test=corpus.test.asked(whole))
    found = rows_of(of(corpus, corpus.test), ISEAR, {ISEAR: annotated})
    assert found.fingerprint == corpus.test.fingerprint


def test_rows_that_members_were_trained_or_chosen_on_are_left_out_where_they_were() -> None:
    corpus = feelings()
    test = Split(
        (*corpus.train.texts[:2], *corpus.dev.texts[:1], *corpus.test.texts),
        np.vstack([corpus.train.labels[:2], corpus.dev.labels[:1], corpus.test.labels]),
    )
    there = {ISEAR: replace(corpus, test=test)}
    details = {"seen": {ISEAR: {"left_out": 3}}, "seen_dev": {ISEAR: {"of": 5}}, "train_rows": "all"}
    known = replace(of(corpus, corpus.test), details=details)
    assert rows_of(known, ISEAR, there).texts == corpus.test.texts
    with pytest.raises(Refused, match="isear: the rows at hand are others"):
        rows_of(of(corpus, corpus.test), ISEAR, there)


def test_other_rows_and_other_corpora_are_refused() -> None:
    corpus = feelings()
    for other in (feelings(49), replace(corpus, test=corpus.test.asked(1 - corpus.test.labels))):
        with pytest.raises(Refused, match="give the --data, or the --task file, of then"):
            rows_of(of(corpus, corpus.test), ISEAR, {ISEAR: other})
    with pytest.raises(Refused, match="isear is not in the data at hand"):
        rows_of(of(corpus, corpus.test), ISEAR, {})


# -- what is said of each ----------------------------------------------------------------------------------------------


def test_labels_are_right_where_all_that_are_annotated_are(tmp_path: Path) -> None:
    rows = Split(("a", "b", "c"), np.array([[1, 0], [1, 1], [MASKED, 0]]))
    kept = {"bits": pack([[1, 0], [1, 0], [1, 0]]), "outputs": ["joy", "fear"], "rows": 3, "metric": "macro_f1"}
    kept["gold"] = Store(tmp_path).put_gold(rows.labels.tolist())
    told = answers_of(kept, rows, task("multi_label", "joy", "fear"), Store(tmp_path))
    assert told == [
        Answer(1, "a", "joy", "joy", True),
        Answer(2, "b", "joy, fear", "joy", False),
        Answer(3, "c", "none of them", "none of them", True),
    ]


def test_classes_pairs_numbers_and_texts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pairs = Split(("a", "b"), np.array([[0], [1]]), seconds=("x", "y"))
    kept: dict[str, Any] = {"classes": "00", "outputs": ["no", "yes"], "rows": 2, "metric": "accuracy"}
    kept["gold"] = store.put_gold(pairs.labels.tolist())
    told = answers_of(kept, pairs, task("classification", "no", "yes"), store)
    assert [(a.text, a.gold, a.said, a.right) for a in told] == [
        ("a | x", "no", "no", True),
        ("b | y", "yes", "no", False),
    ]
    far = {
        "floats": pack_floats([0.5, 2.0]),
        "outputs": ["score"],
        "rows": 2,
        "metric": "pearson",
        "gold": kept["gold"],
    }
    told = answers_of(far, Split(("a", "b"), np.array([[0.0], [1.0]])), task("regression", "score"), store)
    assert [(a.gold, a.said, a.right) for a in told] == [("0", "0.5", None), ("1", "2", None)]
    asked = Split(("2 + 2 ?",), np.array([[1.0]]), references=(Reference("4"),))
    texts = store.put_texts(Written((), (WrittenRow("0" * 16, "4", "", "five"),)))
    wrote = {"marks": pack_marks([0.0]), "outputs": ["mark"], "rows": 1, "metric": "mean_mark", "gold": kept["gold"]}
    asks = task("generation", "mark")
    assert answers_of({**wrote, "texts": texts}, asked, asks, store)[0] == Answer(1, "2 + 2 ?", "4", "five", False)
    assert answers_of(wrote, asked, asks, store)[0].said == "(mark 0; its text was not kept)"


def test_gold_labels_of_other_rows_are_refused(tmp_path: Path) -> None:
    rows = Split(("a",), np.array([[1]]))
    kept = {"classes": "0", "outputs": ["no", "yes"], "rows": 1, "metric": "accuracy"}
    kept["gold"] = Store(tmp_path).put_gold([[0]])
    with pytest.raises(Refused, match="gold labels are not those of these rows"):
        answers_of(kept, rows, task("classification", "no", "yes"), Store(tmp_path))
    with pytest.raises(Refused, match="cannot be read"):
        answers_of({**kept, "gold": "0" * 16}, rows, task("classification", "no", "yes"), Store(tmp_path))


@pytest.mark.parametrize("first, second, chance", [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 2 / 32), (1, 6, 2 * 8 / 128)])
def test_mcnemar_counts_the_rows_in_which_one_of_two_is_right(first: int, second: int, chance: float) -> None:
    assert Counts(3, first, second, 4).chance == pytest.approx(chance) == Counts(0, second, first, 9).chance


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, RunRecord]]:
    """Two records about a corpus of the made-up world: one knows all labels, the other says joy to each row."""
    root = tmp_path_factory.mktemp("rows")
    suite, store = resolve("emotion"), Store(root / "store")
    exam = suite.find(Where(world=World()), suite.knobs(), 0)[ISEAR].test.first(40)
    outputs = [name for k, name in enumerate(suite.tasks[0].outputs) if (exam.labels[:, k] != MASKED).any()]
    gold = exam.labels[:, [suite.tasks[0].outputs.index(name) for name in outputs]]
    joy = np.zeros_like(gold)
    joy[:, outputs.index("joy")] = 1
    kept = {"rows": 40, "outputs": outputs, "metric": "macro_f1", "gold": store.put_gold(gold.tolist())}
    found = {}
    for method, said in (("ties", gold == 1), ("simple", joy)):
        told = {
            "predictions": {ISEAR: {**kept, "bits": pack(np.asarray(said, dtype=int).tolist())}},
            "scores": {ISEAR: 0.5},
        }
        found[method] = record(method, recipe={"data": {"exam": {ISEAR: exam.fingerprint}}}, **told)
        store.put(found[method])
    return root, found


def asked(world: tuple[Path, dict[str, RunRecord]], *words: str) -> int:
    root, _ = world
    return main(["--root", str(root), "rows", *words, "--results", "store"])


def test_all_rows_the_wrong_ones_and_two_records(
    world: tuple[Path, dict[str, RunRecord]], capsys: pytest.CaptureFixture[str]
) -> None:
    ties, simple = (world[1][name].key for name in ("ties", "simple"))
    assert asked(world, ties) == 0
    out = capsys.readouterr().out
    assert out.startswith("isear: 40 rows, 40 answered right, 0 wrong\n") and out.count("| right |") == 40
    assert asked(world, ties[:12], "--wrong") == 0
    assert "| row |" not in capsys.readouterr().out
    assert asked(world, simple, "--against", ties) == 0
    told, *table = capsys.readouterr().out.splitlines()
    alone = 40 - int(told.partition("both right in ")[2].partition(",")[0])
    assert f"simple alone in 0, ties alone in {alone}, neither in 0; McNemar's exact test: p < 0.001" in told
    assert sum(line.endswith("| ties |") for line in table) == alone


def test_a_file_has_the_whole_rows_and_lies_outside_the_project(
    world: tuple[Path, dict[str, RunRecord]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, file = world[1]["simple"].key, tmp_path / "rows.csv"
    assert asked(world, key, "--csv", str(file)) == 0
    assert f"written: {file}, 40 rows" in capsys.readouterr().out
    head, *rows = csv.reader(file.open(encoding="utf-8", newline=""))
    assert head == ["corpus", "row", "text", "gold", "predicted", "so"] and len(rows) == 40
    before = file.read_bytes()
    assert asked(world, key, "--csv", str(file)) == 1 and file.read_bytes() == before
    assert "it is there already; name another file" in capsys.readouterr().err
    assert asked(world, key, "--csv", str(world[0] / "rows.csv")) == 1
    assert "rows are not written into the project" in capsys.readouterr().err and not (world[0] / "rows.csv").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (["beef"], "no record beef in "),
        ([""], "no record in "),
        (["KEY", "--corpus", "tec"], "--corpus tec: the record was asked about isear"),
        (["KEY", "--wrong", "--against", "KEY"], "--wrong shows one record and --against two"),
        (["KEY", "--csv", "/nowhere/rows.csv"], "--csv /nowhere/rows.csv: cannot be written"),
    ],
)
def test_what_is_refused_in_one_line(
    words: list[str], said: str, world: tuple[Path, dict[str, RunRecord]], capsys: pytest.CaptureFixture[str]
) -> None:
    key = world[1]["ties"].key
    assert asked(world, *[key if word == "KEY" else word for word in words]) == 1
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_what_a_store_cannot_tell_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, real = Store(tmp_path / "store"), {"model": "real", "scores": {ISEAR: 0.5}}
    kept = {
        ISEAR: {"bits": pack([[1]]), "outputs": ["joy"], "rows": 1, "metric": "macro_f1", "gold": store.put_gold([[1]])}
    }
    exam = {"data": {"exam": {ISEAR: "0" * 16}}}
    several = [record("simple", 1, predictions=kept, recipe=exam, **real), record("avg", **real)]
    several += [record(method, suite="unheard_of", predictions=kept, **real) for method in ("ties", "fisher")]
    several += [record("ties", suite="lm_eval", predictions=kept, **real)]
    for one in several:
        store.put(one)
    there, bare, own, _, foreign = several
    cases = {
        (there.key,): "say where the rows of emotion lie: --data FOLDER, with ",
        (there.key, "--data", str(tmp_path)): "docs/usage.md says where to get it",
        (bare.key,): "keeps no answers",
        (own.key,): "suite unheard_of; name the file that describes it: --task FILE.toml",
        (own.key, "--against", there.key): "it was not asked about the same rows of isear",
        (foreign.key,): "the rows of lm_eval are read by that package alone",
    }
    for words, said in cases.items():
        assert main(["--root", str(tmp_path), "rows", *words, "--results", "store"]) == 1
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1, err
    assert [command_of(one) for one in (bare, foreign)] == ["", ""]
    assert command_of(there) == f"python -m leaderboard rows {there.key} --data FOLDER"
    assert command_of(own).endswith("--task FILE.toml")


def test_of_a_key_that_two_stores_have_the_first_ones_record_is_meant(tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("own", "published")]
    for score, store in zip((0.25, 0.75), stores, strict=True):
        store.put(record(score=score))
    (path,) = stores[0].paths()
    for some in (stores, stores[::-1]):
        assert record_of(path.stem.rpartition("-")[2], some)[1] is some[0]
    path.write_text("{", encoding="utf-8")
    with pytest.raises(Refused):
        record_of(path.stem.rpartition("-")[2], stores)


@pytest.mark.parametrize(
    ("cell", "written"), [("=1+1", "'=1+1"), ("+1+1", "'+1+1"), ("-0.5", "-0.5"), ("@x", "'@x"), ("so", "so")]
)
def test_a_text_is_no_formula_of_a_spreadsheet_and_a_number_stays_one(cell: str, written: str, tmp_path: Path) -> None:
    _write(tmp_path / "rows.csv", (["text"], [[cell]]))
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8").split() == ["text", written]


def test_a_key_of_several_and_an_older_schema_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "store")
    for seed in range(1, 18):  # of 17 keys two begin alike
        store.put(record(seed=seed))
    begins = [path.stem.rpartition("-")[2][0] for path in store.paths()]
    letter = next(letter for letter in begins if begins.count(letter) > 1)
    assert main(["--root", str(tmp_path), "rows", letter, "--results", "store"]) == 1
    assert f"{letter} begins {begins.count(letter)} keys, write more of it: simple-s" in capsys.readouterr().err
    path = store.paths()[0]
    path.write_text(
        path.read_text(encoding="utf-8").replace('"schema": 2', '"schema": 99').replace('"schema":2', '"schema":99')
    )
    assert main(["--root", str(tmp_path), "rows", path.stem.rpartition("-")[2], "--results", "store"]) == 1
    assert "of an older schema" in capsys.readouterr().err
    path.write_text("{")
    assert main(["--root", str(tmp_path), "rows", path.stem.rpartition("-")[2], "--results", "store"]) == 1
    assert capsys.readouterr().err.count("\n") == 1, "a damaged file"
