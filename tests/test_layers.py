"""Who imports whom, read from every file: the arrows between the layers go one way."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("methods", "harness", "leaderboard", "suites")
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]

ALLOWED_OF_OURS = {
    "methods": {"methods"},
    "harness": {"harness", "methods"},
    "leaderboard": {
        *("leaderboard", "harness.judging.rowwise", "harness.records.record", "harness.records.terrain"),
        "harness.records.diagnosis",
        "harness.records.git",  # to make a branch
        "harness.records.there",  # whether the store went with its disk
        "harness.records.uncollected",
        "harness.records.written",
        "harness.protocol.protocol",  # for what a knob is where a record leaves it out
        "harness.storage.turns",  # one publish at a time
        "harness.suites",  # for the words and the paper's numbers of suites at hand; it names none
        "harness.grading",  # to grade again what was written, whoever's graders it names
    },
    "suites": {"harness", "leaderboard", "methods"},
}
ROOMS = (  # of harness/, from the ground up: a room knows those before it
    *("records", "storage", "protocol", "checkpoints", "streaming", "data", "grading", "suites", "families"),
    *("spread", "judging", "lm_eval", "members", "planning", "cells", "session", "engines", "export", "merging"),
)
OF_METHODS = {  # what leaderboard/ may know of them where it tells about methods: names and files, no tensors
    *("methods.catalogue", "methods.naming.manual", "methods.naming.values", "methods.needs", "methods.space"),
}
TO_JOIN = {"harness.data", "methods.errors"}  # what leaderboard/joined/ needs to find a user's own rows again
THE_READERS = {
    "leaderboard.audit",
    "leaderboard.stats",
    "leaderboard.tables",
    "leaderboard.verdict",
}  # what export/ alone knows of it
PARTS_OF_THE_READER = {  # of leaderboard/: what each folder may know
    "stats": {"stats"},
    "audit": {"audit", "stats", "tables"},
    "tables": {"stats", "tables", "words"},
    "verdict": {"stats", "tables", "text", "verdict", "words"},
    "claims": {"claims", "stats", "tables", "words"},
    "findings": {"claims", "findings", "stats", "tables", "verdict", "words"},
    "plots": {"plots", "stats", "text", "words"},
    "pages": {
        *("claims", "findings", "links", "pages", "places", "plots", "stats", "tables", "text", "verdict", "words"),
    },
    "manual": {"links", "manual", "pages", "stats", "tables", "text", "words"},
}
HEAVY = {  # what no listing and no refusal waits for
    *("torch", "transformers", "datasets", "scipy", "numba", "cmaes", "lm_eval", "ray"),
    *("leaderboard.pages", "leaderboard.publish"),
}
OF_LOOPS = {"numba", "llvmlite", "numpy"}  # methods/loops: the plain formulas do without; llvmlite comes with numba
OF_KERNELS = {"triton"}  # methods/kernels, likewise
OF_OPTIMISERS = {"cmaes", "numpy", "threadpoolctl"}  # methods/optimisers: no tensors
_OF_ROOMS = {"methods/loops": OF_LOOPS, "methods/kernels": OF_KERNELS}
ALLOWED_OF_OTHERS = {  # the rest: as they need
    "methods": {"torch"},
    "leaderboard": {"mkdocs", "numpy", "pytest", "scipy", "tabulate", "threadpoolctl"},
}


def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, at any depth of the file, by its full name."""
    return _read(path)[0]


@cache
def _read(path: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """What a file imports, and what of it under `if TYPE_CHECKING:`, which no run follows; parsed once for all."""
    every: list[str] = []
    only_for_types: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            every += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides which layer is meant"
            every += _names(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            only_for_types.update(name for n in node.body if isinstance(n, ast.ImportFrom) for name in _names(n))
    return tuple(every), frozenset(only_for_types)


def _names(node: ast.ImportFrom) -> Iterator[str]:
    # `from harness import record` means harness.records.record
    return (f"{node.module}.{alias.name}" for alias in node.names)


def _further(path: Path) -> set[str]:
    """What a file may know of ours beyond its layer."""
    if path.parent == ROOT / "harness" / "export":
        return THE_READERS
    if path == ROOT / "harness" / "planning" / "evidence.py":
        return {*THE_READERS, "leaderboard.words"}
    if path.parent == ROOT / "leaderboard" / "joined":
        return TO_JOIN
    tells = path.parent == ROOT / "leaderboard" / "manual" or path == ROOT / "leaderboard" / "links.py"
    return OF_METHODS if tells else set()


def within(name: str, allowed: set[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in allowed)


def allowed_of_others(path: Path) -> set[str]:
    """The packages that a file may need."""
    layer, room = path.relative_to(ROOT).parts[0], path.parent.relative_to(ROOT).as_posix()
    if room == "methods/optimisers":
        return OF_OPTIMISERS
    return ALLOWED_OF_OTHERS[layer] | _OF_ROOMS.get(room, set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        top = name.partition(".")[0]
        if top in LAYERS:
            more = _further(path)
            assert within(name, ALLOWED_OF_OURS[layer] | more), f"{layer} must not import {name}"
        elif top not in sys.stdlib_module_names and layer in ALLOWED_OF_OTHERS:
            assert top in allowed_of_others(path), f"{path.parent.name} must not need {top}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_harness_goes_from_records_up_to_the_session(room: str) -> None:
    below = {f"harness.{name}" for name in (*ROOMS[: ROOMS.index(room) + 1], "bounds", "devices", "errors", "parsing")}
    for path in sorted((ROOT / "harness" / room).rglob("*.py")):
        for name in imports(path):
            if name.startswith("harness.") and name not in _read(path)[1]:
                assert within(name, below), f"{path.relative_to(ROOT)} must not import {name}"


def test_every_room_of_the_harness_is_in_the_list() -> None:
    assert {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize("part", PARTS_OF_THE_READER)
def test_the_reader_goes_from_numbers_to_pages(part: str) -> None:
    allowed = {f"leaderboard.{name}" for name in PARTS_OF_THE_READER[part]}
    for path in sorted((ROOT / "leaderboard" / part).rglob("*.py")):
        for name in imports(path):
            if name.startswith("leaderboard."):
                assert within(name, allowed), f"{path.relative_to(ROOT)} must not import {name}"


def test_records_and_tables_are_read_without_torch() -> None:
    code = (
        "import sys, leaderboard.__main__, leaderboard.plugin\n"
        "from leaderboard.manual.page import pages\n"
        "assert len(pages([])) > 20  # what methods' own files tell of them\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_suites_are_listed_without_torch() -> None:
    code = (
        "import sys, pytest\n"
        "assert pytest.main(['suites/', '--collect-only', '-q']) == 0\n"
        "assert pytest.main(['suites/', '--collect-only', '-q', '--model=roberta-base']) == 0\n"
        "searches = ['--method=ties_cma', '--method=dare_ties_catcma', '--set=search.budget=9']\n"
        "assert pytest.main(['suites/', '--collect-only', '-q', *searches]) == 0\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_session_is_planned_without_torch_where_nothing_was_made_yet(tmp_path: Path) -> None:
    words = ["suites/", "--plan", f"--results={tmp_path / 'results'}", f"--zoo={tmp_path / 'zoo'}"]
    code = (
        "import sys, pytest\n"
        f"assert pytest.main({words}) == 0\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "420" in done.stdout and list(tmp_path.iterdir()) == []  # tiny-encoder's tests of emotion


def test_who_is_answered_from_the_store_needs_torch_alone() -> None:
    code = (
        "import sys, harness.cells.lab, harness.cells.recipe, harness.cells.run, harness.members.tiny\n"
        "from harness.records.environment import engine\n"
        "assert engine()['transformers']\n"
        "heavy = {'transformers', 'tokenizers', 'datasets', 'scipy', 'sklearn', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_wrong_word_is_refused_without_torch_and_at_once(tmp_path: Path) -> None:
    folders = {"bert": ("model_type",), "whatever": ("model_type",), "minicpm": ("model_type", "auto_map")}
    for name, fields in folders.items():
        (tmp_path / name).mkdir()
        config = {"model_type": name, "auto_map": {"AutoModelForCausalLM": "own.Own"}}
        (tmp_path / name / "config.json").write_text(json.dumps({f: config[f] for f in fields}))
    (tmp_path / "glue").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text("{")
    words = (
        "--seeds=0",
        "--threads=x",
        "--device=gpu",
        "--device=cuda:99",
        "--grid=-3",
        "--heads=x",
        "--model=x",
        "--model==M",
        "--protocol=papr",
    )
    words += ("--method=tise", "--method=ties_evolvr", "--method=evolver_evolver", "--member=x=.", "--results=/proc/x")
    words += ("--set=epoch=1", "--set=epochs=0", "--set=learning_rate=1e30", "--set=tise.k=1", "--set=ties.kk=1")
    words += tuple(f"--model={tmp_path / name}" for name in (*folders, "torn"))
    words += ("--export=docs", "--export=README.md", "--export=/proc/x/y")
    words += (
        "--task=none.toml",
        "--set=ties.k=2",
        "--set=evolver.mutation=x",
        "--set=regmean.alpha=-1",
        "--method=ties_cmaa",
        "--set=cma.sigma=0",
        "--set=cmaa.sigma=1",
        "--set=search.budgett=3",
        "--seeds=1-3000000",
        "--set=search.budget=0",
        "--budget-evaluations=0",
        "--tuned=gird",
        "--lm-eval-task=x",
        "--budget=2x",
        "--plan=0",
        "--lm-eval-tasks=none",
        "--engine=rya",
        "--ray-address=x",
        "--ray-workers=0",
    )
    code = (
        "import sys, time, pytest\n"
        "start = time.process_time()\n"
        f"for word in {words}:\n"
        f"    data = [{f'--data={tmp_path}'!r}] if word.startswith('--model=/') else []\n"
        "    assert pytest.main(['suites/', word, *data, '-p', 'no:cacheprovider']) == 4, word\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        f"assert time.process_time() - start < 2 * {len(words)}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == len(words) and all(line.startswith("ERROR: ") for line in lines), lines
    long = [line for line in lines if len(line.replace(str(tmp_path), "")) > 220]
    assert not long, long


def test_built_in_methods_are_registered_by_the_files_that_the_registry_names() -> None:
    from methods.catalogue import AROUND, BUILT_IN, METHODS, NUMBERED
    from methods.naming.names import resolve
    from methods.optimisers import OPTIMISERS

    hidden = AROUND | NUMBERED
    alone = BUILT_IN.keys() - hidden
    assert {name: type(resolve(name)).__module__ for name in alone} == {name: BUILT_IN[name] for name in alone}
    assert {name: METHODS.resolve(name).cls.__module__ for name in hidden} == {name: BUILT_IN[name] for name in hidden}
    optimisers = OPTIMISERS.built_in
    assert {name: OPTIMISERS.resolve(name).cls.__module__ for name in optimisers} == optimisers


def test_every_layer_was_read() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(LAYERS)
