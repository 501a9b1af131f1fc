"""Populations as methods get them: members, their ancestor, and statistics that are made when they are asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import devices
from harness.cells.cell import PopulationKey, Source, seed_from
from harness.cells.ground import Ground
from harness.cells.layered import Layered
from harness.cells.places import place_of
from harness.cells.workshop import Workshop
from harness.families.batches import Batch
from harness.members import fisher, given, gram
from harness.members.placed import Brought, Place
from harness.members.statistics import LazyStatistics
from harness.protocol.parts import GramSettings
from harness.records.recipe import Recipe
from harness.spread.limits import WHOLE
from harness.spread.seats import seated, turn_of
from harness.suites.setting import corpus_of
from methods import NotApplicable, Population, Weights


class Populations:
    """The populations of one laboratory."""

    def __init__(self, on: Ground, workshop: Workshop) -> None:
        self._on, self._subject, self._rows, self._told, self._identity = on, on.subject, on.rows, on.told, on.identity
        self._judges, self._workshop, self._zoo, self._say = on.judges, workshop, on.zoo, on.say

    def of(self, key: PopulationKey, held: int | None = None) -> Population:
        """The members of this key, trained or loaded, with their ancestor and lazy statistics.

        `held`: how many models a merge of them holds, which decides whether they are brought to the GPU; without it
        they stay where they are read.
        """
        members: list[Weights] = [self._workshop.member(source) for source in key.sources]
        loaded = self._subject.ancestor(self._rows.task(key.members[0]), key.seed)
        for name, weights in zip(key.members, members, strict=True):
            start = self._subject.ancestor(self._rows.task(name), key.seed).model
            given.require_descends(str(self._subject), start, name, weights)
        ancestor: Weights = {name: p.detach() for name, p in loaded.model.named_parameters()}
        if key.heads == "own":
            ancestor = without(ancestor, loaded.head)
            members = [without(m, loaded.head) for m in members]
        elif key.heads == "diff" or not all(map(self._identity.trains, key.sources)):
            ancestor = without(ancestor, loaded.fresh)  # no head is theirs all
        merged = bool(loaded.output_layer) and self.merges_heads(key)
        layer = {"label_aware": loaded.output_layer, "label_aware_weight": loaded.output_layer[:1], "plain": ()}
        known = [self._rows.corpora[corpus_of(m)].annotated for m in key.members]
        device, line = (devices.CPU, "") if held is None else place_of(members, held)
        if line:
            self._say(f"{key}: {line}")
        place, statistics = Place(device), self._statistics(key)
        return Population(
            members=tuple(map(place.bring, members)),
            names=key.members,
            ancestor=place.bring(ancestor),
            statistics=statistics if device == devices.CPU else Brought(statistics, device),
            transposed=gram.transposed(loaded.model),
            output_layer=layer[self._told.protocol.heads.head_merge] if merged else (),
            annotated=torch.tensor(known) if merged else None,
            renew=statistics.of_other,
            layers=Layered(self._on, key, statistics, device),
        )

    def merges_heads(self, key: PopulationKey) -> bool:
        """Whether output layers are merged in a way of their own: members of one multi-label task know different
        labels. Heads of other tasks are merged like everything else."""
        several_labels = self._rows.task(key.members[0]).kind == "multi_label"
        return not self._subject.generative and key.heads != "own" and several_labels

    def heads(self, key: PopulationKey) -> dict[str, Weights]:
        """Corpus -> the head of its own member, where heads are not merged."""
        if key.heads != "own":
            return {}
        found: dict[str, Weights] = {}
        for member, source in zip(key.members, key.sources, strict=True):
            head = self._subject.ancestor(self._rows.task(member), key.seed).head
            weights = self._workshop.member(source)
            found[corpus_of(member)] = {name: weights[name] for name in weights if name in head}
        return found

    def _statistics(self, key: PopulationKey) -> LazyStatistics:
        def recipe(kind: str, i: int) -> Recipe:
            if not len(self._identity.statistics_rows(kind, key.sources[i])):
                raise NotApplicable(f"{kind} statistics are made of train rows, and {key.members[i]} has none here")
            return self._identity.statistics(kind, key.sources[i])

        def work(kind: str, i: int) -> str:
            source = key.sources[i]
            return f"making {kind} statistics of {self._subject} on {source.members[0]}, seed {source.seed}"

        def compute(kind: str, i: int) -> dict[str, Tensor]:
            self._say(work(kind, i))
            return self._compute(kind, key.sources[i], {})

        def renew(kind: str, i: int, weights: Weights) -> dict[str, Tensor]:
            where = next(iter(weights.values())).device.type
            return Place(where).bring(self._compute(kind, key.sources[i], weights))

        return LazyStatistics(self._zoo, recipe, len(key.members), compute, work, renew)

    def _compute(self, kind: str, source: Source, other: Weights) -> dict[str, Tensor]:
        """The statistics of a member, or of `other` weights, beside which a head that is not merged is the member's."""
        task, settings = self._rows.task(source.members[0]), self._identity.statistics_settings(kind, source)
        if devices.current() == devices.SPREAD and not isinstance(settings, GramSettings):
            raise NotApplicable(f"Fisher information is made of gradients, {WHOLE}")
        model, weights = self._subject.fresh(task, source.seed).model, {**self._workshop.member(source), **other}
        rows = self._judges.prepared(task, self._identity.statistics_rows(kind, source))

        def logits(of: nn.Module, batch: Batch) -> Tensor:
            return self._subject.family.logits(of, task, batch.inputs)

        with turn_of(devices.current()):
            seats = seated(model, devices.current())
            for name, parameter in model.named_parameters():
                parameter.data = weights[name].to(seats.of[name], copy=True)
            rows = rows.to(seats.main)
            if isinstance(settings, GramSettings):
                home = devices.CPU if devices.current() == devices.SPREAD else None
                return gram.matrices(model, logits, rows, settings.gram_padding, home=home)
            rng = torch.Generator().manual_seed(seed_from("fisher", source.members[0], source.seed))
            return fisher.diagonal(model, logits, rows, settings.fisher_labels, settings.fisher_per_example, rng)


def without(weights: Weights, names: frozenset[str]) -> Weights:
    """The other parameters."""
    return {name: tensor for name, tensor in weights.items() if name not in names}
