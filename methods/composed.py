"""Merges that are not one set of weights: models side by side, a route through several, one made for each task, and any
of these with numbers that are added to what it answers.

Each can be asked the same, through the functions of methods/merged.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from methods.searching.layers import blocks_of

Weights = Mapping[str, Tensor]
"""Parameter name -> tensor. A tied tensor appears once; buffers do not appear."""


class Composed(ABC):
    """What is not one set of weights. The functions of methods/merged.py say what these mean."""

    trace: Mapping[str, Any] | None

    @property
    @abstractmethod
    def models(self) -> tuple[Weights, ...]: ...
    @property
    def tasks(self) -> tuple[str, ...]:
        return ()

    @abstractmethod
    def said(self) -> Mapping[str, Any]: ...
    def numbers(self) -> Mapping[str, float]:
        return {}

    @abstractmethod
    def passes(self) -> float: ...
    @abstractmethod
    def stored(self) -> int: ...
    @abstractmethod
    def stand_in(self) -> Weights: ...


@dataclass(frozen=True, eq=False)
class Ensemble(Composed):
    """Several models whose raw outputs are averaged at inference; it costs N forward passes."""

    members: tuple[Weights, ...]
    annotated: Tensor | None = None  # (N, outputs) bool: a member votes only on outputs that it was trained on
    trace: Mapping[str, Any] | None = None

    @property
    def models(self) -> tuple[Weights, ...]:
        return self.members

    def said(self) -> Mapping[str, Any]:
        return {}

    def passes(self) -> float:
        return len(self.members)

    def stored(self) -> int:
        return scalars(tensor for member in self.members for tensor in member.values())

    def stand_in(self) -> Weights:
        return _mean(self.members)


@dataclass(frozen=True)
class Hop:
    """One block on the way of a token."""

    source: int  # which of the route's members it is of
    block: str  # what its tensors' names begin with: "model.layers.3"
    scale: float = 1.0  # of what comes in, see `Route.scale`


@dataclass(frozen=True, eq=False)
class Route(Composed):
    """A way through the blocks of several models, each as often as it likes; nothing is copied.

    What is no block (embeddings, final norm, head) is the first member's. A model of several stacks, as an
    encoder-decoder, goes through each stack's hops in their order; a stack without any keeps the first member's blocks.
    """

    members: tuple[Weights, ...]
    hops: tuple[Hop, ...]
    scale: Literal["update", "stream"] = "update"
    """What a hop's scale multiplies. update: what the block before it added last, its MLP's output (as the second
    paper's code does). stream: all that comes in (as it is usually told)."""
    trace: Mapping[str, Any] | None = None

    @property
    def models(self) -> tuple[Weights, ...]:
        return self.members

    @property
    def whole(self) -> tuple[Hop, ...]:
        """Its hops and the blocks of stacks that have none."""
        passed = {hop.block.rpartition(".")[0] for hop in self.hops}
        kept = (block for block in blocks_of(self.members[0]) if block.rpartition(".")[0] not in passed)
        return (*self.hops, *(Hop(0, block) for block in kept))

    def said(self) -> Mapping[str, Any]:
        return {"hops": [[hop.source, hop.block, hop.scale] for hop in self.hops], "scale": self.scale}

    def numbers(self) -> Mapping[str, float]:
        return {f"the scale of hop {i}": hop.scale for i, hop in enumerate(self.hops)}

    def passes(self) -> float:
        return len(self.whole) / len(blocks_of(self.members[0]))

    def stored(self) -> int:
        blocks = [tensor for hop in self.whole for tensor in self._of(hop).values()]
        return scalars([*self._beside().values(), *blocks])

    def stand_in(self) -> Weights:
        whole = {name: tensor.double() for name, tensor in self._beside().items()}
        for hop in self.whole:
            for name, tensor in self._of(hop).items():
                whole[name] = whole.get(name, 0) + hop.scale * tensor.double()
        return {name: whole[name] if name in whole else x.double() * 0 for name, x in self.members[0].items()}

    def _of(self, hop: Hop) -> Weights:
        return {n: x for n, x in self.members[hop.source].items() if n.startswith(f"{hop.block}.")}

    def _beside(self) -> Weights:
        """What is no block."""
        blocks = tuple(f"{block}." for block in blocks_of(self.members[0]))
        return {name: tensor for name, tensor in self.members[0].items() if not name.startswith(blocks)}


@dataclass(frozen=True, eq=False)
class PerTask(Composed):
    """One set of weights and what turns it into each task's own: ancestor + scale * mask * (unified - ancestor).

    A parameter without a mask is the unified one for every task.
    """

    unified: Weights
    ancestor: Weights
    masks: Mapping[str, Weights]  # task's corpus -> a bool tensor for each parameter that is masked
    scales: Mapping[str, float]
    trace: Mapping[str, Any] | None = None

    @property
    def models(self) -> tuple[Weights, ...]:
        return tuple(_OfTask(self, task) for task in self.tasks)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.masks)

    def said(self) -> Mapping[str, Any]:
        return {"tasks": [[task, self.scales[task]] for task in self.tasks]}

    def numbers(self) -> Mapping[str, float]:
        return {f"the scale of {task}": self.scales[task] for task in self.tasks}

    def passes(self) -> float:
        return 1

    def stored(self) -> int:
        bits = {n: sum(n in masks for masks in self.masks.values()) for n in self.unified}
        origin = (self.ancestor[name] for name, count in bits.items() if count)
        masks = sum(-(-count * self.unified[n].numel() // (8 * self.unified[n].itemsize)) for n, count in bits.items())
        return scalars([*self.unified.values(), *origin]) + masks

    def stand_in(self) -> Weights:
        return _mean(self.models)


@dataclass(frozen=True, eq=False)
class Offset(Composed):
    """What answers as another merge does, with a number added to each of its logits."""

    inner: Weights | Composed
    offsets: Mapping[str, tuple[float, ...]]  # a corpus, or a task that several ask -> one number for each output
    trace: Mapping[str, Any] | None = None

    @property
    def models(self) -> tuple[Weights, ...]:
        return self.inner.models if isinstance(self.inner, Composed) else (self.inner,)

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.inner.tasks if isinstance(self.inner, Composed) else ()

    def said(self) -> Mapping[str, Any]:
        within = self.inner.said() if isinstance(self.inner, Composed) else {}
        return {"offsets": {name: list(own) for name, own in self.offsets.items()}, "inner": within}

    def numbers(self) -> Mapping[str, float]:
        within = self.inner.numbers() if isinstance(self.inner, Composed) else {}
        own = {f"offset {i} of {name}": x for name, some in self.offsets.items() for i, x in enumerate(some)}
        return {**within, **own}

    def passes(self) -> float:
        return self.inner.passes() if isinstance(self.inner, Composed) else 1

    def stored(self) -> int:
        within = self.inner.stored() if isinstance(self.inner, Composed) else scalars(self.inner.values())
        return within + sum(map(len, self.offsets.values()))

    def stand_in(self) -> Weights:
        return self.inner.stand_in() if isinstance(self.inner, Composed) else self.inner


@dataclass(frozen=True, eq=False)
class _OfTask(Mapping[str, Tensor]):
    """The weights of one task, each made when it is read and not kept."""

    whole: PerTask
    task: str

    def __getitem__(self, name: str) -> Tensor:
        unified, mask = self.whole.unified[name], self.whole.masks[self.task].get(name)
        if mask is None:
            return unified
        work = torch.promote_types(unified.dtype, torch.float32)  # half precision is worked on in single
        origin, own = self.whole.ancestor[name].to(work), unified.to(work)
        moved = torch.lerp(origin, own, float(self.whole.scales[self.task]))  # at scale 1 the very numbers of `own`
        return torch.where(mask, moved, origin).to(unified.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole.unified)

    def __len__(self) -> int:
        return len(self.whole.unified)


def scalars(tensors: Iterable[Tensor]) -> int:
    """How many there are in these tensors, each counted once."""
    return sum({(x.data_ptr(), x.shape, x.stride(), x.dtype): x.numel() for x in tensors}.values())


def _mean(models: Sequence[Weights]) -> Weights:
    if len(models) == 1:
        return models[0]
    return {name: torch.stack([model[name].double() for model in models]).mean(0) for name in models[0]}
