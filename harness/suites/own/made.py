"""A suite made of a user's file: its corpora, and the questions that can be asked of those that it names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import parsing
from harness.data import tables
from harness.data.corpus import Corpus
from harness.suites.base import Suite, Where
from harness.suites.own import aims, corpora, reading
from harness.suites.own.described import HUB, File
from harness.suites.registry import SUITES, register
from harness.suites.setting import VARIANT, Setting
from methods.errors import MergeboardError
from methods.naming.registry import path_of

_METRIC = "The score is the task's metric on test rows, averaged over corpora."


class OwnSuite(Suite):
    """What one file describes."""

    def __init__(self, file: File) -> None:
        self.file, self.name, self.title = file, file.name, file.title
        self.origin = f"see {file.path.name}"
        self.settings = tuple(_settings(file))
        self.farthest = 0.5 if file.aims.target else math.inf  # fine-tuned ones lie far nearer, unrelated ones about 1
        self.tasks = tuple(asked.outline() for asked in file.tasks.values())
        self._notes: dict[str, None] = {}

    def known(self) -> tuple[str, ...]:
        """The corpora that the file names, in its order; and the sources that it has no rows of."""
        return (*self.file.corpora, *self.file.brought)

    def trained(self) -> tuple[str, ...]:
        """Those that are not for the exam alone."""
        return (*self.file.trained, *self.file.brought)

    def find(self, where: Where, knobs: Any, seed: int) -> Mapping[str, Corpus]:
        """All corpora, wherever the file says that they lie; splits are drawn by the file's own seeds."""
        return corpora.load(self.file, lambda line: self._notes.setdefault(line))

    @property
    def at_hand(self) -> bool:
        """Whether all rows lie in files of this machine."""
        return not any((own.data or "").startswith(HUB) for own in self.file.corpora.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the rows had to tell when they were read, and how they were taken."""
        return tuple(self._notes)

    def setting(self, name: str) -> Setting | None:
        """The question of this name, where the file's corpora allow it."""
        return next((setting for setting in self.settings if setting.name == name), None)

    @property
    def given(self) -> dict[tuple[str, int | None], str]:
        """Members that the file brings: corpus and seed -> a folder, or a name on the hub."""
        return {
            (corpus.name, seed): str(folder)
            if (folder := self.file.folder / parsing.expanded(where)).is_dir()
            else where
            for corpus in self.file.corpora.values()
            for seed, where in corpus.members.items()
        }


def opened(path: Path) -> OwnSuite:
    """The suite of a file, registered under its name.

    Errors: `MergeboardError` in one line, for what the file says and for files and columns that are not there.
    """
    file = reading.read(path)
    for corpus in file.corpora.values():
        for local in corpora.paths_of(file, corpus):
            tables.require_columns(local, corpus.columns.all, corpus.style(local))
    suite = OwnSuite(file)
    there = SUITES.find(file.name)
    if there is not None and path_of(type(there)) != path_of(OwnSuite):
        raise MergeboardError(f"{path}: name is {file.name!r}, which is another suite's; choose another name")
    if not suite.settings:
        raise MergeboardError(
            f"{path}: nothing to merge; name two corpora of one task, or of two, or give one of them a soup, for "
            "instance soup = {seeds = [1, 2, 3]}"
        )
    register(file.name)(suite)
    return suite


def _settings(file: File) -> list[Setting]:
    trained = file.trained
    by_task = [tuple(c for c in trained if file.corpora[c].task == task) for task in file.tasks]
    several = [group for group in by_task if len(group) > 1]
    found = []
    if several:
        found.append(_made(file, "together", several, "All corpora's models become one", "all together"))
    if any(len(group) > 2 for group in several):
        pairs = [pair for group in several for pair in itertools.combinations(group, 2)]
        found.append(_made(file, "pairs", pairs, "Every two models become one"))
    found += _unseen(file, several)
    if len([group for group in by_task if group]) > 1:
        found.append(_cross_task(file, trained))
    soups = [
        tuple(f"{name}{VARIANT}{variant}" for variant, _ in corpus.soup)
        for name, corpus in file.corpora.items()
        if corpus.soup and name in trained
    ]
    if soups:
        said = "Models of one corpus that differ by seed or training become one"
        found.append(_made(file, "soup", soups, said, heads=("diff",)))
    return found + aims.settings(file.name, file.aims)


def _made(
    file: File, name: str, groups: Sequence[tuple[str, ...]], said: str, title: str = "", heads: Any = ("same",)
) -> Setting:
    """Over all members at once where there is one group of corpora, so that fewer corpora make a smaller one."""
    members = tuple(dict.fromkeys(member for group in groups for member in group))
    whole = len(groups) == 1 and name == "together"
    caption = f"{said}, tested on their own test rows. {_METRIC}"
    return Setting(
        file.name, name, members, "all" if whole else tuple(groups), heads=heads, title=title, caption=caption
    )


def _unseen(file: File, several: Sequence[tuple[str, ...]]) -> list[Setting]:
    """On the corpora that the file keeps apart; else on each corpus in turn, by models of the others."""
    title, said = "unseen corpus", "is tested on a corpus that none of them was fine-tuned on. " + _METRIC
    if file.unseen:
        tasks = {file.corpora[name].task for name in file.unseen}
        groups = [group for group in several if file.corpora[group[0]].task in tasks]
        if len(tasks) > 1 or not groups:
            raise MergeboardError(
                f"{file.path}: unseen names corpora of {len(tasks)} task(s), and models of one task are asked about "
                "them: name corpora of one task of which two others are trained on"
            )
        caption = f"The merge of all models {said}"
        found = Setting(file.name, "unseen", groups[0], "all", file.unseen, ("same",), title=title, caption=caption)
        return [found]
    if len(several) != 1 or len(several[0]) < 3:
        return []
    caption = f"The merge of all models but one {said}"
    return [Setting(file.name, "unseen", several[0], "all_but_one", heads=("same",), title=title, caption=caption)]


def _cross_task(file: File, trained: Sequence[str]) -> Setting:
    """Pairs of corpora with different tasks, and all of them at once."""
    pairs = [p for p in itertools.combinations(trained, 2) if len({file.corpora[c].task for c in p}) > 1]
    groups = (*pairs, *([tuple(trained)] if len(trained) > 2 else []))
    caption = (
        "Models of different tasks become one, heads excepted, and each task is asked with its own head. " + _METRIC
    )
    return Setting(file.name, "cross_task", tuple(trained), groups, heads=("own",), title="cross-task", caption=caption)
