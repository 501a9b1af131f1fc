"""In which groups, and in which order, a model's tensors come by: as they will lie in the result's files.

Tensors of wide types come first, so that each begins at a multiple of its scalars' size wherever the next group begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.streaming.agreed import Agreed, is_merged
from harness.streaming.header import Form

Group = tuple[str, ...]


def groups_of(models: Agreed, most: int) -> list[Group]:
    """Groups of tensors that can be merged, of at most `most` bytes unless one tensor has more.

    In each is a tensor that the base has, if there is one at all: whether there is a base, a method asks of what it is
    given.
    """
    found: list[list[str]] = [[]]
    held = 0
    for name in order_of(models.forms):
        size = models.forms[name].size * models.works[name].itemsize
        if not is_merged(name, models.forms[name]):
            continue
        if found[-1] and held + size > most:
            found.append([])
            held = 0
        found[-1].append(name)
        held += size
    with_base = [group for group in found if any(name in models.in_base for name in group)] or found[:1]
    for group in found:
        if group not in with_base:
            with_base[0].extend(group)
    return [tuple(group) for group in with_base if group]


def order_of(forms: Mapping[str, Form], backward: bool = False) -> list[str]:
    """All tensors in the order in which they are written; backward, those of one width come the other way round."""
    named = sorted(forms, reverse=backward)
    return sorted(named, key=lambda name: -forms[name].dtype.itemsize)


def in_turn(groups: Sequence[Group], forms: Mapping[str, Form], backward: bool) -> Iterator[Group]:
    """The groups in that order."""
    place = {name: i for i, name in enumerate(order_of(forms, backward))}
    yield from sorted(groups, key=lambda group: min(place[name] for name in group))


def loose(forms: Mapping[str, Form]) -> list[str]:
    """Tensors that no formula merges: whole numbers and buffers, which are the first member's."""
    return [name for name, form in forms.items() if not is_merged(name, form)]
