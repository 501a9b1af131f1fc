"""What a suite is: corpora and where they come from, questions over them, knobs of its own, and the words for all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.corpus import Corpus, Split
from harness.data.task import Task
from harness.data.world import World
from harness.protocol.own import Own
from harness.protocol.protocols import Line
from harness.records.recipe import Recipe
from harness.suites.gates import Gate
from harness.suites.setting import Setting, corpus_of


@dataclass(frozen=True)
class Where:
    """Where the rows of a session come from: one of these, or nowhere while cells are only listed."""

    folder: Path | None = None  # the user's
    hub: bool = False
    world: World | None = None  # of the tiny models, who know no other words than its

    @property
    def nowhere(self) -> bool:
        """Whether there are no rows to look at."""
        return self == Where()


@dataclass(frozen=True)
class Lesson:
    """What the tiny models are taught of a suite, in a world, before anybody asks them."""

    words: tuple[str, ...]  # of its texts
    tasks: tuple[Task, ...]
    recipe: Recipe  # what decides the rows besides the world
    rows: Callable[[], Mapping[Task, Split]]
    share: float = 0.0  # of the steps, which the first lesson takes; the tasks of the others have the rest in turn


class Suite:
    """One suite. A subclass says what differs, and `@register(name)` makes it known.

    Nothing that it needs when it is imported may need torch, transformers or datasets: cells are listed, and wrong
    words refused, without.
    """

    name: str = ""  # as registered
    title: str = ""  # as people call it; the name, if empty
    origin: str = ""  # how one gets the data, as the second half of a sentence: "run the scripts of ..."
    data: str = ""  # what must lie in the user's folder, a file or, with / at its end, a folder; empty: nothing
    on_hub: bool = False  # whether `find` can fetch the rows where the user has no folder
    paper: Path | None = None  # a file of the numbers that its paper printed; see harness/suites/paper.py
    in_world: bool = False  # whether `find` makes all its corpora up in the world of the tiny models
    only_in_world: bool = False  # whether there are no others
    tiny: tuple[str, ...] = ("tiny-encoder", "tiny-decoder", "tiny-encoder-decoder")  # those that know its words
    gates: tuple[Gate, ...] = ()  # of its made-up world, see harness/suites/gates.py
    farthest: float = math.inf  # that a member may lie from its base, as a share of the base's length
    methods: tuple[str, ...] = ()  # asked where the user names none; the usual ones, if empty
    tasks: tuple[Task, ...] = ()  # what its corpora ask
    settings: tuple[Setting, ...] = ()  # in the order in which they are shown
    knobs: type[Own] = Own
    tailored: Sequence[Line] = ()  # values that differ under a protocol, with tags that must hold or none

    @property
    def called(self) -> str:
        """What people call it."""
        return self.title or self.name

    @property
    def judges(self) -> bool:
        """Whether members are looked at before anything is ranked."""
        return bool(self.gates) or self.farthest < math.inf

    def known(self) -> tuple[str, ...]:
        """All corpora that there may be, in order: those that a member is trained on come first."""
        examined = itertools.chain.from_iterable((*(s.chosen or ()), *(s.examined or ())) for s in self.settings)
        return tuple(dict.fromkeys((*self.trained(), *examined)))

    def trained(self) -> tuple[str, ...]:
        """The corpora that members are fine-tuned on."""
        listed = [g for s in self.settings if not isinstance(s.groups, str) for g in s.groups]
        members = itertools.chain(*(s.members for s in self.settings), *listed)
        return tuple(dict.fromkeys(map(corpus_of, members)))

    @property
    def at_hand(self) -> bool:
        """Whether its rows need neither the user's folder nor the hub."""
        return False

    def lies_in(self, folder: Path) -> bool:
        """Whether the user's folder holds its data."""
        place = folder / self.data
        return place.is_dir() if self.data.endswith("/") else place.is_file()

    def find(self, where: Where, knobs: Any, seed: int) -> Mapping[str, Corpus]:
        """The corpora that are there, by name; those that are not are left out, and their cells skipped.

        Args:
            knobs: the suite's own, an instance of `self.knobs`.
            seed: of whatever is drawn to cut rows into splits, the knob `split_seed`.

        Errors: `BadData` in one line with file and line for rows that cannot be right.
        """
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines on what `find` had to decide, for who started the session."""
        return ()

    def lesson(self, world: World) -> Lesson | None:
        """What the tiny models are taught of a built-in suite; None for suites that ask about it all the same."""
        return None
