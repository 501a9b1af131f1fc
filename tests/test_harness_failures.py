"""What goes wrong: corpora that are not there, methods that fail, full disks, killed runs, two runs at once."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from harness.data.corpus import MASKED
from harness.suites.emotion import world as synthetic
from harness.suites.emotion.corpora import FILE
from harness.suites.emotion.labels import LABELS
from methods import MergeboardError, NotApplicable, Population, register
from tests.emotion_cells import BOTH
from tests.small_world import HARDLY, Project, SmallWorld, make_lab, needs_fork, outcome

pytestmark = pytest.mark.whole

# -- corpora that are not there --------------------------------------------------------------------------------------


def unified(folder: Path, *corpora: str) -> Path:
    """The small world's rows of these corpora in the layout of the real file."""
    path = folder / FILE
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for name in corpora:
            rows = synthetic.load(SmallWorld(), 0)[name].everything
            for text, row in zip(rows.texts, rows.labels.tolist(), strict=True):
                values = {k: None if v == MASKED else float(v) for k, v in zip(LABELS, row, strict=True)}
                emotions = {k: values[k] for k in LABELS[:13]}
                entry = {"source": name, "text": text, "emotions": emotions, "VAD": dict.fromkeys(LABELS[13:])}
                file.write(json.dumps(entry) + "\n")
    return folder


def real(project: Project) -> list[str]:
    """Options that make the tiny model a user's own, on corpora from a file."""
    folder = make_lab(project.zoo).subject.folder
    return [f"--model=mine={folder}", f"--data={project.path / 'data'}", "--protocol=quick", "--method=simple"]


def test_missing_corpora_are_named_and_the_rows_say_how_much_is_there(project: Project) -> None:
    unified(project.path / "data", "crowdflower", "dailydialog", "isear", "ssec", "affectivetext")
    result = project.run(*real(project), "--heads=same", small=HARDLY)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        ["mergeboard: emotion: not in the data: tec, tales-emotion, emoint, electoraltweets, *"]
    )
    records = project.records()
    pairs = itertools.combinations(("dailydialog", "crowdflower", "isear"), 2)
    assert {n for n in records if n.startswith("pairwise")} == {f"pairwise/same/{a}+{b}/simple" for a, b in pairs}
    assert {r.coverage for r in records.values() if r.setting != "out_of_domain"} == {"3 of 5"}
    outside = records["out_of_domain/same/all/simple"]
    assert outside.coverage == "3 of 5 members, 2 of 5 corpora" and set(outside.scores) == {"ssec", "affectivetext"}


def test_without_any_unseen_corpus_the_question_is_skipped_with_a_reason(project: Project) -> None:
    unified(project.path / "data", "tec", "isear")
    result = project.run(*real(project), "--heads=same", small=HARDLY)
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*out_of_domain: none of emoint, ssec, * is in the data*"])


def test_with_a_single_corpus_there_is_nothing_to_merge(project: Project) -> None:
    unified(project.path / "data", "isear", "ssec")
    result = project.run(*real(project))
    result.assert_outcomes(skipped=3)
    assert result.ret == 0 and project.records() == {}


# -- methods that fail -----------------------------------------------------------------------------------------------


def registered(name: str, error: Exception) -> None:
    @register(name, paper="none")
    @dataclass(frozen=True)
    class Fails:
        version: ClassVar[int] = 1

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            raise error

    Fails.__qualname__ = name


def test_failing_methods_are_failed_tests_and_no_records(project: Project, own_methods: None) -> None:
    """Whatever is raised, by us, by the system or by torch."""
    kinds = {"bursts": MergeboardError, "fades": OSError, "explodes": RuntimeError}
    for name, kind in kinds.items():
        registered(name, kind(f"{name}: the fuse was lit"))
    words = ("--method=simple", "--heads=same", "-k", "in_domain")
    result = project.run(*words, *(f"--method={name}" for name in kinds))
    result.assert_outcomes(failed=3, passed=1, deselected=44)
    assert set(project.records()) == {"in_domain/same/all/simple"}, "the session goes on"
    for name in kinds:
        said = f"{name}: the fuse was lit"
        result.stdout.fnmatch_lines_random([f"FAILED suites/test_emotion.py::test_in_domain[[]*{name}] - *{said}"])
        assert len([line for line in result.outlines if said in line]) == 2, "one line, in both places"
    result.stdout.no_fnmatch_line("*raise error*")
    result = project.run(*words, "--method=explodes", "--full-trace")
    result.stdout.fnmatch_lines(["*raise error*", "*1 failed*1 cached*"])


def test_a_merge_that_is_not_finite_is_refused(project: Project, own_methods: None) -> None:
    @register("overflows", paper="none")
    @dataclass(frozen=True)
    class Overflows:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            return {name: w / 0 if "pooler" in name else w for name, w in population.members[0].items()}

    result = project.run("--method=overflows", "--heads=same", "-k", "in_domain")
    result.assert_outcomes(failed=1, deselected=11)
    result.stdout.fnmatch_lines(["in_domain[[]*overflows]: the merge by overflows: bert.pooler.dense.* holds *"])
    assert project.records() == {}


def test_a_method_that_writes_into_members_spoils_no_checkpoint_and_no_other_cell(
    answered: Project, own_methods: None
) -> None:
    @register("aa_scribbles", paper="none")
    @dataclass(frozen=True)
    class Scribbles:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            for member in population.members:
                for tensor in member.values():
                    tensor.zero_()  # type: ignore[attr-defined]
            return population.members[0]

    words = ("--heads=same", "-k", "in_domain", "--method=aa_scribbles", "--method=simple", "--results=alone")
    answered.run(*words).assert_outcomes(failed=1, passed=1, deselected=22)
    found, wanted = answered.records("alone"), answered.records()
    name = "in_domain/same/all/simple"
    assert outcome(found[name]) == outcome(wanted[name])


def test_an_inapplicable_method_is_skipped_with_its_reason(project: Project, own_methods: None) -> None:
    registered("picky", NotApplicable("picky wants seven members"))
    result = project.run("--method=picky", "--heads=same", "-k", "in_domain")
    result.assert_outcomes(skipped=1, deselected=11)
    result.stdout.fnmatch_lines(["SKIPPED*picky wants seven members"])
    assert project.records() == {} and result.ret == 0


def test_a_full_disk_is_one_line_and_nothing_is_lost(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = answered.records()
    for name in ("ties", "fisher"):
        (answered.path / "results" / wanted[f"in_domain/same/all/{name}"].path).unlink()
    before, move = answered.contents(), os.replace

    def full(source: Any, target: Any) -> None:
        if "ties-s1" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = answered.run(*BOTH)
    result.stdout.fnmatch_lines(["*1 failed, 1 passed*27 cached*"])
    lines = [line for line in result.outlines if line.startswith("in_domain[")]
    assert len(lines) == 1 and "no space left on device" in lines[0]
    after = answered.contents()
    assert {name: after[name] for name in before} == before
    (new,) = after.keys() - before.keys()
    assert new.startswith("emotion/in_domain/tiny-encoder/fisher-s1-"), "the other cell's record is stored"
    assert not list(answered.path.rglob("*.tmp"))
    answered.run(*BOTH).stdout.fnmatch_lines(["*1 passed*28 cached*"])
    assert {n: outcome(r) for n, r in answered.records().items()} == {n: outcome(r) for n, r in wanted.items()}


# -- interrupted, in parallel, twice at once -------------------------------------------------------------------------

SOME = ("simple", "ensemble", "regmean", "ties_evolver")


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@needs_fork
def test_a_killed_run_loses_at_most_the_cell_in_flight(answered: Project) -> None:
    words = ("--heads=same", "-k", "in_domain or tec+", *(f"--method={m}" for m in SOME), "--results=killed")
    process = answered.fork(*words)
    assert process.pid is not None
    try:
        wait_for(lambda: len(answered.store("killed").paths()) >= 2 or not process.is_alive())
        os.kill(process.pid, signal.SIGSTOP)  # what lies there now shall lie there unchanged
        before = answered.contents("killed")
    finally:
        process.kill()
        process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL, "killed in the middle, not at the end"
    records = [name for name in before if name.startswith("emotion/") and not Path(name).name.startswith(".")]
    assert 2 <= len(records) < len(SOME) * 3
    result = answered.run(*words)
    passed = len(SOME) * 3 - len(records)
    result.stdout.fnmatch_lines([f"*{passed} passed*{len(records)} cached*"])
    after = answered.contents("killed")
    assert {name: after[name] for name in records} == {name: before[name] for name in records}
    shared = answered.records()
    for name, record in answered.records("killed").items():
        if name in shared:
            assert outcome(record) == outcome(shared[name]), name


def test_workers_give_the_same_records_train_each_population_once_and_are_heard(
    answered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xdist")
    shutil.copytree(answered.zoo / "tiny", tmp_path / "zoo" / "tiny")
    some = (*SOME, "simple_cma")
    pairs = ("dailydialog+tec", "dailydialog+isear", "tec+isear")  # every member is wanted by two populations
    words = ("--heads=same", "-k", " or ".join(pairs), *(f"--method={m}" for m in some), "--set=search.budget=12")
    answered.run(*words, "--results=alone").assert_outcomes(passed=3 * len(some), deselected=9 * len(some))
    answered.zoo, log = tmp_path / "zoo", tmp_path / "trained.txt"
    monkeypatch.setenv("SMALL_WORLD_LOG", str(log))
    done = {m: answered.records("alone")[f"pairwise/same/tec+isear/{m}"] for m in ("simple", "ensemble")}
    answered.store("workers").put(done["simple"])
    damaged = answered.store("workers").put(done["ensemble"])
    damaged.write_text(damaged.read_text()[:-40])
    result = answered.run("-n2", "-v", *words, "--results=workers", "--junitxml=report.xml")
    assert result.ret == 0
    said = "\n".join(result.outlines)
    assert said.count("damaged record, made again: ") == 1, "what a worker says reaches the terminal"
    turns = re.findall(r"\[(gw\d)\].* (?:PASSED|CACHED) .*\[tiny-encoder-s1-([^\]]+)-\w+\]", said)
    assert len(turns) == 3 * len(some), "each cell once"
    assert len(set(turns)) == 3, "and each population by one worker"
    assert log.read_text().split() == ["fine-tuned"] * 3
    assert (answered.path / "report.xml").read_text().count('name="cached" value="True"') == 1
    found, wanted = answered.records("workers"), answered.records("alone")
    assert found.keys() == wanted.keys()
    assert {n: outcome(r) for n, r in found.items()} == {n: outcome(r) for n, r in wanted.items()}
    commands = {record.environment["command"] for record in found.values() if record.method != "simple"}
    assert len(commands) == 1 and "-n2" in commands.pop(), "the command is the one that was typed"
    gold = {p.name for p in (answered.path / "workers" / "gold").iterdir()}
    assert gold == {p.name for p in (answered.path / "alone" / "gold").iterdir()}


@needs_fork
def test_sessions_of_two_machines_on_one_folder_give_the_same_records_and_train_each_member_once(
    answered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(answered.zoo / "tiny", tmp_path / "zoo" / "tiny")
    answered.zoo, log = tmp_path / "zoo", tmp_path / "trained.txt"
    monkeypatch.setenv("SMALL_WORLD_LOG", str(log))
    words = ("--heads=same", "-k", "in_domain", *(f"--method={m}" for m in SOME), "--results=both")
    running = [answered.fork(*words, host=host) for host in ("node1", "node2")]
    for process in running:
        process.join(timeout=300)
    assert [process.exitcode for process in running] == [0, 0]
    shared, found = answered.records(), answered.records("both")
    assert set(found) == {f"in_domain/same/all/{m}" for m in SOME}
    assert {n: outcome(r) for n, r in found.items()} == {n: outcome(shared[n]) for n in found}
    assert log.read_text().split() == ["fine-tuned"] * 5
    left = [p for p in (*(answered.path / "both").rglob("*"), *answered.zoo.rglob("*")) if p.name.startswith(".")]
    assert not left and not list(answered.path.rglob("*.lease")) and not list(answered.zoo.rglob("*.lease"))
