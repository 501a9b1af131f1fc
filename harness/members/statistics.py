"""A population's Fisher diagonals and Gram matrices: computed when first touched, kept in the zoo, timed apart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.errors import BadWeights
from harness.storage.zoo import Zoo, load_weights, read_text, save_weights
from methods import Weights
from methods.refereeing.surroundings import others_at_work

KINDS = ("fisher", "gram")
Compute = Callable[[str, int], dict[str, Tensor]]  # (kind, member) -> tensors by parameter name


class LazyStatistics(Mapping[str, tuple[Mapping[str, Tensor], ...]]):
    """`statistics["fisher"]` is one mapping per member; nothing is computed before it is read.

    `seconds` is what the statistics read so far took to compute, also when the zoo already had them.
    """

    def __init__(
        self,
        zoo: Zoo,
        recipes: Callable[[str, int], dict[str, Any]],
        count: int,
        compute: Compute,
        work: Callable[[str, int], str] = "making {} statistics of member {}".format,
        renew: Callable[[str, int, Weights], dict[str, Tensor]] | None = None,
    ) -> None:
        """`renew`: computes those that a member would have with other weights."""
        self._renew = renew
        self._zoo, self._recipes, self._count, self._compute, self._work = zoo, recipes, count, compute, work
        self._found: dict[str, tuple[Mapping[str, Tensor], ...]] = {}
        self._seconds: dict[str, float] = {}
        self._overhead = 0.0
        self._beside: set[str] = set()

    @property
    def read(self) -> tuple[str, ...]:
        """The kinds that were read."""
        return tuple(kind for kind in KINDS if kind in self._found or kind in self._beside)

    @property
    def seconds(self) -> float:
        """Seconds of computing everything that was read."""
        return sum(self._seconds.values())

    @property
    def waited(self) -> float:
        """Seconds that reading took in this process: to be taken off the time of whoever read first."""
        return self._overhead

    def __getitem__(self, kind: str) -> tuple[Mapping[str, Tensor], ...]:
        if kind not in KINDS:
            raise KeyError(f"no statistics named {kind!r}; there are {', '.join(KINDS)}")
        if kind not in self._found:
            start = time.perf_counter()
            self._found[kind] = tuple(self._member(kind, i) for i in range(self._count))
            self._overhead += time.perf_counter() - start
        return self._found[kind]

    def of_other(self, i: int, weights: Weights) -> Mapping[str, Mapping[str, Tensor]]:
        """Kind -> what member i would have with these weights; computed when read and once, timed, and not kept."""
        assert self._renew is not None
        return _OfOther(partial(self._made_of, i, weights))

    def _made_of(self, i: int, weights: Weights, kind: str) -> Mapping[str, Tensor]:
        assert self._renew is not None
        return self._timed(kind, partial(self._renew, kind, i, weights))

    def beside(self, kind: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What else is made of the rows of this kind, as it is: the kind counts as read, and the time as its own."""
        self._beside.add(kind)
        return self._timed(kind, make)

    def _timed(self, kind: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        start = time.perf_counter()
        with others_at_work():
            found = make()
        seconds = time.perf_counter() - start
        self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds
        self._overhead += seconds
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)

    def _member(self, kind: str, i: int) -> Mapping[str, Tensor]:
        def make(folder: Path) -> None:
            start = time.perf_counter()
            tensors = self._compute(kind, i)
            save_weights(tensors, folder / "tensors.safetensors")
            seconds = {"seconds": time.perf_counter() - start}
            (folder / "cost.json").write_text(json.dumps(seconds) + "\n", encoding="utf-8")

        folder = self._zoo.get(kind, self._recipes(kind, i), make, self._work(kind, i))
        try:
            cost = json.loads(read_text(folder / "cost.json"))
            self._seconds[kind] = self._seconds.get(kind, 0.0) + float(cost["seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = f"{folder / 'cost.json'} cannot be read ({error}); delete {folder} and it will be made again"
            raise BadWeights(said) from None
        return load_weights(folder / "tensors.safetensors")


class _OfOther(Mapping[str, Mapping[str, Tensor]]):
    """One member's statistics by kind."""

    def __init__(self, make: Callable[[str], Mapping[str, Tensor]]) -> None:
        self._make, self._found = make, dict[str, Mapping[str, Tensor]]()

    def __getitem__(self, kind: str) -> Mapping[str, Tensor]:
        if kind not in self._found:
            self._found[kind] = self._make(kind)
        return self._found[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)
