"""The code of a method that is not built in, as a hash: an edited method is another one, whatever its version says."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from methods.catalogue import BUILT_IN
from methods.optimisers import OPTIMISERS

BUILT_INS = frozenset({*BUILT_IN.values(), *OPTIMISERS.built_in.values()})  # of methods and optimisers
OURS = ("methods", "harness", "leaderboard")  # whose versions are kept by hand
INSTALLED = {"site-packages", "dist-packages"}  # folders that packages of others are put into
IMPORTERS = ("import_module", "__import__")
_OF_IMPORT = ("name", "globals", "locals", "fromlist", "level")  # what the second one takes
_PYTHON = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


@cache
def code_of(cls: type, built_in: frozenset[str] = BUILT_INS) -> str | None:
    """16 hexadecimal digits of the code that makes a class what it is; None for a class that is built in, which is one
    of these modules.

    That is the source of its module, of those of its bases, and of all that they import, at whatever depth, as long as
    it is the author's own: not ours, nor Python's, nor of another package that was installed. Of a class without source
    it is the bytecode of its functions.

    Imports are followed wherever they stand, also `importlib.import_module("helpers")` and `__import__("helpers")` with
    the name in place. What cannot be followed: names that are worked out while the method runs, `exec`, modules that
    are loaded from a path, code in other languages, and files of data; who changes those raises `version`.
    """
    found: dict[str, bytes] = {}
    for base in cls.__mro__:
        if (base is cls and _joins(base.__module__, built_in)) or not _of_others(base.__module__, _top(cls.__module__)):
            if (path := _file(base.__module__)) is None:
                found[f"{base.__module__}.{base.__qualname__}"] = b"".join(_bytecode(base))
            else:
                _follow(base.__module__, path, _top(cls.__module__), found)
    if not found:
        return None
    digest = hashlib.sha256()
    for name, content in sorted(found.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _joins(module: str, built_in: frozenset[str]) -> bool:
    """Whether a file lies among ours and is not built in: a method, or an optimiser, that somebody is about to add."""
    return _top(module) in OURS and module not in built_in


def _follow(name: str, path: Path, own: str, found: dict[str, bytes]) -> None:
    """Put the source of a module, and of all of the author's own that it imports, into `found`."""
    if name in found:
        return
    found[name] = path.read_bytes().replace(b"\r\n", b"\n")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    try:
        tree = ast.parse(found[name])
    except SyntaxError:  # it was edited since it was imported, and is half done
        return
    for imported in _imports(tree, package):
        for part in (imported, imported.rpartition(".")[0]):  # `from a import b`: b may be a module or a name in it
            if part and not _of_others(part, own) and (file := _file(part)) is not None:
                _follow(part, file, own, found)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The full names of all that a module of this package imports, at its top, within functions, or by a call."""
    callers = _callers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in callers:
            yield from _named(node, package)


def _callers(tree: ast.AST) -> set[str]:
    """What this module calls the functions that import what they are named."""
    renamed = (a for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names if a.asname)
    return {*IMPORTERS, *(str(alias.asname) for alias in renamed if alias.name in IMPORTERS)}


def _called(node: ast.Call) -> str:
    """`f` of `f(...)` and of `a.b.f(...)`."""
    last = node.func
    return last.attr if isinstance(last, ast.Attribute) else last.id if isinstance(last, ast.Name) else ""


def _named(node: ast.Call, package: str) -> Iterator[str]:
    """The modules that a call names in place: `"a.b"`, or `".b"` of the package; what `fromlist` takes of them too."""
    places = ("name", "package") if _called(node) != "__import__" else _OF_IMPORT
    given = {word.arg: word.value for word in node.keywords} | dict(zip(places, node.args, strict=False))
    name, package = _text(given.get("name")), _text(given.get("package")) or package
    if not name:
        return
    level = len(name) - len(name.lstrip("."))
    levels = given.get("level")  # of __import__, which has no dots
    if isinstance(levels, ast.Constant) and isinstance(levels.value, int):
        level = levels.value
    above = package.split(".")[: len(package.split(".")) - level + 1] if level > 0 else []
    base = ".".join([*above, *([plain] if (plain := name.lstrip(".")) else [])])
    yield base
    parts = given.get("fromlist")
    if isinstance(parts, ast.List | ast.Tuple):
        yield from (f"{base}.{part}" for part in map(_text, parts.elts) if part)


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _of_others(module: str, own: str) -> bool:
    """Whether a module is ours, Python's, or of an installed package other than `own`, the author's."""
    top = _top(module)
    if top in OURS or (top in sys.stdlib_module_names and top != "__main__"):
        return True
    path = _file(module) or _file(top)
    return top != own and (
        path is None or bool(INSTALLED & set(path.parts)) or any(path.is_relative_to(place) for place in _PYTHON)
    )


def _file(module: str) -> Path | None:
    """The source file of a module, which is not imported for it; None where there is none."""
    known = sys.modules.get(module)
    origin = _found(module) if known is None else getattr(known, "__file__", None)
    path = Path(origin).absolute() if isinstance(origin, str | Path) else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _found(module: str) -> str | Path | None:
    """Where a module that nobody imported yet would come from."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not rest:
        return None if spec is None else spec.origin
    for place in spec.submodule_search_locations or ():
        path = Path(place, *rest)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


def _bytecode(cls: type) -> Iterator[bytes]:
    """What the functions and plain values of a class are made of, without names of files and numbers of lines."""
    for name, value in sorted(vars(cls).items()):
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        code = getattr(function, "__code__", None)
        if isinstance(code, types.CodeType):
            yield f"{name}{_shown(getattr(function, '__defaults__', None))}".encode()
            yield from _instructions(code)
        elif name not in ("__doc__", "__module__", "__qualname__"):
            yield f"{name}={_shown(value)}".encode()


def _instructions(code: types.CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars)).encode()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)
        else:
            yield _shown(constant).encode()


def _shown(value: object) -> str:
    """A plain value in words that are the same in every process; of other values the type."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_shown, value)))}}}"
    return type(value).__name__


def _top(module: str) -> str:
    return module.partition(".")[0]
