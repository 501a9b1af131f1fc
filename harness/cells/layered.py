"""A member's rows through models that are put together block by block: what `Population.layers` is made of.

One module serves all members and all mixtures; it is pointed at weights, and no tensor is copied. Nothing is kept of a
pass, so a block costs the passes through all blocks before it again, and no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from threading import Lock

from torch import Tensor, nn

from harness import devices
from harness.cells.cell import PopulationKey
from harness.cells.ground import Ground
from harness.families import blocks
from harness.families.batches import Batch
from harness.families.hops.trial import run
from harness.families.layout import hooked
from harness.members import gram
from harness.members.statistics import LazyStatistics
from harness.spread.seats import Seats, seated, turn_of
from methods import MergeboardError, NotApplicable, Weights
from methods.refereeing.surroundings import others_at_work


class Layered:
    """The rows that Gram matrices are made of, of every member of one population."""

    def __init__(self, on: Ground, key: PopulationKey, statistics: LazyStatistics, device: str) -> None:
        """`device`: where the weights are that rows are led through; a spread model takes them from main memory."""
        self._key, self._statistics = key, statistics
        self._device = devices.SPREAD if devices.current() == devices.SPREAD else device
        self._subject, self._rows, self._identity, self._judges = on.subject, on.rows, on.identity, on.judges
        self._settings, self._say = on.told.gram, on.say
        self._turn, self._led = Lock(), set[int]()
        self._seats = Seats(device, {})  # of the module, once there is one

    @cached_property
    def _model(self) -> nn.Module:
        """Its head is that of the first member's task; it comes after all blocks, so its answers are nobody's."""
        with others_at_work():  # a head is drawn
            model = self._subject.fresh(self._rows.task(self._key.members[0]), self._key.seed).model
            self._seats = seated(model, self._device)
            return model

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The model's own, an encoder's before its decoder's, each once on the way of a row."""
        try:
            found = tuple(blocks.blocks(self._model))
        except MergeboardError:
            raise NotApplicable(
                "this model has no tensors named after its blocks, so nothing is led through them one by one"
            ) from None
        self._require_once(found)
        return found

    def __call__(self, i: int, block: str, weights: Weights) -> Mapping[str, Tensor]:
        """The block's Gram matrices; its seconds are those of statistics."""
        source = self._key.sources[i]
        split = self._identity.statistics_rows("gram", source)
        if not len(split):
            raise NotApplicable(f"rows that are led through layers are train rows, and {self._key.members[i]} has none")
        if i not in self._led:
            self._led.add(i)
            self._say(
                f"leading rows of {source.members[0]} through merged layers of {self._subject}, seed {source.seed}"
            )
        return self._statistics.beside("gram", partial(self._made, i, block, weights))

    def _made(self, i: int, block: str, weights: Weights) -> dict[str, Tensor]:
        source = self._key.sources[i]
        task = self._rows.task(source.members[0])
        batches = self._judges.prepared(task, self._identity.statistics_rows("gram", source))

        def logits(model: nn.Module, batch: Batch) -> Tensor:
            return self._subject.family.logits(model, task, batch.inputs)

        with self._turn, turn_of(self._device):
            model = self._model
            if self._device == devices.SPREAD:
                self._seats = seated(model, self._device)  # another may have been spread meanwhile
            for name, parameter in model.named_parameters():
                if name in weights:
                    parameter.data = weights[name].detach().to(self._seats.of[name])
            home = devices.CPU if self._device == devices.SPREAD else None
            rows = batches.to(self._seats.main)
            return gram.matrices(model, logits, rows, self._settings.gram_padding, block, home)

    def _require_once(self, names: tuple[str, ...]) -> None:
        """Refuse a model that does not go through these blocks in this order, each once."""
        called: list[str] = []
        hooks = [
            self._model.get_submodule(name).register_forward_pre_hook(lambda *_, name=name: called.append(name))
            for name in names
        ]
        with hooked(hooks):
            run(self._model)
        if called != list(names):
            raise NotApplicable("this model does not go through its blocks one after the other, so nothing is led so")
