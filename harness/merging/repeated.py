"""Members that come twice, from one folder or as a copy in another: each counts, so the same model counts twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from harness.streaming.agreed import Agreed, is_merged


def repeated(members: Mapping[str, Path], base: Path | None, models: Agreed) -> dict[str, str]:
    """Member -> a line, where it is the base or another member once more."""
    told: dict[str, str] = {}
    seen = {} if base is None else {base.resolve(): "the base itself"}
    for name, folder in members.items():
        if (other := seen.setdefault(folder.resolve(), f"{name} once more")) != f"{name} once more":
            told[name] = f"it is {other}, and counts as a member of its own"
    return told | {name: line for name, line in _copies(models).items() if name not in told}


def _copies(models: Agreed) -> dict[str, str]:
    """The same by their numbers. Two models that differ part at their first tensors, so little of them is read."""
    told: dict[str, str] = {}
    for i, name in enumerate(models.names):
        earlier = (f"{other} once more" for k, other in enumerate(models.names[:i]) if _is_same(models, i, k))
        if found := "the base itself" if _is_base(models, i) else next(earlier, ""):
            told[name] = f"number by number it is {found}, and counts as a member of its own"
    return told


def _is_same(models: Agreed, i: int, k: int) -> bool:
    both = ([models.member(j, [name])[name] for j in (i, k)] for name in _in_turn(models, i, k))
    return all(torch.equal(*pair) for pair in both)


def _is_base(models: Agreed, i: int) -> bool:
    if models.base is None or models.averaged:  # it has a head, which the base lacks
        return False
    names = _in_turn(models, i)
    return all(torch.equal(models.member(i, [name])[name], models.ancestor([name])[name]) for name in names)


def _in_turn(models: Agreed, *some: int) -> Iterator[str]:
    """All tensors that are merged: what an adapter changes before what it has of its base, small ones before large."""
    changed = {name for i in some for name in models.members[i].wide}
    merged = [name for name, form in models.forms.items() if is_merged(name, form)]
    yield from sorted(merged, key=lambda name: (name not in changed, models.forms[name].size, name))
