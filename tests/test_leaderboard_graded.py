"""Written answers in records: packed, kept beside them, counted by rows, and graded again by whoever checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells import answered
from harness.data.corpus import Reference, Split
from harness.data.task import Task
from harness.grading import GRADERS, register
from harness.grading.marks import grade
from harness.judging.reply import Said
from harness.judging.scoring import Exam
from harness.records.bits import pack_marks
from harness.records.record import BadRecord, RunRecord, Store
from leaderboard import audit
from leaderboard.audit.marks import misgraded
from leaderboard.publish import LOCAL, PUBLISHED, check, publish
from leaderboard.stats.chance import exchanged
from leaderboard.tables.answers import files_named_by, gold_of, marks_in, sheets_of
from tests.test_leaderboard_table import record

WORDS = "language:words=vo: bo mi ta; um: a e o"
ASKED = ("two and two", "two and three", "four and four", "one and none")
ANSWERS = ("4", "5", "8", "1")
WRITTEN = ("bo 4", "a 5", "bo 9", "bo mi 1")


def examined(
    texts: tuple[str, ...] | None = WRITTEN, graders: tuple[str, ...] = ("number", WORDS), asked: Any = ASKED
) -> Exam:
    task = Task("sums", "generation", ("mark",), "mean_mark", (), (), prompt="{text}", tokens=8, graders=graders)
    references = tuple(Reference(answer, "vo") for answer in ANSWERS)
    split = Split(asked, np.ones((4, 1)), None, references)
    marks = grade(task, texts or WRITTEN, references)
    score = float(marks.total.mean())
    return Exam(task, score, marks.total, split.labels[:, 0], {"cut": 0}, Said(split, texts, marks.parts))


def written(store: Store, method: str = "ties", exam: Exam | None = None, **changes: Any) -> RunRecord:
    """A record of an exam, stored."""
    exam = exam or examined()
    kept = {**answered.predictions(exam, store), **changes}
    made = record(method, score=exam.score, scores={"sums": exam.score}, metric="mean_mark", predictions={"sums": kept})
    store.put(made)
    return made


def told(made: RunRecord) -> dict[str, Any]:
    kept: dict[str, Any] = made.predictions["sums"]
    return kept


def wrong(store: Store) -> list[str]:
    return list(audit.faults(store))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_record_of_written_answers_gives_its_score_and_its_marks_again(store: Store) -> None:
    made = written(store)
    assert made.score == 0.5 and wrong(store) == []
    assert marks_in(told(made)["marks"], 4).tolist() == [1, 0, 0, 1]
    assert {name: marks_in(own, 4).tolist() for name, own in told(made)["graders"].items()} == {
        "number": [1, 1, 0, 1],
        "language": [1, 0, 1, 1],
    }
    kept = store.texts(told(made)["texts"])
    assert [(row.answer, row.language, row.said) for row in kept.rows] == [
        (answer, "vo", said) for answer, said in zip(ANSWERS, WRITTEN, strict=True)
    ]
    assert kept.graders == (("number", 1), (WORDS, 1))


def test_development_rows_and_members_are_kept_short(store: Store) -> None:
    kept = answered.predictions(examined(), store, short=True)
    assert "texts" not in kept and not (store.root / "texts").exists() and marks_in(kept["marks"], 4).sum() == 2
    members = answered.of_members({"one": {"sums": examined()}}, {"one": {}}, store)
    assert members is not None and set(members["one"]["test"]["sums"]) == {"gold", "rows", "outputs", "metric", *(
        "marks", "graders"
    )}  # fmt: skip


def test_gold_labels_tell_rows_apart_that_all_have_the_same_label(store: Store) -> None:
    one, other = (answered.predictions(examined(asked=asked), store)["gold"] for asked in (ASKED, ASKED[::-1]))
    assert one != other and {len(row) for row in store.gold(one)} == {2}


def test_rows_are_paired_as_those_of_every_other_record(store: Store) -> None:
    records = [written(store, "ties"), written(store, "simple", examined(("bo 4", "bo 5", "bo 8", "bo 1")))]
    sheets = sheets_of(records, gold_of(store))
    ties, simple = (sheets[made.path, "sums"] for made in records)
    assert ties.paper == simple.paper and (simple.redrawn >= ties.redrawn).all()
    assert np.unique(exchanged(simple, ties)).tolist() == [-0.5, 0, 0.5], "the two rows in which they differ"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"marks": pack_marks([1, 1, 0, 1])}, "give 0.750000, the record says 0.5"),
        ({"marks": pack_marks([0, 1, 0, 1])}, "have the mark 0 in row 1, and its text gets 1"),
        ({"graders": {"number": pack_marks([1, 0, 0, 1]), "language": pack_marks([1] * 4)}}, "the mark 0 by number"),
        ({"graders": {"number": pack_marks([1] * 4)}}, "not the product of their graders'"),
        ({"marks": pack_marks([2.0, 0, 0, 0])}, "a mark lies from 0 to 1"),
        ({"marks": pack_marks([1, 0, 0, 1, 1, 1, 1, 1, 1])}, "cannot be read"),
        ({"marks": "x"}, "cannot be read"),
        ({"metric": "accuracy"}, "gold labels are not 4 rows of marks"),
        ({"texts": "../../etc"}, "name no texts"),
        ({"texts": "0" * 16}, "cannot be read"),
    ],
)
def test_an_edited_mark_is_noticed(changes: dict[str, Any], said: str, store: Store) -> None:
    written(store, **changes)
    assert any(said in line for line in wrong(store)), wrong(store)
    assert all("\n" not in line for line in wrong(store))


def test_texts_beside_answers_that_nobody_wrote_hold_up_no_other_record(store: Store) -> None:
    made = written(store)
    bits = {**told(made), "texts": "0" * 16}
    del bits["marks"]
    path = store.put(replace(made, predictions={"sums": bits}))
    assert [line for line in audit.load(store).damaged if "name no texts" in line and path.name in line]


def texts_of(store: Store) -> Path:
    (path,) = (store.root / "texts").iterdir()
    return path


def test_an_edited_text_is_noticed(store: Store) -> None:
    made = written(store)
    path = texts_of(store)
    path.write_text(path.read_text().replace("bo 9", "bo 8"))
    assert ["content does not match its name" in line for line in wrong(store)] == [True]
    with pytest.raises(BadRecord):
        store.texts(told(made)["texts"])


def test_a_text_that_is_named_anew_is_graded_anew(store: Store) -> None:
    made = written(store)
    kept = store.texts(told(made)["texts"])
    better = replace(kept, rows=tuple(row._replace(said=f"bo {row.answer}") for row in kept.rows))
    written(store, texts=store.put_texts(better))
    (line,) = [line for line in wrong(store) if "in row" in line and " by " not in line]
    assert line.endswith("have the mark 0 in row 2, and its text gets 1")


def test_a_reference_that_is_another_than_the_gold_labels_is_noticed(store: Store) -> None:
    kept = store.texts(told(written(store))["texts"])
    easier = replace(kept, rows=(*kept.rows[:2], kept.rows[2]._replace(answer="9"), kept.rows[3]))
    written(store, texts=store.put_texts(easier))
    assert any("have texts of other rows than their gold labels" in line for line in wrong(store))


@pytest.mark.parametrize("rows", [None, 1, [["a", "b"]], [["a", "b", "c", 4]]])
def test_texts_that_are_none_are_a_line(rows: Any, store: Store) -> None:
    written(store, texts=store._put("texts", json.dumps([] if rows is None else {"graders": [], "rows": rows})))
    assert any("not what a model wrote" in line for line in wrong(store)), wrong(store)


@pytest.fixture
def theirs() -> Iterator[type]:
    """A grader that is there as long as the test says so."""

    @register("theirs")
    @dataclass(frozen=True)
    class Theirs:
        version = 1

        def mark(self, said: str, wanted: Reference) -> float:
            return float(wanted.answer in said)

    yield Theirs
    GRADERS.entries.pop("theirs", None)


def test_a_grader_that_is_not_installed_is_said_and_not_passed_over(store: Store, theirs: type) -> None:
    made = written(store, exam=examined(graders=("theirs",)))
    assert wrong(store) == []
    theirs.version = 2  # type: ignore[attr-defined]
    (line,) = misgraded(made, gold_of(store), store)
    assert line.endswith("the grader theirs marked them in version 1, and here it is version 2")
    GRADERS.entries.pop("theirs")
    (line,) = wrong(store)
    assert "cannot be graded again: no grader named 'theirs'" in line


def test_marks_between_nought_and_one_are_kept_in_single_precision(store: Store, theirs: type) -> None:
    theirs.mark = lambda self, said, wanted: len(said) / 17  # type: ignore[attr-defined]
    made = written(store, exam=examined(graders=("theirs",)))
    assert 0 < made.score < 1 and wrong(store) == [] and "graders" not in told(made)


def test_answers_that_somebody_else_marks_are_kept_without_graders(store: Store) -> None:
    task = Task("theirs", "generation", ("mark",), "mean_mark", (), ())
    split, marks = Split(ASKED, np.ones((4, 1))), np.array([1.0, 0.0, 0.5, 1.0])
    exam = Exam(task, float(marks.mean()), marks, np.ones(4), {}, Said(split, WRITTEN, {}))
    made = written(store, exam=exam)
    assert wrong(store) == [] and store.texts(told(made)["texts"]).graders == ()
    written(store, exam=replace(exam, said=Said(split, None, {})))
    assert wrong(store) == []


def test_half_a_character_is_kept_as_a_sign_that_says_so(store: Store) -> None:
    made = written(store, exam=examined(("\ud83d bo 4", *WRITTEN[1:])))
    assert store.texts(told(made)["texts"]).rows[0].said == "\ufffd bo 4"


def test_texts_are_published_with_their_record_and_swept_with_it(tmp_path: Path) -> None:
    local = Store(tmp_path / LOCAL)
    made = written(local)
    done, refused = publish(tmp_path, local)
    assert refused == [] and check(tmp_path) == []
    target = Store(tmp_path / PUBLISHED)
    assert all((target.root / path).is_file() for path in files_named_by(made)) and len(files_named_by(made)) == 2
    for path in target.paths():
        path.unlink()
    assert any("texts/" in line and "nothing names it" in line for line in check(tmp_path)), done


def test_what_is_published_is_graded_before(tmp_path: Path) -> None:
    local = Store(tmp_path / LOCAL)
    written(local, marks=pack_marks([0, 1, 0, 1]))
    _, refused = publish(tmp_path, local)
    assert any("its text gets 1" in line for line in refused)
    assert Store(tmp_path / PUBLISHED).paths() == []


def test_more_than_a_reader_would_read_is_refused_when_it_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.records.store.LARGEST", 100)
    with pytest.raises(Exception, match="test on fewer, --set test_rows=NUMBER"):
        answered.predictions(examined(), store)
