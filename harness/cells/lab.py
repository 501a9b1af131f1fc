"""The laboratory of one model under one protocol: everything that its cells share, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from harness.cells.cell import Cell, PopulationKey
from harness.cells.ground import Ground
from harness.cells.identity import Identity
from harness.cells.judges import Developers, Judges
from harness.cells.populations import Populations
from harness.cells.rowbook import RowBook
from harness.cells.unlabelled import DevEntropy
from harness.cells.workshop import Workshop
from harness.checkpoints.brought import Key
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus
from harness.families.subject import Subject
from harness.judging.fitness import Answers
from harness.judging.scoring import DevScorer, Exam, Examiner
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import named
from harness.protocol.told import Told
from harness.storage.whole import MINUTES
from harness.storage.zoo import Zoo


class Lab:
    """Who works on the cells of one model: `subject` is the model, `rows` takes rows, `identity` writes recipes,
    `workshop` brings members, `populations` puts them together, `judges` score.

    Args:
        model: the model as the user named it; `folder` is where it lies.
        corpora: the corpora at hand, by name.
        brought: where the members lie that the user brought, by name and seed; the others are fine-tuned here.
        trusted: folders, the model's or members', whose own code may run.
        say: takes a line about long work.
        any_config: whether the configuration of a brought member may differ from the model's.
        usual: the protocol as it is without the user's settings, which records name where they differ.
        checkpoint_minutes: how old the last checkpoint of a training may be.
    """

    def __init__(
        self,
        model: ModelName,
        folder: Path,
        protocol: Protocol,
        corpora: Mapping[str, Corpus],
        zoo: Zoo,
        brought: Mapping[Key, Path],
        say: Callable[[str], None],
        trusted: Collection[Path] = (),
        usual: Protocol | None = None,
        checkpoint_minutes: float = MINUTES,
        any_config: bool = False,
    ) -> None:
        self.protocol, self.say = protocol, say
        self.subject = subject = Subject(model, folder, trusted, zoo, say)
        self.rows = rows = RowBook(corpora, protocol)
        self.told = told = Told(protocol, subject.generative)
        self.usual = Told(named(protocol.name) if usual is None else usual, subject.generative)
        self._said: set[str] = set()
        self.identity = identity = Identity(subject, rows, told, brought, any_config)
        self.judges = judges = Judges(subject, rows, told, self.say_once)
        ground = Ground(subject, rows, told, identity, judges, zoo, say)
        self.workshop = Workshop(ground, brought, any_config, checkpoint_minutes)
        self.populations = Populations(ground, self.workshop)
        self.marks: dict[tuple[object, ...], dict[str, Exam]] = {}  # who -> test rows -> exam, for the table's rows
        self.dev_marks: dict[tuple[object, ...], dict[str, Answers]] = {}  # and what members say to development rows

    def say_once(self, line: str) -> None:
        """Say what holds for many cells when the first of them meets it."""
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def developer(self, key: PopulationKey) -> DevScorer:
        """Who scores this population on all its development rows."""
        return self.judges.developer(key, self.populations.heads(key))

    def developers(self, key: PopulationKey, apart: float) -> Developers:
        """Who scores what is searched for this population; `apart`: the share of rows that the search does not see."""
        return self.judges.developers(key, self.populations.heads(key), self.protocol.search, apart)

    def entropy(self, key: PopulationKey, apart: float) -> DevEntropy:
        """Who tells how unsure weights are of the rows of `developers(key, apart).search`, without their labels."""
        return self.judges.entropy(key, partial(self.populations.heads, key), self.protocol.search, apart)

    def examiner(self, cell: Cell, corpora: tuple[str, ...], own_heads: bool = True) -> Examiner:
        """The keeper of this cell's test rows; `own_heads=False` for weights that hold every task's head."""
        return self.judges.examiner(cell, corpora, self.populations.heads(cell.key) if own_heads else {})
