"""One record from its file, and as its file holds it; what is damaged or contradicts itself is no record."""

from __future__ import annotations

import json
import math
import typing
from dataclasses import asdict
from pathlib import Path

from harness.records import earlier, schema1
from harness.records.answer import SCHEMA, RunRecord
from harness.records.files import fresh, rounded
from harness.records.fits import fits
from harness.records.recipe import exam_key, recipe_key
from harness.records.there import silence

LARGEST = 8_000_000  # bytes of a file: what a stranger sends shall not fill the memory of who reads it


class BadRecord(ValueError):
    """A record that cannot be read or contradicts itself; the text is one line that names the file."""


def text_of(record: RunRecord) -> str:
    """A record as its file holds it. Errors: `TypeError` or `ValueError` for what has no JSON form."""
    if record.schema != SCHEMA:
        raise ValueError(f"{record.path} is of schema {record.schema}, which is read and never written")
    exact = {"recipe": record.recipe, "trace": record.trace}  # hashed and replayed: no digit may be lost
    content = {**rounded(asdict(record)), **exact}
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read(path: Path) -> RunRecord | None:
    """One record from its file; None if it is of a schema not known here; `BadRecord` if it is damaged."""
    try:
        text = fresh(lambda: path.read_text("utf-8")) if path.stat().st_size <= LARGEST else "null"
        raw = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except OSError as error:
        if (away := silence(path, error)) is not None:
            raise away from None
        raise BadRecord(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: not a whole JSON record ({error}); delete it and run the test again") from None
    if raw is None:
        raise BadRecord(f"{path}: a file of more than {LARGEST:,} bytes, or of nothing, is no record")
    if not isinstance(raw, dict):
        raise BadRecord(f"{path}: a record is a JSON object, this is a {type(raw).__name__}")
    if raw.get("schema") not in (schema1.SCHEMA, SCHEMA) or isinstance(raw["schema"], bool | float):
        return None
    unknown = sorted(set(raw) - set(_TYPES))
    missing = sorted(
        f for f in ("key", "suite", "setting", "model", "method", "seed", "recipe", "score") if f not in raw
    )
    if unknown or missing:
        raise BadRecord(f"{path}: unknown fields {unknown}, missing fields {missing}")
    for name, value in raw.items():
        if not fits(value, _TYPES[name]):
            raise BadRecord(f"{path}: {name} is {repr(value)[:40]}, which it cannot be; the file was edited or damaged")
    try:
        key = recipe_key(raw["recipe"])  # of the file's own recipe, whatever its schema
        if key != raw["key"]:
            raise BadRecord(f"{path}: the recipe does not hash to key {raw['key']}; the file was edited or damaged")
        if raw["schema"] == SCHEMA and (said := raw.get("exam_key")) and said != exam_key(raw["recipe"]):
            raise BadRecord(f"{path}: exam_key is {said!r:.40}, not what the recipe says; the file was edited")
        raw = schema1.mapped(raw) if raw["schema"] == schema1.SCHEMA else earlier.mapped(raw)
        record = RunRecord(**{**raw, "members": tuple(raw.get("members", ()))})
    except BadRecord:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: {error}") from None
    return record


def _finite(told: str) -> float:
    """A number of a file. Raises `ValueError` for NaN and what is above 1.8e308: JSON has no form for them."""
    if math.isfinite(number := float(told)):
        return number
    raise ValueError(f"{told[:20]} is no number that JSON has a form for")


_TYPES = typing.get_type_hints(RunRecord)
