"""GLUE: eight tasks, read from the original download, from the hub's files, or from the hub itself.

The official validation rows are the test rows, since the answers to the official test rows are not public; development
rows are held out of the train rows before anything else is done with them (D7). Rows are kept as they are: empty texts,
texts that look like a missing value ("None", "n/a"), quotation marks that never close. The one exception are rows of
QQP that are cut short in the official file, which are skipped, as the published loaders do.
"""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.checkpoints.hub import NotThere, fetch
from harness.data.corpus import Corpus, Labels, Split, require_learnable
from harness.data.task import Task
from harness.errors import BadData
from harness.suites.glue.tasks import TASKS
from methods.errors import UnknownName

if TYPE_CHECKING:
    import datasets  # seconds; only tables need it, not the names of tasks


FOLDER = "glue"
ORIGIN = (
    "download the tasks from gluebenchmark.com/tasks (CoLA/train.tsv, CoLA/dev.tsv, ...), or the folders of "
    "huggingface.co/datasets/nyu-mll/glue (cola/train-*.parquet, cola/validation-*.parquet, ...)"
)
HUB = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"  # a commit of that repository: its rows shall never move


@dataclass(frozen=True)
class _Source:
    """Where the rows of a task lie and what their columns are called."""

    folder: str  # of the original download
    texts: tuple[str, ...]  # columns of the TSV files
    label: str
    words: tuple[str, ...] = ("0", "1")  # what the label column says, class by class
    hub_texts: tuple[str, ...] = ("sentence1", "sentence2")
    header: tuple[str, ...] = ()  # if the file has none
    dev: str = "dev"
    validation: str = "validation"
    cut_short: bool = False  # whether rows with too few fields are known and skipped

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.texts, self.label)


_ENTAILMENT = ("entailment", "not_entailment")
_SOURCES: Mapping[str, _Source] = {
    "cola": _Source(
        "CoLA", ("sentence",), "label", hub_texts=("sentence",), header=("source", "label", "mark", "sentence")
    ),
    "sst2": _Source("SST-2", ("sentence",), "label", hub_texts=("sentence",)),
    "mrpc": _Source("MRPC", ("#1 String", "#2 String"), "Quality"),
    "stsb": _Source("STS-B", ("sentence1", "sentence2"), "score", words=()),
    "mnli": _Source(
        "MNLI",
        ("sentence1", "sentence2"),
        "gold_label",
        words=("entailment", "neutral", "contradiction"),
        hub_texts=("premise", "hypothesis"),
        dev="dev_matched",
        validation="validation_matched",
    ),
    "qnli": _Source("QNLI", ("question", "sentence"), "label", _ENTAILMENT, hub_texts=("question", "sentence")),
    "qqp": _Source(
        "QQP", ("question1", "question2"), "is_duplicate", hub_texts=("question1", "question2"), cut_short=True
    ),
    "rte": _Source("RTE", ("sentence1", "sentence2"), "label", _ENTAILMENT),
}


@dataclass(frozen=True)
class HeldOut:
    """Which train rows become development rows: round(fraction * n) of n, at least `least`, at most `most` (D7)."""

    fraction: float
    least: int
    most: int | None
    seed: int

    def corpus(self, name: str, train: Split, test: Split) -> Corpus:
        """Shuffle the train rows, by seed and name alone, and hold the first out."""
        n, task = len(train), TASKS[name]
        size = max(round(self.fraction * n), self.least)
        size = size if self.most is None else min(size, self.most)
        if not 0 < size < n:
            raise BadData(f"{name}: {size} of {n} train rows held out leave none to train on, or none to develop on")
        digest = hashlib.sha256(f"dev:{self.seed}:{name}".encode()).digest()
        order = np.random.default_rng(int.from_bytes(digest[:8], "little")).permutation(n)
        kept = train.take(order[size:])
        require_learnable(name, kept)
        return Corpus(name, task, kept, train.take(order[:size]), test, (True,) * len(task.outputs), published=True)


def load(folder: Path, held: HeldOut, wanted: Sequence[str] = tuple(TASKS)) -> Mapping[str, Corpus]:
    """The tasks among `wanted` that lie in `<folder>/glue`, in the order of `wanted`.

    Two layouts are known, the original download (`CoLA/train.tsv`; taken if both are there) and the hub's repository
    (`cola/train-*.parquet`). Test rows are the official validation rows (MNLI: the matched ones). Development rows are
    held out of the train rows; the rest is left in shuffled order, so that its prefixes are random and nested. Labels
    are (rows, 1): int64 classes or float64 scores.

    Errors: `UnknownName` for a task that GLUE has not; `BadData` if no task is there, one lacks a file, a column or
    a class, or a row is malformed (with its line).
    """
    _require_known(wanted)
    corpora = {}
    for name in wanted:
        files = _files(Path(folder).resolve() / FOLDER, name)
        if files is not None:
            changed = tuple(path.stat().st_mtime_ns for path in (*files[0], *files[1]))
            corpora[name] = _load(name, *files, changed, held)
    if not corpora:
        raise BadData(f"none of the tasks {', '.join(wanted)} is in {Path(folder) / FOLDER}; {ORIGIN}")
    return corpora


def from_hub(held: HeldOut, wanted: Sequence[str] = tuple(TASKS)) -> Mapping[str, Corpus]:
    """The same as `load`, of the hub's `nyu-mll/glue` at a fixed commit, downloaded unless it is in the hub's cache.

    Errors: as `load`; `BadData` too if the hub cannot be reached.
    """
    _require_known(wanted)
    folder = _snapshot(tuple(wanted))
    there = {name: files for name in wanted if (files := _files(folder, name)) is not None}
    if not there:
        raise BadData(f"{HUB} holds none of the tasks {', '.join(wanted)}; or {ORIGIN}")
    return {name: _load(name, *files, (), held) for name, files in there.items()}


@lru_cache(maxsize=4)
def _snapshot(wanted: tuple[str, ...]) -> Path:
    parts = [f"{name}/{split}-*.parquet" for name in wanted for split in ("train", _SOURCES[name].validation)]
    try:
        return fetch(HUB, REVISION, lambda names: [n for n in names if any(fnmatch(n, p) for p in parts)], "dataset")
    except NotThere as error:
        raise BadData(f"{HUB}: {error}; or {ORIGIN}") from error


def _require_known(wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in TASKS:
            raise UnknownName("GLUE task", name, TASKS)


def _files(folder: Path, name: str) -> tuple[tuple[Path, ...], tuple[Path, ...]] | None:
    """The files of the train rows and those of the test rows; None if the task is not there."""
    source = _SOURCES[name]
    tsv, hub = folder / source.folder, folder / name
    for names, train, test in (
        (("train.tsv", f"{source.dev}.tsv"), tsv.glob("train.tsv"), tsv.glob(f"{source.dev}.tsv")),
        (
            ("train-*.parquet", f"{source.validation}-*.parquet"),
            hub.glob("train-*.parquet"),
            hub.glob(f"{source.validation}-*.parquet"),
        ),
    ):
        found = tuple(sorted(train)), tuple(sorted(test))
        if any(found) and not all(found):
            there, absent = names if found[0] else names[::-1]
            raise BadData(f"{(found[0] or found[1])[0].parent}: {there} is there and {absent} is not; {ORIGIN}")
        if all(found):
            return found
    return None


@lru_cache(maxsize=2 * len(TASKS))
def _load(
    name: str, train: tuple[Path, ...], test: tuple[Path, ...], _changed: tuple[int, ...], held: HeldOut
) -> Corpus:
    return held.corpus(name, _read(train, name), _read(test, name))


def _read(paths: tuple[Path, ...], name: str) -> Split:
    if paths[0].suffix == ".tsv":
        return _read_tsv(paths[0], name)
    import datasets

    where = f"{paths[0].parent / paths[0].name.split('-')[0]}-*.parquet"
    with tempfile.TemporaryDirectory() as cache:  # `datasets` writes a copy of all it reads, and would keep it
        try:
            table = datasets.Dataset.from_parquet([str(path) for path in paths], cache_dir=cache, keep_in_memory=True)
        except Exception as error:  # not Parquet at all: pyarrow's errors, wrapped or not
            raise BadData(f"{where}: not readable as Parquet ({type(error).__name__})") from error
        try:
            return _of_table(where, table, name)
        except BadData:
            raise
        except Exception as error:  # columns of kinds that no text and no label is
            said = f"{type(error).__name__}: {error}"
            raise BadData(f"{where}: not texts and labels ({' '.join(said.split()):.200})") from error


# -- the original download -------------------------------------------------------------------------------------------


def _read_tsv(path: Path, name: str) -> Split:
    """No csv module: quotation marks mean nothing in these files, and only a line feed ends a row."""
    task, source = TASKS[name], _SOURCES[name]
    rows = _lines(path)
    header = list(source.header) or next(rows, (1, [""]))[1]
    missing = [column for column in source.columns if column not in header]
    if missing:
        raise BadData(f"{path}: no column {', '.join(map(repr, missing))}; the columns are {_shown(header)}")
    *at, label_at = map(header.index, source.columns)
    answers = {word: k for k, word in enumerate(source.words)}
    texts: list[tuple[str, ...]] = []
    labels: list[float] = []
    for number, fields in rows:
        if len(fields) != len(header):
            if source.cut_short and len(fields) < len(header):
                continue
            raise BadData(f"{path}, line {number}: {len(fields)} fields, not {len(header)}")
        word = fields[label_at]
        label = _score(word, task) if task.kind == "regression" else answers.get(word)
        if label is None:
            raise BadData(f"{path}, line {number}: {_wanted(task, source.words)}, not {word!r:.60}")
        texts.append(tuple(fields[k] for k in at))
        labels.append(label)
    return _split(str(path), task, texts, labels)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers from 1 and fields. A carriage return before the line feed is dropped, any other character kept."""
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise BadData(f"{path}, line {number}: not UTF-8 ({error.reason})") from None
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})") from None
    if not lines[-1]:
        lines.pop()  # the last line feed ends a row and begins none
    for number, line in enumerate(lines, 1):
        yield number, line.removesuffix("\r").split("\t")


# -- the hub ---------------------------------------------------------------------------------------------------------


def _of_table(where: str, table: datasets.Dataset, name: str) -> Split:
    """The rows of a table with the hub's columns."""
    import datasets

    task, source = TASKS[name], _SOURCES[name]
    columns = (*source.hub_texts, "label")
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise BadData(
            f"{where}: no column {', '.join(map(repr, missing))}; the columns are {_shown(table.column_names)}"
        )
    feature = table.features["label"]
    if isinstance(feature, datasets.ClassLabel) and tuple(feature.names) != task.outputs:
        raise BadData(f"{where}: the classes are {', '.join(feature.names)}, not {', '.join(task.outputs)}")
    found = table.select_columns(list(columns))[:]
    texts = list(zip(*(found[column] for column in source.hub_texts), strict=True))
    labels = []
    # The hub stores float32; the shortest decimal of each is the score as it was given, and as the TSV files have it.
    values = map(str, np.array(found["label"], np.float32)) if feature.dtype == "float32" else found["label"]
    for number, (row, value) in enumerate(zip(texts, values, strict=True), 1):
        for text in row:
            if not isinstance(text, str):
                raise BadData(f"{where}, row {number}: {text!r:.60} is not a text")
        label = _score(value, task) if task.kind == "regression" else _class(value, task)
        if label is None:
            known = [str(k) for k in range(len(task.outputs))]
            raise BadData(f"{where}, row {number}: {_wanted(task, known)}, not {value!r:.60}")
        labels.append(label)
    return _split(where, task, texts, labels)


def _class(value: Any, task: Task) -> int | None:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(task.outputs)
    return int(value) if known else None


# -- both ------------------------------------------------------------------------------------------------------------


def _score(value: Any, task: Task) -> float | None:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if isinstance(value, str) and "_" in value:
        return None  # which Python reads over: "0_5" is no score
    return score if task.span[0] <= score <= task.span[1] else None  # not a number is not in between either


def _shown(columns: Iterable[str]) -> str:
    """Column names on one line, whatever file it was."""
    said = "".join(c if c.isprintable() else "?" for c in ", ".join(columns))
    return said if len(said) <= 200 else f"{said[:200]}..."


def _wanted(task: Task, words: Iterable[str]) -> str:
    if task.kind == "regression":
        return f"the score is a number from {task.span[0]:g} to {task.span[1]:g}"
    return f"the label is one of {', '.join(words)}"


def _split(where: str, task: Task, texts: Sequence[tuple[str, ...]], labels: Sequence[float]) -> Split:
    if not texts:
        raise BadData(f"{where}: no rows")
    column: Labels = np.array(labels, np.float64).reshape(-1, 1)
    if task.kind == "classification":
        column = column.astype(np.int64)
    first, *rest = zip(*texts, strict=True)
    return Split(first, column, rest[0] if task.pair else None)
