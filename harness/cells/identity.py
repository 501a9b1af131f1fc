"""What decides one member and its statistics, written down; and the hashes that they are kept under."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.cells.cell import Source
from harness.cells.rowbook import RowBook
from harness.checkpoints.brought import Key, key_for
from harness.checkpoints.hub import source_of
from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadData
from harness.families.subject import Subject
from harness.grading.named import graders_recipe
from harness.members import fisher, given, gram
from harness.members.descent import Descents
from harness.members.joint import VERSION as FINETUNE_VERSION
from harness.protocol.parts import FisherSettings, GramSettings
from harness.protocol.told import PLAIN, Told
from harness.records.environment import engine
from harness.records.recipe import Recipe, recipe_key, written
from harness.suites.setting import corpus_of, variant_of
from methods import NotApplicable


class Identity:
    """The recipes of one laboratory. Each is made once, since every cell asks for them."""

    def __init__(
        self, subject: Subject, rows: RowBook, told: Told, given: Mapping[Key, Path], any_config: bool = False
    ) -> None:
        self._subject, self._rows, self._told, self._given = subject, rows, told, given
        self._any_config = any_config
        self._recipes: dict[Source, Recipe] = {}
        self._keys: dict[Source | Task, str] = {}
        self._firsts: dict[tuple[str, Source], Split] = {}
        self._prints: dict[Key, str] = {}
        self.descents = Descents()
        self._others: dict[Key, list[str]] = {}

    def brought(self, source: Source) -> Key | None:
        """Under which name and seed the user brought this member, if so."""
        return key_for(self._given, source.members[0], source.draw) if len(source.members) == 1 else None

    def folder_of(self, source: Source) -> Path | None:
        """Where that member lies; None for one that is fine-tuned here."""
        key = self.brought(source)
        return None if key is None else self._given[key]

    def print_of(self, key: Key) -> str:
        """The fingerprint of a member that the user brought."""
        if key not in self._prints:
            self._prints[key] = self.descents.fingerprint(self._given[key])
        return self._prints[key]

    def origin_of(self, source: Source) -> Recipe:
        """What a record says of a member that was brought: where on the hub it is, its rank if it is an adapter."""
        folder = self.folder_of(source)
        if folder is None:
            return {}
        return {**({"hub": where} if (where := source_of(folder)) else {}), **given.adapter_in(folder)}

    def other_config(self, source: Source) -> list[str]:
        """The fields of config.json in which a member that was brought differs from its model, and may: without
        --trust-configs it would be refused, so then there are none."""
        key = self.brought(source)
        if key is None or not self._any_config:
            return []
        if key not in self._others:
            subject = self._subject
            places = subject.folder, self._given[key]
            self._others[key] = given.other_config(subject.kind, *places, subject.trusted, self.descents)
        return self._others[key]

    def trains(self, source: Source) -> bool:
        """Whether this is fine-tuned here, not brought."""
        return self.brought(source) is None

    def key(self, what: Source | Task) -> str:
        """The hash of a member's recipe, or of a task's."""
        if what not in self._keys:
            recipe = self._asked(what) if isinstance(what, Task) else self.member(what)
            self._keys[what] = recipe_key(recipe)
        return self._keys[what]

    def _asked(self, task: Task) -> Recipe:
        """What decides a task, the versions of its graders too."""
        graders = {"graders": graders_recipe(task.graders)} if task.graders else {}
        return {**task.recipe(self._subject.generative), **graders}

    def member(self, source: Source) -> Recipe:
        """Everything that decides one fine-tuned model."""
        if source not in self._recipes:
            self._recipes[source] = self._member(source)
        return self._recipes[source]

    def _member(self, source: Source) -> Recipe:
        corpora = tuple(dict.fromkeys(map(corpus_of, source.members)))
        shared = {
            "model": self._subject.identity["fingerprint"],
            "family": self._subject.kind,
            "corpora": list(corpora),
            "tasks": [self._asked(self._rows.task(c)) for c in corpora],
        }
        if (key := self.brought(source)) is not None:
            other = {"config": "another"} if self.other_config(source) else {}
            return {**shared, "given": self.print_of(key), **other}
        self._require_rows(source)
        starts = [self._subject.start(self._rows.task(c)) for c in corpora]
        return {
            **shared,
            **({"heads": starts} if set(starts) != {"as saved"} else {}),
            "train": [self._rows.train(m, source.draw).fingerprint for m in source.members],
            "dev": [self._rows.dev(c, source.draw).fingerprint for c in corpora],
            "training": self._told.training_recipe(self._rows.variant(source)),
            "choosing": written(self._told.choosing, PLAIN.choosing),
            "seed": source.seed,
            "version": FINETUNE_VERSION,
            "engine": engine(),
        }

    def _require_rows(self, source: Source) -> None:
        """Raise unless there are rows for this training. Errors: `BadData`, or `NotApplicable` of members together,
        which no cell needs but `mtl`."""
        corpora, draw = tuple(dict.fromkeys(map(corpus_of, source.members))), source.draw
        together = len(source.members) > 1
        if len(corpora) < len(source.members) and any(map(variant_of, source.members)):
            raise NotApplicable("mtl: all members are trained on the same rows, so together they have no others")
        bare = [(c, "train") for c in corpora if not len(self._rows.train(c if together else source.members[0], draw))]
        if self._told.protocol.checkpoint == "best_dev":
            bare += [(c, "development") for c in corpora if not len(self._rows.dev(c, draw))]
        for corpus, what in bare[:1]:
            if together:
                raise NotApplicable(f"mtl: it is fine-tuned on all members' rows, and {corpus} has no {what} rows")
            cure = "" if what == "train" else ", or write --set checkpoint=last"
            raise BadData(
                f"{corpus} has no {what} rows to fine-tune a member with; bring one with --member {corpus}=FOLDER{cure}"
            )

    def statistics(self, kind: str, source: Source) -> Recipe:
        """Everything that decides the Fisher diagonals or the Gram matrices of one member."""
        settings = self.statistics_settings(kind, source)
        plain: FisherSettings | GramSettings = PLAIN.fisher if kind == "fisher" else PLAIN.gram
        drawn = isinstance(settings, FisherSettings) and settings.fisher_labels == "sampled"
        return {
            "member": self.member(source),
            "model": self._subject.identity["fingerprint"],
            "rows": self.statistics_rows(kind, source).fingerprint,
            "settings": written(settings, plain),
            "draws": [source.members[0], source.seed] if drawn else None,
            "version": self.statistics_version(kind),
            "engine": engine(),
        }

    def statistics_version(self, kind: str) -> int:
        """Of the code that makes them, whose corrections are other statistics and so other merges."""
        return fisher.VERSION if kind == "fisher" else gram.VERSION

    def statistics_rows(self, kind: str, source: Source) -> Split:
        """The training rows that a member's statistics are made of."""
        if (kind, source) not in self._firsts:
            protocol = self._told.protocol
            rows = protocol.fisher.fisher_rows if kind == "fisher" else protocol.gram.gram_rows
            self._firsts[kind, source] = self._rows.train(source.members[0], source.draw).first(rows)
        return self._firsts[kind, source]

    def statistics_settings(self, kind: str, source: Source) -> FisherSettings | GramSettings:
        """How they are made."""
        scores = self._rows.task(source.members[0]).kind == "regression"
        return self._told.fisher(scores) if kind == "fisher" else self._told.gram
