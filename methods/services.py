"""What a harness does for a method that tensors alone cannot tell: statistics of members' rows, made when asked for.

A service is a field of `Population`, None where nobody can do it. A view of some members has the same services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from methods.merged import Weights

Statistics = Mapping[str, tuple[Mapping[str, Tensor], ...]]
"""Kind ("fisher", "gram") -> one mapping per member, keyed by parameter name; computed on first touch."""


Renew = Callable[[int, Weights], Mapping[str, Mapping[str, Tensor]]]
"""What the statistics of a member would be with these weights, by kind: computed when a kind is read, and once."""


class StatisticsOfSome(Mapping[str, tuple[Mapping[str, Tensor], ...]]):
    """A view of some members' statistics that stays lazy: nothing is computed before it is read."""

    def __init__(self, whole: Statistics, indices: tuple[int, ...]) -> None:
        self._whole, self._indices = whole, indices

    def __getitem__(self, kind: str) -> tuple[Mapping[str, Tensor], ...]:
        every = self._whole[kind]
        return tuple(every[i] for i in self._indices)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True)
class RenewOfSome:
    """The same of some members."""

    whole: Renew
    indices: tuple[int, ...]

    def __call__(self, i: int, weights: Weights) -> Mapping[str, Mapping[str, Tensor]]:
        return self.whole(self.indices[i], weights)


class Layers(Protocol):
    """Leads the rows that a member's statistics are made of through models that are put together block by block."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """What the names of each block's tensors begin with, in the order in which a row goes through the blocks.

        Errors: `NotApplicable` where a model's tensors are not named after blocks.
        """
        ...

    def __call__(self, i: int, block: str, weights: Weights) -> Mapping[str, Tensor]:
        """Gram matrices (in, in) of the linear layers of this block, by the names of their weights.

        Args:
            i: the member whose rows are led.
            weights: a whole model; of blocks after this one nothing is asked.

        Errors: `NotApplicable` where the member has no such rows.
        """
        ...


@dataclass(frozen=True)
class LayersOfSome:
    """The same of some members."""

    whole: Layers
    indices: tuple[int, ...]

    @property
    def blocks(self) -> tuple[str, ...]:
        """As of all."""
        return self.whole.blocks

    def __call__(self, i: int, block: str, weights: Weights) -> Mapping[str, Tensor]:
        """As of all."""
        return self.whole(self.indices[i], block, weights)


class RenewedStatistics(Mapping[str, tuple[Mapping[str, Tensor], ...]]):
    """Statistics of which some members' are other ones; those that were replaced before are let go."""

    _renewed: dict[int, Mapping[str, Mapping[str, Tensor]]]

    def __init__(self, whole: Statistics, renewed: Mapping[int, Mapping[str, Mapping[str, Tensor]]]) -> None:
        before = whole if isinstance(whole, RenewedStatistics) else None
        self._whole: Statistics = whole if before is None else before._whole
        self._renewed = {**({} if before is None else before._renewed), **renewed}

    def __getitem__(self, kind: str) -> tuple[Mapping[str, Tensor], ...]:
        every = enumerate(self._whole[kind])
        return tuple(self._renewed[i][kind] if i in self._renewed else own for i, own in every)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True)
class Draw:
    """Which development rows are read, without their labels, in one step of a method that learns."""

    seed: int  # of the order in which rows are drawn, one for a merge
    step: int = 0
    steps: int = 1  # in all, for whoever watches
    rows: int = 16  # of a batch
    batches: int = 2  # of each corpus
    members: tuple[int, ...] | None = None  # whose corpora are read; None: all


class Entropy(Protocol):
    """How unsure weights are of development rows, whose labels nobody looks at."""

    def __call__(self, weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
        """The entropy in nats, summed over corpora and batches, of each the mean over its rows; and its gradient.

        The same draw reads the same rows. Weights are read and not kept.

        Returns:
            The entropy, and its gradient by parameter name, in float32 or better, laid out as the parameters; a
            parameter that it does not depend on may be absent.

        Errors: `NotApplicable` where some answers have no entropy, as scores and written texts, or a corpus no rows.
        """
        ...


@dataclass(frozen=True)
class EntropyOfSome:
    """The same of some members' corpora."""

    whole: Entropy
    indices: tuple[int, ...]

    def __call__(self, weights: Weights, draw: Draw) -> tuple[float, Mapping[str, Tensor]]:
        """As of all."""
        asked = range(len(self.indices)) if draw.members is None else draw.members
        return self.whole(weights, replace(draw, members=tuple(self.indices[i] for i in asked)))
