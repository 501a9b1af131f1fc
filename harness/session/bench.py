"""The session's bench: which corpora are there, one laboratory per model, and the store that answers come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.cells.cell import Cell, PopulationKey
from harness.checkpoints.brought import Key, given_for, key_for, word_of
from harness.checkpoints.brought import folder_of as member_folder
from harness.checkpoints.names import ModelName
from harness.data import world
from harness.data.corpus import Corpus
from harness.protocol.protocol import Protocol
from harness.records.record import BadRecord, RunRecord, Store
from harness.session.options import Options
from harness.storage import journal
from harness.suites import Where, resolve
from harness.suites.setting import Heads, Setting, corpus_of, variant_of


class Bench:
    """Answers cells, from the store where it can. Heavy things are made on first touch and kept for one model."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options, self.say = options, say
        self.store = Store(options.results)
        self._lab: tuple[object, object] | None = None
        self._asked: tuple[ModelName, Setting] | None = None  # who the laboratory was last wanted for
        self._trials: dict[tuple[ModelName, str, str], Exception | None] = {}  # model, suite, member -> what was wrong
        self._corpora: dict[tuple[object, ...], Mapping[str, Corpus]] = {}
        self._told: set[str] = set()  # methods whose code changed, and the user knows
        self._families: dict[ModelName, str] = {}  # every population asks for it
        self._copies: dict[Path, Path] = {}  # in the zoo, of folders with pickles

    # -- what there is -----------------------------------------------------------------------------------------------

    def available(self, suite: str, model: ModelName) -> tuple[str, ...]:
        """The corpora that this model can be trained and examined on; all there may be, while cells are only listed."""
        everything = resolve(suite).known()
        if self.where(model).nowhere or (model.tiny and resolve(suite).in_world):
            return everything
        there = self.corpora(suite, model)
        return tuple(c for c in everything if c in there)

    def where(self, model: ModelName) -> Where:
        """Where the rows of this model's cells come from."""
        if model.tiny:
            return Where(world=world.World())
        return Where(folder=self.options.data, hub=self.options.hub)

    def corpora(self, suite: str, model: ModelName) -> Mapping[str, Corpus]:
        """The corpora of a suite, read on first touch; none, where the user's folder does not hold them."""
        p, where = self.options.protocol_of(model, suite), self.where(model)
        place = (suite, where, p.own, p.split_seed)
        if place not in self._corpora:
            self._corpora[place] = resolve(suite).find(where, p.own, p.split_seed)
        return self._corpora[place]

    @cached_property
    def brought(self) -> Mapping[Key, Path]:
        """Where the members lie that the user brings; those on the hub are fetched. Errors: `BadModel`."""
        return {key: member_folder(key, where) for key, where in self.options.given.items()}

    def require_sound(self, model: ModelName, whole: bool) -> None:
        """Raise `BadModel` or `BadWeights` if a folder can be no model, as far as can be told without transformers.

        `whole`: it needs its weights.
        """
        from harness.checkpoints.checkpoint import require_weights

        if not model.tiny and Path(model.where).is_dir():
            self.family(model)
            if whole:
                require_weights(Path(model.where))

    def family(self, model: ModelName) -> str:
        """The model's kind. A hub model that is only listed is not fetched for it: then an alias says, or "encoder"."""
        if model not in self._families:
            self._families[model] = self._family(model)
        return self._families[model]

    def _family(self, model: ModelName) -> str:
        from harness.checkpoints.names import ALIASES, TINY, folder_of
        from harness.families import kind_of

        if model.tiny:
            return TINY[model.where]
        if self._at_hand(model):
            return kind_of(folder_of(model.where), model.where in self.options.trust)
        return dict(ALIASES.values()).get(model.where.partition("@")[0], "encoder")

    def _at_hand(self, model: ModelName) -> bool:
        """Whether the model's files can be read: it lies in a folder, or will be fetched since cells will run."""
        return not model.tiny and (Path(model.where).is_dir() or self.options.data is not None or self.options.hub)

    def protocol(self, model: ModelName, setting: Setting) -> Protocol:
        """The protocol of this model in this setting; its architecture's own values need the model's configuration."""
        return self.options.protocol_of(model, setting.suite, self._tags(model, setting))

    def _tags(self, model: ModelName, setting: Setting) -> set[str]:
        tags = {self.family(model), setting.name}
        return tags | {architecture_of(model)} if self._at_hand(model) else tags

    def populations(self, setting: Setting, model: ModelName) -> list[PopulationKey]:
        """All populations that this setting merges of this model."""
        there = setting.populations(self.available(setting.suite, model))
        seeds = self._seeds(setting, model)
        keys = [
            self._key(setting, model, group, s, h)
            for s in seeds
            for h in setting.heads
            for group in there
            if s == seeds[0] or not self._one_soup(group, s)
        ]
        wanted = ("own", "none", *self.options.heads)
        return list(dict.fromkeys(key for key in keys if key.heads in wanted))

    def _one_soup(self, group: tuple[str, ...], seed: int) -> bool:
        """Whether these are members of a soup that are the same in populations of every seed: all were brought."""
        return all(variant_of(m) and given_for(self.options.given, m, seed) is not None for m in group)

    def cancelled(self, setting: Setting, model: ModelName) -> list[tuple[PopulationKey, str]]:
        """What one option asks for and another takes away, each with the reason; the first seed's stands for all."""
        wanted, found = ("own", "none", *self.options.heads), []
        groups = setting.populations(self.available(setting.suite, model))
        for group in groups if len(self.options.heads) == 1 else ():
            for seed in self._seeds(setting, model):
                keys = {heads: self._key(setting, model, group, seed, heads) for heads in setting.heads}
                if any(key.heads in wanted for key in keys.values()):
                    continue
                own = [m for m in group if given_for(self.options.given, m, seed) is not None]
                reason = f"--heads={self.options.heads[0]}: "
                if own and "same" in wanted and "same" in keys:
                    reason += f"the head of your member {own[0]} did not start as the others'; leave --heads out"
                else:
                    reason += f"heads are {' or '.join(keys)} there"
                found.append((self._key(setting, model, group, seed, next(iter(keys))), reason))
                break
        return found

    def _seeds(self, setting: Setting, model: ModelName) -> tuple[int, ...]:
        return self.options.seeds or self.protocol(model, setting).seeds

    def impossible(self, setting: Setting, model: ModelName) -> list[tuple[PopulationKey, str]]:
        """What the setting would merge too if its data were there, each with the reason why not."""
        there = self.available(setting.suite, model)
        lacking = setting.impossible(there)
        if not lacking and not setting.populations(there):
            lacking = [(setting.members, tuple(m for m in setting.members if m not in there))]
        return [
            (self._key(setting, model, group, 1, setting.heads[0]), f"not in the data: {', '.join(missing)}")
            for group, missing in lacking
        ]

    def unasked(self, setting: Setting, model: ModelName) -> PopulationKey:
        """What stands for a setting that this model cannot be asked; nothing is read or fetched to say so."""
        return PopulationKey(model, setting.suite, setting.members, setting.members, 1, setting.heads[0])

    def elsewhere(self, suite: str, model: ModelName) -> str:
        """Why no question of this suite can be asked of a model, and what to do; empty if it can."""
        asked = resolve(suite)
        if model.tiny and not asked.in_world:
            return (
                f"{model} knows only the words of its made-up world, which has no {asked.called} corpora; name a model"
            )
        if asked.on_hub or not asked.data or not self.where(model).hub:
            return ""
        return f"the hub has no {asked.called} corpora: give --data=FOLDER with {asked.data} in it; {asked.origin}"

    def _key(
        self, setting: Setting, model: ModelName, group: tuple[str, ...], seed: int, heads: Heads
    ) -> PopulationKey:
        if self.family(model) != "encoder":
            heads = "none"
        elif heads == "same" and any(given_for(self.options.given, m, seed) is not None for m in group):
            heads = "diff"  # a member that the user brought started from a head of its own, whatever the others did
        return PopulationKey(model, setting.suite, group, setting.places(group), seed, heads, setting.called(group))

    # -- answers -----------------------------------------------------------------------------------------------------

    def answer(self, cell: Cell) -> tuple[RunRecord, bool]:
        """The record of a cell, and whether it was already there. A failure is never stored."""
        from harness.cells.recipe import keys_of, running_key
        from harness.cells.run import run

        lab = self.lab(cell.key.model, cell.setting)
        place = (cell.setting.suite, cell.setting.name, cell.key.model.display, cell.method, cell.key.seed)
        if not self.options.rerun:
            keys = keys_of(cell, lab)
            try:
                stored = self.store.find(*place, *keys)
            except BadRecord as error:
                self.say(f"damaged record, made again: {error}")
                stored = None
            if stored is not None:
                journal.forget(self.store.root, keys[-1])  # of a run that was killed as it stored this
                return stored, True
            self._tell_of_changed_code(cell, lab)
        self._require_tried(cell, lab)
        record = kept(run(cell, lab, self.store, replay=not self.options.rerun), self.store, self.say)
        journal.forget(self.store.root, running_key(cell, lab))
        return record, False

    def told(self, what: object) -> str:
        """A line, or an error's, that names folders as the user gave them, not what the zoo keeps of them."""
        from harness.checkpoints.pickles import as_given

        return as_given(str(what), self._copies)

    def _require_tried(self, cell: Cell, lab: Any) -> None:
        """Try every model and brought member of the session before anything is trained.

        Errors: what this cell's own trials met; those of others are said, and end only their cells.
        """
        setting = cell.setting
        for model in self.options.models:
            tried = self.options.given or not model.tiny  # what is built in place needs no trial, members do
            if tried and (model, setting.suite, "") not in self._trials:
                self._try(model, setting, lab if model == cell.key.model else None, lab.rows.corpora)
        own = (key_for(self.options.given, member, cell.key.seed) for member in cell.key.members)
        for name in ("", *(word_of(key) for key in own if key is not None)):
            error = self._trials.get((cell.key.model, setting.suite, name))
            if error is not None:
                raise error.with_traceback(None)

    def _try(self, model: ModelName, setting: Setting, lab: Any, corpora: Mapping[str, Corpus]) -> None:
        """One model and the members that the user brought, each noted with what was wrong with it, or None."""
        from methods.errors import MergeboardError

        def noted(name: str, what: Callable[[], None]) -> None:
            place = (model, setting.suite, name)
            self._trials[place] = None
            try:
                what()
            except MergeboardError as error:
                self._trials[place] = error
                self.say(self.told(error))

        def whole() -> None:
            nonlocal lab
            lab = lab or self._make_lab(model, self.protocol(model, setting), None, setting.suite, corpora)
            lab.workshop.try_model()

        noted("", whole)
        for key in self.options.given if self._trials[model, setting.suite, ""] is None else ():
            if corpus_of(key[0]) in corpora:
                noted(word_of(key), partial(lab.workshop.try_member, key))

    def _tell_of_changed_code(self, cell: Cell, lab: Any) -> None:
        """Say once of each method that it answered this very question before its code was edited."""
        from harness.cells.recipe import earlier_code

        before = None if cell.method in self._told else earlier_code(cell, lab, self.store)
        if before is not None:
            self._told.add(cell.method)
            self.say(f"{cell.method}: its code changed since {before.path} was made, so it is made again")

    def landscape(self, setting: Setting, key: PopulationKey, points: int) -> Path:
        """The file of a survey of this pair's plane, made unless it is there; rows and ensembles have no place."""
        from harness.cells.landscape import stored, survey
        from harness.cells.recipe import running_key
        from harness.cells.rows import ROWS
        from harness.records import terrain

        lab = self.lab(key.model, setting)
        methods = tuple(m for m in self.options.methods if m not in (*ROWS, "ensemble"))
        there = None if self.options.rerun else stored(setting, key, methods, lab, points, self.store.root)
        if there is None:
            there = terrain.put(self.store.root, survey(setting, key, methods, lab, self.store, points))
            for method in methods:
                journal.forget(self.store.root, running_key(Cell(setting, key, method), lab))
        return there

    def lab(self, model: ModelName, setting: Setting):  # type: ignore[no-untyped-def]  # harness.cells.lab needs torch
        """The laboratory of this model and protocol; another's is let go first."""
        if self._asked != (model, setting):
            usual = self.options.protocol_of(model, setting.suite, self._tags(model, setting), settings=())
            wanted = (model, self.protocol(model, setting), usual, setting.suite)
            if self._lab is None or self._lab[0] != wanted:
                self._asked = self._lab = None
                self._lab = (wanted, self._make_lab(*wanted))
            self._asked = (model, setting)
        assert self._lab is not None
        return self._lab[1]

    def _make_lab(  # type: ignore[no-untyped-def]
        self,
        model: ModelName,
        protocol: Protocol,
        usual: Protocol | None,
        suite: str,
        corpora: Mapping[str, Corpus] | None = None,
    ):
        import torch

        from harness.cells.judges import device
        from harness.cells.lab import Lab
        from harness.checkpoints import pickles
        from harness.checkpoints.names import folder_of
        from harness.judging import precision
        from harness.members import tiny
        from harness.storage import zoo

        threads = self.options.threads or (1 if model.tiny else None)
        if threads:
            torch.set_num_threads(threads)
        keep = zoo.Zoo(self.options.zoo, self.say)
        folder = tiny.build(model.where, world.World(), keep) if model.tiny else folder_of(model.where)
        corpora = self.corpora(suite, model) if corpora is None else corpora
        protocol = precision.believed(protocol, device(), keep, self.say)
        trusted = {f for key, f in self.brought.items() if self.options.given[key] in self.options.trust}
        trusted |= {folder} if model.where in self.options.trust else set()
        minutes, any_config = self.options.checkpoint_minutes, self.options.trust_configs
        self._copies |= pickles.copies_of((folder, *self.brought.values()), keep)

        def say(line: str) -> None:
            self.say(self.told(line))

        return Lab(model, folder, protocol, corpora, keep, self.brought, say, trusted, usual, minutes, any_config)


def kept(record: RunRecord, store: Store, say: Callable[[str], None]) -> RunRecord:
    """Store the record; without its trace where that has no JSON form, since an answer is worth more."""
    try:
        store.put(record)
    except (TypeError, ValueError, RecursionError) as error:
        if record.trace is None:
            raise
        say(f"{record.path}: its trace cannot be stored ({error}), so it is stored without and not replayed")
        record = replace(record, trace=None)
        store.put(record)
    return record


def architecture_of(model: ModelName) -> str:
    """The model type that the model's configuration names, e.g. "roberta"."""
    import json

    from harness.checkpoints.names import folder_of

    config = json.loads((folder_of(model.where) / "config.json").read_text(encoding="utf-8"))
    return str(config.get("model_type", ""))
