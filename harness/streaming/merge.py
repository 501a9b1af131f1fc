"""Merges models that lie in files, a few tensors at a time, by the method's own formula.

    made = merge(method, agreed(members, base), folder)

A group of tensors of every model is mapped, merged, hashed, looked through and written; nothing is held but the group,
its merge and the formula's buffers. Methods that have to know of all tensors first get passes before; each pass goes
back where the last one came from, so that it begins with what the page cache still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch

from harness.errors import BadWeights
from harness.streaming.agreed import Agreed
from harness.streaming.groups import Group, groups_of, in_turn, loose, order_of
from harness.streaming.writer import SHARD, Writer
from methods import Population, Weights
from methods.base import MergeMethod, PerMember, Statistics, tensor_is_finite
from methods.catalogue import name_of
from methods.errors import NotApplicable
from methods.loops.sweep import shared_out
from methods.tensors.tensorwise import Pass, Passes, Tensorwise

GROUP = 1 << 26  # bytes of a group's result, unless a single tensor is larger
WORDS: Mapping[Pass, str] = {"sample": "looking here and there", "see": "looking at everything", "merge": "merging"}


@dataclass(frozen=True, eq=False)
class Beside:
    """What a method may need beside weights."""

    statistics: Statistics = field(default_factory=lambda: MappingProxyType({}))
    transposed: frozenset[str] = frozenset()  # weights stored (in, out)
    seed: int = 1


@dataclass(frozen=True)
class Made:
    """What was written."""

    hashes: Mapping[str, str]  # file -> sha256
    passes: tuple[Pass, ...]


def merge(
    method: MergeMethod,
    models: Agreed,
    folder: Path,
    beside: Beside | None = None,
    say: Callable[[str], None] = lambda line: None,
    group: int = GROUP,
    shard: int = SHARD,
) -> Made:
    """Write the merge into this folder: safetensors and, of several, their index.

    Args:
        group, shard: bytes of what is merged at a time, and of a file.

    Errors: `NotApplicable` for a method that needs the whole model, or more than models; `BadWeights` for a model that
    is not finite or changes meanwhile, and for a merge that is not finite; `OSError` where the disk is full.
    """
    stream = _Stream(method, models, beside or Beside(), groups_of(models, group))
    passes, hashes = list[Pass](), dict[str, str]()
    for kind in stream.passes:
        say(f"pass {len(passes) + 1}: {WORDS[kind]}")
        backward = len(passes) % 2 == 1
        if kind == "merge":
            hashes = stream.write(folder, shard, backward)
        else:
            stream.see(kind, backward)
        passes.append(kind)
    models.require_unchanged()
    return Made(hashes, tuple(passes))


def passes_of(method: MergeMethod, sizes: Mapping[str, int], draws: Callable[[], torch.Generator]) -> Passes:
    """How this method merges tensor by tensor. Errors: `NotApplicable` where it cannot."""
    if not isinstance(method, Tensorwise):
        raise NotApplicable(
            f"{name_of(method)} does not merge tensor by tensor: its tensors hang together, or it asks for scores or "
            "rows; take another method, or a session, pytest suites/, where the models fit into memory"
        )
    return method.passes(sizes, draws)


class _Stream:
    """Passes over the groups of some models."""

    def __init__(self, method: MergeMethod, models: Agreed, beside: Beside, groups: list[Group]) -> None:
        if isinstance(method, PerMember):
            method.require_fits(len(models.members))
        self._models, self._beside, self._groups = models, beside, groups
        self._sound = False  # whether all members were looked through
        adapted = any(member.wide for member in models.members)
        self._of_base = adapted or "ancestor" in getattr(method, "needs", ())  # whether all of the base is read
        sizes = {name: models.forms[name].size for group in groups for name in group}
        self.passes = passes_of(method, sizes, lambda: torch.Generator().manual_seed(beside.seed))

    def see(self, kind: Pass, backward: bool) -> None:
        """Show everything; nothing is written."""
        for some in self._populations(backward, whole=kind == "see"):
            if some.ancestor:
                self.passes.see(some)

    def write(self, folder: Path, shard: int, backward: bool) -> dict[str, str]:
        """Write the merge; file -> sha256."""
        models = self._models
        forms = {name: models.forms[name] for name in order_of(models.forms, backward)}
        with Writer(folder, forms, shard) as writer:
            for name in loose(forms):
                writer.write(name, models.members[0][name].to(forms[name].dtype))
            for some in self._populations(backward):
                merged = self.passes.merge(some)
                for name in sorted(some.members[0], key=list(forms).index):
                    writer.write(name, merged[name].to(forms[name].dtype))
        return writer.hashes

    def _populations(self, backward: bool, whole: bool = True) -> Iterator[Population]:
        """Group after group, the next one on its way from the disk; `whole` if all of it is going to be read."""
        self._models.scattered(not whole)
        turns = list(in_turn(self._groups, self._models.forms, backward))
        with ThreadPoolExecutor(1) as asking:  # a disk that is busy keeps who asks it waiting
            for group, after in zip(turns, [*turns[1:], ()], strict=True):
                if whole:
                    asking.submit(self._models.ahead, after, self._of_base)
                yield self._population(group, look_through=whole and not self._sound)
        self._sound |= whole

    def _population(self, group: Group, look_through: bool) -> Population:
        models = self._models
        members = tuple(models.member(i, group) for i in range(len(models.members)))
        ancestor = models.ancestor(group)
        if look_through:
            read = [("the base", ancestor)] if self._of_base else []  # first: an adapter's numbers are the base's
            _require_sound([*read, *zip(models.names, members, strict=True)])
        return Population(
            members,
            models.names,
            ancestor,
            self._beside.statistics,
            self._beside.transposed & set(group),
        )


def _require_sound(models: Sequence[tuple[str, Weights]]) -> None:
    """Raise `BadWeights` for the first of these models' tensors that is not finite."""
    jobs = [(who, name, tensor) for who, weights in models for name, tensor in weights.items()]
    sound = shared_out(lambda job: tensor_is_finite(job[2]), jobs)
    for (who, name, _), fine in zip(jobs, sound, strict=True):
        if not fine:
            raise BadWeights(f"{who}: {name} is not finite; such a model cannot be merged")
