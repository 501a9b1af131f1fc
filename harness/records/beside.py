"""Files beside the records, of what is no answer to a question: one JSON file each, believed only if its key is right.

Standard library only, as records are.

    <root>/<folder>/<model>-<members>-s<seed>-<key>.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness.records.files import fresh
from harness.records.record import LARGEST, BadRecord, Store, canonical, fits, recipe_key, rounded, slug


class Told(Protocol):
    """A frozen dataclass that is kept so."""

    @property
    def key(self) -> str:
        """Hash of the recipe."""
        ...

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides what was told."""
        ...

    @property
    def schema(self) -> int:
        """The form of its file."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies, relative to a store's root."""
        ...


Kind = TypeVar("Kind", bound=Told)


def stem(model: str, members: tuple[str, ...], seed: int, longest: int | None = None) -> str:
    """What the file's name begins with; of the members' names so many characters."""
    return f"{slug(model)}-{slug('+'.join(members))[:longest]}-s{seed}"


def text_of(told: Told, ordered: bool = False) -> str:
    """The content of its file; its parts by name, or as they are if they are `ordered`."""
    content = {**rounded(asdict(told)), "recipe": told.recipe}  # type: ignore[call-overload]  # hashed: no digit is lost
    return json.dumps(content, sort_keys=not ordered, indent=1, allow_nan=False) + "\n"


def put(store: Store, told: Told, text: str) -> Path:
    """Write it under its own path and return that path."""
    return store.write(store.root / told.path, text)


def paths(root: Path, folder: str, begins: str = "") -> list[Path]:
    """The files whose names begin so, in a stable order."""
    return sorted((root / folder).glob(f"{begins}*.json"))


def read(
    path: Path, what: str, in_json: Mapping[str, Any], schema: int, made: Callable[[dict[str, Any]], Kind]
) -> Kind:
    """One of them.

    Args:
        what: it is called in an error.
        in_json: the type of each of its fields, as JSON has it.
        made: it, from its fields.

    Errors: `BadRecord`, one line that names the file, if it cannot be believed.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadRecord(f"{path}: a file of more than {LARGEST:,} bytes is not read as a {what}")
        raw = json.loads(fresh(lambda: path.read_text("utf-8")))
        canonical(raw)  # refuses NaN wherever it hides
        if wrong := [name for name, value in raw.items() if not fits(value, in_json[name])]:
            raise BadRecord(f"{path}: {', '.join(wrong)} cannot be that")
        found = made(raw)
    except BadRecord:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadRecord(f"{path}: not a {what} ({type(error).__name__}: {error})") from None
    if found.schema != schema or recipe_key(found.recipe) != found.key:
        raise BadRecord(f"{path}: of another schema, or its recipe does not hash to its key")
    return found
