"""Models that lie in files: which of their tensors are merged with which, in which type, and which have no counterpart.

Members must have the same tensors in the same shapes; in how many files and in which types does not matter: where types
differ, the widest holds all of them exactly. A second name of one tensor, as of tied embeddings, is left out. The base
may have its names with or without the trunk's prefix. Buffers that were saved among the parameters are the first
member's, and no formula sees them: one that looks at the whole model would find another threshold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from harness.checkpoints.buffers import is_buffer
from harness.streaming.header import Form
from methods.errors import Misfit

_TABLE = re.compile(r"^(?!.*(token_type|position)).*embed|(^|\.)(wte|shared)\.")  # of words


class Source(Protocol):
    """A model of which single tensors can be read."""

    @property
    def forms(self) -> Mapping[str, Form]: ...
    @property
    def wide(self) -> Collection[str]: ...  # tensors that are read in float32, whatever they are saved in
    def __getitem__(self, name: str) -> Tensor: ...
    def ahead(self, names: Collection[str]) -> None: ...
    def scattered(self, few: bool) -> None: ...
    def require_unchanged(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Agreed:
    """What is merged."""

    names: tuple[str, ...]  # of the members
    members: tuple[Source, ...]
    base: Source | None
    works: Mapping[str, torch.dtype]  # the type that a tensor is merged in
    forms: Mapping[str, Form]  # of the result, as it is written
    in_base: Mapping[str, str]  # a tensor -> what the base calls it
    left_out: tuple[str, ...]  # second names of tensors

    @property
    def averaged(self) -> list[str]:
        """Tensors that can be merged and that the base does not have."""
        return [name for name, form in self.forms.items() if is_merged(name, form) and name not in self.in_base]

    def member(self, i: int, names: Collection[str]) -> dict[str, Tensor]:
        """These tensors of one member."""
        return {name: self.members[i][name].to(self.works[name]) for name in names}

    def ancestor(self, names: Collection[str]) -> dict[str, Tensor]:
        """Those of them that the base has."""
        found = {name: self.in_base[name] for name in names if name in self.in_base}
        return {name: self.base[own].to(self.works[name]) for name, own in found.items() if self.base is not None}

    def ahead(self, names: Collection[str], base: bool) -> None:
        """Ask for these tensors of the members to be read, and of the base if it is going to be."""
        for member in self.members:
            member.ahead(names)
        if self.base is not None and base:
            self.base.ahead([self.in_base[name] for name in names if name in self.in_base])

    def scattered(self, few: bool) -> None:
        """Say whether a few places here and there are read from now on, or all in order."""
        for source in self._sources:
            source.scattered(few)

    def require_unchanged(self) -> None:
        """Raise `BadWeights` if a file is not as it was at the beginning."""
        for source in self._sources:
            source.require_unchanged()

    @property
    def _sources(self) -> tuple[Source, ...]:
        return (*self.members, *([self.base] if self.base is not None else []))


def is_merged(name: str, form: Form) -> bool:
    """Whether a formula sees this tensor: whole numbers and buffers are the first member's."""
    return form.dtype.is_floating_point and not is_buffer(name, form.shape)


def agreed(
    members: Mapping[str, Source],
    base: Source | None,
    prefix: str = "",
    dtype: torch.dtype | None = None,
    ties: Callable[[Collection[str]], Collection[str]] = lambda names: names,
) -> Agreed:
    """Models held against each other; their headers are read, and tensors that may be second names of others.

    Args:
        prefix: of the trunk's names, which the base may lack or have alone: "roberta".
        dtype: of the result's floats; None for the widest that members have of each tensor.
        ties: which of these names a model takes from another tensor where they are absent, as an output layer may be
            its table of embeddings; asked where the two are the same numbers.

    Errors: `Misfit` in one line.
    """
    twice = _second_names([*members.values(), *([base] if base is not None else [])])
    if loose := {name for name in twice if not _TABLE.search(name)}:
        twice -= loose.difference(ties(loose))  # the same numbers by chance: both are wanted
    names, sources = tuple(members), tuple(members.values())
    own, *others = ({n: form for n, form in _parameters(source).items() if n not in twice} for source in sources)
    for who, other in zip(names[1:], others, strict=True):
        _require_same(names[0], own, who, other)
    in_base = _found_in(own, base.forms, prefix) if base is not None else {}
    works, forms = {}, {}
    for name, form in own.items():
        types = [source.forms[name].dtype for source in sources]
        wide = reduce(torch.promote_types, types)
        floating = wide.is_floating_point
        asked = dtype if dtype is not None and floating else wide
        if base is not None and name in in_base:
            types.append(base.forms[in_base[name]].dtype)
        types += [torch.float32 for source in sources if name in source.wide]
        works[name] = reduce(torch.promote_types, types, asked) if floating else wide
        forms[name] = Form(asked, form.shape)
    for name, form in sources[0].forms.items():
        if name not in own and name not in twice:  # a buffer, which need not be in all of them
            works[name], forms[name] = form.dtype, form
    return Agreed(names, sources, base, works, forms, in_base, tuple(sorted(twice)))


def _parameters(source: Source) -> dict[str, Form]:
    """A model without the buffers that were saved with it."""
    return {name: form for name, form in source.forms.items() if not is_buffer(name, form.shape)}


def _require_same(first: str, a: Mapping[str, Form], second: str, b: Mapping[str, Form]) -> None:
    """Raise `Misfit` for the first tensor in which two members differ."""
    for one, other, here, there in ((first, second, a, b), (second, first, b, a)):
        if missing := min(here.keys() - there.keys(), default=None):
            raise Misfit(f"{missing} is in {one} but not in {other}; members must be models of one kind, saved alike")
    for name, form in a.items():
        if form.shape != b[name].shape:
            raise Misfit(
                f"{name} is {form.shape} in {first} and {b[name].shape} in {second}; members must agree. Heads of "
                "different tasks cannot be merged into one; merge members with the same labels"
            )
        if form.dtype.is_floating_point != b[name].dtype.is_floating_point:
            raise Misfit(f"{name} is {form.dtype} in {first} and {b[name].dtype} in {second}; members must agree")


def _found_in(own: Mapping[str, Form], base: Mapping[str, Form], prefix: str) -> dict[str, str]:
    """A member's tensor -> what the base calls it."""
    found: dict[str, str] = {}
    for taken, put in (("", ""), (f"{prefix}.", ""), ("", f"{prefix}.")) if prefix else (("", ""),):
        called = {name: put + name.removeprefix(taken) for name in own}
        some = {name: theirs for name, theirs in called.items() if theirs in base}
        found = some if len(some) > len(found) else found
    if not found:
        raise Misfit(
            f"the base has no tensor that the members have (it has {min(base, default='none')}, they have {min(own)}); "
            "name the model that the members were fine-tuned from"
        )
    for name, theirs in found.items():
        if own[name].shape != base[theirs].shape:
            raise Misfit(
                f"{name} is {own[name].shape} in the members and {base[theirs].shape} in the base; name the model that "
                "the members were fine-tuned from"
            )
    return found


def _second_names(sources: Sequence[Source]) -> set[str]:
    """Names of tensors that are another one, bit for bit, in every model that has both, as tied embeddings are.

    They are looked for where a model lacks one of the two, which it could not be loaded without otherwise, and where
    one is named after embeddings and the other is not.
    """
    every = set[str]().union(*map(_parameters, sources))
    common = {name for name in every if all(name in source.forms for source in sources)}
    tables = {name for name in common if _TABLE.search(name)}
    found = {name for name in every - common if any(_is_twin(name, other, sources) for other in sorted(common))}
    return found | {name for name in common - tables if any(_is_twin(name, other, sources) for other in tables)}


def _is_twin(name: str, other: str, sources: Sequence[Source]) -> bool:
    """Whether two matrices of the models that have both are the same."""
    having = [source for source in sources if name in source.forms]
    if any(source.forms[name] != source.forms[other] or len(source.forms[name].shape) < 2 for source in having):
        return False
    return all(torch.equal(source[name], source[other]) for source in having)
