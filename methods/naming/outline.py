"""The outline of a method: its hyper-parameters and their checks without its formulas, so that no torch is needed.

A command line is checked in a moment this way, and a session planned: it holds what the method needs, and how many
scores it asks for. The outline is cut from the method's own file: its class with fields and what KEPT names, so there
is nothing that could say something else than the method does.
"""

from __future__ import annotations

import ast
import sys
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PLAIN = {  # of this package, what is imported without torch
    *("methods.calls", "methods.errors", "methods.knobs", "methods.searching.genes", "methods.space"),
}
KEPT = {  # a check, that a method brings a space of its own, and how many scores it asks for
    *("__post_init__", "space", "scores", "_can_breed"),
}


@cache
def outline(module: str, name: str) -> type[Any]:
    """The class that `module` registers as `name`, without its methods."""
    tree = tree_of(module)
    found = class_in(tree, name)
    bases = {_name(base) for base in found.bases}  # those of this file have fields of their own
    classes = [_cut(n) for n in tree.body if isinstance(n, ast.ClassDef) and (n is found or n.name in bases)]
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    content: dict[str, Any] = {"__name__": module}
    for node in imports:
        if _without_torch(node):
            _run([node], content)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                _run(_choices(str(node.module), alias.name), content)
    _run(classes, content)
    cls: type[Any] = content[found.name]
    return cls


def _cut(node: ast.ClassDef) -> ast.ClassDef:
    """Another class with its fields and what is kept."""
    parts = dict(ast.iter_fields(node))
    parts["decorator_list"] = [d for d in node.decorator_list if "dataclass" in ast.unparse(d)]
    parts["body"] = [n for n in node.body if isinstance(n, ast.AnnAssign) or _name(n) in KEPT]
    return ast.copy_location(ast.ClassDef(**parts), node)


def _run(nodes: list[Any], content: dict[str, Any]) -> None:
    # without the file's own `from __future__ import annotations`: types are values here
    exec(compile(ast.Module(nodes, []), content["__name__"], "exec", dont_inherit=True), content)


@cache
def _choices(module: str, name: str) -> list[ast.stmt]:
    """How another file of methods/ names a list of values; anything else stands for a type that no text becomes."""
    if (node := _lists(module).get(name) if module.startswith("methods.") else None) is not None:
        return [ast.parse("from typing import Literal").body[0], node]
    return ast.parse(f"class {name}: pass").body


@cache
def _lists(module: str) -> dict[str, ast.stmt]:
    """Every list of values that a file names; dozens of methods import from one file."""
    assigned = [node for node in tree_of(module).body if isinstance(node, ast.Assign)]
    return {ast.unparse(n.targets[0]): n for n in reversed(assigned) if "Literal[" in ast.unparse(n)}


def _registers(node: ast.ClassDef, name: str) -> bool:
    calls = [d for d in node.decorator_list if isinstance(d, ast.Call) and _name(d.func) == "register"]
    return any(isinstance(a, ast.Constant) and a.value == name for call in calls for a in call.args)


def _without_torch(node: ast.Import | ast.ImportFrom) -> bool:
    names = [str(node.module)] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return all((n.partition(".")[0] in sys.stdlib_module_names and n != "__future__") or n in PLAIN for n in names)


def _name(node: ast.AST) -> str:
    return str(getattr(node, "name", getattr(node, "id", "")))


def class_in(tree: ast.Module, name: str) -> ast.ClassDef:
    """The class that is registered as `name`."""
    return next(n for n in tree.body if isinstance(n, ast.ClassDef) and _registers(n, name))


@lru_cache(maxsize=16)  # methods are asked one after the other; all trees together weigh 20 MiB
def tree_of(module: str) -> ast.Module:
    """A file of this package, read once for what is asked together: who gets it cuts nothing."""
    return ast.parse("\n".join(lines_of(module)))


def lines_of(module: str) -> list[str]:
    """Its lines."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None  # a file of this package
    return Path(spec.origin).read_text(encoding="utf-8").split("\n")
