"""Entries of a TOML table, by name: each is known, and has the type that is wanted."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from methods.errors import MergeboardError, UnknownName

_WANTED: Mapping[type[Any], str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


class Entries:
    """One table of the file, and where it stands."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        self.where, self._table = where, table

    def only(self, *known: str) -> Entries:
        """The table. Errors: `MergeboardError` for an entry of another name, with the nearest one."""
        for name in self._table:
            if name not in known:
                raise MergeboardError(f"{self.where}: {UnknownName('key', name, known)}")
        return self

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def take(self, name: str, *kinds: type[Any], usual: Any = None) -> Any:
        """The value of an entry, which is of one of these types; `usual` where there is none."""
        if name not in self._table:
            return usual
        value = self._table[name]
        number = float in kinds and isinstance(value, int) and not isinstance(value, bool)
        if not number and not any(type(value) is kind for kind in kinds):
            wanted = " or ".join(_WANTED[kind] for kind in kinds)
            raise MergeboardError(f"{self.where}: {name} is {value!r:.60}; it must be {wanted}")
        if any("\0" in text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
            raise MergeboardError(f"{self.where}: {name} is {value!r:.60}; it must be without zero bytes")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts, or one text as a list of one; numbers are read as texts."""
        value = self.take(name, str, list)
        if value is None:
            return None
        found = tuple(value) if isinstance(value, list) else (value,)
        if not found or not all(isinstance(v, str | int) and not isinstance(v, bool) for v in found):
            raise MergeboardError(f"{self.where}: {name} is {value!r:.60}; it must be a text, or a list of texts")
        return tuple(map(str, found))

    def tables(self, name: str) -> dict[str, Entries]:
        """A table of tables, by name."""
        found = {}
        for key, table in (self.take(name, dict, usual={})).items():
            place = f"{self.where} [{name}.{key}]"
            if not isinstance(table, dict):
                raise MergeboardError(f"{place}: it is {table!r:.60}; it must be a table, {{...}} or [{name}.{key}]")
            found[key] = Entries(place, table)
        return found

    def table(self, name: str) -> Entries | None:
        """One table inside this one."""
        value = self.take(name, dict)
        return None if value is None else Entries(f"{self.where}, {name}", value)


def read(path: Path) -> Entries:
    """The whole file. Errors: `MergeboardError` in one line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return Entries(str(path), tomllib.loads(text))
    except OSError as error:
        raise MergeboardError(f"--task {path}: it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise MergeboardError(f"--task {path}: it is no text in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MergeboardError(f"--task {path}: no TOML ({' '.join(str(error).split())})") from None
