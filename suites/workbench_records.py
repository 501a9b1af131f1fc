"""A store of as many records as one likes, out of a store of few: each with other seeds and so with other members.

    python -m suites.workbench_records leaderboard/results FOLDER/leaderboard/results 10000

For measuring how long pages take: suites/test_speed_pages.py. What is made up here says nothing about any method.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.records.bits import pack, pack_floats, pack_marks, pack_numbers
from harness.records.record import Store, recipe_key
from leaderboard.shelf import signed
from leaderboard.tables.answers import decoded

SHIFT = 1000  # between the seeds of a record and those of its next copy


def multiply(source: Path, target: Path, count: int) -> int:
    """Copy a store, then copies of its records under other seeds until there are `count`; how many there are."""
    shutil.copytree(source, target)
    there = Store(source).paths()
    made = len(there)
    for text in _copies(there, source):
        if made >= count:
            break
        path, content = text
        (target / signed(path, content)).write_text(content, encoding="utf-8")
        made += 1
    return made


def _copies(there: list[Path], source: Path) -> Iterator[tuple[Path, str]]:
    for turn in range(1, 1 + 10**6 // max(1, len(there))):
        for path in there:
            raw = json.loads(path.read_text(encoding="utf-8"))
            before = f"-s{raw['seed']}-{raw['key']}"
            raw = _of_other_seed(raw, SHIFT * turn)
            name = path.name.partition(before)[0] + f"-s{raw['seed']}-{raw['key']}.json"
            content = json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
            yield path.relative_to(source).with_name(name), content


def _of_other_seed(raw: dict[str, Any], shift: int) -> dict[str, Any]:
    """The same record as of another seed; its members are others too, or it would be the same ones searched again."""
    recipe = {**raw["recipe"], "seed": raw["seed"] + shift}
    if isinstance(members := recipe.get("members"), list):
        recipe["members"] = [hashlib.sha256(f"{m} {shift}".encode()).hexdigest()[:16] for m in members]
    made = {**raw, "seed": raw["seed"] + shift, "recipe": recipe, "key": recipe_key(recipe)}
    made.pop("exam_key", None)  # worked out of the recipe
    answers = raw["predictions"] or {}
    made["predictions"] = {corpus: _turned(kept, shift // SHIFT) for corpus, kept in answers.items()}
    return made


def _turned(kept: dict[str, Any], by: int) -> dict[str, Any]:
    """The same answers, each given to a row further on: copies that answer alike would be drawn for once."""
    said = np.roll(decoded(kept), by, axis=0)
    written: dict[str, Callable[[list[Any]], str]] = {
        "bits": pack,
        "numbers": lambda classes: pack_numbers(list(map(int, classes))),
        "classes": lambda classes: "".join(str(int(one)) for one in classes),
        "values": lambda scores: " ".join(str(np.float32(one)) for one in scores),
        "floats": pack_floats,
        "marks": pack_marks,
    }
    return {name: written[name](said.tolist()) if name in written else value for name, value in kept.items()}


if __name__ == "__main__":
    print(multiply(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])), "records")
