"""Merges in which a scalar is made of what the members changed of it: they vote, scalar by scalar.

    merged = x_0 + formula(t_1, ..., t_N),    t_i = x_i - x_0

Half precision is raised to float32 and rounded once. Long tensors are worked on in pieces, so that a merge needs no
more memory than its result. Members are taken in the order of their names: a sum that nearly cancels may not have
another sign when they come in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from methods.base import Population, Weights, working_dtype
from methods.heads import label_aware
from methods.simple import average_all
from methods.tensors.pieces import CHUNK, Buffers, blank_like, pieces
from methods.tensors.task_vector import tensors_in_common

Vote = Callable[[int, Sequence[Tensor]], Tensor]
"""What is added to the ancestor: of the index of the first scalar, and every member's changes from there on. The
changes may be written to."""

Write = Callable[[dict[str, Tensor], Sequence[Weights]], None]
"""Writes a merge to the tensors that have a task vector, of members in the order of their names."""


def by_name(population: Population) -> Population:
    """The population in the order of its members' names."""
    return population.subset(tuple(sorted(range(len(population)), key=population.names.__getitem__)))


def around_ancestor(called: str, population: Population, write: Write, out: dict[str, Tensor] | None = None) -> Weights:
    """A merge: `write` makes the tensors that the ancestor has, others are averaged, heads are merged by annotation.

    `out`: contiguous tensors to write into, if there are some.
    """
    out = blank_like(population.members[0]) if out is None else out
    return label_aware(population, written(called, out, population, write))


def written(called: str, out: dict[str, Tensor], population: Population, write: Write) -> dict[str, Tensor]:
    """The same without heads of their own, in the contiguous tensors of `out`.

    Errors: `NotApplicable` without an ancestor.
    """
    shared, members = tensors_in_common(called, population), by_name(population).members
    average_all({key: out[key] for key in out.keys() - set(shared)}, members)
    write({key: out[key] for key in shared}, members)
    return out


def cast_votes(out: Tensor, tensors: Sequence[Tensor], origin: Tensor, vote: Vote, alone: bool = False) -> None:
    """Write the merge of one tensor to the contiguous `out`; without the ancestor, if `alone`."""
    target = out.view(-1)
    for start, base, changes in changes_of(tensors, origin):
        voted = vote(start, changes)
        target[start : start + len(base)] = voted if alone else voted.add_(base)


def changes_of(
    tensors: Sequence[Tensor], origin: Tensor, steady: bool = False
) -> Iterator[tuple[int, Tensor, list[Tensor]]]:
    """One tensor's pieces: the index of the first scalar, the ancestor's, every member's changes.

    `steady` cuts are the same whatever else the machine does: sums over a piece depend on where it ends.
    """
    flat, base, room = [x.detach().reshape(-1) for x in tensors], origin.detach().reshape(-1), Buffers(len(tensors))
    starts = range(0, len(flat[0]), CHUNK)
    for piece in (slice(at, min(at + CHUNK, len(flat[0]))) for at in starts) if steady else pieces(flat[0]):
        work = working_dtype(flat[0])
        here = base[piece].to(flat[0].device, work)
        buffers = room.like(flat[0][piece])
        yield piece.start, here, [torch.sub(x[piece].to(work), here, out=b) for x, b in zip(flat, buffers, strict=True)]
