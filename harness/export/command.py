"""`python -m harness export RECORD FOLDER [options]`: a record's merge made again, from what the record was made of.

What the record's command says of models, members, data and choices is taken from there; a folder that lies elsewhere
here is named again. Whatever is at hand, only members, rows and choices that hash as the record's do are taken, and
only the record's weights are written.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import parsing
from harness.export.heard import say
from harness.export.place import NotWritten
from harness.export.rows import NO_MODEL
from harness.records.record import RunRecord, Store, read
from harness.session import options, places
from methods.errors import MergeboardError

USAGE = """python -m harness export RECORD FOLDER [options]

  RECORD    a record's file in a folder of results, such as .mergeboard/results/SUITE/SETTING/.../ties-s1-....json
  FOLDER    where the model is written; it must not be there yet, or be empty
  options   of the session that made the record, where its folders lie elsewhere here: --model=NAME=FOLDER, --data=,
            --task=, --member NAME=FOLDER, --cache=; and -p MODULE for a plug-in, --trust-remote-code=FOLDER for code"""
TAKEN = (  # from the record's command; code never runs because of it
    *("data", "task", "member", "set", "budget-evaluations", "tuned", "trust-configs"),
)
ELSEWHERE = ("CACHE", "DATA", "FOLDER", "RESULTS", "TASK", "ZOO")  # what stands there for places on another machine


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    record: RunRecord
    kept: Store  # that the record lies in
    target: Path
    words: tuple[str, ...]  # for pytest


def asked(words: Sequence[str], here: Path) -> Asked:
    """The command line, checked without torch. Errors: `MergeboardError` or `BadRecord` in one line."""
    if not words or words[0] != "export":
        raise MergeboardError("write python -m harness export ..., or python -m harness merge ...; --help says more")
    if len(words) < 3 or words[1].startswith("-") or words[2].startswith("-"):
        raise MergeboardError("write python -m harness export RECORD FOLDER, and options behind them; --help says more")
    path, target = here / parsing.expanded(words[1]), here / parsing.expanded(words[2])
    if path.is_dir():
        raise MergeboardError(f"{words[1]} is a folder; name the file of one record in it")
    places.require_new("export to", target)
    record = read(path)
    if record is None:
        raise MergeboardError(f"{words[1]} is of a schema that is not known here; use the version that wrote it")
    if not record.lies_at(Path(*path.absolute().parts[-4:])):
        raise MergeboardError(f"{words[1]} lies under another name than {record.path}; a store of results has it there")
    if (what := NO_MODEL.get(record.method)) is not None:
        raise MergeboardError(f"{words[1]}: {record.method} is {what}, no model that could be written")
    return Asked(record, Store(path.absolute().parents[3]), target, tuple(_words(record, words[3:])))


def _words(record: RunRecord, given: Sequence[str]) -> Iterator[str]:
    """What pytest is started with: the user's options, and those of the record that the user does not replace."""
    yield from given
    own = {word.partition("=")[0].lstrip("-") for word in given if word.startswith("--")}
    if "protocol" not in own:
        yield f"--protocol={record.recipe.get('protocol', {}).get('name', 'paper')}"
    command = str(record.environment.get("command") or "")
    if "model" not in own:
        yield f"--model={_model(record, command)}"
    for name, value in _options(command):
        if name not in TAKEN or name in own:
            continue
        if value is not None and value.rpartition("=")[2] in ELSEWHERE:
            what = value.replace(value.rpartition("=")[2], "FILE.toml" if name == "task" else "FOLDER")
            raise MergeboardError(f"the record was made with --{name}={value}; say where that lies: --{name}={what}")
        yield f"--{name}" if value is None else f"--{name}={value}"


def _model(record: RunRecord, command: str) -> str:
    """The word that named the record's model."""
    named = [value for name, value in _options(command) if name == "model" and value is not None]
    for value in named:
        name, _, where = value.partition("=")
        if name == record.model and where not in ELSEWHERE:
            return value
    if any(value.partition("=")[2] in ELSEWHERE or value in ELSEWHERE for value in named):
        raise MergeboardError(f"the record's model lay in a folder; say where it is: --model={record.model}=FOLDER")
    return record.model


def _options(command: str) -> Iterator[tuple[str, str | None]]:
    """The options of a command, `--name=value` and `--name value` alike."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    for place, word in enumerate(words):
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            after = words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("-") else None
            yield name, value if sign else after


def export(order: Asked) -> int:
    """Write the record's model. The exit code: 0, 4 where what is at hand is another, 1 where writing failed."""
    plugin = _Export(order)
    before = ("-p", "harness.plugin", "-p", "no:cacheprovider", "--capture=no")
    code = int(pytest.main([*before, *order.words], plugins=[plugin]))
    return code if plugin.code is None else plugin.code


@dataclass
class _Export:
    """A session without tests: pytest reads the command line and loads plug-ins, then the model is written."""

    order: Asked
    code: int | None = None  # None: it did not come to writing

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """No report of a session; its options stay known, since a project may set some."""
        config.pluginmanager.unregister(name="terminalreporter")

    def pytest_collection(self) -> bool:
        """Nothing is collected."""
        return True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Errors: `pytest.UsageError` in one line."""
        from harness.export.deliver import Order, deliver
        from harness.export.remake import cell_of
        from harness.session.bench import Bench

        found, record = options.read(session.config), self.order.record
        bench = Bench(found, _say)
        model = next((m for m in found.models if m.display == record.model), None)
        if model is None:
            raise pytest.UsageError(f"the record is of the model {record.model}; write --model={record.model}=FOLDER")
        why = "Its record was named on the command line; it was not chosen here."
        try:
            options.require_apart("export to", self.order.target, found)
            cell = cell_of(record, model)
            lab = bench.lab(model, cell.setting)
            facts = deliver(Order(record, why), cell, lab, self.order.kept, Store(found.results), self.order.target)
        except NotWritten as error:
            print(f"ERROR: {error}", file=sys.stderr)
            self.code = 1
        except MergeboardError as error:
            raise pytest.UsageError(str(error)) from None
        else:
            say(f"written: {self.order.target} ({facts.record.method}, {facts.dtype})")
            self.code = 0
        return True


def _say(line: str) -> None:
    say(f"  {line} ...")
