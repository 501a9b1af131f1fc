"""Rows of an exam that members were trained on: counted over all members, scored without, left out where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cells.cell import Cell, PopulationKey
from harness.cells.rowbook import RowBook
from harness.cells.seen import seen
from harness.checkpoints.names import ModelName
from harness.data.corpus import MASKED, Corpus, Split
from harness.errors import BadData
from harness.judging.metrics import score
from harness.protocol.protocol import Protocol
from harness.records.record import Store
from harness.suites.emotion.labels import TASK
from harness.suites.emotion.suite import EmotionKnobs
from harness.suites.glue.tasks import TASKS
from harness.suites.setting import Setting
from leaderboard.pages import repeats
from methods import resolve
from methods.errors import MergeboardError
from tests.emotion_cells import answer, cell
from tests.small_world import make_lab
from tests.test_leaderboard_table import record

ALL = Setting("emotion", "in_domain", ("tec", "isear"), "all")
UNSEEN = Setting("emotion", "out_of_domain", ("tec", "isear"), "all", examined=("ssec",))
CHOSEN = replace(UNSEEN, name="recipe", chosen=("ssec",))
HALVES = Setting("glue", "non_iid", ("mrpc",), "halves")


def rows(texts: Sequence[str], seconds: Sequence[str] | None = None) -> Split:
    """Rows of these texts, whose labels change from row to row."""
    width = 1 if seconds else TASK.width
    labels = np.arange(len(texts))[:, None].repeat(width, axis=1) % 2
    return Split(tuple(texts), labels.astype(np.int64), None if seconds is None else tuple(seconds))


def corpus(name: str, train: Split, dev: Split, test: Split, published: bool = True) -> Corpus:
    task = TASK if train.seconds is None else TASKS[name]
    return Corpus(name, task, train, dev, test, (True,) * len(task.outputs), published)


def asked(setting: Setting, members: tuple[str, ...], seed: int = 1) -> Cell:
    key = PopulationKey(ModelName("m", "m"), "emotion", members, setting.members, seed, "same")
    return Cell(setting, replace(key, chosen=setting.chosen or ()), "ties")


def own(name: str, count: int = 4) -> tuple[Split, Split, Split]:
    """Three splits that share nothing with each other or with another corpus'."""
    return tuple(rows([f"{name} {part} {k}" for k in range(count)]) for part in ("train", "dev", "test"))  # type: ignore[return-value]


def world(**changed: tuple[Split, Split, Split]) -> dict[str, Corpus]:
    return {name: corpus(name, *changed.get(name, own(name))) for name in ("tec", "isear", "ssec")}


@pytest.mark.parametrize("setting", [ALL, UNSEEN], ids=lambda s: s.name)
def test_nothing_is_seen_where_nothing_repeats(setting: Setting) -> None:
    book, one = RowBook(world(), Protocol()), asked(setting, ("tec", "isear"))
    for name in setting.exam(("tec", "isear"), world()):
        assert not book.seen(one, name).rows.any() and book.seen(one, name).left_out == 0
    assert not book.seen_dev(one.key, "tec").rows.any()


@pytest.mark.parametrize("trained", ["tec", "isear"])
@pytest.mark.parametrize("text", ["{}", " \t{}\n\n", "{}\u00a0"], ids=["same", "blanks", "hard blank"])
def test_a_row_is_seen_whichever_member_was_trained_on_its_text(trained: str, text: str) -> None:
    train, dev, test = own("tec")
    source = own(trained)[0].texts
    test = rows([test.texts[0], text.format(source[2]).swapcase(), test.texts[2], source[0].replace(" ", "  ")])
    book = RowBook(world(tec=(train, dev, test)), Protocol())
    one = asked(ALL, ("tec", "isear"))
    assert book.seen(one, "tec").rows.tolist() == [False, True, False, True]
    assert not book.seen(one, "isear").rows.any()
    alone = asked(ALL, ("isear",))
    assert book.seen(alone, "tec").rows.any() == (trained == "isear"), "who is not merged has trained nobody"


@pytest.mark.parametrize("part", [0, 1, 2], ids=["train", "dev", "test"])
def test_every_part_of_an_unseen_corpus_is_looked_at(part: int) -> None:
    parts = list(own("ssec"))
    parts[part] = rows(["ssec 0", own("isear")[0].texts[1], "ssec 2", "ssec 3"])
    book = RowBook(world(ssec=(parts[0], parts[1], parts[2])), Protocol())
    assert np.flatnonzero(book.seen(asked(UNSEEN, ("tec", "isear")), "ssec").rows).tolist() == [4 * part + 1]


@pytest.mark.parametrize("part", [1, 2], ids=["dev", "test"])
def test_what_repeats_within_or_between_rows_that_nobody_trained_on_is_not_seen(part: int) -> None:
    train, dev, test = own("tec")
    twice = rows(["same"] * 4)
    book = RowBook(world(tec=(train, twice if part == 1 else dev, twice if part == 2 else test)), Protocol())
    one = asked(ALL, ("tec", "isear"))
    assert not book.seen(one, "tec").rows.any() and not book.seen_dev(one.key, "tec").rows.any()


def test_development_rows_are_counted_and_never_left_out() -> None:
    train, _, test = own("tec")
    book = RowBook(world(tec=(train, rows(["a", train.texts[0], "b", train.texts[3]]), test)), Protocol(repeats="cut"))
    key = asked(ALL, ("tec", "isear")).key
    assert book.seen_dev(key, "tec").rows.tolist() == [False, True, False, True]
    assert len(book.dev("tec", 1)) == 4


def test_only_rows_that_were_trained_on_count() -> None:
    train, dev, _ = own("tec")
    corpora = world(tec=(train, dev, rows(list(train.texts))))
    seen = RowBook(corpora, Protocol(train_rows=2)).seen(asked(ALL, ("tec", "isear")), "tec")
    assert seen.rows.tolist() == [True, True, False, False]


def test_pairs_are_one_text_and_singles_another() -> None:
    train = rows(["a", "b", "c", "a b"], ["1", "2", "3", "c"])
    test = rows(["A", "b", "1", "a", "a  B", "a"], [" 1", "1", "a", "1 ", "C", "b c"])
    corpora = {"mrpc": corpus("mrpc", train, train, test), "tec": corpus("tec", *own("tec"))}
    book = RowBook(corpora, Protocol())
    assert book.seen(asked(ALL, ("mrpc", "tec")), "mrpc").rows.tolist() == [True, False, False, True, True, False]
    single = {"mrpc": corpora["mrpc"], "tec": corpus("tec", *own("tec")[:2], rows(["a", "1", "a 1", "a1"]))}
    assert not RowBook(single, Protocol()).seen(asked(ALL, ("mrpc", "tec")), "tec").rows.any()


def test_partitions_count_as_far_as_they_were_drawn() -> None:
    texts = [f"row {k}" for k in range(40)]
    train = rows(texts, texts)
    book = RowBook({"mrpc": corpus("mrpc", train, train, train)}, Protocol(partition_rows=20))
    for seed in (1, 2):
        one = asked(HALVES, ("mrpc#1", "mrpc#2"), seed)
        drawn = {text for member in ("mrpc#1", "mrpc#2") for text in book.train(member, seed).texts}
        seen = book.seen(one, "mrpc").rows
        assert seen.sum() == len(drawn) == 20 and {texts[k] for k in np.flatnonzero(seen)} == drawn


# -- left out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repeats", "published", "left"),
    [
        ("as_published", True, 4),
        ("as_published", False, 2),
        ("kept", True, 4),
        ("kept", False, 4),
        ("cut", True, 2),
        ("cut", False, 2),
    ],
)
def test_repeats_are_left_out_where_asked_and_of_rows_that_are_not_the_papers(
    repeats: str, published: bool, left: int
) -> None:
    train, dev, test = own("tec")
    test = rows([test.texts[0], train.texts[1], test.texts[2], own("isear")[0].texts[0]])
    corpora = {**world(), "tec": corpus("tec", train, dev, test, published)}
    book, one = RowBook(corpora, Protocol(repeats=repeats)), asked(ALL, ("tec", "isear"))  # type: ignore[arg-type]
    exam, seen = book.exam(one, "tec"), book.seen(one, "tec")
    assert len(exam) == len(seen.rows) == left and seen.rows.sum() == left - 2
    assert seen.left_out == 4 - left
    if left == 2:
        assert exam.texts == (test.texts[0], test.texts[2]) and exam.labels.tolist() == test.labels[[0, 2]].tolist()


@pytest.mark.parametrize(
    ("setting", "member"),
    [(setting, member) for setting in (ALL, UNSEEN, CHOSEN) for member in ("tec", "isear")] + [(CHOSEN, "ssec")],
    ids=lambda told: told if isinstance(told, str) else told.name,
)
def test_rows_that_choose_a_member_or_a_merge_judge_none(setting: Setting, member: str) -> None:
    name = setting.exam(("tec", "isear"), world())[0]
    train, dev, _ = own(member)
    _, _, test = own(name)
    both = rows([test.texts[1], *dev.texts[1:]])
    splits = {name: own(name), member: (train, both, own(member)[2])}
    splits[name] = (*splits[name][:2], rows([*test.texts, dev.texts[2]]))
    one = asked(setting, ("tec", "isear"))
    cut, kept = (RowBook(world(**splits), Protocol(repeats=repeats)) for repeats in ("cut", "kept"))
    lacking = set(kept.exam(one, name).texts) - set(cut.exam(one, name).texts)
    assert {test.texts[1], dev.texts[2]} <= lacking and not lacking & set(test.texts[2:])
    assert cut.seen(one, name).left_out == len(kept.exam(one, name)) - len(cut.exam(one, name))


def test_rows_are_left_out_before_they_are_counted_off() -> None:
    train, dev, test = own("tec")
    corpora = world(tec=(train, dev, rows([train.texts[0], *test.texts])))
    book = RowBook(corpora, Protocol(repeats="cut", test_rows=2))
    assert book.exam(asked(ALL, ("tec", "isear")), "tec").texts == test.texts[:2]


def test_each_population_has_an_exam_of_its_own_then() -> None:
    train, dev, test = own("tec")
    corpora = world(tec=(train, dev, rows([own("isear")[0].texts[0], *test.texts])))
    book = RowBook(corpora, Protocol(repeats="cut"))
    lengths = [len(book.exam(asked(ALL, members), "tec")) for members in (("tec", "isear"), ("tec", "ssec"))]
    assert lengths == [4, 5]


@pytest.mark.parametrize("setting", [ALL, UNSEEN], ids=lambda s: s.name)
def test_an_exam_of_which_nothing_is_left_is_one_line(setting: Setting) -> None:
    name = setting.exam(("tec", "isear"), world())[0]
    same = own("tec")[0]
    book = RowBook(world(**{"tec": own("tec"), name: (same, same, same)}), Protocol(repeats="cut"))
    with pytest.raises(BadData, match=f"{name}: every row of the exam stands in .*--set repeats=kept"):
        book.exam(asked(setting, ("tec", "isear")), name)


@pytest.mark.parametrize(("part", "knob"), [(1, "development"), (2, "test")])
def test_rows_of_which_none_is_annotated_are_one_line(part: int, knob: str) -> None:
    parts = list(own("tec"))
    labels = parts[part].labels.copy()
    labels[:3] = MASKED  # the last row has labels
    parts[part] = parts[part].asked(labels)
    corpora, one = world(tec=(parts[0], parts[1], parts[2])), asked(ALL, ("tec", "isear"))
    few, all_ = (RowBook(corpora, Protocol(dev_rows=n, test_rows=n)) for n in (3, None))
    assert len(all_.dev("tec", 1)) == len(all_.exam(one, "tec")) == 4
    with pytest.raises(BadData, match=f"tec: none of its 3 {knob} rows annotates a label that is asked"):
        few.dev("tec", 1), few.exam(one, "tec")


def test_labels_that_an_exam_does_not_ask_annotate_nothing() -> None:
    labels = np.full((4, TASK.width), MASKED)
    labels[:, TASK.outputs.index("trust")] = 1  # no basic emotion
    whole = rows(["a", "b", "c", "d"]).asked(labels)
    book = RowBook(world(ssec=(whole, whole, whole)), Protocol(own=EmotionKnobs()))
    with pytest.raises(BadData, match="ssec: none of its 12 test rows annotates a label that is asked"):
        book.exam(asked(UNSEEN, ("tec", "isear")), "ssec")


# -- in the record ---------------------------------------------------------------------------------------------------


def test_a_record_has_the_score_without_what_was_trained_on(small_zoo: Path, tmp_path: Path) -> None:
    lab = make_lab(small_zoo)
    test, train = lab.rows.corpora["tec"].test, lab.rows.corpora["isear"].train.first(5)
    test = Split((*train.texts, *test.texts[5:]), test.labels)
    lab.rows.corpora = {**lab.rows.corpora, "tec": replace(lab.rows.corpora["tec"], test=test)}
    lab.rows = RowBook(lab.rows.corpora, lab.protocol)
    simple, avg = (answer(lab, Store(tmp_path), cell(method)) for method in ("simple", "avg"))
    told, simple_cell = simple.details["seen"], cell("simple")
    assert {c: (t["rows"], t["of"]) for c, t in told.items() if t["rows"]} == {"tec": (5, 40)}
    assert all(t["score_unseen"] == simple.scores[c] for c, t in told.items() if c != "tec")
    merged = resolve("simple").merge(
        lab.populations.of(simple_cell.key), lab.developer(simple_cell.key), torch.Generator()
    )
    exam = lab.examiner(simple_cell, ("tec",)).examine(merged)["tec"]
    unseen = score("macro_f1", exam.predicted[5:], exam.gold[5:])
    assert told["tec"]["score_unseen"] == pytest.approx(unseen, abs=1e-6) != simple.scores["tec"]
    tables = [
        lab.examiner(simple_cell, ("tec",)).examine(m)["tec"] for m in lab.populations.of(simple_cell.key).members
    ]
    means = np.mean([score("macro_f1", exam.predicted[5:], exam.gold[5:]) for exam in tables])
    assert avg.details["seen"]["tec"]["score_unseen"] == pytest.approx(means, abs=1e-6), "of every member"
    assert set(simple.details["seen_dev"]) == set(cell("simple").key.corpora) and "brought" not in simple.details


def test_members_that_somebody_brought_are_named(small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab(small_zoo)
    assert "brought" not in seen(cell("simple"), lab, {}, {})
    monkeypatch.setattr(lab.identity, "trains", lambda source: source.members[0] not in ("tec", "isear"))
    assert seen(cell("simple"), lab, {}, {})["brought"] == ["tec", "isear"], "what these were trained on, nobody knows"


# -- settings and pages ----------------------------------------------------------------------------------------------

CORPORA = ("tec", "isear", "dailydialog")


@pytest.mark.parametrize("groups", ["all", "pairs", "halves", (("tec", "isear"),), (("tec#1", "tec#2"),)])
@pytest.mark.parametrize("member", CORPORA[:2])
def test_an_exam_on_a_corpus_that_members_are_trained_on_is_refused(groups: object, member: str) -> None:
    for examined in ((member,), ("ssec", member), (f"{member}#2",)):
        with pytest.raises(
            MergeboardError, match=f"setting x: {member}.* is examined and a member is fine-tuned on it"
        ):
            Setting("emotion", "x", CORPORA, groups, examined=examined)  # type: ignore[arg-type]
    assert Setting("emotion", "x", CORPORA, groups, examined=("ssec",)).examined  # type: ignore[arg-type]


def test_a_group_that_names_a_corpus_by_itself_counts_too() -> None:
    with pytest.raises(MergeboardError, match="ssec"):
        Setting("emotion", "x", ("tec",), (("tec", "ssec"),), examined=("ssec",))


@pytest.mark.parametrize(("seen", "said"), [(1, False), (2, True), (27, True)])
def test_a_session_says_once_what_share_of_an_exam_was_trained_on(seen: int, said: bool) -> None:
    told = {"tec": {"rows": seen, "of": 100, "score_unseen": 0.1}, "isear": {"rows": 0, "of": 0}}
    found = repeats.lines([record(details={"seen": told}), record("ties", details={"seen": told}), record("avg")])
    assert [line.partition(";")[0] for line in found] == (
        [f"tec: {seen} % of the exam's rows stand in training rows too"] if said else []
    )


def test_a_session_says_how_many_rows_were_left_out() -> None:
    told = [{"tec": {"rows": 0, "of": 9, "score_unseen": 0.1, "left_out": n}} for n in (3, 4)]
    (line,) = repeats.lines([record(details={"seen": one}) for one in told])
    assert line.startswith("tec: 4 rows that stand in training or development rows too are left out of the exam")


@pytest.mark.parametrize(
    "seen", [7, [], {"tec": 7}, {"tec": {"rows": "all", "of": None}}, {"tec": {"rows": 9, "of": 2}}]
)
def test_counts_that_are_none_are_passed_over(seen: object) -> None:
    assert repeats.lines([record(details={"seen": seen})]) == []
