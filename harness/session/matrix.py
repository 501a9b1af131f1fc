"""The matrix of a session: which populations a setting merges of a model, and why there are no others."""

from __future__ import annotations

from harness.cells.cell import PopulationKey
from harness.checkpoints.brought import given_for
from harness.checkpoints.names import ModelName
from harness.session.holdings import Holdings
from harness.session.options import Options
from harness.suites import resolve
from harness.suites.setting import Heads, Setting, variant_of


class Matrix:
    """Populations of settings and models; each is trained later, when a cell asks for it."""

    def __init__(self, options: Options, has: Holdings) -> None:
        self._options, self._has = options, has

    def populations(self, setting: Setting, model: ModelName) -> list[PopulationKey]:
        """All populations that this setting merges of this model."""
        there = setting.populations(self._has.available(setting.suite, model))
        seeds = self._seeds(setting, model)
        keys = [
            self._key(setting, model, group, s, h)
            for s in seeds
            for h in setting.heads
            for group in there
            if s == seeds[0] or not self._one_soup(group, s)
        ]
        wanted = ("own", "none", *self._options.heads)
        return list(dict.fromkeys(key for key in keys if key.heads in wanted))

    def _one_soup(self, group: tuple[str, ...], seed: int) -> bool:
        """Whether these are members of a soup that are the same in populations of every seed: all were brought."""
        return all(variant_of(m) and given_for(self._options.given, m, seed) is not None for m in group)

    def cancelled(self, setting: Setting, model: ModelName) -> list[tuple[PopulationKey, str]]:
        """What one option asks for and another takes away, each with the reason; the first seed's stands for all."""
        wanted, found = ("own", "none", *self._options.heads), []
        groups = setting.populations(self._has.available(setting.suite, model))
        for group in groups if len(self._options.heads) == 1 else ():
            for seed in self._seeds(setting, model):
                keys = {heads: self._key(setting, model, group, seed, heads) for heads in setting.heads}
                if any(key.heads in wanted for key in keys.values()):
                    continue
                own = [m for m in group if given_for(self._options.given, m, seed) is not None]
                reason = f"--heads={self._options.heads[0]}: "
                if own and "same" in wanted and "same" in keys:
                    reason += f"the head of your member {own[0]} did not start as the others'; leave --heads out"
                else:
                    reason += f"heads are {' or '.join(keys)} there"
                found.append((self._key(setting, model, group, seed, next(iter(keys))), reason))
                break
        return found

    def _seeds(self, setting: Setting, model: ModelName) -> tuple[int, ...]:
        return self._options.seeds or self._has.protocol(model, setting).seeds

    def impossible(self, setting: Setting, model: ModelName) -> list[tuple[PopulationKey, str]]:
        """What the setting would merge too if its data were there, each with the reason why not."""
        there = self._has.available(setting.suite, model)
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
        if model.tiny and not (asked.in_world and model.where in asked.tiny):
            return (
                f"{model} knows only the words of its made-up world, which has no {asked.called} corpora; name a model"
            )
        if not model.tiny and asked.only_in_world:
            return f"{asked.called} corpora are made up, in words that {model} does not know; {asked.origin}"
        if not asked.on_hub and asked.data and self._has.where(model).hub:
            return f"the hub has no {asked.called} corpora: give --data=FOLDER with {asked.data} in it; {asked.origin}"
        written = asked.tasks and all(task.kind == "generation" for task in asked.tasks)
        if written and self._has.family(model) == "encoder":
            return f"{model} is an encoder, which writes no answers; name a decoder or an encoder-decoder"
        return ""

    def _key(
        self, setting: Setting, model: ModelName, group: tuple[str, ...], seed: int, heads: Heads
    ) -> PopulationKey:
        if self._has.family(model) != "encoder":
            heads = "none"
        elif heads == "same" and any(given_for(self._options.given, m, seed) is not None for m in group):
            heads = "diff"  # a member that the user brought started from a head of its own, whatever the others did
        there = self._has.available(setting.suite, model)
        chosen = tuple(c for c in setting.chosen or () if c in there) or setting.chosen or ()
        called = setting.called(group)
        return PopulationKey(model, setting.suite, group, setting.places(group), seed, heads, called, chosen)
