"""Records of schema 1, as they were written until the end of 2026: read as if they had been written in schema 2.

Nothing in their files changes, and their keys stay hashes of the recipes in them. Defaults that schema 2 leaves out are
those of that time, and stand here: those of today may be others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.records.recipe import Recipe, exam_key, same

SCHEMA = 1
SYNTHETIC = ("tiny-encoder", "tiny-decoder", "tiny-encoder-decoder")  # no other model lived in the made-up world

PARTS: Mapping[str, tuple[str, ...]] = {  # of a protocol, which was one flat object
    "training": (
        *("epochs", "steps", "check_every", "learning_rate", "head_rate", "batch_size", "train_batches", "warmup"),
        *("max_length", "checkpoint", "train_dtype", "examples", "negatives"),
    ),
    "choosing": ("threshold", "fitness", "fitness_digits", "dtype"),
    "scoring": ("threshold", "dtype", "max_length"),
    "search": ("dev_fraction", "fitness", "fitness_digits"),
    "heads": ("head_merge",),
    "fisher": ("fisher_labels", "fisher_per_example", "fisher_rows", "max_length"),
    "gram": ("gram_rows", "gram_padding", "max_length"),
}
IN_WORDS = ("examples", "negatives")
SHARED = ("training", "choosing", "scoring")  # parts that all cells of a session have

DEFAULTS: Mapping[str, Any] = {  # of the protocol `paper`
    **{"epochs": 30, "steps": None, "check_every": None, "learning_rate": 1e-5, "head_rate": 1.0, "batch_size": 16},
    **{"train_batches": "shuffled", "warmup": 0.06, "max_length": 128, "checkpoint": "best_dev"},
    **{"examples": "one_question", "negatives": "sqrt", "train_dtype": "fp32", "threshold": 0.5},
    **{"fitness": "per_dataset_mean", "fitness_digits": None, "head_merge": "label_aware", "dtype": "fp32"},
    **{"dev_fraction": 1.0, "fisher_labels": "expected", "fisher_per_example": True, "fisher_rows": 1000},
    **{"gram_rows": 16000, "gram_padding": "masked", "batch_tokens": 4096},
}
OWN: Mapping[str, Mapping[str, Any]] = {  # what each protocol said otherwise, of what not all cells of a table share
    "paper": {},
    "official_code": {
        **{"fitness": "pooled", "fitness_digits": 5, "head_merge": "label_aware_weight", "fisher_labels": "hard"},
        **{"fisher_per_example": False, "fisher_rows": 16000, "gram_padding": "counted"},
    },
    "quick": {"fisher_labels": "sampled", "fisher_rows": 200, "gram_rows": 500},
}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "best": {},
    "ensemble": {},
    "simple": {"coefficients": None},
    "greedy_soup": {"accept_ties": False},
    "fisher": {"coefficients": None, "eps": 1e-10, "floor": None, "floor_on": "all", "normalize": "none"},
    "regmean": {"alpha": 0.1, "coefficients": None, "ridge": 0.0},
    "ties": {
        **{"k": 0.2, "lambda": 1.0, "scope": "global", "trim": "exact_topk", "weights": None},
        "zero_vote": "majority",
    },
    "evolver": {
        **{"inner": None, "F": 0.5, "Cr": 0.5, "generations": 15, "mutation": "rand_diff", "update": "async"},
        **{"order": "fixed", "accept_ties": False, "allow_self_in_diff": False, "reference": "random"},
    },
}
OWN_METHODS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {  # knobs that a protocol itself gave to methods
    "official_code": {
        "ties": {"trim": "official"},
        "evolver": {"mutation": "to_reference", "order": "permuted"},
        "regmean": {"alpha": 0.3},
    },
    "quick": {"evolver": {"generations": 5}},
}
ROWS = ("avg", "domain_specific", "mtl")  # reference rows: no methods, and so without knobs


def mapped(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record in the form of schema 2; `schema` and `key` stay as they are."""
    recipe = recipe_of(raw)
    return {**raw, "recipe": recipe, "exam_key": exam_key(recipe), "knobs": knobs_of(raw)}


def recipe_of(raw: Mapping[str, Any]) -> Recipe:
    """The record's recipe with what is not at its default, and the parts that its cell used."""
    recipe, protocol, model = raw["recipe"], _part(raw["recipe"], "protocol"), _part(raw["recipe"], "model")
    found = dict(recipe)
    if model.get("name") in SYNTHETIC:
        found["model"] = {**model, "synthetic": True}
    if protocol:
        parts = {name: _of_part(name, protocol, model) for name in (*SHARED, *_used(raw))}
        found["protocol"] = {"name": protocol.get("name"), **parts}
    if isinstance(recipe.get("method"), Mapping):
        found["method"] = _method(recipe["method"])
    return found


def knobs_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the cell was given besides its protocol's own values and that not all cells of its table share."""
    protocol, model = _part(raw["recipe"], "protocol"), _part(raw["recipe"], "model")
    name = str(protocol.get("name"))
    usual = {**DEFAULTS, **OWN.get(name, {}), **_of_tiny(name, model)}
    asked = [n for part in _used(raw) for n in PARTS[part] if n != "max_length"]
    means = protocol.get("fisher_per_example") is False and "fisher" in _used(raw)
    padded = protocol.get("gram_padding") == "counted" and "gram" in _used(raw)
    if (means or padded) and protocol.get("dtype") == "fp32":
        asked.append("batch_tokens")
    found = {n: protocol[n] for n in dict.fromkeys(asked) if n in protocol and not same(protocol[n], usual[n])}
    return {**_method_knobs(_part(raw["recipe"], "method"), OWN_METHODS.get(name, {})), **found}


def _of_tiny(protocol: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics' rows that `quick` gave to the tiny models."""
    if protocol != "quick" or model.get("name") not in SYNTHETIC:
        return {}
    return {"gram_rows": 200, **({"fisher_rows": 100} if model.get("family") == "encoder_decoder" else {})}


def _of_part(name: str, protocol: Mapping[str, Any], model: Mapping[str, Any]) -> Recipe:
    names: Iterable[str] = PARTS[name]
    if model.get("family") == "encoder":
        names = [n for n in names if n not in IN_WORDS]
    found = {n: protocol[n] for n in names if n in protocol and not same(protocol[n], DEFAULTS[n])}
    batched = name == "fisher" and protocol.get("fisher_per_example") is False
    batched |= name == "gram" and protocol.get("gram_padding") == "counted"
    if batched or (name in ("choosing", "scoring") and protocol.get("dtype") != "fp32"):
        found["batch_tokens"] = protocol.get("batch_tokens")
    return found


def _used(raw: Mapping[str, Any]) -> list[str]:
    """The parts of a protocol that this cell used besides those that every cell uses."""
    method, model = _part(raw["recipe"], "method"), _part(raw["recipe"], "model")
    inner = _part(_part(method, "knobs"), "inner")
    names = [str(m.get("name")) for m in (method, inner) if m]
    if not names or names[0] in ROWS:
        return []
    used = ["search"] if _part(raw, "dev").get("calls") else []
    heads = _part(raw["recipe"], "population").get("heads")
    multi_label = raw.get("metric") == "macro_f1"  # of that time's tasks, those whose members know different labels
    if model.get("family") == "encoder" and heads != "own" and multi_label:
        used.append("heads")
    kinds = {"fisher": "fisher", "regmean": "gram"}
    read = [kinds[n] for n in names if n in kinds]
    if any(n not in METHODS for n in names) and _part(raw, "cost").get("statistics_seconds"):
        read = ["fisher", "gram"]  # a plug-in's: which of them it read was not written down
    return [*used, *read]


def _method(method: Mapping[str, Any]) -> Recipe:
    """A method with the knobs that are not at their default; a plug-in's defaults are not known, so it keeps all."""
    if not isinstance(method.get("knobs"), Mapping):
        return dict(method)
    return {**method, "knobs": _unusual(method, METHODS.get(str(method.get("name")), {}))}


def _method_knobs(method: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The knobs of a method and of the one inside it that are not as its protocol has them, by what a user writes."""
    name, knobs = str(method.get("name")), _part(method, "knobs")
    inner = knobs.get("inner")
    usual = {**METHODS.get(name, {}), **own.get(name, {})}
    found = {n: v for n, v in _unusual(method, usual).items() if n != "inner"}
    if isinstance(inner, Mapping):
        for n, value in _method_knobs(inner, own).items():
            found[f"{inner.get('name')}.{n}" if n in knobs else n] = value
    return found


def _unusual(method: Mapping[str, Any], usual: Mapping[str, Any]) -> Recipe:
    return {
        n: _method(value) if isinstance(value, Mapping) else value
        for n, value in _part(method, "knobs").items()
        if n not in usual or not same(value, usual[n])
    }


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
