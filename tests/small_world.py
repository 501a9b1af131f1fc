"""A world small enough for tests: the harness itself, with fewer words, rows and steps; production knows nothing of it.

A session is made small by the plugin tests.shrunk, and then writes a line for every member that is fine-tuned to the
file that SMALL_WORLD_LOG names.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

import harness.data.world
import harness.members.finetune
from harness.cells.cell import Source
from harness.cells.lab import Lab
from harness.checkpoints.brought import key_of
from harness.checkpoints.names import TINY as FAMILIES
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus
from harness.members import tiny
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import named
from harness.records.record import RunRecord, Store, read
from harness.storage import owner
from harness.storage.zoo import Zoo
from harness.suites import Where, resolve
from harness.suites.emotion.labels import IN_DOMAIN
from harness.suites.glue import world as synthetic_glue
from harness.suites.tailoring import protocol_of

ROOT = Path(__file__).parents[1]
needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
TINY = ModelName("tiny-encoder", "tiny-encoder")
DECODER = ModelName("tiny-decoder", "tiny-decoder")
GLUE_WORLD = {"_TRAIN": 180, "_TEST": 40, "_PLAIN": 2, "_SLANG": 9, "_TOPICS": 5, "_ORDERED": 3}
STEPS = {"tiny-encoder": 150, "tiny-decoder": 30, "tiny-encoder-decoder": 30}
SMALL = (  # settings under which five members take two seconds, and methods differ from each other and from nothing
    *("train_rows=80", "dev_rows=20", "test_rows=40", "epochs=2", "batch_size=8", "learning_rate=3e-3"),
    *("threshold=-2.0", "fisher_rows=16", "gram_rows=32", "evolver.generations=2"),
    *("glue_dev_least=20", "glue_dev_most=20", "partition_rows=80"),
)
_LESS = {"train_rows=80": "train_rows=24", "epochs=2": "epochs=1", "partition_rows=80": "partition_rows=40"}
HARDLY = tuple(_LESS.get(one, one) for one in SMALL)  # where nobody asks what members learned


@dataclass(frozen=True)
class SmallWorld(harness.data.world.World):
    """The same kind of world."""

    rows: int = 200
    fillers: int = 15
    topics: int = 5
    plain: int = 2
    slang: int = 16
    slang_share: float = 0.3


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Make the embedded world small, until the patch is undone."""
    patch.setattr(harness.data.world, "World", SmallWorld)
    for name, number in GLUE_WORLD.items():
        patch.setattr(synthetic_glue, name, number)
    patch.setattr(tiny, "_STEPS", STEPS)
    patch.setattr(harness.members.finetune, "finetune", _logged(harness.members.finetune.finetune))


def _logged(finetune: Callable[..., Any]) -> Callable[..., Any]:
    def logged(*arguments: Any, **named_: Any) -> Any:
        if log := os.environ.get("SMALL_WORLD_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write("fine-tuned\n")
        return finetune(*arguments, **named_)

    return logged


def protocol(
    *settings: str, name: str = "quick", suite: str = "emotion", tags: tuple[str, ...] = ("encoder",)
) -> Protocol:
    """The protocol of a small session, with more settings on top."""
    return protocol_of(named(name), resolve(suite), {"tiny", *tags}, [*SMALL, *settings])


def make_lab(
    zoo: Path, *settings: str, model: ModelName = TINY, suite: str = "emotion", say: Callable[[str], None] = print
) -> Lab:
    """The laboratory that a small session has."""
    world, p = SmallWorld(), protocol(*settings, suite=suite, tags=(FAMILIES[model.where],))
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        folder = tiny.build(model.where, world, Zoo(zoo))
        corpora = resolve(suite).find(Where(world=world), p.own, p.split_seed)
    usual = protocol_of(named("quick"), resolve(suite), {"tiny", FAMILIES[model.where]})
    return Lab(model, folder, p, corpora, Zoo(zoo), {}, say, usual=usual)


def forget(lab: Lab) -> None:
    """Let a laboratory work out its recipes anew, after a test changed what they rest on."""
    for known in (lab.identity._recipes, lab.identity._keys, lab.identity._firsts):
        known.clear()  # type: ignore[attr-defined]


def saved(zoo: Path, folder: Path) -> Path:
    """The zoo's isear as a user would save it, in transformers' layout and without a tokenizer."""
    lab = make_lab(zoo)
    model = lab.subject.ancestor(lab.rows.task("isear"), 1).model
    model.load_state_dict(dict(lab.workshop.member(alone("isear"))), strict=False)
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def bring(lab: Lab, folders: dict[str, Path]) -> None:
    """Let members of a laboratory be brought that were fine-tuned before."""
    given = lab.identity._given
    assert isinstance(given, dict) and given is lab.workshop._given, "the dictionary that make_lab made"
    given.clear()
    given.update({key_of(name): folder for name, folder in folders.items()})
    lab.identity._prints.clear()


def swap(lab: Lab, corpus: str, **changes: Any) -> None:
    """Another corpus under the same name."""
    swap_all(lab, {**lab.rows.corpora, corpus: replace(lab.rows.corpora[corpus], **changes)})


def swap_all(lab: Lab, corpora: Mapping[str, Corpus]) -> None:
    """Other corpora under the same names."""
    lab.rows.corpora = corpora
    lab.rows._splits.clear()
    lab.rows._masks.clear()


def alone(member: str, seed: int = 1) -> Source:
    """What one member is fine-tuned on."""
    return Source((member,), seed, seed)


def make_zoo(folder: Path) -> Path:
    """A zoo with the tiny encoder and its five members of seed 1."""
    lab = make_lab(folder)
    for corpus in IN_DOMAIN:
        lab.workshop.member(alone(corpus))
    return folder


class Project:
    """A project of its own with one suite, whose sessions are run in this process or in another."""

    def __init__(self, pytester: pytest.Pytester, zoo: Path, suite: str = "emotion") -> None:
        self.pytester, self.zoo, self.path = pytester, zoo, pytester.path
        pytester.makepyprojecttoml('[tool.pytest]\nstrict = true\naddopts = ["-ra", "--import-mode=importlib"]\n')
        pytester.makeconftest('pytest_plugins = ["harness.plugin", "leaderboard.plugin"]')
        (self.path / "suites").mkdir()
        shutil.copy(ROOT / "suites" / f"test_{suite}.py", self.path / "suites")

    def arguments(self, *more: str, small: tuple[str, ...] = SMALL) -> list[str]:
        """What stands behind `pytest`."""
        words = ["suites/", "-p", "tests.shrunk", "-p", "no:cacheprovider", f"--zoo={self.zoo}"]
        words += [] if any(word.startswith("--results") for word in more) else ["--results=results"]
        words += [] if any(word.startswith("--seeds") for word in more) else ["--seeds=1"]
        words += [] if any(word.startswith("--model") for word in more) else ["--model=tiny-encoder"]
        return [*words, *(f"--set={setting}" for setting in small), *more]

    def run(self, *more: str, small: tuple[str, ...] = SMALL) -> pytest.RunResult:
        """One session in this process."""
        return self.pytester.runpytest_inprocess(*self.arguments(*more, small=small))

    def fork(self, *more: str, small: tuple[str, ...] = SMALL, host: str = owner.HOST) -> BaseProcess:
        """One session in a copy of this process, which need not import anything; it speaks to the file `said`.

        `host`: the machine that it believes itself on.
        """

        def session() -> None:
            owner.HOST = host
            with (self.path / "said").open("a", encoding="utf-8") as said, redirect_stdout(said), redirect_stderr(said):
                code = pytest.main(self.arguments(*more, small=small))
            os._exit(code)

        process = multiprocessing.get_context("fork").Process(target=session)
        process.start()
        return process

    def store(self, results: str = "results") -> Store:
        return Store(self.path / results)

    def all_records(self, results: str = "results") -> list[RunRecord]:
        """Every record of a store."""
        found = [read(path) for path in self.store(results).paths()]
        return [record for record in found if record is not None]

    def records(self, results: str = "results") -> dict[str, RunRecord]:
        """Records by setting, heads, population and method: `in_domain/same/all/ties`."""
        return {f"{r.setting}/{r.heads}/{r.population}/{r.method}": r for r in self.all_records(results)}

    def contents(self, results: str = "results") -> dict[str, bytes]:
        """Every file of a results folder but the page of tables."""
        root = self.path / results
        files = [p for p in root.rglob("*") if p.is_file() and p.suffix != ".md"]
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}


def outcome(record: RunRecord) -> Mapping[str, Any]:
    """All of a record but what it cost and where it was made."""
    kept = ("key", "recipe", "score", "scores", "details", "predictions", "dev", "weights_sha256", "trace")
    return {name: getattr(record, name) for name in (*kept, "members", "coverage", "population", "heads", "metric")}
