"""The code of methods that are not built in: noticed wherever the author keeps it, and nothing else with it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.records.method_recipe import method_recipe
from harness.records.source import code_of
from methods.catalogue import BUILT_IN, METHODS
from methods.naming.names import resolve
from methods.optimisers import OPTIMISERS

CLASS = "class Mine:\n    def merge(self, population, score, rng):\n        return SHARE\n"
USES = CLASS.replace("SHARE", "1.0")  # whose formula is elsewhere
PLACES: Mapping[str, tuple[str, Mapping[str, str]]] = {  # where a formula may be: module of the class, files
    "its file": ("author", {"author.py": CLASS}),
    "a module": ("author", {"author.py": f"import author_b\n{USES}", "author_b.py": "x = SHARE"}),
    "a name": ("author", {"author.py": f"from author_b import x\n{USES}", "author_b.py": "x = SHARE"}),
    "late": (
        "author",
        {"author.py": USES.replace("  return", "  import author_b; return"), "author_b.py": "x = SHARE"},
    ),
    **{
        f"a call, {word}": ("author", {"author.py": f"{word}\n{USES}", "author_b.py": "x = SHARE"})
        for word in (
            *('import importlib; x = importlib.import_module("author_b").x', 'x = __import__("author_b").x'),
            *('from importlib import import_module as load; x = load(name="author_b").x',),
            *('def late():\n    import importlib as i\n    return i.import_module("author_b").x',),
            *('import builtins; x = builtins.__import__("author_b", fromlist=["x"]).x',),
        )
    },
    **{
        f"a call in a package, {word}": (
            "author.a",
            {
                "author/__init__.py": "",
                "author/a.py": f"from importlib import import_module\n{word}\n{USES}",
                "author/deep/__init__.py": "",
                "author/deep/c.py": "x = SHARE",
            },
        )
        for word in (
            *('x = import_module(".deep.c", __package__).x', 'x = import_module("author.deep.c").x'),
            *('x = __import__("deep.c", globals(), None, ["x"], 1).x', 'x = __import__("author.deep.c").deep.c.x'),
            *('x = __import__("author.deep", fromlist=("c",)).c.x', 'x = import_module(".c", "author.deep").x'),
        )
    },
    "a class": ("author", {"author.py": "from author_b import Mine", "author_b.py": CLASS}),
    "a base": (
        "author",
        {"author.py": "from author_b import Base\nclass Mine(Base): pass", "author_b.py": "class Base: x = SHARE"},
    ),
    "a package": ("author", {"author/__init__.py": f"from . import b\n{USES}", "author/b.py": "x = SHARE"}),
    "deep": (
        "author",
        {
            "author/__init__.py": "from .a import Mine",
            "author/a.py": f"from .deep.c import x\n{USES}",
            "author/deep/__init__.py": "",
            "author/deep/c.py": "x = SHARE",
        },
    ),
    "above": ("author.a", {"author/__init__.py": "x = SHARE", "author/a.py": f"from . import x\n{USES}"}),
    "a folder": ("author", {"author.py": f"import author_b.c\n{USES}", "author_b/c.py": "x = SHARE"}),
}
Write = Callable[[str, Mapping[str, str]], type]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files and gives the class `Mine` of a module, as a new session would find it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def written(module: str, files: Mapping[str, str]) -> type:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        for name in [n for n in sys.modules if n.partition(".")[0].startswith("author")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        found: type = importlib.import_module(module).Mine
        return found

    return written


def test_methods_of_ours_have_versions_instead() -> None:
    assert {code_of(METHODS.resolve(name).cls) for name in BUILT_IN} == {None}


@pytest.mark.parametrize("place", PLACES)
def test_an_edit_is_noticed_wherever_it_is_and_one_that_is_undone_too(place: str, write: Write) -> None:
    module, files = PLACES[place]

    def code(share: str) -> str | None:
        return code_of(write(module, {name: text.replace("SHARE", share) for name, text in files.items()}))

    first, edited, again = code("0.5"), code("0.25"), code("0.5")
    assert first == again != edited and first is not None


def test_what_the_method_does_not_import_is_not_its_code(write: Write) -> None:
    codes = {
        code_of(
            write(
                "author",
                {"author.py": f"import json, numpy, torch, harness.records\n{CLASS}", "author_b.py": text},
            )
        )
        for text in ("x = 1", "x = 2")
    }
    assert len(codes) == 1


def test_line_ends_of_another_system_are_no_edit(write: Write) -> None:
    assert code_of(write("author", {"author.py": CLASS})) == code_of(
        write("author", {"author.py": CLASS.replace("\n", "\r\n")})
    )


def test_a_class_without_source_is_known_by_what_it_does() -> None:
    def made(text: str, name: str = "nowhere") -> type:
        space: dict[str, object] = {"__name__": name}
        exec(compile(text, "<typed>", "exec"), space)
        found = space["Mine"]
        assert isinstance(found, type)
        return found

    one, moved = (
        made(CLASS.replace("SHARE", "{'a', 'b'}")),
        made("\n\n# moved\n" + CLASS.replace("SHARE", "{'a', 'b'}")),
    )
    others = [made(CLASS.replace("SHARE", text)) for text in ("{'a', 'c'}", "0.5", "(lambda: 0.5)()", "(lambda: 2)()")]
    assert code_of(one) == code_of(moved) != None  # noqa: E711
    assert len({code_of(cls) for cls in (one, *others)}) == 5


def test_a_file_that_lies_among_the_built_in_ones_and_is_none_is_an_authors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for share in ("1", "2"):
        path = tmp_path / f"joins{share}.py"
        path.write_text(f"from methods.ties import Ties\n{CLASS.replace('SHARE', share)}", encoding="utf-8")
        spec = importlib.util.spec_from_file_location("methods.joins", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "methods.joins", module)
        spec.loader.exec_module(module)
        found.append(code_of(module.Mine))
    assert None not in found and len(set(found)) == 2


@pytest.mark.parametrize("name", [f"ties_{optimiser}" for optimiser in OPTIMISERS.built_in])
def test_a_search_that_is_built_in_is_known_by_its_versions(name: str) -> None:
    assert '"code"' not in json.dumps(method_recipe(resolve(name)))
