"""The session's bench: which corpora are there, one laboratory per model, and the store that answers come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from harness.cells import Cell, PopulationKey
from harness.data.corpus import Corpus
from harness.models import ModelName
from harness.options import Options
from harness.protocols import Protocol
from harness.record import BadRecord, RunRecord, Store, recipe_key
from harness.settings import Heads, Setting


class Bench:
    """Answers cells, from the store where it can. Heavy things are made on first touch and kept for one model."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options, self.say = options, say
        self.store = Store(options.results)
        self._labs: dict[ModelName, object] = {}

    # -- what there is -----------------------------------------------------------------------------------------------

    def available(self, model: ModelName) -> tuple[str, ...]:
        """The corpora that this model can be trained and examined on."""
        from harness.data.emotion import IN_DOMAIN, OUT_OF_DOMAIN

        everything = (*IN_DOMAIN, *OUT_OF_DOMAIN)
        if model.tiny or self.options.data is None:  # without data only the paper's list can be shown
            return everything
        return tuple(c for c in everything if c in self.corpora)

    @cached_property
    def corpora(self) -> Mapping[str, Corpus]:
        """The real corpora."""
        from harness.data import emotion

        assert self.options.data is not None
        return emotion.load(self.options.data, self._split_seed(self.options.models[0]))

    def protocol(self, model: ModelName) -> Protocol:
        """The protocol of this model; its architecture's own values need the model's configuration."""
        architecture = "" if model.tiny or self.options.data is None else architecture_of(model)
        return self.options.protocol_of(model, architecture)

    def populations(self, setting: Setting, model: ModelName) -> list[PopulationKey]:
        """All populations that this setting merges of this model."""
        keys = [
            PopulationKey(model, setting.suite, members, setting.members, seed, self._heads(heads, members))
            for seed in self.options.seeds_of(self.options.protocol_of(model, ""))
            for heads in setting.heads
            if heads in self.options.heads
            for members in setting.populations(self.available(model))
        ]
        return list(dict.fromkeys(keys))

    def _heads(self, heads: Heads, members: tuple[str, ...]) -> Heads:
        """A member that the user brought started from a head of its own, whatever the others did."""
        return "diff" if any(m in self.options.given for m in members) else heads

    # -- answers -----------------------------------------------------------------------------------------------------

    def answer(self, cell: Cell) -> tuple[RunRecord, bool]:
        """The record of a cell, and whether it was already there. A failure is never stored."""
        from harness.run import recipe_of, run

        lab = self.lab(cell.key.model)
        recipe = recipe_of(cell, lab)
        place = (cell.setting.suite, cell.setting.name, cell.key.model.display, cell.method, cell.key.seed)
        if not self.options.rerun:
            try:
                stored = self.store.find(*place, recipe_key(recipe))
            except BadRecord as error:
                self.say(f"damaged record, made again: {error}")
                stored = None
            if stored is not None:
                return stored, True
        record = run(cell, lab, self.store, recipe, replay=not self.options.rerun)
        self.store.put(record)
        return record, False

    def lab(self, model: ModelName):  # type: ignore[no-untyped-def]  # harness.lab needs torch, this file does not
        """The laboratory of this model; another model's is let go first."""
        if model not in self._labs:
            self._labs = {model: self._make_lab(model)}
        return self._labs[model]

    def _make_lab(self, model: ModelName):  # type: ignore[no-untyped-def]
        import torch
        import transformers

        from harness import tiny, zoo
        from harness.data import synthetic
        from harness.lab import Lab
        from harness.models import folder_of

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        threads = self.options.threads or (1 if model.tiny else None)
        if threads:
            torch.set_num_threads(threads)
        keep = zoo.Zoo(self.options.zoo)
        protocol = self.protocol(model)
        if model.tiny:
            world = synthetic.World()
            folder: Path = tiny.build(model.where, world, keep)
            corpora = synthetic.load(world, protocol.split_seed)
        else:
            folder, corpora = folder_of(model.where), self.corpora
        return Lab(model, folder, protocol, corpora, keep, self.options.given, self.say)

    def _split_seed(self, model: ModelName) -> int:
        return self.options.protocol_of(model, "").split_seed


def architecture_of(model: ModelName) -> str:
    """The model type that the model's configuration names, e.g. "roberta"."""
    import json

    from harness.models import folder_of

    config = json.loads((folder_of(model.where) / "config.json").read_text(encoding="utf-8"))
    return str(config.get("model_type", ""))
