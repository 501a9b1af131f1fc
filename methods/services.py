"""What a harness does for a method that tensors alone cannot tell: statistics of members' rows, made when asked for.

A service is a field of `Population`, None where nobody can do it. A view of some members has the same services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
