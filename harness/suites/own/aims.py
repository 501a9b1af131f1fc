"""The part of a user's file about merging recipes: what is merged, what that is for, and what it may cost elsewhere.

sources = ["fluent", "maths"]     models: each of a corpus that has train rows, or brought by --member NAME=FOLDER
target = ["exam"]                 corpora whose development rows choose, and whose test rows examine
off_target = ["fluent", "maths"]  corpora that are examined beside it; the sources' own, if there are any
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from harness.suites.own.entries import Entries
from harness.suites.setting import Setting
from methods.errors import MergeboardError, UnknownName

KEYS = ("sources", "target", "off_target")


@dataclass(frozen=True)
class Aims:
    """What the file says of it; all empty where it says nothing."""

    sources: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    off_target: tuple[str, ...] = ()


def read(top: Entries, corpora: Collection[str]) -> Aims:
    """What the file says. Errors: `MergeboardError` in one line."""
    said = {key: top.texts(key) for key in KEYS}
    sources, target, beside = (said[key] or () for key in KEYS)
    if all(own is None for own in said.values()):
        return Aims()
    if not target:
        raise MergeboardError(
            f'{top.where}: target is missing; write target = ["CORPUS"], by whose development rows recipes are chosen'
        )
    if len(sources) < 2:
        raise MergeboardError(
            f'{top.where}: sources has {len(sources)}, and a recipe merges two models or more; write sources = ["ONE", '
            '"OTHER"], corpora with train rows or names of --member'
        )
    for key, own in zip(KEYS, (sources, target, beside), strict=True):
        for k, name in enumerate(own):
            if name in own[:k]:
                raise MergeboardError(f"{top.where}: {key} names {name} twice")
            if key != "sources" and name not in corpora:
                raise MergeboardError(f"{top.where}: {key}: {UnknownName('corpus', name, corpora)}")
    if both := [name for name in beside if name in target]:
        raise MergeboardError(f"{top.where}: {both[0]} is target and off_target; leave it out of one")
    if said["off_target"] is None:
        beside = tuple(name for name in sources if name in corpora and name not in target)
    return Aims(sources, target, beside)


def settings(suite: str, aims: Aims) -> list[Setting]:
    """The questions: the target, and what stands beside it."""
    if not aims.target:
        return []
    merged = "Models of all sources become one, chosen by development rows of the target alone, "
    own = Setting(
        suite,
        "recipe",
        aims.sources,
        (aims.sources,),
        aims.target,
        ("same",),
        caption=merged + "and tested on its test rows. The score is the task's metric, averaged over corpora.",
        chosen=aims.target,
    )
    if not aims.off_target:
        return [own]
    caption = merged + "and tested beside it: nothing was chosen by these corpora."
    beside = Setting(
        suite,
        "off_target",
        aims.sources,
        (aims.sources,),
        aims.off_target,
        ("same",),
        title="off target",
        caption=caption,
        chosen=aims.target,
        role="off_target",
    )
    return [own, beside]


def require_named(path: Path, aims: Aims, names: Collection[str]) -> None:
    """Refuse an aim of what the file keeps for another exam. Errors: `MergeboardError`."""
    for name in (*aims.target, *aims.off_target):
        if name in names:
            raise MergeboardError(f"{path}: {name} is unseen, and target or off_target too; leave it out of one")
