"""What a method's name means: `resolve("ties_evolver")` is a method, `parts_of` says what it is made of.

    <method>                 a registered method
    <method>_evolver         the method inside Evolver
    <method>_<optimiser>     a search of the method's knobs; methods/optimisers has the optimisers
    <any>_calibrated         any of these with a number added to each output
    source_<k>               the k-th member alone

All may be had at once: `ties_evolver_cma_calibrated` shifts what a search of an evolution's knobs has found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from methods.catalogue import AROUND, BUILT_IN, METHODS, NUMBERED, Entry
from methods.errors import MergeboardError, NotApplicable
from methods.knobs import fields_from
from methods.naming import staged
from methods.naming.outline import outline
from methods.optimisers import OPTIMISERS

if TYPE_CHECKING:
    from methods.base import MergeMethod

EVOLUTION, CALIBRATION = "evolver", "calibrated"
SUFFIX = f"_{EVOLUTION}"

NUMBER = re.compile(r"(\w+)_([1-9]\d{0,3})")
Knobs = Mapping[str, Mapping[str, Any]]
"""Method name -> knob -> value, e.g. {"ties": {"k": 0.3}, "evolver": {"generations": "5"}}."""


def resolve(name: str, knobs: Knobs | None = None) -> MergeMethod:
    """The method called `name`; `<method>_evolver` is that method inside Evolver unless the name itself is registered.

    `<method>_<optimiser>` is a search around the method, which may itself be an evolution.

    `knobs` apply to the class registered by their name, so {"ties": ..., "evolver": ...} reaches both halves of
    `ties_evolver`, and {"ties": ..., "search": ..., "cma": ...} all parts of `ties_cma`; knobs of what is not part of
    `name` are left for the other methods of the session.

    Errors: `UnknownMethod` (also for a name in `knobs`), `UnknownName` for a knob, `MergeboardError` for its value.
    """
    return cast("MergeMethod", _resolve(name, knobs or {}, METHODS.find))


def require(name: str, knobs: Knobs | None = None) -> None:
    """Raise what `resolve` would raise. A built-in method is not imported for it, and torch neither."""
    outlined(name, knobs)


def outlined(name: str, knobs: Knobs | None = None) -> object:
    """The method called `name` without its formulas: its options, what it needs, and how many scores it asks for.

    A built-in method is not imported for it, and torch neither. Errors: those of `resolve`.
    """
    return _resolve(name, knobs or {}, _outlined)


def require_knobs(knobs: Knobs) -> None:
    """Raise for knobs of what is no method, search or optimiser, for knobs it does not have, and for their values."""
    for name, given in knobs.items():
        entry = _outlined(name) or OPTIMISERS.find(name)
        if entry is None:
            raise METHODS.unknown(name, [*AROUND, *OPTIMISERS.known()])
        entry.cls(**fields_from(name, entry.cls, given))


def parts_of(name: str) -> tuple[str, str]:
    """The method that `name` is made around, and what is around it: ("ties", "cma"), ("ties", "evolver"),
    ("ties_cma", "calibrated"), or (name, "") for a registered method and for a name that means nothing."""
    if METHODS.has(name):
        return name, ""
    inner, _, last = name.rpartition("_")
    while inner:
        if (last in (EVOLUTION, CALIBRATION) or OPTIMISERS.has(last)) and _means(inner):
            return inner, last
        inner, _, more = inner.rpartition("_")
        last = f"{more}_{last}"
    return name, ""


def all_parts_of(name: str, knobs: Knobs | None = None) -> list[str]:
    """`name` and all whose knobs reach it: ties_evolver_cma -> itself, ties_evolver, ties, cma, search, evolver.

    `knobs`: what the session gives, which may say what a method is made of.
    """
    if name in staged.SEARCHES:
        first = staged.first_of(name, knobs or {})
        return [name, "route", staged.optimiser_of(name, knobs or {}), *(all_parts_of(first) if first else [])]
    inner, around = parts_of(name)
    if not around:
        return [name]
    outer = [around] if around in (EVOLUTION, CALIBRATION) else [around, "search"]
    return [name, *outer, *all_parts_of(inner)]


def known() -> list[str]:
    """Every registered name, sorted, plug-ins included; each one also exists as `<name>_calibrated` and, but for those
    that are evolutions or searches themselves, as `<name>_evolver` and `<name>_<optimiser>`."""
    return METHODS.known()


def is_built_in(name: str) -> bool:
    """Whether `name` is of this package in all its parts; nothing is imported to say so."""
    if name in METHODS.entries and name not in BUILT_IN:
        return False  # a plug-in that took the name of an evolution
    if name in BUILT_IN:
        return name not in AROUND | NUMBERED
    if _numbered(name):
        return True
    inner, around = parts_of(name)
    if around == CALIBRATION:
        return is_built_in(inner)
    ours = around == EVOLUTION or around in OPTIMISERS.built_in
    return bool(around) and ours and inner != EVOLUTION and is_built_in(inner)


def class_of(name: str) -> type[Any] | None:
    """The class registered as `name`, of a built-in one its outline; None for what is made around another."""
    numbered = _numbered(name)
    entry = _outlined(numbered[0] if numbered else name)
    return None if entry is None else entry.cls


def paper_of(name: str) -> str:
    """Where the method called `name` comes from; what is made around another, as `<method>_evolver`, cites both."""
    entry = METHODS.find(name)
    if entry is not None:
        return entry.paper
    if numbered := _numbered(name):
        return METHODS.resolve(numbered[0]).paper
    resolve(name)  # raises for a name that means nothing
    inner, around = parts_of(name)
    outer = METHODS.find(around) if around in (EVOLUTION, CALIBRATION) else OPTIMISERS.find(around)
    assert outer is not None  # it was resolved
    return f"{outer.paper}; {paper_of(inner)}"


def wrapped_like(name: str) -> list[str]:
    """Names of evolutions and searches that somebody who wrote `name` may have meant."""
    plain = [inner for inner in known() if inner not in staged.SEARCHES]
    wrapped = [f"{inner}{SUFFIX}" for inner in plain if inner != EVOLUTION] if SUFFIX[:3] in name else []
    wrapped += [f"{inner}_{CALIBRATION}" for inner in plain] if f"_{CALIBRATION}"[:3] in name else []
    wrapped += [f"{some}_1" for some in NUMBERED]
    last = name.rpartition("_")[2]
    meant = difflib.get_close_matches(last, OPTIMISERS.known(), n=1) if last else []
    return [*wrapped, *(f"{inner}_{optimiser}" for optimiser in meant for inner in plain)]


def _resolve(name: str, knobs: Knobs, find: Callable[[str], Entry | None]) -> Any:
    for named in knobs:
        if find(named) is None and OPTIMISERS.find(named) is None:
            raise METHODS.unknown(named, [*AROUND, *OPTIMISERS.known()])
    return _made(name, knobs, find)


def _made(name: str, knobs: Knobs, find: Callable[[str], Entry | None]) -> Any:
    if name in staged.SEARCHES and name in BUILT_IN:
        return _made_in_stages(name, knobs, find)
    if name not in AROUND | NUMBERED and (entry := find(name)) is not None:
        return _build(name, entry, knobs)
    if numbered := _numbered(name):
        return _ours(numbered[0], find).cls(number=numbered[1])
    if name in NUMBERED:
        raise NotApplicable(f"{name!r} is one member alone; say which by its place, as {name}_1")
    inner, around = parts_of(name)
    if not around or name in AROUND:
        if name.endswith(2 * SUFFIX):
            raise NotApplicable(f"{name!r} would evolve an evolution; use 'evolver' or '<method>_evolver' once")
        if name == CALIBRATION:
            raise NotApplicable(f"{name!r} shifts what a method's merge answers; name it with one, as <method>_{name}")
        if name in AROUND or OPTIMISERS.has(name):
            suffix = "<optimiser>" if name in AROUND else name
            raise NotApplicable(f"{name!r} searches the options of a method; name it with one, as <method>_{suffix}")
        raise _unknown(name)
    if CALIBRATION in (around, parts_of(inner)[1]):
        return _calibrated(name, inner, around, knobs, find)
    if inner in staged.SEARCHES:
        raise NotApplicable(f"{name!r} would {'evolve' if around == EVOLUTION else 'search'} a search; use {inner!r}")
    within = parts_of(inner)[1]
    if around == EVOLUTION and (within or inner == EVOLUTION):
        what = "a search" if within and within != around else "an evolution"
        raise NotApplicable(f"{name!r} would evolve {what}; use 'evolver' or '<method>_evolver' once")
    if around != EVOLUTION and within not in ("", EVOLUTION):
        raise NotApplicable(f"{name!r} would search a search; use '<method>_{around}' once")
    outer = _ours(EVOLUTION if around == EVOLUTION else "search", find)
    if around == EVOLUTION:
        return _build(EVOLUTION, outer, knobs, inner=_made(inner, knobs, find))
    built = _optimiser(around, knobs.get(around, {}))
    within_it = _tuned(inner, around, staged.within_a_search(knobs), find)
    return _build("search", outer, knobs, inner=_made(inner, within_it, find), optimiser=built)


def _calibrated(name: str, inner: str, around: str, knobs: Knobs, find: Callable[[str], Entry | None]) -> Any:
    within, last = parts_of(inner)
    if last == CALIBRATION:
        instead = inner if around == CALIBRATION else f"{within}_{around}_{CALIBRATION}"
        raise NotApplicable(f"{name!r} would not end with its calibration, as it must; use {instead!r}")
    return _build(CALIBRATION, _ours(CALIBRATION, find), knobs, inner=_made(inner, knobs, find))


def _made_in_stages(name: str, knobs: Knobs, find: Callable[[str], Entry | None]) -> Any:
    entry, by = _ours(name, find), staged.optimiser_of(name, knobs)
    parts = {"inner": _made("route", staged.of_routes(name, knobs), find)}
    parts["optimiser"] = _optimiser(by, staged.of_optimiser(knobs.get(by, {})))
    if first := staged.first_of(name, knobs):
        within, last = parts_of(first)
        if first in staged.SEARCHES or last in ("", EVOLUTION) or within == "route":
            what = "searches no weights" if last or first in staged.SEARCHES else "is no search"
            raise MergeboardError(f"{name}.ps is {first!r}, which {what}; name a search of a method, as {staged.PS}")
        parts["first_stage"] = _made(first, staged.of_first(knobs), find)
    return _build(name, entry, knobs, **parts)


def _ours(name: str, find: Callable[[str], Entry | None]) -> Entry:
    entry = find(name)
    assert entry is not None  # it is built in
    return entry


def _optimiser(name: str, given: Mapping[str, Any]) -> Any:
    found = OPTIMISERS.resolve(name).cls
    return found(**fields_from(name, found, given))


def _numbered(name: str) -> tuple[str, int] | None:
    """What `source_2` means: a method, and a place."""
    match = NUMBER.fullmatch(name)
    return (match[1], int(match[2])) if match and match[1] in NUMBERED else None


def _tuned(inner: str, optimiser: str, knobs: Knobs, find: Callable[[str], Entry | None]) -> Knobs:
    """The knobs of a method inside a search, with those that it has by default under this optimiser."""
    usual = getattr(getattr(find(inner), "cls", None), "tuned", {}).get(optimiser, {})
    return {**knobs, inner: {**usual, **knobs.get(inner, {})}} if usual else knobs


def _means(name: str) -> bool:
    return name not in AROUND and (METHODS.has(name) or parts_of(name)[1] != "")


def _build(name: str, entry: Entry, knobs: Knobs, **fixed: Any) -> Any:
    return entry.cls(**fields_from(name, entry.cls, knobs.get(name, {})), **fixed)


def _outlined(name: str) -> Entry | None:
    if name in BUILT_IN and name not in METHODS.entries:
        return Entry(outline(BUILT_IN[name], name), "")
    return METHODS.find(name)


def _unknown(name: str) -> Exception:
    return METHODS.unknown(name, wrapped_like(name))
