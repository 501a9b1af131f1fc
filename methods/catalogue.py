"""Methods that are registered: `@register("ties", paper=...)` puts one in, `describe` tells one as JSON.

What other names mean, such as `ties_evolver` and `ties_cma`, is in methods/naming/names.py. A third-party package joins
by an entry point in the group `mergeboard.methods` that names the module (or the class) that calls `register`;
see methods/naming/registry.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from methods.errors import MergeboardError, UnknownMethod
from methods.knobs import knob_of
from methods.naming.registration import plain_knob, require_class
from methods.naming.registry import Registry, path_of
from methods.optimisers import OPTIMISERS
from methods.space import Gene

if TYPE_CHECKING:
    from methods.base import MergeMethod

BUILT_IN = {  # name -> the file that registers it
    "adamerging": "methods.adamerging",
    "base": "methods.ancestor",
    "best": "methods.reference",
    "breadcrumbs": "methods.breadcrumbs",
    "breadcrumbs_ties": "methods.breadcrumbs",
    "calibrated": "methods.calibrated",
    "cart": "methods.spectral.cart",
    "consensus": "methods.consensus",
    "dare_linear": "methods.dare",
    "dare_ties": "methods.dare",
    "della": "methods.della",
    "della_linear": "methods.della",
    "dfs": "methods.routes.dfs",
    "emr": "methods.emr",
    "ensemble": "methods.ensemble",
    "evolver": "methods.evolver",
    "fisher": "methods.fisher",
    "greedy_soup": "methods.greedy_soup",
    "iso_c": "methods.spectral.isotropic",
    "iso_cts": "methods.spectral.isotropic",
    "karcher": "methods.spherical",
    "layer_swap": "methods.layer_swap",
    "linear": "methods.linear",
    "lines": "methods.lines",
    "localize_and_stitch": "methods.localize_and_stitch",
    "magmax": "methods.magmax",
    "model_stock": "methods.model_stock",
    "multislerp": "methods.spherical",
    "pcb": "methods.pcb",
    "ps_dfs": "methods.routes.ps_dfs",
    "random_convex": "methods.random_convex",
    "regmean": "methods.regmean",
    "regmean_plus_plus": "methods.regmean_plus_plus",
    "route": "methods.routes.route",
    "sce": "methods.sce",
    "search": "methods.search",
    "simple": "methods.simple",
    "slerp": "methods.spherical",
    "source": "methods.source",
    "star": "methods.spectral.star",
    "subspace_boost": "methods.spectral.subspace_boost",
    "task_arithmetic": "methods.task_arithmetic",
    "ties": "methods.ties",
    "tsv_m": "methods.spectral.tsv_m",
    "wudi": "methods.wudi",
}
RESERVED = frozenset({"avg", "domain_specific", "mtl"})  # reference rows of the table, which answer to their names
AROUND = frozenset({"calibrated", "search"})  # no methods alone: `<method>_calibrated`, `<method>_<optimiser>`
NUMBERED = frozenset({"source"})  # nor these: `source_1` is the first member

Class = TypeVar("Class", bound=type[Any])


@dataclass(frozen=True)
class Entry:
    """One method."""

    cls: type[Any]
    paper: str


METHODS: Registry[Entry] = Registry(
    "merging method", "mergeboard.methods", BUILT_IN, lambda entry: path_of(entry.cls), UnknownMethod, AROUND | NUMBERED
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
        METHODS.enter(name, Entry(cls, paper))
        return cls

    return enter


def _require_method(name: str, cls: type[Any]) -> None:
    require_class(name, cls, "merge(population, score, rng)", _nested)
    knobs = [knob_of(field.name) for field in dataclasses.fields(cls)]
    for gene in getattr(cls, "searched", ()):
        if not isinstance(gene, Gene) or gene.knob not in knobs:
            raise MergeboardError(
                f"{path_of(cls)}.searched has {gene!r}; it must be a Gene of one of {', '.join(knobs)}"
            )


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


def is_registered(method: MergeMethod) -> bool:
    """Whether the class of `method`, and of one that it is made around, has a name."""
    return bool(_names_of(method)) and all(map(is_registered, _inner(method)))


def is_ours(method: MergeMethod) -> bool:
    """Whether `method`, and one that it is made around, is of a class of this package."""
    ours = {*BUILT_IN.values(), *OPTIMISERS.built_in.values()}
    return type(method).__module__ in ours and all(map(is_ours, _inner(method)))


def is_part(value: Any) -> bool:
    """Whether a knob's value is a method or an optimiser, with a name and knobs of its own."""
    return any(callable(getattr(value, name, None)) for name in ("merge", "begin"))


def _inner(method: MergeMethod) -> list[MergeMethod]:
    """The methods and optimisers that it is made of."""
    values = (getattr(method, field.name) for field in dataclasses.fields(cast(Any, method)))
    return [value for value in values if is_part(value)]


def _names_of(part: Any) -> list[str]:
    """The names of a method's, or an optimiser's, class."""
    entries: list[tuple[str, Any]] = [*METHODS.entries.items(), *OPTIMISERS.entries.items()]
    return [name for name, entry in entries if entry.cls is type(part)]


def _nested(value: Any) -> dict[str, Any] | None:
    return describe(value) if is_part(value) else None
