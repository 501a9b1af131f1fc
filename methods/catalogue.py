"""Methods by name: `@register("ties", paper=...)` puts one in, `resolve("ties_evolver")` gets one out.

    <method>                 a registered method
    <method>_evolver         the method inside Evolver
    <method>_<optimiser>     a search of the method's knobs; methods/optimisers has the optimisers

A third-party package joins by an entry point in the group `mergeboard.methods` that names the module (or the class)
that calls `register`; see methods/registry.py."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from methods.errors import MergeboardError, NotApplicable, UnknownMethod
from methods.knobs import fields_from, knob_of
from methods.optimisers import OPTIMISERS
from methods.outline import outline
from methods.registration import plain_knob, require_class
from methods.registry import Registry, path_of
from methods.space import Gene

if TYPE_CHECKING:
    from methods.base import MergeMethod

BUILT_IN = {  # name -> the file that registers it
    "best": "methods.reference",
    "dare_linear": "methods.dare",
    "dare_ties": "methods.dare",
    "ensemble": "methods.ensemble",
    "evolver": "methods.evolver",
    "fisher": "methods.fisher",
    "greedy_soup": "methods.greedy_soup",
    "regmean": "methods.regmean",
    "search": "methods.search",
    "simple": "methods.simple",
    "ties": "methods.ties",
}
RESERVED = frozenset({"avg", "domain_specific", "mtl"})  # reference rows of the table, which answer to their names
AROUND = frozenset({"search"})  # no method alone: `<method>_<optimiser>` is a search around a method
SUFFIX = "_evolver"

Class = TypeVar("Class", bound=type[Any])
Knobs = Mapping[str, Mapping[str, Any]]
"""Method name -> knob -> value, e.g. {"ties": {"k": 0.3}, "evolver": {"generations": "5"}}."""


@dataclass(frozen=True)
class _Entry:
    cls: type[Any]
    paper: str


METHODS: Registry[_Entry] = Registry(
    "merging method", "mergeboard.methods", BUILT_IN, lambda entry: path_of(entry.cls), UnknownMethod, AROUND
)


def register(name: str, *, paper: str) -> Callable[[Class], Class]:
    """Make a method available under `name`.

    The class is a frozen dataclass whose fields all have defaults: they are its hyper-parameters. A class variable
    `version` (1 if absent) goes into every record; raise it when the method's results change.
    """
    METHODS.require_word(name)
    if name in RESERVED:
        raise MergeboardError(f"{name!r} is the name of a reference row of the table; the method needs another name")
    if name in OPTIMISERS.built_in or name in OPTIMISERS.entries:  # --set cma.sigma=... would mean both
        raise MergeboardError(f"{name!r} is the name of an optimiser; the method needs another name")

    def enter(cls: Class) -> Class:
        _require_method(name, cls)
        METHODS.enter(name, _Entry(cls, paper))
        return cls

    return enter


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
    _resolve(name, knobs or {}, _outlined)


def require_knobs(knobs: Knobs) -> None:
    """Raise for knobs of what is no method, search or optimiser, for knobs it does not have, and for their values."""
    for name, given in knobs.items():
        entry = _outlined(name) or OPTIMISERS.find(name)
        if entry is None:
            raise METHODS.unknown(name, [*AROUND, *OPTIMISERS.known()])
        entry.cls(**fields_from(name, entry.cls, given))


def parts_of(name: str) -> tuple[str, str]:
    """The method that `name` is made around, and what is around it: ("ties", "cma"), ("ties", "evolver"), or
    (name, "") for a registered method and for a name that means nothing."""
    if METHODS.has(name):
        return name, ""
    inner, _, last = name.rpartition("_")
    while inner:
        if (last == SUFFIX[1:] or OPTIMISERS.has(last)) and _means(inner):
            return inner, last
        inner, _, more = inner.rpartition("_")
        last = f"{more}_{last}"
    return name, ""


def all_parts_of(name: str) -> list[str]:
    """`name` and all whose knobs reach it: ties_evolver_cma -> itself, ties_evolver, ties, cma, search, evolver."""
    inner, around = parts_of(name)
    if not around:
        return [name]
    outer = [around] if around == SUFFIX[1:] else [around, "search"]
    return [name, *outer, *all_parts_of(inner)]


def _means(name: str) -> bool:
    return name not in AROUND and (METHODS.has(name) or parts_of(name)[1] != "")


def _resolve(name: str, knobs: Knobs, find: Callable[[str], _Entry | None]) -> Any:
    for named in knobs:
        if find(named) is None and OPTIMISERS.find(named) is None:
            raise METHODS.unknown(named, [*AROUND, *OPTIMISERS.known()])
    return _made(name, knobs, find)


def _made(name: str, knobs: Knobs, find: Callable[[str], _Entry | None]) -> Any:
    if name not in AROUND and (entry := find(name)) is not None:
        return _build(name, entry, knobs)
    inner, around = parts_of(name)
    if not around or name in AROUND:
        _require_no_evolved_evolution(name)
        if name in AROUND or OPTIMISERS.has(name):
            suffix = "<optimiser>" if name in AROUND else name
            raise NotApplicable(f"{name!r} searches the knobs of a method; name it with one, as <method>_{suffix}")
        raise _unknown(name)
    within = parts_of(inner)[1]
    if around == SUFFIX[1:] and (within or inner == "evolver"):
        what = "a search" if within and within != around else "an evolution"
        raise NotApplicable(f"{name!r} would evolve {what}; use 'evolver' or '<method>_evolver' once")
    if around != SUFFIX[1:] and within not in ("", SUFFIX[1:]):
        raise NotApplicable(f"{name!r} would search a search; use '<method>_{around}' once")
    outer = find(SUFFIX[1:] if around == SUFFIX[1:] else "search")
    assert outer is not None  # both are built in
    if around == SUFFIX[1:]:
        return _build("evolver", outer, knobs, inner=_made(inner, knobs, find))
    optimiser = OPTIMISERS.resolve(around)
    built = optimiser.cls(**fields_from(around, optimiser.cls, knobs.get(around, {})))
    return _build("search", outer, knobs, inner=_made(inner, _within_a_search(knobs), find), optimiser=built)


def _within_a_search(knobs: Knobs) -> Knobs:
    """One budget for both, as one word gives it, is that of the search: its evolutions have their generations."""
    evolver, search = knobs.get("evolver", {}), knobs.get("search", {})
    if "budget" not in evolver or str(evolver["budget"]) != str(search.get("budget")):
        return knobs
    return {**knobs, "evolver": {name: value for name, value in evolver.items() if name != "budget"}}


def _require_no_evolved_evolution(name: str) -> None:
    if name.removesuffix(SUFFIX) in ("", name):
        return
    if name.removesuffix(SUFFIX).endswith(SUFFIX):
        raise NotApplicable(f"{name!r} would evolve an evolution; use 'evolver' or '<method>_evolver' once")


def known() -> list[str]:
    """Every registered name, sorted, plug-ins included; each one also exists as `<name>_evolver`, but for evolver, and
    as `<name>_<optimiser>`."""
    return METHODS.known()


def is_built_in(name: str) -> bool:
    """Whether `name` is of this package in all its parts; nothing is imported to say so."""
    if name in METHODS.entries and name not in BUILT_IN:
        return False  # a plug-in that took the name of an evolution
    if name in BUILT_IN:
        return name not in AROUND
    inner, around = parts_of(name)
    ours = around == SUFFIX[1:] or around in OPTIMISERS.built_in
    return bool(around) and ours and inner != "evolver" and is_built_in(inner)


def is_registered(method: MergeMethod) -> bool:
    """Whether the class of `method`, and of one that it is made around, has a name."""
    return bool(_names_of(method)) and all(map(is_registered, _inner(method)))


def is_ours(method: MergeMethod) -> bool:
    """Whether `method`, and one that it is made around, is of a class of this package."""
    ours = {*BUILT_IN.values(), *OPTIMISERS.built_in.values()}
    return type(method).__module__ in ours and all(map(is_ours, _inner(method)))


def _inner(method: MergeMethod) -> list[MergeMethod]:
    """The methods and optimisers that it is made of."""
    values = (getattr(method, field.name) for field in dataclasses.fields(cast(Any, method)))
    return [value for value in values if is_part(value)]


def is_part(value: Any) -> bool:
    """Whether a knob's value is a method or an optimiser, with a name and knobs of its own."""
    return any(callable(getattr(value, name, None)) for name in ("merge", "begin"))


def paper_of(name: str) -> str:
    """Where the method called `name` comes from; that of `<method>_evolver` or `<method>_<optimiser>` cites both."""
    entry = METHODS.find(name)
    if entry is not None:
        return entry.paper
    resolve(name)  # raises for a name that means nothing
    inner, around = parts_of(name)
    outer = METHODS.find(around) if around == SUFFIX[1:] else OPTIMISERS.find(around)
    assert outer is not None  # it was resolved
    return f"{outer.paper}; {paper_of(inner)}"


def describe(method: MergeMethod) -> dict[str, Any]:
    """All that decides what `method` does, as JSON: its name, its version and every knob; an inner method is nested."""
    names = _names_of(method)
    if not names:
        raise MergeboardError(f"{path_of(type(method))} is not registered; decorate it with @register(name, paper=...)")
    name = names[0]
    fields = dataclasses.fields(cast(Any, method))
    knobs = {
        knob_of(field.name): plain_knob(name, field.name, getattr(method, field.name), _nested) for field in fields
    }
    return {"name": name, "version": getattr(method, "version", 1), "knobs": knobs}


def name_of(part: Any) -> str:
    """The name of a method's, or an optimiser's, class; of one without a name, what the class is called."""
    return next(iter(_names_of(part)), type(part).__name__)


def _names_of(part: Any) -> list[str]:
    """The names of a method's, or an optimiser's, class."""
    entries: list[tuple[str, Any]] = [*METHODS.entries.items(), *OPTIMISERS.entries.items()]
    return [name for name, entry in entries if entry.cls is type(part)]


def _nested(value: Any) -> dict[str, Any] | None:
    return describe(value) if is_part(value) else None


def _build(name: str, entry: _Entry, knobs: Knobs, **fixed: Any) -> Any:
    return entry.cls(**fields_from(name, entry.cls, knobs.get(name, {})), **fixed)


def _outlined(name: str) -> _Entry | None:
    if name in BUILT_IN and name not in METHODS.entries:
        return _Entry(outline(BUILT_IN[name], name), "")
    return METHODS.find(name)


def _unknown(name: str) -> Exception:
    return METHODS.unknown(name, wrapped_like(name))


def wrapped_like(name: str) -> list[str]:
    """Names of evolutions and searches that somebody who wrote `name` may have meant."""
    wrapped = [f"{inner}{SUFFIX}" for inner in known() if inner != "evolver"] if SUFFIX[:3] in name else []
    last = name.rpartition("_")[2]
    meant = difflib.get_close_matches(last, OPTIMISERS.known(), n=1) if last else []
    return [*wrapped, *(f"{inner}_{optimiser}" for optimiser in meant for inner in known())]


def _require_method(name: str, cls: type[Any]) -> None:
    require_class(name, cls, "merge(population, score, rng)", _nested)
    knobs = [knob_of(field.name) for field in dataclasses.fields(cls)]
    for gene in getattr(cls, "searched", ()):
        if not isinstance(gene, Gene) or gene.knob not in knobs:
            raise MergeboardError(
                f"{path_of(cls)}.searched has {gene!r}; it must be a Gene of one of {', '.join(knobs)}"
            )
