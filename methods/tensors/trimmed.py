"""TIES of a model of which a few tensors are there at a time (methods/ties.py).

First, where a trim is of the whole model, it is found: a sample and, almost always, one look at everything. Then all
tensors vote and are merged in one pass, for the sign that is expected where votes cancel. What the majority's sign is,
only the end of that pass tells; where it is the other one and votes did cancel, the pass is made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from methods.base import Population, Weights
from methods.heads import label_aware
from methods.loops.sweep import part_of, shared_out
from methods.tensors.election import Votes
from methods.tensors.gathered import Beyond, Gathered
from methods.tensors.pieces import blank_like
from methods.tensors.task_vector import TaskVector
from methods.tensors.tensorwise import Pass
from methods.tensors.trim import EVERYWHERE, Cut, Cuts, Ends, Find, magnitude_of, shares


class Trimming(Protocol):
    """What TIES knows how to do."""

    @property
    def scope(self) -> str: ...
    def shared(self, population: Population) -> list[str]: ...
    def cuts(self, member: Weights, ancestor: Weights, shared: Sequence[str]) -> Cuts: ...
    def cut_from(self, size: int, find: Find, ends: Ends) -> Cut: ...
    def sign(self, balance: int) -> float: ...
    def voted(
        self,
        out: dict[str, Tensor],
        population: Population,
        shared: Sequence[str],
        cuts: Sequence[Cuts],
        whole: int | None = None,
    ) -> Votes: ...


class TrimmedInPasses:
    """The merge of a model whose tensors with a number of scalars each are `sizes`."""

    def __init__(self, method: Trimming, sizes: Mapping[str, int]) -> None:
        self._method, self._whole = method, sum(sizes.values())
        self._gathered: list[Gathered] = []
        self._cuts: dict[int, Cut] = {}  # of the whole model, by the member's place
        self._split: dict[tuple[int, str], int] = {}  # how many of the cut's own magnitude this tensor keeps, the first
        self._balance, self._cancelled, self._expected = 0, False, method.sign(0)

    def __iter__(self) -> Iterator[Pass]:
        if self._method.scope == "global":
            yield "sample"
            while not self._found():
                yield "see"
        yield "merge"
        if (sign := self._method.sign(self._balance)) != self._expected and self._cancelled:
            self._expected = sign
            yield "merge"

    def see(self, some: Population) -> None:
        """Sample these tensors; look at all of them, once there are bounds."""
        shared, ancestor = self._method.shared(some), some.ancestor
        self._gathered = self._gathered or [Gathered(self._whole) for _ in some.members]

        def look(job: tuple[int, str]) -> None:
            i, name = job
            self._gathered[i].see(name, some.members[i], ancestor)

        if self._gathered[0].bounded:
            jobs = [(i, name) for i in range(len(some)) if i not in self._cuts for name in shared]
            shared_out(look, jobs)
            return
        for gathered, member in zip(self._gathered, some.members, strict=True):
            for name in shared:
                gathered.sample(name, member[name], ancestor[name])

    def merge(self, some: Population) -> Weights:
        """The merge of some tensors."""
        shared = self._method.shared(some)
        out = blank_like(some.members[0])
        with part_of(self._whole):
            cuts = [self._cuts_of(i, member, some.ancestor, shared) for i, member in enumerate(some.members)]
            votes = self._method.voted(out, some, shared, cuts, self._whole)
        votes.settle(out, self._expected)
        self._balance += votes.balance
        self._cancelled |= bool(votes.undecided)
        return label_aware(some, out)

    def _found(self) -> bool:
        """Find the trims that lie between the bounds; whether all are found."""
        for i, gathered in enumerate(self._gathered):
            if i in self._cuts:
                continue

            def ends(bits: int, wanted: int, i: int = i, gathered: Gathered = gathered) -> dict[str, int]:
                left = shares(gathered.count(bits), wanted)
                self._split |= {(i, name): n for name, n in left.items() if n}
                return {name: EVERYWHERE if n is None else 0 for name, n in left.items()}

            try:
                self._cuts[i] = self._method.cut_from(gathered.size, gathered.kth_largest, ends)
                gathered.forget()
            except Beyond:
                continue
        return len(self._cuts) == len(self._gathered)

    def _cuts_of(self, i: int, member: Weights, ancestor: Weights, shared: Sequence[str]) -> Cuts:
        """The trims of these tensors of one member."""
        if self._method.scope != "global":
            return self._method.cuts(member, ancestor, shared)
        cut = self._cuts[i]
        found = dict.fromkeys(shared, cut)
        for name in shared:
            if (n := self._split.get((i, name))) is not None:
                task = TaskVector(member, ancestor, [name], self._whole)
                end = task.nth(name, magnitude_of(cut.bits), n) + 1
                found[name] = Cut(cut.bits, {name: end})
        return found
