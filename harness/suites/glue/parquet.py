"""GLUE's rows as the hub stores them: Parquet files with classes by number."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadData
from harness.suites.glue.rows import score_of, shown, split_of, wanted
from harness.suites.glue.sources import SOURCES
from harness.suites.glue.tasks import TASKS

if TYPE_CHECKING:
    import datasets  # seconds; only tables need it, not the names of tasks


def read_parquet(paths: tuple[Path, ...], name: str) -> Split:
    """The rows of a task in these files. Errors: `BadData` with the row."""
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


def _of_table(where: str, table: datasets.Dataset, name: str) -> Split:
    """The rows of a table with the hub's columns."""
    import datasets

    task, source = TASKS[name], SOURCES[name]
    columns = (*source.hub_texts, "label")
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise BadData(
            f"{where}: no column {', '.join(map(repr, missing))}; the columns are {shown(table.column_names)}"
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
        label = score_of(value, task) if task.kind == "regression" else _class(value, task)
        if label is None:
            known = [str(k) for k in range(len(task.outputs))]
            raise BadData(f"{where}, row {number}: {wanted(task, known)}, not {value!r:.60}")
        labels.append(label)
    return split_of(where, task, texts, labels)


def _class(value: Any, task: Task) -> int | None:
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(task.outputs)
    return int(value) if known else None
