"""Corpora: published sizes, splits that never mix, masks, files that cannot be believed, and the made-up world."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells.rowbook import masked_but
from harness.data.corpus import MASKED, Corpus, Split, concatenate, cut, require_learnable
from harness.data.world import World
from harness.errors import BadData
from harness.suites.emotion import corpora as emotion
from harness.suites.emotion import world as synthetic
from harness.suites.emotion.labels import IN_DOMAIN, LABELS, OUT_OF_DOMAIN, TASK

DATA = Path(os.environ.get("MERGEBOARD_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PUBLISHED = {  # paper, Table 7
    "dailydialog": (72085, 10298, 20596),
    "crowdflower": (27818, 3974, 7948),
    "tec": (14735, 2105, 4211),
    "tales-emotion": (10339, 1477, 2955),
    "isear": (5366, 766, 1534),
}
WHOLE = {"ssec": 4868, "affectivetext": 1250}


def numbered(rows: int) -> Split:
    """Rows that are told apart by their text and, with the same number, by their only label."""
    return Split(tuple(map(str, range(rows))), np.arange(rows).reshape(-1, 1))


def paired(rows: int) -> Split:
    """The same, with a second text each that has the same number."""
    return Split(numbered(rows).texts, numbered(rows).labels, tuple(f"-{i}" for i in range(rows)))


def splits(corpus: Corpus) -> tuple[Split, Split, Split]:
    return corpus.train, corpus.dev, corpus.test


# -- cutting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "sizes"), PUBLISHED.items(), ids=str)
def test_cut_gives_the_published_sizes(name: str, sizes: tuple[int, ...]) -> None:
    assert tuple(map(len, splits(cut(numbered(sum(sizes)), name, TASK, (True,), 0)))) == sizes


def test_cut_keeps_every_row_once_and_with_its_label() -> None:
    corpus = cut(numbered(997), "isear", TASK, (True,), 0)
    texts = [text for split in splits(corpus) for text in split.texts]
    assert sorted(map(int, texts)) == list(range(997))
    assert [int(text) for text in corpus.everything.texts] == corpus.everything.labels[:, 0].tolist()


def test_rows_of_two_texts_stay_together() -> None:
    corpus = cut(paired(30), "rte", TASK, (True,), 0)
    for split in (*splits(corpus), corpus.everything, paired(30).first(4), paired(30).take([3, 1])):
        assert split.seconds == tuple(f"-{text}" for text in split.texts)
        assert [int(text) for text in split.texts] == split.labels[:, 0].tolist()
    asked = paired(2).asked(np.array([[5], [6]]))
    assert (asked.texts, asked.seconds, asked.labels.tolist()) == (("0", "1"), ("-0", "-1"), [[5], [6]])


def test_cut_depends_on_seed_and_name_alone() -> None:
    first = cut(numbered(100), "isear", TASK, (True,), 0)
    assert cut(numbered(100), "isear", TASK, (True,), 0).train.texts == first.train.texts
    assert cut(numbered(100), "isear", TASK, (True,), 1).train.texts != first.train.texts
    assert cut(numbered(100), "tec", TASK, (True,), 0).train.texts != first.train.texts
    assert first.train.texts != numbered(70).texts, "rows are shuffled before the cut"


def test_smaller_subsets_are_prefixes_of_larger_ones() -> None:
    rows = numbered(10)
    assert rows.first(3).texts == ("0", "1", "2")
    assert rows.first(3).labels[:, 0].tolist() == [0, 1, 2]
    assert rows.first(None) is rows and rows.first(11) is rows


def test_a_fingerprint_changes_with_every_part_of_the_content() -> None:
    rows = numbered(5)
    others = [
        numbered(4),
        rows.take([1, 0, 2, 3, 4]),
        Split(("x", *rows.texts[1:]), rows.labels),
        Split(("01", "", *rows.texts[2:]), rows.labels),
        Split(rows.texts, rows.labels + 1),
        paired(5),
        Split(rows.texts, rows.labels, ("x", *(paired(5).seconds or ())[1:])),
    ]
    assert len({split.fingerprint for split in (rows, *others)}) == 8
    assert numbered(5).fingerprint == rows.fingerprint


def near() -> Iterator[tuple[str, Split]]:
    """Splits that differ in where one thing ends and the next begins, or in what it is, and in nothing else."""
    pieces = ("a", "b", "", "ab", "a\0b", "\0", "a\0", "\0b", "b\0\0", "é", "e\u0301", "1", "\ud800")
    one = np.zeros((2, 1), dtype=np.int64)
    for texts in itertools.product(pieces, repeat=2):
        yield f"two texts {texts!r}", Split(texts, one)
        yield f"one pair {texts!r}", Split(texts[:1], one[:1], texts[1:])
        yield f"two pairs {texts!r}", Split(texts, one, texts[::-1])
        yield f"one text {texts!r}", Split(("".join(texts) + "|",), one[:1])
    for k, kind in enumerate((np.int64, np.int32, np.float64, np.float32)):
        for shape in ((2, 1), (2, 2), (2, 4), (2, 8)):
            yield f"labels of {kind} {shape}", Split(("x", "y"), np.full(shape, k // 2, dtype=kind))
    yield "labels of none", Split(("x", "y"), np.zeros((2, 0)))


def test_no_two_splits_that_differ_have_one_fingerprint() -> None:
    told: dict[str, tuple[str, object]] = {}
    for what, split in near():
        content = (split.texts, split.seconds, split.labels.dtype.str, split.labels.tolist())
        before, known = told.setdefault(split.fingerprint, (what, content))
        assert known == content, f"{what} and {before} are not told apart"
    assert len(told) > 4 * 100


def test_labels_that_a_setting_does_not_ask_are_masked_and_nothing_else() -> None:
    rows = Split(("a", "b"), np.tile(np.array([[1, 0] * 8]), (2, 1)))
    masked = masked_but(rows, TASK, ("anger", "joy"))
    asked = [LABELS.index("anger"), LABELS.index("joy")]
    assert masked.texts == rows.texts
    assert (masked.labels[:, asked] == rows.labels[:, asked]).all()
    assert (np.delete(masked.labels, asked, axis=1) == MASKED).all()
    assert (rows.labels != MASKED).all(), "the split itself stays as it was"


# -- the real corpora ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Mapping[str, Corpus]:
    if not (DATA / emotion.FILE).is_file():
        pytest.skip(f"no {emotion.FILE} in {DATA}; MERGEBOARD_DATA names another folder")
    return emotion.load(DATA, 0)


def test_the_real_corpora_have_the_published_sizes(real: Mapping[str, Corpus]) -> None:
    known = {name: sizes for name, sizes in PUBLISHED.items() if name in real}
    assert {name: tuple(map(len, splits(real[name]))) for name in known} == known
    assert {name: len(real[name].everything) for name in WHOLE if name in real} == {
        name: rows for name, rows in WHOLE.items() if name in real
    }
    assert {"dailydialog", "crowdflower", "isear"} <= set(real)


def test_the_real_corpora_annotate_the_published_label_sets(real: Mapping[str, Corpus]) -> None:
    for name, corpus in real.items():
        own = {label for label, there in zip(LABELS, corpus.annotated, strict=True) if there}
        assert own == set(synthetic.ANNOTATED[name]), name
        masked = corpus.train.labels == MASKED
        assert (masked == ~np.array(corpus.annotated)).all(), f"{name}: masks differ from row to row"


# -- reading a file --------------------------------------------------------------------------------------------------


def row(**changes: Any) -> dict[str, Any]:
    """A row of a unified file, about the labels that isear annotates."""
    own = synthetic.ANNOTATED["isear"]
    emotions = {label: 0.0 if label in own else None for label in LABELS[:13]}
    entry = {"source": "isear", "text": "words", "emotions": emotions, "VAD": dict.fromkeys(LABELS[13:]), "id": 1}
    return entry | changes


def about(**values: float | None) -> dict[str, Any]:
    return row(emotions=row()["emotions"] | values)


def write(folder: Path, *lines: Any) -> Path:
    path = folder / emotion.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
    return folder


GOOD = [about(joy=float(i % 2)) for i in range(10)]


def labels_of(folder: Path, label: str) -> list[int]:
    everything = emotion.load(folder, 0)["isear"].everything
    return sorted(everything.labels[:, LABELS.index(label)].tolist())


def test_a_value_is_present_only_above_a_tenth(tmp_path: Path) -> None:
    write(tmp_path, *GOOD, about(anger=0.1), about(anger=0.11), about(anger=1), about(anger=0))
    assert labels_of(tmp_path, "anger") == [0] * 12 + [1] * 2


def test_null_is_masked_and_never_absent(tmp_path: Path) -> None:
    write(tmp_path, *GOOD, about(anger=None))
    assert labels_of(tmp_path, "anger") == [MASKED] + [0] * 10
    assert labels_of(tmp_path, "surprise") == [MASKED] * 11
    assert emotion.load(tmp_path, 0)["isear"].annotated == tuple(
        label in synthetic.ANNOTATED["isear"] for label in LABELS
    )


def test_unknown_sources_are_left_aside_whatever_their_scale(tmp_path: Path) -> None:
    write(tmp_path, *GOOD, row(source="emobank"), row(source="emobank", VAD={"valence": 3.2}, emotions={"joy": -1}))
    assert set(emotion.load(tmp_path, 0)) == {"isear"}


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, *GOOD) / emotion.FILE
    assert len(emotion.load(tmp_path, 0)["isear"].everything) == 10
    write(tmp_path, *GOOD, *GOOD)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert len(emotion.load(tmp_path, 0)["isear"].everything) == 20


@pytest.mark.parametrize("changes", [{"VAD": None}, {"text": "a\0b"}, {"text": ""}, {"id": [1]}])
def test_what_is_unusual_and_no_fault_is_read(changes: dict[str, Any], tmp_path: Path) -> None:
    corpus = emotion.load(write(tmp_path, *map(json.dumps, [*GOOD, about(joy=1) | changes])), 0)["isear"]
    assert len(corpus.everything) == 11 and corpus.everything.labels[:, LABELS.index("joy")].sum() == 6


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{", "", id="half a line"),
        pytest.param("", "", id="an empty line"),
        pytest.param("[]", "", id="no object"),
        pytest.param({k: v for k, v in row().items() if k != "source"}, "no field 'source'", id="no source"),
        pytest.param({k: v for k, v in row().items() if k != "text"}, "no field 'text'", id="no text"),
        pytest.param({k: v for k, v in row().items() if k != "emotions"}, "no field 'emotions'", id="no emotions"),
        pytest.param(row(text=7), "text is int", id="text is a number"),
        pytest.param(row(text=None), "text is NoneType", id="text is null"),
        pytest.param(row(source=["isear"]), "source is list", id="source is a list"),
        pytest.param("7", "the line is int, not an object", id="a number"),
        pytest.param("null", "the line is NoneType, not an object", id="null"),
        pytest.param("[" * 100_000, "recursion", id="nested too deep"),
        pytest.param("\0", "", id="a NUL"),
        pytest.param('{"source": "isear"} {}', "Extra data", id="two objects"),
        pytest.param(row(emotions=[]), "emotions is list, not an object", id="emotions are a list"),
        pytest.param(row(emotions=None), "emotions is NoneType", id="emotions are null"),
        pytest.param(row(VAD=[1]), "VAD is list, not an object", id="VAD is a list"),
        pytest.param(about(joy={"a": "b" * 999}), "joy is {'a': 'bb", id="a value is an object"),  # type: ignore[arg-type]
        pytest.param(about(joy=float("inf")), "joy is inf", id="a value is infinite"),
        pytest.param('{"joy": ' + "9" * 5000 + "}", "", id="a number of too many digits"),
        pytest.param(about(joy="1"), "joy is '1'", id="a value is text"),  # type: ignore[arg-type]
        pytest.param(about(joy=True), "joy is True", id="a value is a truth"),
        pytest.param(about(joy=float("nan")), "joy is nan", id="a value is NaN"),
        pytest.param(about(joy=-1), "joy is -1; write null where", id="a value is another file's mark for none"),
        pytest.param(about(joy=-0.5), "joy is -0.5; write null where", id="a value is negative"),
        pytest.param(about(joy=1.5), "joy is 1.5, and values lie from 0 to 1", id="a value is above 1"),
        pytest.param(about(joy=86), "joy is 86, and values lie from 0 to 1", id="a value of another scale"),
        pytest.param(about(joy=10**400), "joy is more than any float", id="a whole number beyond all floats"),
        pytest.param(row(VAD={"valence": 3.2}), "valence is 3.2, and values", id="a valence of another scale"),
        pytest.param(row(text="half a \ud83d pair"), "surrogates", id="text is no text"),
        pytest.param(row(source="ISEAR"), "source is 'ISEAR', written 'isear' elsewhere", id="a source in capitals"),
        pytest.param(about(Joy=1.0), "emotions have 'Joy', written 'joy' elsewhere", id="an emotion in capitals"),
        pytest.param(row(VAD={" valence": 1.0}), "VAD has ' valence', written 'valence' ", id="a blank in a name"),
        pytest.param('{"source": "tec", "source": "isear"}', "it names source twice", id="a field twice"),
    ],
)
def test_a_malformed_line_is_named_with_its_number(line: Any, said: str, tmp_path: Path) -> None:
    write(tmp_path, *GOOD[:3], line, *GOOD[3:])
    with pytest.raises(BadData) as error:
        emotion.load(tmp_path, 0)
    assert f"{emotion.FILE}, line 4: " in str(error.value) and said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", " \n", "\0", "\0\t\u200b"])
def test_a_corpus_without_a_single_text_is_refused_and_one_text_is_enough(text: str, tmp_path: Path) -> None:
    bare = [{**line, "text": text} for line in GOOD]
    with pytest.raises(BadData, match=r"isear: all 10 texts are empty; nothing can be learned from it$"):
        emotion.load(write(tmp_path / "bare", *bare), 0)
    assert set(emotion.load(write(tmp_path / "one", *bare[1:], GOOD[0]), 0)) == {"isear"}


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, *GOOD) / emotion.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = lines[6].replace(b"words", b"w\xffrds")
    path.write_bytes(b"".join(lines))
    with pytest.raises(BadData, match=r"unified-dataset\.jsonl, line 7: "):
        emotion.load(tmp_path, 0)


def test_a_missing_file_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"unified-dataset\.jsonl is not there; .*unify-emotion-datasets"):
        emotion.load(tmp_path, 0)


def test_a_file_without_any_known_corpus_is_refused(tmp_path: Path) -> None:
    write(tmp_path, row(source="emobank"))
    with pytest.raises(BadData, match=r"none of the corpora dailydialog, .* is in this file"):
        emotion.load(tmp_path, 0)


def test_a_corpus_of_one_class_is_refused(tmp_path: Path) -> None:
    write(tmp_path, *[about(joy=1.0)] * 20)
    with pytest.raises(BadData, match="isear: all 20 rows have the same labels"):
        emotion.load(tmp_path, 0)


def test_a_corpus_too_small_for_three_splits_is_refused(tmp_path: Path) -> None:
    write(tmp_path, *GOOD[:3])
    with pytest.raises(BadData, match="isear: 3 rows"):
        emotion.load(tmp_path, 0)


# -- the made-up world -----------------------------------------------------------------------------------------------

WORLD = World(rows=60)


def test_the_world_is_the_same_every_time() -> None:
    first = {name: corpus.everything.fingerprint for name, corpus in synthetic.load(WORLD, 0).items()}
    synthetic._load.cache_clear()
    assert {name: corpus.everything.fingerprint for name, corpus in synthetic.load(WORLD, 0).items()} == first
    assert len(set(first.values())) == len(first) == 10


def test_another_seed_makes_another_world_and_another_split_seed_only_another_cut() -> None:
    rows = sorted(synthetic.load(WORLD, 0)["tec"].everything.texts)
    assert sorted(synthetic.load(World(rows=60, seed=1), 0)["tec"].everything.texts) != rows
    recut = synthetic.load(WORLD, 1)["tec"]
    assert sorted(recut.everything.texts) == rows
    assert recut.everything.texts != synthetic.load(WORLD, 0)["tec"].everything.texts


@pytest.mark.parametrize("name", [*IN_DOMAIN, *OUT_OF_DOMAIN])
def test_a_corpus_of_the_world_has_the_label_set_of_the_real_one(name: str) -> None:
    corpus = synthetic.load(WORLD, 0)[name]
    there = corpus.everything.labels != MASKED
    assert (there == np.array(corpus.annotated)).all()
    assert {label for label, own in zip(LABELS, corpus.annotated, strict=True) if own} == set(synthetic.ANNOTATED[name])
    assert len(corpus.everything) == 60
    require_learnable(name, corpus.train)


def test_slang_means_different_things_in_different_corpora_and_plain_words_the_same() -> None:
    world = World()
    meanings: dict[str, set[str]] = {}
    for corpus in synthetic.ANNOTATED:
        for label, words in synthetic.Words(world).lexicon(corpus).items():
            for word in words:
                meanings.setdefault(word, set()).add(label)
    conflicts = {word for word, labels in meanings.items() if len(labels) > 1}
    assert len(conflicts) == world.slang == 40
    assert len(meanings) == world.slang + world.plain * 13


def test_every_corpus_has_topic_words_of_its_own() -> None:
    topics = [set(synthetic.Words(WORLD).topic(name)) for name in synthetic.ANNOTATED]
    assert all(len(topic) == WORLD.topics for topic in topics)
    assert len(set.union(*topics)) == 10 * WORLD.topics
    assert set.union(*topics) <= set(synthetic.Words(WORLD).all)
    assert len(set(synthetic.Words(WORLD).all)) == len(synthetic.Words(WORLD).all)


def test_splits_of_the_world_share_no_row() -> None:
    for corpus in synthetic.load(World(), 0).values():
        train, dev, test = ({*zip(s.texts, map(tuple, s.labels.tolist()), strict=True)} for s in splits(corpus))
        assert not train & dev and not train & test and not dev & test, corpus.name


def test_concatenated_splits_keep_order_and_labels() -> None:
    both = concatenate([numbered(2), numbered(3)])
    assert both.texts == ("0", "1", "0", "1", "2")
    assert both.labels[:, 0].tolist() == [0, 1, 0, 1, 2] and both.seconds is None
    assert concatenate([paired(1), paired(2)]).seconds == ("-0", "-0", "-1")
