"""Parquet, read group by group with pyarrow; a column of classes keeps their names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data.stream import Rows, Style
from harness.errors import BadData

_ROWS = 50_000  # at once


def columns_of(path: Path, style: Style) -> list[str]:
    """The names in the file's schema. Errors: `BadData`."""
    return list(_file(path).schema_arrow.names)


def _classes(path: Path) -> dict[str, tuple[str, ...]]:
    """Column -> the names of its numbers, where `datasets` wrote them into the file."""
    metadata = _file(path).schema_arrow.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"].items()
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
    return {name: names for name, of in features if (names := _names(of))}


def _names(feature: Any) -> tuple[str, ...]:
    """Of a column of classes, or of lists of classes, as each version of `datasets` writes those; of others none."""
    if isinstance(feature, list):
        return _names(feature[0]) if len(feature) == 1 else ()
    if not isinstance(feature, dict):
        return ()
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return tuple(map(str, names))
    return _names(feature.get("feature"))


def read(path: Path, wanted: Sequence[str], style: Style) -> Rows:
    """All rows of these columns. Errors: `BadData`."""
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    try:
        for batch in _file(path).iter_batches(batch_size=_ROWS, columns=list(wanted), use_threads=False):
            for name in wanted:
                columns[name] += batch.column(batch.schema.get_field_index(name)).to_pylist()
    except BadData:
        raise
    except Exception as error:  # half a file, a page that is damaged
        raise BadData(f"{path}: not readable as Parquet ({' '.join(str(error).split()):.200})") from None
    return Rows(columns, lambda row: f"row {row + 1}", _classes(path))


def _file(path: Path) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError:
        raise BadData(f"{path}: there is no such file") from None
    except Exception as error:  # pyarrow's errors of what is no Parquet
        raise BadData(f"{path}: not readable as Parquet ({' '.join(str(error).split()):.200})") from None
