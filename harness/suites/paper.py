"""The numbers that a suite's paper printed, from a JSON file beside the suite; the doubtful ones carry their doubt.

    {"models": {pattern of the last part of a model's name, in lower case: the paper's name of it},
     "cells": [{"model", "setting", "heads", "method", "value", "doubt"}, ...]}

and whatever else the paper's claims rest on. Standard library only: the leaderboard reads it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple


class Place(NamedTuple):
    """One cell of the paper's tables."""

    model: str  # as the paper calls it
    setting: str
    heads: str
    method: str


@dataclass(frozen=True)
class Published:
    """One number of the paper."""

    value: float  # 0 to 100, as printed
    doubt: str = ""  # why it should not be taken at face value, or ""


@cache
def content(path: Path) -> dict[str, Any]:
    """The whole file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def cells(path: Path) -> Mapping[Place, Published]:
    """All numbers that stand beside ours."""
    return {
        Place(cell["model"], cell["setting"], cell["heads"], cell["method"]): Published(cell["value"], cell["doubt"])
        for cell in content(path)["cells"]
    }


def column(path: Path, model: str) -> str:
    """The paper's name of a model: "microsoft/deberta-v3-large" -> "deberta-large"; "" if it has none."""
    name = model.rsplit("/", 1)[-1].lower()
    return next((told for pattern, told in content(path)["models"].items() if fnmatchcase(name, pattern)), "")


def published(path: Path | None, model: str, setting: str, heads: str, method: str) -> Published | None:
    """What the paper has for a cell, if anything."""
    if path is None:
        return None
    told = column(path, model)
    for head in ("diff",) if heads == "diff" else ("same", "none"):  # a model without fresh heads has one column
        found = cells(path).get(Place(told, setting, head, method))
        if found:
            return found
    return None
