"""The numbers that the Evolver paper reports, to stand beside ours; the doubtful ones carry their doubt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from leaderboard import words

MODELS = {  # the last part of a model's name, in lower case -> the paper's column
    "roberta-base": "roberta-base",
    "distilbert-base-uncased": "distilbert-base",
    "deberta-v3-large": "deberta-large",
    "gpt2": "gpt2",  # the hub calls it openai-community/gpt2
    "t5-v1_1-base": "t5-base",
}


@dataclass(frozen=True)
class Published:
    """One number of the paper."""

    value: float  # 0 to 100, as printed
    doubt: str  # why it should not be taken at face value, or ""


def published(suite: str, model: str, setting: str, heads: str, method: str) -> Published | None:
    """What the paper has for this cell, if anything.

    The paper's row "Evolver" is found under `simple_evolver`: its own ablation ends at Simple's score without
    development data, and several of its cells lie below Best, so it can only be the variant that judges the mean.
    """
    if suite != "emotion":
        return None
    cells = _cells()
    for head in ("diff",) if heads == "diff" else ("same", "none"):  # a model without fresh heads has one column
        found = cells.get((column(model), setting, head, method))
        if found:
            return found
    return None


def column(model: str) -> str:
    """The paper's name of a model: "microsoft/deberta-v3-large" -> "deberta-large"; "" if it has none."""
    name = model.rsplit("/", 1)[-1].lower()
    return "minicpm" if name.startswith("minicpm") else MODELS.get(name, "")


# -- the paper's numbers for its claims: means over its cells, as text; † where a doubtful cell is among them ---------

_Place = tuple[str, str, str]  # model, setting, heads


def gain(method: str, base: str, settings: tuple[str, ...]) -> str:
    """How far `method` stands above `base`, over all of the paper's cells in these settings."""
    pairs = [(c[method], c[base]) for c in _columns(settings).values() if {method, base} <= set(c)]
    return _mean([(a.value - b.value, a.doubt or b.doubt) for a, b in pairs])


def lead(method: str, settings: tuple[str, ...]) -> str:
    """How far `method` stands above the best other merge of each column."""
    found = []
    for column in _columns(settings).values():
        rivals = [column[m] for m in column if m in words.MERGES and m != method]
        if method in column and rivals:
            rival = max(rivals, key=lambda n: n.value)
            found.append((column[method].value - rival.value, column[method].doubt or rival.doubt))
    return _mean(found)


def steadiness(method: str, base: str, settings: tuple[str, ...]) -> str:
    """How much more `base` loses than `method` from same to different heads."""
    columns, found = _columns(settings), []
    for model, setting, heads in columns:
        same, diff = columns[model, setting, heads], columns.get((model, setting, "diff"), {})
        if heads == "same" and {method, base} <= set(same) & set(diff):
            four = same[base], diff[base], same[method], diff[method]
            lost = four[0].value - four[1].value - four[2].value + four[3].value
            found.append((lost, next((n.doubt for n in four if n.doubt), "")))
    return _mean(found)


def dev_size(method: str) -> str:
    """All development rows minus a quarter of them."""
    sizes = {row["fraction"]: (row["value"], row["doubt"]) for row in _read()["dev_sizes"] if row["method"] == method}
    return _mean([(sizes[1.0][0] - sizes[0.25][0], sizes[1.0][1] or sizes[0.25][1])])


def _columns(settings: tuple[str, ...]) -> dict[_Place, dict[str, Published]]:
    found: dict[_Place, dict[str, Published]] = {}
    for (model, setting, heads, method), number in _cells().items():
        if setting in settings:
            found.setdefault((model, setting, heads), {})[method] = number
    return found


def _mean(found: Sequence[tuple[float, str]]) -> str:
    """`+2.31 (of 9)`, with the number of cells that the mean is over."""
    if not found:
        return ""
    doubtful = "†" if any(doubt for _, doubt in found) else ""
    return f"{sum(value for value, _ in found) / len(found):+.2f}{doubtful} (of {len(found)})"


@cache
def _read() -> dict[str, Any]:
    text = Path(__file__).with_name("paper.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def _cells() -> dict[tuple[str, str, str, str], Published]:
    return {
        (cell["model"], cell["setting"], cell["heads"], cell["method"]): Published(cell["value"], cell["doubt"])
        for cell in _read()["cells"]
    }
