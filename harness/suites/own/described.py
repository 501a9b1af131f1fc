"""What the file of an own suite says, as it is handed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.stream import Style
from harness.data.tables import style_of
from harness.suites.own.aims import Aims
from harness.suites.own.questions import Asked

SPLITS = ("train", "dev", "test")
HUB = "hub:"


@dataclass(frozen=True)
class Columns:
    """What the columns are called."""

    texts: tuple[str, ...] = ("text",)  # one, or two of a pair
    labels: tuple[str, ...] = ("label",)  # one; or one for each label, of 0 and 1
    separator: str | None = None  # between the labels in a cell
    split: str | None = None  # the column that says which split a row is of
    answer: str = ""  # where answers are written; then there are no labels
    language: str = ""  # that the answer is wanted in, where rows say it

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        return tuple(
            dict.fromkeys((*self.texts, *self.labels, *filter(None, (self.answer, self.language, self.split))))
        )


@dataclass(frozen=True)
class Shares:
    """How many rows each drawn split gets: a share of them, or a number. What is left is the test split."""

    train: float | int = 0.7
    dev: float | int = 0.1
    test: float | int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Described:
    """A corpus as the file describes it."""

    where: str
    name: str
    task: str
    data: str | None  # file, folder, or hub:org/name@commit
    files: Mapping[str, tuple[str, ...]]  # split -> files, where they are given
    columns: Columns
    shares: Shares
    delimiter: str | None  # None: as the files' ending says
    quote: bool | None  # whether a cell may stand in quotation marks; None: nobody says
    skip: bool  # whether rows with a missing value are left out
    members: Mapping[int | None, str]  # seed -> folder, or org/name@revision
    soup: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # what members of a soup are called, and what they differ by
    language: str = ""  # of all its answers, where no column says it

    def style(self, path: Path) -> Style:
        """How cells of this file are told apart."""
        delimiter = self.delimiter or style_of(path).delimiter
        return Style(delimiter, quote=self.quote is not False, sure=self.quote is not None)


@dataclass(frozen=True)
class File:
    """All that the file says."""

    path: Path
    name: str
    title: str
    tasks: Mapping[str, Asked]
    corpora: Mapping[str, Described]
    unseen: tuple[str, ...] = field(default=())  # corpora that no member is fine-tuned on
    aims: Aims = field(default_factory=Aims)

    @property
    def trained(self) -> tuple[str, ...]:
        """The corpora that members are fine-tuned on."""
        if self.aims.sources:
            return tuple(name for name in self.corpora if name in self.aims.sources)
        return tuple(name for name in self.corpora if name not in self.unseen)

    @property
    def brought(self) -> tuple[str, ...]:
        """The sources that are no corpus of the file, and so come from elsewhere."""
        return tuple(name for name in self.aims.sources if name not in self.corpora)

    @property
    def folder(self) -> Path:
        """What paths in the file start from."""
        return self.path.parent
