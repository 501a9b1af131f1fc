"""The referee of one merge: what a method is given stays as it was, and what it gives back is a merge of it.

Before and after, every tensor of members, ancestor, annotations and the statistics that were read is looked at: its
version, which torch raises with every change in place, and, where a digest is given, its content, which also tells of
changes through numpy and `.data`. What is returned, and every candidate that is scored, must be laid out as the members
are. The first breach ends the merge, also if the method caught it.

A candidate that is not finite scores minus infinity: half-precision children of a search may overflow, and such a child
loses without being asked a row. A *result* that is not finite is a breach.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from methods.base import (
    DevScore,
    Merged,
    MergeMethod,
    Population,
    Replayable,
    Statistics,
    Weights,
    is_finite,
    tensor_is_finite,
)
from methods.errors import Breach, MergeboardError, MethodFailed
from methods.merged import models_of, numbers_of
from methods.refereeing.refereed import DRAWS, Refereed
from methods.refereeing.sound import sound
from methods.refereeing.surroundings import generators, others_at_work, settings_kept

Digest = Callable[[Tensor], Any]


class Referee:
    """Calls a method and holds it to its contract.

    Args:
        name: what the method is called in errors.
        digest: the content of a tensor as something to compare; None where versions are enough.
    """

    def __init__(
        self, name: str, method: MergeMethod, population: Population, score: DevScore, digest: Digest | None = None
    ) -> None:
        self._name, self._method, self._member = name, method, population.members[0]
        self._seen = _Seen(digest)
        for who, weights in zip(population.names, population.members, strict=True):
            self._seen.note(f"the member {who}", weights)
        self._seen.note("the ancestor", population.ancestor)
        if population.annotated is not None:
            self._seen.note("the members", {"annotated": population.annotated})
        self._population = replace(population, statistics=_Watched(population.statistics, self._seen))
        self.score = Refereed(name, score, self.candidate)

    def merge(self, rng: torch.Generator) -> Any:
        """What the method makes of the population, to be given to `settle`."""
        return self._call(partial(self._method.merge, self._population, self.score, rng))

    def replay(self, trace: Mapping[str, Any], rng: torch.Generator) -> Any:
        """What the method makes of a trace, to be given to `settle`."""
        assert isinstance(self._method, Replayable)
        return self._call(partial(self._method.replay, self._population, trace, self.score, rng))

    def settle(self, merged: Any) -> Merged:
        """The merge, if the contract was kept. Errors: `Breach`."""
        who = f"the merge by {self._name}"
        found = sound(who, self._member, merged)
        for what, number in numbers_of(found).items():
            if not math.isfinite(number):
                raise Breach(f"{who}: {what} is {number}, so it is not finite and no model")
        for weights in models_of(found):
            for name, tensor in weights.items():
                if not tensor_is_finite(tensor):
                    kind = "NaN" if bool(tensor.isnan().any()) else "an infinite value"
                    raise Breach(f"{who}: {name} holds {kind}, so it is not finite and no model")
        self.require_untouched()
        return found

    def candidate(self, merged: Any) -> Merged | None:
        """What a method asks a score for, if it is finite. Errors: `Breach` if it is not laid out as a member."""
        found = sound(f"a candidate of {self._name}", self._member, merged)
        return found if is_finite(found) else None

    def require_untouched(self) -> None:
        """Raise `Breach` naming the first tensor that is not what it was."""
        changed = self._seen.changed()
        if changed:
            raise Breach(
                f"{self._name} writes into the members: {changed}; "
                "a method must make new tensors, for instance with clone()"
            )

    def _call(self, work: Callable[[], Any]) -> Any:
        drawn = generators()
        with settings_kept():
            try:
                merged = work()
            except (Exception, SystemExit) as error:
                self.require_untouched()
                if self.score.failed is None and not isinstance(error, MergeboardError | OSError):
                    raise MethodFailed(f"{self._name} raised {_in_words(error)}") from error
                raise
        if self.score.failed is not None:
            raise self.score.failed  # which the method caught
        if drawn != generators():
            raise Breach(f"{self._name} {DRAWS}")
        return merged


class _Seen:
    """Tensors as they were when a method got them."""

    def __init__(self, digest: Digest | None) -> None:
        self._digest = digest
        self._noted: list[tuple[str, Weights, dict[str, tuple[Tensor, tuple[Any, ...]]]]] = []

    def note(self, who: str, weights: Weights) -> None:
        """Remember these."""
        self._noted.append((who, weights, {name: (tensor, self._facts(tensor)) for name, tensor in weights.items()}))

    def changed(self) -> str | None:
        """The first tensor that is not what it was, in words."""
        for who, weights, before in self._noted:
            for name in before.keys() | weights.keys():
                if name not in weights or name not in before or weights[name] is not before[name][0]:
                    return f"{who}, whose {name} was exchanged"
            for name, (tensor, facts) in before.items():
                if self._facts(tensor) != facts:
                    return f"{name} of {who}"
        return None

    def _facts(self, tensor: Tensor) -> tuple[Any, ...]:
        version = 0 if tensor.is_inference() else tensor._version
        place = (tensor.shape, tensor.stride(), tensor.dtype, tensor.data_ptr(), tensor.requires_grad)
        return (version, place, None if self._digest is None else self._digest(tensor))


class _Watched(Mapping[str, tuple[Weights, ...]]):
    """Statistics that are noted when they are read, and not computed before."""

    def __init__(self, statistics: Statistics, seen: _Seen) -> None:
        self._statistics, self._seen = statistics, seen
        self._read: dict[str, tuple[Weights, ...]] = {}

    def __getitem__(self, kind: str) -> tuple[Weights, ...]:
        if kind not in self._read:
            with others_at_work():
                found = self._statistics[kind]
            for i, own in enumerate(found):
                self._seen.note(f"the {kind} statistics of member {i}", own)
            self._read[kind] = found
        return self._read[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statistics)

    def __len__(self) -> int:
        return len(self._statistics)


def _in_words(error: BaseException) -> str:
    """The error in one line, with the last place outside torch that it came through."""
    library = Path(torch.__file__).parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if library not in Path(f.filename).parents]
    said = " ".join(str(error).split())
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}{f': {said}' if said else ''}"
