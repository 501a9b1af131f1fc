"""Records of schema 2 as they were written before a recipe said less, or more: read as if they had been written today.

Nothing in their files changes, and their keys stay hashes of the recipes in them.

- A model's commit on the hub stood in the recipe, and named all cells anew when a README changed. Now it is a detail.
- The engine did not stand in the recipe where every member was brought, so that answers of another machine or version
  passed for those of this one. Now it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.records.recipe import Recipe, exam_key

COMMIT = "model_commit"  # among a record's details


def mapped(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record with its recipe in today's form; `key` stays as it is."""
    details, members = _part(raw, "details"), raw.get("members")
    brought = details.get("brought")
    all_brought = bool(members) and isinstance(brought, list) and members == brought
    recipe = recipe_of(raw["recipe"], _part(raw, "environment") if all_brought else {})
    if recipe == raw["recipe"]:
        return dict(raw)
    commit = _part(raw["recipe"], "model").get("commit")
    told = {} if commit is None else {COMMIT: commit}
    return {**raw, "recipe": recipe, "exam_key": exam_key(recipe), "details": {**told, **details}}


def recipe_of(recipe: Mapping[str, Any], environment: Mapping[str, Any]) -> Recipe:
    """A recipe in today's form; `environment` is that of a record all of whose members were brought, else empty."""
    model, engine = recipe.get("model"), _part(environment, "engine")
    found = dict(recipe)
    if isinstance(model, Mapping) and "commit" in model:
        found["model"] = {name: value for name, value in model.items() if name != "commit"}
    if engine and "engine" not in recipe:
        found["engine"] = {name: value for name, value in engine.items() if name != "loops"}  # which change no bit
    return found


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
