"""What README and docs promise is there: options, knobs, values, links, and plug-ins that can be pasted."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import itertools
import re
import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.names import ALIASES, TINY
from harness.data.corpus import Reference
from harness.data.task import Task
from harness.grading import GRADERS
from harness.grading.named import grader_of
from harness.merging import words
from harness.protocol.changed import knobs_of
from harness.protocol.own import Own
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import PROTOCOLS, TAILORED
from harness.session import flags
from harness.session.options import DEFAULT_METHODS
from harness.suites import SUITES, Setting, Suite, Where, near
from harness.suites import resolve as suite_of
from harness.suites.registry import BUILT_IN as BUILT_IN_SUITES
from harness.suites.tailoring import protocol_of
from leaderboard import plugin as leaderboard_plugin
from leaderboard.publish import BEGIN, END
from leaderboard.words import REFERENCES
from methods import NotApplicable, describe, resolve
from methods.catalogue import BUILT_IN, METHODS, NUMBERED
from methods.contract import check_method
from methods.knobs import knob_of
from methods.naming.names import require_knobs
from methods.naming.values import plain, wanted
from methods.optimisers import OPTIMISERS
from tests import spaces
from tests.test_layers import ROOMS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for path in sorted(DOCS.glob("*.md")) if path.name not in ("leaderboard.md", "LOG.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
FOREIGN = {
    "--collect-only",
    "--full-trace",
    "--lf",
    "--pyargs",
    *("--head", "--port", "--address"),
    "--format",
    *("--corpus", "--wrong", "--against", "--csv"),
    *re.findall(r'"(--[a-z-]+)"', (ROOT / "examples" / "your-models" / "train.py").read_text(encoding="utf-8")),
}  # pytest's own, Ray's, `leaderboard cite`'s and `rows`', and those of the examples' programs

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


class Recorder:
    """As much of pytest's parser as our two plugins use."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(add_help=False)

    def getgroup(self, _name: str) -> Recorder:
        return self

    def addoption(self, *names: str, **rest: Any) -> None:
        self.parser.add_argument(*names, **rest)


@pytest.fixture(scope="module")
def own_options() -> set[str]:
    recorder = Recorder()
    flags.add(recorder)  # type: ignore[arg-type]
    leaderboard_plugin.pytest_addoption(recorder)  # type: ignore[arg-type]
    return {name for action in recorder.parser._actions for name in action.option_strings}


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page registers is forgotten after the test."""
    near()
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    monkeypatch.setattr(OPTIMISERS, "entries", dict(OPTIMISERS.entries))
    monkeypatch.setattr(SUITES, "entries", dict(SUITES.entries))
    monkeypatch.setattr(GRADERS, "entries", dict(GRADERS.entries))
    yield
    for name in ("pasted", "my_method", "my_optimiser", "my_grader", "my_reviews", "mergeboard_weather.suite"):
        sys.modules.pop(name, None)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def paste(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "pasted") -> types.ModuleType:
    """The module that a reader has who saved this block."""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module(name)


# -- the parts, the tables, the packages -------------------------------------------------------------------------------


def test_the_parts_are_told_as_they_stand_on_the_disk() -> None:
    text = text_of(DOCS / "how-it-works.md")

    def told(head: str) -> list[str]:
        """The names in the first column of the table with this head, `naming/` as naming."""
        rows = text.partition(f"{head} |\n")[2].partition("\n\n")[0].splitlines()
        return [name for row in rows for name in re.findall(r"`(\w+)/?`", row.split("|")[1])]

    def folders(layer: str) -> set[str]:
        return {path.parent.name for path in (ROOT / layer).glob("*/__init__.py")}

    assert told("| room | holds") == list(ROOMS)
    assert set(told("| folder of `leaderboard/` | holds")) == folders("leaderboard")
    of_methods = {place.split(".")[1] for place in BUILT_IN.values()}  # methods.spectral.cart: spectral
    files = {path.stem for path in (ROOT / "methods").glob("*.py")} - {"__init__"}
    assert (files | folders("methods")) - of_methods <= set(told("| files of `methods/` | hold"))


@each_page
def test_every_table_is_one_table(page: Path) -> None:
    """A blank line within a table makes text of what follows."""
    lines = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL).splitlines()
    heads = [i for i, line in enumerate(lines) if line.startswith("|") and not lines[i - 1].startswith("|")]
    assert [lines[i] for i in heads if not re.fullmatch(r"[|: -]+", lines[i + 1])] == []


def test_a_wheel_has_every_file_that_is_no_module() -> None:
    told = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["setuptools"]["package-data"]
    for layer in ("methods", "harness", "leaderboard", "suites"):
        parts = [part for part in (ROOT / layer).iterdir() if part.name not in ("results", "__pycache__")]
        files = {path for part in parts for path in (part, *part.rglob("*")) if path.is_file()}
        kept = {path for pattern in told.get(layer, ()) for path in (ROOT / layer).glob(pattern)}
        others = {path for path in files if path.suffix != ".py" and "__pycache__" not in path.parts}
        assert others <= kept


def test_what_make_installs_is_pinned() -> None:
    told = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    extras: dict[str, list[str]] = told["optional-dependencies"]
    asked, left = list(told["dependencies"]), ["dev"]
    while left:
        for requirement in extras[left.pop()]:
            own = re.fullmatch(r"mergeboard\[(.+)\]", requirement)
            left, asked = (left + own[1].split(","), asked) if own else (left, [*asked, requirement])
    names = {re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-") for requirement in asked}
    pinned = re.findall(r"^([\w.-]+)==", text_of(ROOT / "constraints.txt"), re.MULTILINE)
    assert names - {name.lower().replace("_", "-") for name in pinned} == set()


# -- options, knobs, links ---------------------------------------------------------------------------------------------


@each_page
def test_every_option_that_is_named_exists(page: Path, own_options: set[str]) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text_of(page)))
    assert named <= own_options | FOREIGN | {f"--{name}" for name in (*words.ONCE, *words.SEVERAL)}


def test_the_table_of_usage_has_every_option(own_options: set[str]) -> None:
    rows = re.findall(r"^\| `(--[a-z-]+)", text_of(DOCS / "usage.md"), re.MULTILINE)
    assert sorted(rows) == sorted(own_options - {f"--{name}" for name in flags.EARLIER})


def test_usage_names_every_method_and_those_that_run_unasked() -> None:
    text = text_of(DOCS / "usage.md")
    (row,) = re.findall(r"^\| `--method=.*", text, re.MULTILINE)
    around = {"search", "calibrated", "route"}  # named by what they stand around, or under other names
    assert {*BUILT_IN, *REFERENCES} - {*around, *NUMBERED} <= set(re.findall(r"`(\w+)`", text))
    unasked = {name.removesuffix("_evolver") for name in DEFAULT_METHODS} - REFERENCES
    assert set(re.findall(r"`(\w+)`", row)) == unasked


def test_a_newcomer_reads_the_readme_at_one_go() -> None:
    text = text_of(ROOT / "README.md")
    own = text[: text.index(BEGIN)] + text[text.index(END) :]
    assert len(own.splitlines()) <= 65 and "make try" in own and "git clone" in own


def test_make_try_asks_for_what_is_there(own_options: set[str]) -> None:
    """It is the first command of a newcomer."""
    (recipe,) = re.findall(r"^try:.*\n((?:\t.*\n)+)", text_of(ROOT / "Makefile"), re.MULTILINE)
    words = recipe.replace("\\\n", " ").split()
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= own_options
    asked = [word.partition("=")[2] for word in words if word.startswith("--method=")]
    assert len({*asked} - {"avg", "best"}) == 4 and all(resolve(name) for name in asked if name != "avg")


@each_page
def test_every_knob_that_is_set_exists(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None
) -> None:
    paste(blocks(DOCS / "add-a-method.md")[0], tmp_path, monkeypatch, "my_method")
    paste(blocks(DOCS / "add-an-optimiser.md")[0], tmp_path, monkeypatch, "my_optimiser")
    paste(blocks(DOCS / "add-a-suite.md")[2], tmp_path, monkeypatch, "my_reviews")
    monkeypatch.syspath_prepend(ROOT / "examples" / "mergeboard-suite" / "src")
    importlib.import_module("mergeboard_weather.suite")
    for setting in re.findall(r"--set[ =]([a-z][\w.]*=[^\s`\"]+)", text_of(page)):
        require_knobs(protocol_of(Protocol(), None, (), [setting]).methods)


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    written_elsewhere = {"leaderboard.md", "LOG.md"}  # by `publish`, and by hand after each experiment
    for target in re.findall(r"\]\(([^)#:\s]+)(?: \"[^\"]*\")?\)", text_of(page)):
        assert Path(target).name in written_elsewhere or (page.parent / target).exists(), target


@each_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"`((?:methods|harness|suites|leaderboard|tests|docs|examples)/[\w./-]+)`", text_of(page))
    to_come = {"docs/leaderboard.md", "docs/LOG.md", "leaderboard/results", "suites/test_left_out.py"}
    assert [name for name in named if not (ROOT / name).exists() and name.rstrip("/") not in to_come] == []


def test_the_readme_has_its_table_between_one_pair_of_markers() -> None:
    text = text_of(ROOT / "README.md")
    assert text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)


# -- protocols.md ------------------------------------------------------------------------------------------------------


def table(*rows: tuple[str, ...]) -> str:
    head, *rest = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *rest))


def knob_table() -> str:
    kinds = typing.get_type_hints(Protocol)
    rows = [
        (f"`{name}`", wanted(kinds[name]), *(plain(getattr(protocol, name)) for protocol in PROTOCOLS.values()))
        for name in ("seeds", *knobs_of(Protocol))
    ]
    for suite in map(suite_of, BUILT_IN_SUITES):
        owns = [protocol_of(protocol, suite, ()).own for protocol in PROTOCOLS.values()]
        kinds = typing.get_type_hints(suite.knobs)
        rows += [
            (f"`{name}`, of {suite.called}", wanted(kinds[name]), *(plain(getattr(own, name)) for own in owns))
            for name in knobs_of(suite.knobs)
        ]
    return table(("option", "may be", *(f"`{name}`" for name in PROTOCOLS)), *rows)


def listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {plain(value)}" for name, value in values.items())


def tailored_table() -> str:
    named = [(protocol, tags.split(), values) for protocol, tags, values in TAILORED]
    for suite in map(suite_of, BUILT_IN_SUITES):
        named += [(protocol, [suite.name, *tags.split()], values) for protocol, tags, values in suite.tailored]
    rows = [
        (f"`{protocol}`", " and ".join(f"`{tag}`" for tag in tags), listed(values))
        for (protocol, tags), lines in itertools.groupby(named, key=lambda line: line[:2])
        for values in [{name: value for *_, values in lines for name, value in values.items()}]
    ]
    return table(("protocol", "where", "values"), *rows)


MODELS: Mapping[str, tuple[str, str]] = {  # as the paper calls them -> alias, transformers' model_type
    "RoBERTa": ("roberta-base", "roberta"),
    "DistilBERT": ("distilbert-base-uncased", "distilbert"),
    "DeBERTa": ("deberta-v3-large", "deberta-v2"),
    "T5 v1.1": ("t5-v1_1-base", "t5"),
    "GPT-2": ("gpt2", "gpt2"),
    "MiniCPM": ("minicpm", "minicpm"),
}
CONTEXTS: Mapping[str, tuple[str, str]] = {  # of the emotion suite's settings none has values of its own
    "emotion": ("emotion", "in_domain"),
    "`non_iid`": ("glue", "non_iid"),
    "`cross_task`": ("glue", "cross_task"),
}
TRAINED = ("learning_rate", "epochs", "steps", "check_every", "warmup", "checkpoint", "seeds")  # columns of their own


def in_training(protocol: Protocol, plain_own: Own) -> tuple[str, ...]:
    """What one trains with under this protocol, cell by cell."""
    length = f"{protocol.epochs} epochs" if protocol.steps is None else f"{protocol.steps} steps"
    every = "epoch" if protocol.check_every is None else f"{protocol.check_every} steps"
    base = PROTOCOLS[protocol.name]
    pairs: Any = ((protocol, base), (protocol.own, plain_own))
    besides = {
        n: getattr(own, n)
        for own, usual in pairs
        for n in knobs_of(type(own))
        if n not in TRAINED and getattr(own, n) != getattr(usual, n)
    }
    seeds = f"{protocol.seeds[0]}-{protocol.seeds[-1]}"
    rate, warmup = plain(protocol.learning_rate), plain(protocol.warmup)
    return (rate, length, every, warmup, protocol.checkpoint, seeds, listed(besides))


def training_table() -> str:
    """Every model in every context, those that are trained alike in one row."""
    tags = {name: {ALIASES[alias][1], kind} for name, (alias, kind) in MODELS.items()}
    rows = []
    for name, protocol in PROTOCOLS.items():
        embedded = {"the tiny ones": {"tiny", *TINY.values()}} if name == "quick" else {}
        alike: dict[tuple[str, ...], dict[str, list[str]]] = {}
        for (context, asked), (model, own) in itertools.product(CONTEXTS.items(), {**tags, **embedded}.items()):
            suite = suite_of(asked[0])
            cells = in_training(protocol_of(protocol, suite, {*own, asked[1]}), protocol_of(protocol, suite, ()).own)
            alike.setdefault(cells, {}).setdefault(context, []).append(model)
        for cells, models in alike.items():
            for who, where in itertools.groupby(models, key=models.__getitem__):
                whom = "all six" if who == [*MODELS] else ", ".join(who)
                rows.append((f"`{name}`", ", ".join(where), whom, *cells))
    head = ("protocol", "suite or setting", "models", "learning rate", "trained for", "checked every")
    return table((*head, "warm-up", "checkpoint", "seeds", "besides"), *rows)


def method_table() -> str:
    rows = []
    known = [(name, METHODS.resolve(name).cls) for name in BUILT_IN if name not in NUMBERED]
    known += [(name, OPTIMISERS.resolve(name).cls) for name in sorted(OPTIMISERS.built_in)]
    for name, cls in known:
        kinds = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name in ("inner", "optimiser", "first_stage"):  # chosen by name: <method>_evolver, <method>_cma
                continue
            knob = knob_of(field.name)
            set_by = [
                f"`{p}` {plain(protocol.methods[name][knob])}"
                for p, protocol in PROTOCOLS.items()
                if knob in protocol.methods.get(name, {})
            ]
            rows.append((f"`{name}.{knob}`", wanted(kinds[field.name]), plain(field.default), ", ".join(set_by)))
    return table(("option", "may be", "default", "other values"), *rows)


TABLES = {"knobs": knob_table, "tailored": tailored_table, "training": training_table, "methods": method_table}


def with_tables(text: str) -> str:
    """The page with its generated tables as the code has them."""
    for name, make in TABLES.items():
        head, rest = text.split(f"<!-- {name}:begin -->\n")
        text = f"{head}<!-- {name}:begin -->\n{make()}<!-- {name}:end -->{rest.split(f'<!-- {name}:end -->')[1]}"
    return text


def test_protocols_md_has_every_knob_with_its_values() -> None:
    text = text_of(DOCS / "protocols.md")
    assert text == with_tables(text), "run make docs"


def choices() -> list[list[str]]:
    """The cells of every row about a choice of the protocol."""
    rows = re.findall(r"^\| (D\d+ \| .*) \|$", text_of(DOCS / "protocols.md"), re.MULTILINE)
    return [row.split(" | ") for row in rows]


def test_protocols_md_speaks_of_every_choice() -> None:
    assert [row[0] for row in choices()] == [f"D{i}" for i in range(1, 31)]
    assert all(len(row) == 7 and all(cell.strip() for cell in row) for row in choices())


@pytest.mark.parametrize("row", choices(), ids=lambda row: row[0])
def test_what_changes_a_choice_is_there(row: list[str], own_options: set[str]) -> None:
    """The last cell of a row names knobs and options, or says that there is none."""
    named = re.findall(r"`([^`]+)`", row[-1])
    assert named or row[-1].startswith("none"), row[-1]
    for knob in named:
        if knob.startswith("--"):
            assert knob.partition("=")[0] in own_options, knob
        elif "." in knob:
            assert f"| `{knob.partition('=')[0]}` |" in method_table(), knob
        else:
            assert re.search(rf"\| `{knob.partition('=')[0]}`(, of .*)? \|", knob_table()), knob
        if "=" in knob and not knob.startswith("--"):
            protocol_of(Protocol(), None, (), [knob])


def test_protocols_md_explains_every_knob_of_the_experiment() -> None:
    text = text_of(DOCS / "protocols.md")
    for name in TABLES:
        text = re.sub(rf"<!-- {name}:begin -->.*?<!-- {name}:end -->", "", text, flags=re.DOTALL)
    names = [*knobs_of(Protocol), *(knob for suite in near() for knob in knobs_of(suite.knobs))]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert "`--seeds`" in text


def test_the_models_of_protocols_md_are_those_of_the_paper() -> None:
    assert {ALIASES[alias][0] for alias, _ in MODELS.values()} == {where for where, _ in ALIASES.values()}


# -- plug-ins that can be pasted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "add-a-method.md"], ids=lambda page: page.name)
def test_the_plug_in_keeps_the_contract(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None
) -> None:
    paste(blocks(page)[0], tmp_path, monkeypatch, "my_method")
    for pull in ("0", "0.5", "1"):
        check_method(resolve("my_method", {"my_method": {"pull": pull}}))
    check_method(resolve("my_method_evolver", {"evolver": {"generations": 1}}))


def test_every_block_of_add_a_method_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None) -> None:
    code = blocks(DOCS / "add-a-method.md")
    paste(code[0], tmp_path, monkeypatch, "my_method")
    pasted = paste("\n".join(code[1:]), tmp_path, monkeypatch)
    check_method(resolve("best_pair"))
    check_method(resolve("best_pair_evolver", {"evolver": {"generations": 1}}))
    pasted.test_my_method_keeps_the_contract()


def test_every_block_of_add_an_optimiser_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None
) -> None:
    code = blocks(DOCS / "add-an-optimiser.md")
    paste(code[0], tmp_path, monkeypatch, "my_optimiser")
    pasted = paste("\n".join(code[1:]), tmp_path, monkeypatch)
    pasted.test_halfway_keeps_the_contract()
    assert describe(resolve("ties_halfway"))["knobs"]["optimiser"]["knobs"] == {"pull": 0.5}
    with pytest.raises(NotApplicable, match="searches numbers alone"):
        pasted.require_numbers(spaces.choices(2))


def test_add_an_optimiser_names_every_one_that_is_built_in() -> None:
    rows = re.findall(
        r"^\| `([a-z]+)` \|", text_of(DOCS / "add-an-optimiser.md").partition("## Those that")[2], re.MULTILINE
    )
    assert sorted(rows) == sorted(OPTIMISERS.built_in)


def test_every_block_of_add_a_grader_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None) -> None:
    code = blocks(DOCS / "add-a-grader.md")
    paste(code[0], tmp_path, monkeypatch, "my_grader")
    pasted = paste("\n".join(code[1:]), tmp_path, monkeypatch)
    pasted.test_close_keeps_the_contract()
    assert grader_of("close:within=0.05").mark("104", Reference("100")) == 1


def test_add_a_grader_names_every_one_that_is_built_in() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \|", text_of(DOCS / "add-a-grader.md").partition("## Those that")[2], re.MULTILINE
    )
    assert sorted(rows) == sorted(GRADERS.built_in)


def test_the_suite_of_add_a_suite_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = paste(blocks(DOCS / "add-a-suite.md")[0], tmp_path, monkeypatch)
    (mark,) = suite.test_without_tec.pytestmark
    (setting,) = mark.args
    assert mark.name == "setting" and isinstance(setting, Setting)
    everything = (*suite.FOUR, "tec")
    assert setting.populations(everything) == [suite.FOUR] and setting.exam(suite.FOUR, everything) == ("tec",)


def test_the_suite_that_can_be_pasted_reads_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None
) -> None:
    paste(blocks(DOCS / "add-a-suite.md")[2], tmp_path, monkeypatch, "my_reviews")
    suite = suite_of("reviews")
    assert suite.known() == ("books", "shoes") and suite.find(Where(), suite.knobs(), 0) == {}
    (tmp_path / "reviews").mkdir()
    reviews = [f"{'good' if n % 2 else 'bad'}\tbook number {n}" for n in range(20)]
    (tmp_path / "reviews" / "books.tsv").write_text("\n".join([*reviews, "good\ttoo short"]))
    assert suite.lies_in(tmp_path)
    found = suite.find(Where(folder=tmp_path), protocol_of(PROTOCOLS["quick"], suite, ()).own, 0)
    assert {name: len(corpus.everything) for name, corpus in found.items()} == {"books": 20}


def test_add_a_suite_names_every_field() -> None:
    text = text_of(DOCS / "add-a-suite.md")
    told = ("called", "judges", "at_hand")  # properties that other fields decide
    of_suites = [name for name in vars(Suite) if not name.startswith("_") and name not in told]
    names = [field.name for kind in (Setting, Task) for field in dataclasses.fields(kind) if field.name != "version"]
    assert len(of_suites) > 12 and [name for name in (*of_suites, *names) if f"`{name}`" not in text] == []


@pytest.mark.whole
def test_the_tables_can_be_written_where_no_test_has_run() -> None:
    code = "import tests.test_docs as docs; docs.method_table()"  # what `make docs` does first
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-300:]


if __name__ == "__main__":  # python -m tests.test_docs, from the root: write the tables of protocols.md
    PAGE = DOCS / "protocols.md"
    PAGE.write_text(with_tables(text_of(PAGE)), encoding="utf-8")
