"""Which types of model transformers knows, read from its source.

To import it takes seconds, and a wrong folder has to be refused at once.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

KNOWN = "CONFIG_MAPPING_NAMES"  # every type
CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
MASKED = "MODEL_FOR_MASKED_LM_MAPPING_NAMES"
CLASSIFIES = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"
_TABLES = (KNOWN, CAUSAL, MASKED, CLASSIFIES)
_FILES = ("auto_mappings.py", "configuration_auto.py", "modeling_auto.py")  # in transformers/models/auto


@cache
def table(name: str) -> frozenset[str]:
    """The types of model in one of transformers' tables."""
    module = sys.modules.get("transformers.models.auto.modeling_auto")
    types: frozenset[str] = frozenset() if module is not None else _read().get(name, frozenset())
    if not types:  # it is imported already, or writes its tables in another way
        module = module or importlib.import_module("transformers.models.auto.modeling_auto")
        types = frozenset(getattr(module, name))
    return types


@cache
def _read() -> Mapping[str, frozenset[str]]:
    """All tables that the source writes out; none if it is not to be had."""
    found: dict[str, set[str]] = {name: set() for name in _TABLES}
    spec = importlib.util.find_spec("transformers")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for path in (Path(place, "models", "auto", name) for name in _FILES):
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, SyntaxError):
                continue
            for name, types in _written(tree):
                found[name] |= types
    return {name: frozenset(types) for name, types in found.items()}


def _written(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """`NAME = OrderedDict([("bert", ...), ...])`, `NAME = {...}` and `NAME.update({...})`: the names and their keys."""
    for node in tree.body:
        target: ast.expr | None
        value: ast.expr | None
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            value = node.value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            target = function.value if isinstance(function, ast.Attribute) and function.attr == "update" else None
            value = node.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id in _TABLES and value is not None:
            yield target.id, set(_keys(value))


def _keys(value: ast.expr) -> Iterator[str]:
    parts = [value]
    if isinstance(value, ast.Call):
        parts = [*value.args, *(word.value for word in value.keywords if word.arg is None)]
    for part in parts:
        keys: list[ast.expr | None] = []
        if isinstance(part, ast.Dict):
            keys = list(part.keys)
        elif isinstance(part, ast.List | ast.Tuple):
            keys = [pair.elts[0] for pair in part.elts if isinstance(pair, ast.Tuple) and pair.elts]
        yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
