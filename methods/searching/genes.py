"""Which knobs of a method a search varies, and between which bounds: what `search.over` and `search.bounds` say.

No torch here, so that a command line that asks for what cannot be searched is refused in a moment.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from methods.errors import MergeboardError, UnknownName
from methods.knobs import knob_of
from methods.space import SCALE, Gene


def genes_of(inner: Any, over: Sequence[str] | None, bounds: Sequence[str] | None) -> tuple[Gene, ...]:
    """The genes of a search around `inner`, a method or its outline, with the bounds that were asked for.

    Errors: `UnknownName` for a knob that cannot be searched, `MergeboardError` for bounds that are none, that the
    method does not take, or that its present value lies outside of.
    """
    known = {gene.knob: gene for gene in (SCALE, *searched_by(inner))}
    if over is None:
        own = [gene for gene in searched_by(inner) if not gene.asked]
        chosen = own or [SCALE]
    else:
        chosen = [_known(knob, known, "search.over", inner) for knob in over]
        if twice := [gene.knob for gene in chosen if chosen.count(gene) > 1]:
            raise MergeboardError(f"search.over names {twice[0]} twice; name it once")
    if not chosen:
        raise MergeboardError(f"search.over is empty; name at least one of {', '.join(known)}")
    asked = _bounds(bounds or (), known, inner)
    for knob in asked.keys() - {gene.knob for gene in chosen}:
        raise MergeboardError(f"search.bounds has bounds for {knob}, which is not searched; name it in search.over too")
    genes = tuple(_between(gene, asked.get(gene.knob), inner) for gene in chosen)
    for gene in genes:
        _require_inside(gene, inner)
    return genes


def searched_by(inner: Any) -> tuple[Gene, ...]:
    """What the method says can be searched; nothing, for one that does not say."""
    return tuple(getattr(inner, "searched", ()))


def looks_again(best: int, budget: int) -> int:
    """How many of its best candidates a search of this budget can afford to examine once more."""
    return min(best, budget // 10)


def version_of(inner: Any, best: int, apart: float, *budgets: int) -> int:
    """The version of a search: 2 where it finds something else than it once did, so that old records stay as they are.

    A single candidate is not examined again any more, since that decides nothing; and some methods have other genes
    than they had, which they say by `searched_version`.
    """
    alone = apart > 0 and any(looks_again(best, budget) == 1 for budget in budgets)
    return 2 if alone or getattr(inner, "searched_version", 1) > 1 else 1


def has_own_space(inner: Any) -> bool:
    """Whether the method, or its outline, brings a space of its own, so that no knob of it is searched."""
    return callable(getattr(type(inner), "space", None))


def require_own(search: Any) -> None:
    """Raise for what a search says of knobs and layers where its method has none that are searched."""
    for knob, plain in {"over": None, "bounds": None, "layers": "all", "granularity": 1, "split": False}.items():
        if getattr(search, knob) != plain:
            raise MergeboardError(
                f"search.{knob} is about options, and {_word(search.inner)} is searched in a space of its own; leave it"
            )
    if search.start != "default":
        raise MergeboardError(
            f"search.start={search.start} is about options, and {_word(search.inner)} has a start of its own; leave it"
        )


def is_scale(gene: Gene, inner: Any) -> bool:
    """Whether it is no knob of the method, but the scale of what members changed."""
    return gene.knob == SCALE.knob and all(own.knob != SCALE.knob for own in searched_by(inner))


def value_of(gene: Gene, inner: Any) -> Any:
    """What the method has for this knob now; None where it has no value."""
    return None if is_scale(gene, inner) else getattr(inner, field_of(inner, gene.knob))


def field_of(inner: Any, knob: str) -> str:
    """The field of the method that is called `knob`."""
    return next(field.name for field in dataclasses.fields(inner) if knob_of(field.name) == knob)


def is_local(gene: Gene, inner: Any) -> bool:
    """Whether the gene may differ from one group of layers to another, as the method is set."""
    if not gene.local or not gene.unless:
        return gene.local
    knob, value = gene.unless
    return bool(getattr(inner, field_of(inner, knob)) != value)


def _known(knob: str, known: Mapping[str, Gene], where: str, inner: Any) -> Gene:
    if knob not in known:
        raise UnknownName(f"option of {_word(inner)} for {where}", knob, known)
    return known[knob]


def _word(inner: Any) -> str:
    """What the method is called in an error: its class by the rule for files."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(inner).__name__).lower()


def _bounds(texts: Sequence[str], known: Mapping[str, Gene], inner: Any) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        parts = text.split(":")
        numbers = [_number(part) for part in parts[1:]]
        if len(parts) != 3 or not all(map(math.isfinite, numbers)):
            raise MergeboardError(f"search.bounds has {text!r}; write option:lowest:highest, for instance scale:0:1.5")
        gene = _known(parts[0], known, "search.bounds", inner)
        low, high = numbers
        if gene.choices:
            raise MergeboardError(
                f"search.bounds has {text!r}, but {gene.knob} is one of {_listed(gene)}; leave it out"
            )
        if low >= high:
            raise MergeboardError(
                f"search.bounds has {text!r}, which ends before it begins; the lower number comes first"
            )
        if gene.knob in found:
            raise MergeboardError(f"search.bounds has bounds for {gene.knob} twice; give them once")
        found[gene.knob] = low, high
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _between(gene: Gene, asked: tuple[float, float] | None, inner: Any) -> Gene:
    """The gene with these bounds. Errors: `MergeboardError` if the method would not take a value at one of them."""
    if asked is None:
        return gene
    if is_scale(gene, inner):
        return dataclasses.replace(gene, low=asked[0], high=asked[1], unit=None)
    for value in asked:
        try:
            dataclasses.replace(inner, **{field_of(inner, gene.knob): (value,) if gene.each == "member" else value})
        except MergeboardError as error:
            raise MergeboardError(
                f"search.bounds asks for {gene.knob} from {asked[0]:g} to {asked[1]:g}: {error}"
            ) from None
    return dataclasses.replace(gene, low=asked[0], high=asked[1], unit=None)


def _require_inside(gene: Gene, inner: Any) -> None:
    """Raise unless the method's present value lies in the bounds: the search starts there."""
    value = value_of(gene, inner)
    present = gene.start if value is None else value
    if gene.choices:
        if present not in gene.choices:
            raise MergeboardError(f"{_word(inner)}.{gene.knob} is {present}; a search needs one of {_listed(gene)}")
        return
    for number in present if isinstance(present, tuple) else () if present == "share" else (present,):
        require_between(f"{_word(inner)}.{gene.knob}", gene, number)


def require_between(what: str, gene: Gene, number: float) -> None:
    """Raise unless the number that a search starts from lies in the gene's bounds."""
    if not gene.low <= number <= gene.high:
        raise MergeboardError(
            f"{what} is {number:g}, outside of {gene.low:g} to {gene.high:g}, where it would be searched; "
            f"give search.bounds={gene.knob}:lowest:highest that holds it"
        )


def _listed(gene: Gene) -> str:
    return ", ".join(map(str, gene.choices))
