"""Models brought to a device tensor by tensor: what shares its numbers there shares them here."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from torch import Tensor

from methods.base import Weights


class Place:
    """Brings models to one device; a tensor that several of them share is brought once."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._brought: dict[Hashable, tuple[Tensor, Tensor]] = {}

    def bring(self, weights: Weights) -> dict[str, Tensor]:
        """The same model there; what is there already stays itself."""
        return {name: self._bring(tensor) for name, tensor in weights.items()}

    def _bring(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == self.device:
            return tensor
        key = tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
        if key not in self._brought:
            self._brought[key] = tensor, tensor.to(self.device)  # both, or another tensor could come to lie there
        return self._brought[key][1]


class Brought(Mapping[str, tuple[Mapping[str, Tensor], ...]]):
    """Statistics that are brought to a device when they are read."""

    def __init__(self, statistics: Mapping[str, Sequence[Weights]], device: str) -> None:
        self.origin, self._device = statistics, device
        self._read: dict[str, tuple[Mapping[str, Tensor], ...]] = {}

    def __getitem__(self, kind: str) -> tuple[Mapping[str, Tensor], ...]:
        if kind not in self._read:
            self._read[kind] = tuple(map(Place(self._device).bring, self.origin[kind]))
        return self._read[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self.origin)

    def __len__(self) -> int:
        return len(self.origin)
