"""What stored cells, members and statistics cost, read from a results folder and a zoo; what cannot be read teaches
nothing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from harness.planning.costs import Asked, Made, Spent
from harness.planning.sizes import of_file
from harness.records.record import LARGEST, slug
from harness.storage.whole import RECIPE
from methods.catalogue import RESERVED

MOST = 3000  # files of a kind: more would teach little, and take longer to read than a plan may
COST = "cost.json"  # beside what the zoo holds: {"seconds": 12.5}


READ = ("cost", "method", "suite", "setting", "model", "members", "heads", "seed", "score", "knobs")


def records(results: Path, models: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """What is read of the records of a folder, those of these models first if there are too many."""
    own = {slug(model) for model in models}
    paths = sorted(glob("*/*/*/*.json", root_dir=results))  # as text: of so many, objects take longer than their files
    for path in sorted(paths, key=lambda p: p.split(os.sep)[-2] not in own)[:MOST]:
        yield record_at(results / path)


def record_at(path: Path) -> dict[str, Any]:
    """What is read of a record: its answers alone, of many, would fill the memory."""
    found = _object(path)
    told = {name: found[name] for name in READ if name in found}
    told["dev"] = {"calls": _part(found, "dev").get("calls")}
    told["recipe"] = {"model": _part(found, "recipe").get("model")}
    return told


def of_record(record: Mapping[str, Any], sizes: Mapping[str, int]) -> Spent | None:
    """What a record says that its cell cost; None where it says too little.

    Args:
        sizes: fingerprint of a model -> its parameters, as far as they are known.
    """
    cost, recipe = _part(record, "cost"), _part(record, "recipe")
    exam, method = _seconds(cost, "exam_seconds"), record.get("method")
    texts = [record.get(name) for name in ("suite", "setting", "model", "method")]
    members = record.get("members")
    if exam is None or not all(isinstance(text, str) for text in texts) or not isinstance(members, list):
        return None
    merge = _seconds(cost, "merge_seconds") or 0.0
    if method in RESERVED:  # whose exam was measured around all that they do, before cells told of the rest
        exam, merge = exam if "other_seconds" in cost else max(0.0, exam - merge), 0.0
    calls = _part(record, "dev").get("calls")
    calls = calls if isinstance(calls, int) else 0
    kind = "search" if calls else "statistics" if _seconds(cost, "statistics_seconds") else "merge"
    parameters = sizes.get(str(_part(recipe, "model").get("fingerprint")))
    suite, setting, model, name = map(str, texts)
    asked = Asked(suite, setting, model, name, name if name in RESERVED else kind, len(members) or 2, calls, parameters)
    peak = cost.get("peak_bytes")
    rest = exam + (_seconds(cost, "other_seconds") or 0.0)
    return Spent(asked, merge, rest, peak if isinstance(peak, int) else 0)


def made(zoo: Path, sizes: dict[str, int]) -> Iterator[Made]:
    """What members and statistics of a zoo took; the sizes of their models are noted in `sizes` on the way."""
    members: dict[str, Made] = {}
    for folder in _folders(zoo, "members"):
        recipe = _object(folder / RECIPE)
        model = str(recipe.get("model"))
        if model not in sizes and (size := of_file(folder / "model.safetensors")) is not None:
            sizes[model] = size.parameters
        if (thing := of_member(recipe, sizes, took(folder) or 0.0)) is not None:
            members[folder.name] = thing
            if thing.seconds:
                yield thing
    for kind in ("fisher", "gram"):
        for folder in _folders(zoo, kind):
            seconds, recipe = took(folder), _object(folder / RECIPE)
            if seconds is not None and recipe:
                yield of_statistics(kind, recipe, sizes, seconds)


def of_member(recipe: Mapping[str, Any], sizes: Mapping[str, int], seconds: float = 0.0) -> Made | None:
    """A member by its recipe; None of one that was brought."""
    corpora = recipe.get("corpora")
    if "training" not in recipe or not isinstance(corpora, list):
        return None
    model = str(recipe.get("model"))
    how = json.dumps([recipe["training"], recipe.get("choosing")], sort_keys=True)
    return Made("members", model, how, tuple(map(str, corpora)), sizes.get(model), seconds)


def of_statistics(kind: str, recipe: Mapping[str, Any], sizes: Mapping[str, int], seconds: float = 0.0) -> Made:
    """Statistics of a member by their recipe."""
    model, corpora = str(recipe.get("model")), _part(recipe, "member").get("corpora")
    told = tuple(map(str, corpora)) if isinstance(corpora, list) else ()
    return Made(kind, model, json.dumps(recipe.get("settings"), sort_keys=True), told, sizes.get(model), seconds)


def _folders(zoo: Path, kind: str) -> list[Path]:
    return sorted(path.parent for path in (zoo / kind).glob(f"[!.]*/{RECIPE}"))[:MOST]


def took(folder: Path) -> float | None:
    """The seconds that a thing in the zoo took; None where nobody wrote them down."""
    return _seconds(_object(folder / COST), "seconds")


def _object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; nothing where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _seconds(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        return None
    return float(value)
