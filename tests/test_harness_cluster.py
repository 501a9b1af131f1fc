"""What befalls a cluster beside kills: Ctrl-C, a machine that is lost, a folder that vanishes, two engines at once.

It begins clusters and takes long, so it runs where it is named alone: pytest tests/test_harness_cluster.py
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness.suites.emotion.labels import LABELS
from tests.kills import PATIENCE, Round, base_of, begun, below, check, ended, undisturbed_in
from tests.nodes import nodes
from tests.small_world import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(find_spec("ray") is None, reason="its extra is not installed")]
OWN = ("--engine=ray", "--ray-workers=2")  # a cluster that the session begins


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo with the tiny model alone."""
    return base_of(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Round:
    """A session of one process, from nothing."""
    return undisturbed_in(tmp_path_factory.mktemp("one"), base)


def until(session: subprocess.Popen[bytes], there: Callable[[], bool]) -> None:
    """Wait, while a session runs."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert session.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def stands(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("times", [1, 2])
def test_a_session_that_is_interrupted_leaves_no_process_and_the_next_one_goes_on(
    times: int, undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    one = begun(tmp_path, "one", base)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs behind & are deaf to it
    session = one.begin(*OWN)
    signal.signal(signal.SIGINT, before)
    try:
        until(session, lambda: one.trained() >= 2)
        there = below(session.pid)
        for _ in range(times):  # as a terminal does it, all that the session has begun is told
            os.killpg(session.pid, signal.SIGINT)
            time.sleep(0.3)
        assert session.wait(PATIENCE) == pytest.ExitCode.INTERRUPTED, one.said()
    finally:
        session.kill()
    assert not [name for pid, name in there.items() if stands(pid)]
    said = one.said()
    assert "ending the workers and Ray's processes; what is finished is stored" in said and "Traceback" not in said
    ended(one.begin(*OWN), one)
    check(one, undisturbed, "session")


@pytest.mark.parametrize("what", ["all of it", "its raylet"])
def test_a_machine_that_is_lost_takes_its_workers_and_no_record(
    what: str, undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    one = begun(tmp_path, "one", base)
    with nodes(1, 1, environment=one.environment) as cluster:
        one = replace(one, more=cluster.environment)
        session = one.begin("--engine=ray", f"--ray-address={cluster.address}")
        try:
            until(session, lambda: one.trained() >= 2)
            lost = cluster.nodes[1]
            lost.lose() if what == "all of it" else lost.lose_raylet()
            ended(session, one)
        finally:
            session.kill()
    said = one.said()
    assert "a worker was lost" in said and f"Ray {version('ray')} at {cluster.address}: 2 workers" in said
    check(one, undisturbed, "session")


def test_two_engines_on_one_store_lose_nothing_and_train_nothing_twice(
    undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    one = begun(tmp_path, "one", base)
    both = [one.begin(*OWN), one.begin("-n", "2")]
    for session in both:
        ended(session, one)
    check(one, undisturbed, "session")
    assert one.trained() == undisturbed.trained(), "nobody was disturbed"


@pytest.mark.parametrize("engine", [OWN, ("-n", "2")], ids=["ray", "xdist"])
def test_folders_that_answer_slowly_lose_nothing(
    engine: tuple[str, ...], undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    log, way = tmp_path / "log", [str(ROOT / "tests" / "sluggish"), str(ROOT)]
    slow = {"SLUGGISH": str(tmp_path / "one"), "SLUGGISH_LOG": str(log), "PYTHONPATH": os.pathsep.join(way)}
    one = begun(tmp_path, "one", base, **slow)
    ended(one.begin(*engine), one)
    assert len(set(log.read_text().split())) > 1, "workers and the session had to wait"
    check(one, undisturbed, "session")
    assert one.trained() == undisturbed.trained(), "nobody was thought to be gone"
    assert "Traceback" not in one.said()


AWAY = {
    "away": lambda folder: None,
    "an empty folder": lambda folder: folder.mkdir(),
    "a file": lambda folder: folder.touch(),
}


@pytest.mark.parametrize("left", AWAY)
@pytest.mark.parametrize("name", ["zoo", "results"])
def test_a_folder_that_vanishes_loses_nothing(
    name: str, left: str, undisturbed: Round, tmp_path: Path, base: Path
) -> None:
    one = begun(tmp_path, "one", base)
    session = one.begin(*OWN)
    try:
        until(session, lambda: len(one.records()) >= 2)
        folder = one.folder / name
        folder.rename(one.folder / "elsewhere")
        AWAY[left](folder)
        code = session.wait(PATIENCE)
    finally:
        session.kill()
    assert code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR), one.said()
    said = one.said()
    assert f"{folder} was there and no longer is; bring it back" in said and "Traceback" not in said
    if left == "an empty folder":
        assert not list(folder.iterdir()), "nothing is made in the place of a disk"
        folder.rmdir()
    elif left == "a file":
        folder.unlink()
    else:
        assert not folder.exists()
    (one.folder / "elsewhere").rename(folder)
    ended(one.begin(*OWN), one)
    check(one, undisturbed, "session")


def adapter(base: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter of the tiny encoder, of rank 2 with a head, as PEFT saves one."""
    draws = torch.Generator().manual_seed(seed)
    held = {"classifier.weight": (len(LABELS), 64), "classifier.bias": (len(LABELS),)}
    for layer in (0, 1):
        query = f"bert.encoder.layer.{layer}.attention.self.query"
        held |= {f"{query}.lora_A.weight": (2, 64), f"{query}.lora_B.weight": (64, 2)}
    tensors = {f"base_model.model.{name}": torch.randn(size, generator=draws) for name, size in held.items()}
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query"]}
    more = {"modules_to_save": ["classifier"], "base_model_name_or_path": str(base)}
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({**config, **more}))
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
    (folder / "config.json").write_text(json.dumps({**json.loads((base / "config.json").read_text()), **names}))
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_adapters_are_members_and_a_budget_leaves_out_what_the_next_session_makes(tmp_path: Path, base: Path) -> None:
    """Of a cluster as of one process."""
    (tiny,) = (base / "tiny").iterdir()
    brought = [f"--member={name}={adapter(tiny, tmp_path / name, i)}" for i, name in enumerate(("tec", "isear"))]
    asked = (*brought, "-k", "tec+isear")
    # Heads that are brought did not start as one.
    alone, one = (replace(begun(tmp_path, name, base), heads="diff") for name in ("alone", "one"))
    ended(alone.begin("--engine=inline", *asked), alone)
    ended(one.begin(*OWN, *asked, "--budget=1s"), one)
    assert "left out by the budget of 1 s" in one.said()
    assert not one.records() or one.records().keys() < alone.records().keys()
    ended(one.begin(*OWN, *asked, "--budget=2h"), one)
    check(one, alone, "session")
    assert one.trained() == 0 and len(one.records()) == 5
