"""Whether the files that a session names ask anything, told from their text: settings as markers, before any import."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest

ASKS = pytest.StashKey[bool]()


def asks(config: pytest.Config) -> bool:
    """Whether a file among the session's arguments, or in a folder among them, carries a setting.

    It is known before the first file is imported, so that a wrong word ends the session at once. Who adds markers in
    another way is met during collection.
    """
    if ASKS not in config.stash:
        config.stash[ASKS] = any(_carries(file) for place in _places(config) for file in _files(config, place))
    return config.stash[ASKS]


def _places(config: pytest.Config) -> Iterator[Path]:
    """The files and folders that are named; packages by `--pyargs`."""
    for argument in config.args:
        name = str(argument).partition("::")[0]
        spec = _package(name) if config.option.pyargs else None
        if spec is None:
            yield config.invocation_params.dir / name
        else:
            yield from map(Path, spec)


def _package(name: str) -> list[str] | None:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return list(spec.submodule_search_locations or ([spec.origin] if spec.origin else []))


def _files(config: pytest.Config, place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    kept_out: list[str] = config.getini("norecursedirs")
    wanted: list[str] = config.getini("python_files")
    for folder, below, names in os.walk(place):
        below[:] = [name for name in below if not any(fnmatch(name, pattern) for pattern in (*kept_out, "__pycache__"))]
        yield from (Path(folder, name) for name in names if any(fnmatch(name, pattern) for pattern in wanted))


def _carries(file: Path) -> bool:
    """Whether the code of a file, and not a text in it, says `mark.setting`."""
    try:
        text = file.read_bytes()
        found = ast.walk(ast.parse(text)) if b"mark.setting" in text else ()
    except (OSError, SyntaxError, ValueError):
        return False
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "setting"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "mark"
        for node in found
    )
