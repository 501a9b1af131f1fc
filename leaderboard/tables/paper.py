"""The paper's numbers for its claims, from the built-in suites, as text; † where a doubtful one is among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.suites.paper import Published, cells, content
from harness.suites.papers import Where
from harness.suites.registry import BUILT_IN, resolve
from leaderboard import words

_Column = tuple[str, str, str]  # model, setting, heads


def gain(where: Where | None, method: str, base: str) -> str:
    """How far `method` stands above `base`, over all of the paper's cells in these settings."""
    pairs = [(c[method], c[base]) for c in _columns(where).values() if {method, base} <= set(c)]
    return _mean([(a.value - b.value, a.doubt or b.doubt) for a, b in pairs])


def lead(where: Where | None, method: str) -> str:
    """How far `method` stands above the best other merge of each column."""
    found = []
    for column in _columns(where).values():
        rivals = [column[m] for m in column if m in words.MERGES and m != method]
        if method in column and rivals:
            rival = max(rivals, key=lambda n: n.value)
            found.append((column[method].value - rival.value, column[method].doubt or rival.doubt))
    return _mean(found)


def steadiness(where: Where | None, method: str, base: str) -> str:
    """How much more `base` loses than `method` from same to different heads."""
    columns, found = _columns(where), []
    for model, setting, heads in columns:
        same, diff = columns[model, setting, heads], columns.get((model, setting, "diff"), {})
        if heads == "same" and {method, base} <= set(same) & set(diff):
            four = same[base], diff[base], same[method], diff[method]
            lost = four[0].value - four[1].value - four[2].value + four[3].value
            found.append((lost, next((n.doubt for n in four if n.doubt), "")))
    return _mean(found)


def dev_size(where: Where | None, method: str) -> str:
    """All development rows minus a quarter of them."""
    sizes = {row["fraction"]: (row["value"], row["doubt"]) for row in _rows("dev_sizes") if row["method"] == method}
    return _mean([(sizes[1.0][0] - sizes[0.25][0], sizes[1.0][1] or sizes[0.25][1])])


def searched(_where: Where | None, method: str, rival: str) -> str:
    """How far a searched method stands above another one, over the models of the table of coefficient search."""
    ours, theirs = (_by_model(name) for name in (method, rival))
    both = [(ours[model], theirs[model]) for model in ours.keys() & theirs.keys()]
    return _mean([(a["value"] - b["value"], a["doubt"] or b["doubt"]) for a, b in both])


def not_searched(where: Where | None, method: str, rival: str) -> str:
    """How far it stands below."""
    return searched(where, rival, method)


def by_dev_rows(methods: Collection[str]) -> str:
    """What the paper prints of these methods by the share of development rows, as a sentence; "" of none."""
    found: dict[str, list[str]] = {}
    for row in sorted(_rows("dev_sizes"), key=lambda row: float(row["fraction"])):
        if row["method"] in methods and row["fraction"]:
            found.setdefault(row["method"], []).append(f"{row['value']:.2f} at {row['fraction']:g}")
    told = "; ".join(f"{method} {', '.join(numbers)}" for method, numbers in found.items())
    return f"In the paper (Table 6, another model and more rows): {told}." if told else ""


def by_coefficients(methods: Collection[str]) -> str:
    """What searching coefficients adds to these methods in the paper, as a sentence; "" of none."""
    found = []
    for method in methods:
        plain, searched_ = (_by_model(name) for name in (method, f"{method}_grid"))
        gains = [searched_[model]["value"] - plain[model]["value"] for model in plain.keys() & searched_.keys()]
        found += [f"{method} {sum(gains) / len(gains):+.2f}"] if gains else []
    return f"In the paper (Table 5, the mean over its models) the search adds: {', '.join(found)}." if found else ""


def minutes() -> dict[tuple[str, str], dict[str, float]]:
    """Suite and setting -> model -> how long an evolution took in the paper (Table 8), in minutes."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in _rows("times"):
        found.setdefault((row["suite"], row["setting"]), {})[row["model"]] = row["minutes"]
    return found


def _by_model(method: str) -> dict[str, Mapping[str, Any]]:
    return {row["model"]: row for row in _rows("searches") if row["method"] == method}


def _columns(where: Where | None) -> dict[_Column, dict[str, Published]]:
    found: dict[_Column, dict[str, Published]] = {}
    for suite, file in _files().items():
        for place, number in cells(file).items():
            if where is None or place.setting in where.get(suite, ()):
                found.setdefault((place.model, place.setting, place.heads), {})[place.method] = number
    return found


def _files() -> dict[str, Path]:
    """Suite -> the numbers of its paper."""
    return {name: suite.paper for name in BUILT_IN if (suite := resolve(name)).paper is not None}


def _rows(name: str) -> list[Mapping[str, Any]]:
    return [row for file in _files().values() for row in content(file).get(name, ())]


def _mean(found: Sequence[tuple[float, str]]) -> str:
    """`+2.31 (of 9)`, with the number of cells that the mean is over."""
    if not found:
        return ""
    doubtful = "†" if any(doubt for _, doubt in found) else ""
    return f"{sum(value for value, _ in found) / len(found):+.2f}{doubtful} (of {len(found)})"
