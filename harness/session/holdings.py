"""What a session has: models and what they are, members that the user brings, and the corpora at hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from harness.checkpoints.brought import Key
from harness.checkpoints.brought import folder_of as member_folder
from harness.checkpoints.names import ModelName
from harness.data import world
from harness.data.corpus import Corpus
from harness.protocol.protocol import Protocol
from harness.session.options import Options
from harness.suites import Where, resolve
from harness.suites.setting import Setting


class Holdings:
    """What there is, looked at on first touch."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._corpora: dict[tuple[object, ...], Mapping[str, Corpus]] = {}
        self._families: dict[ModelName, str] = {}  # every population asks for it

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
        return {key: member_folder(key, where, self.options.given_by[key]) for key, where in self.options.given.items()}

    def require_akin(self, fetch: bool) -> None:
        """Raise `BadModel` for a member of another architecture than every model, as far as the files at hand tell.

        `fetch`: those on the hub may be fetched for it.
        """
        from harness.checkpoints.alike import require_alike
        from harness.checkpoints.names import folder_of

        given = self.brought if fetch else {key: Path(where) for key, where in self.options.given.items()}
        if not given or not all(self._at_hand(model) for model in self.options.models):
            return  # what is built in place, or only listed, is not there yet
        models = [folder_of(model.where) for model in self.options.models]
        for key, folder in given.items():
            require_alike(self.options.given_by[key], folder, models)

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
        if model.tiny or self.options.plan is not None:  # what is planned is not fetched
            return not model.tiny and Path(model.where).is_dir()
        return Path(model.where).is_dir() or self.options.data is not None or self.options.hub

    def protocol(self, model: ModelName, setting: Setting) -> Protocol:
        """The protocol of this model in this setting; its architecture's own values need the model's configuration."""
        settings = (*self.options.settings, *setting.options)
        return self.options.protocol_of(model, setting.suite, self.tags(model, setting), settings)

    def tags(self, model: ModelName, setting: Setting) -> set[str]:
        """What is known of the model and is asked of it, by which a protocol's values may differ."""
        tags = {self.family(model), setting.name}
        return tags | {architecture_of(model)} if self._at_hand(model) else tags


def architecture_of(model: ModelName) -> str:
    """The model type that the model's configuration names, e.g. "roberta"."""
    from harness.checkpoints.folders import config_of
    from harness.checkpoints.names import folder_of

    config = config_of(folder_of(model.where))
    return str(config.get("model_type", ""))
