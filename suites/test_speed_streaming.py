"""What merges from files to files cost: beside mergekit's, and beside reading the members and writing as much as the
result.

Every work is a process of its own, so that time and memory hold its start. Files are put out of the page cache before
each. "Resident" is what the processes hold beside the page cache, at its peak, looked at again and again. By default
models are so small that only that it runs is shown: `--speed-shape=roberta-base` makes five members in float32 (6 GB of
disk, minutes, most of them within mergekit's sorts), `--speed-shape=llama-3b` or `llama-7b` three in bfloat16 (35 or 68
GB).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import pytest

pytestmark = pytest.mark.measures
ROOT = Path(__file__).parent.parent
WEIGHTS = "model.safetensors"
AIMS = {"ties": 10.0, "simple": 1.5}  # times faster than mergekit
PLAIN = 2.5  # times the time of reading all and writing the result
HELD = {"roberta-base": 1 << 30}  # bytes beside the page cache; of others:
MOST = 4 << 30
SIZES: Mapping[str, Mapping[str, int]] = {  # of a Llama
    "llama-31m": {"vocab": 8000, "hidden": 512, "inner": 1408, "blocks": 8},
    "llama-1.1b": {"vocab": 32000, "hidden": 2048, "inner": 5632, "blocks": 22},
    "llama-3b": {"vocab": 32000, "hidden": 3200, "inner": 8640, "blocks": 26},
    "llama-7b": {"vocab": 32000, "hidden": 4096, "inner": 11008, "blocks": 32},
}
THEIRS = {
    "ties": ("ties", {"density": 0.2, "weight": 1.0}, {"normalize": True}),
    "simple": ("linear", {"weight": 1.0}, {}),
}


@dataclass(frozen=True)
class Cost:
    """Of one run of a command."""

    seconds: float
    bytes: int  # resident beside the page cache, at the peak

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s, {self.bytes / 2**30:5.2f} GiB"


@dataclass(frozen=True)
class World:
    """Models on the disk."""

    shape: str
    base: Path
    members: Sequence[Path]

    @property
    def files(self) -> list[Path]:
        """Of weights."""
        return [path for folder in (self.base, *self.members) for path in sorted(folder.glob("*.safetensors"))]

    def size(self, *folders: Path) -> int:
        """Bytes of weights in these folders."""
        return sum(path.stat().st_size for folder in folders for path in folder.glob("*.safetensors"))


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A base and members a step away from it, removed at the end: they are large."""
    shape = request.config.getoption("--speed-shape")
    there = tmp_path_factory.mktemp("streaming")
    make = import_module("suites.workbench_streaming")
    llama = shape in SIZES
    paths = make.llamas(there, SIZES[shape]) if llama else make.robertas(there, shape)
    yield World(shape, paths[0], paths[1:])
    shutil.rmtree(there)


def ours(world: World, method: str, out: Path) -> list[str]:
    """The command that merges."""
    members = [word for path in world.members for word in ("--member", str(path))]
    knobs = ["--set", "ties.scope=per_tensor", "--set", "ties.zero_vote=plus"] if world.shape not in SIZES else []
    return [
        *(sys.executable, "-m", "harness", "merge", method, "--base", str(world.base), *members, "--out", str(out)),
        *(knobs if method == "ties" else []),
    ]


def theirs(world: World, method: str, out: Path) -> list[str]:
    """mergekit's, with knobs with which it does the same."""
    called, each, knobs = THEIRS[method]
    models = [{"model": str(path), "parameters": each} for path in world.members]
    config: dict[str, Any] = {"merge_method": called, "models": models, "parameters": knobs, "dtype": "float32"}
    if called != "linear":
        config["base_model"] = str(world.base)
    yaml = import_module("yaml")
    out.with_suffix(".yml").write_text(yaml.safe_dump(config))
    return [
        sys.executable,
        "-m",
        "mergekit.scripts.run_yaml",
        str(out.with_suffix(".yml")),
        str(out),
        "--no-copy-tokenizer",
    ]


def plain(read: Sequence[Path], written: int, out: Path) -> list[str]:
    """Reads files and writes so many bytes, a few megabytes at a time, until they are on the disk."""
    code = (
        "import os, sys\n"
        "room = bytearray(1 << 22)\n"
        "for path in sys.argv[3:]:\n"
        "  with open(path, 'rb', buffering=0) as file:\n"
        "    while file.readinto(room): pass\n"
        "with open(sys.argv[1], 'wb', buffering=0) as file:\n"
        "  for _ in range(int(sys.argv[2]) >> 22): file.write(room)\n"
        "  file.write(room[: int(sys.argv[2]) & ((1 << 22) - 1)])\n"
        "  os.fsync(file.fileno())\n"
    )
    return [sys.executable, "-c", code, str(out), str(written), *map(str, read)]


def cost(command: Sequence[str], world: World) -> Cost:
    """Run it, with none of the models' files in the page cache."""
    for path in world.files:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    begun, most = perf_counter(), 0
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while process.poll() is None:
        most = max(most, held(process.pid))
        sleep(0.02)
    seconds = perf_counter() - begun
    assert process.stdout is not None
    assert process.returncode == 0, process.stdout.read().decode()[-2000:]
    return Cost(seconds, most)


def held(process: int) -> int:
    """Bytes that a process and its children hold beside the page cache."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(int(line[1]) * 1024 for line in lines) + sum(held(int(child)) for child in children)


@pytest.mark.parametrize("method", list(AIMS))
def test_files_to_files_beside_mergekit(
    method: str, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five members in float32: either reads folders and writes one."""
    if world.shape in SIZES:
        pytest.skip("mergekit is measured at --speed-shape=roberta-base")
    for package in ("mergekit", "immutables"):
        if util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install mergekit==0.1.5")
    rounds: list[list[Cost]] = [[], []]
    for k in range(3 if method == "simple" and world.shape == "roberta-base" else 1):
        for i, command in enumerate((ours, theirs)):
            out = tmp_path / f"{i}-{k}"
            rounds[i].append(cost(command(world, method, out), world))
            assert world.size(out)
            shutil.rmtree(out)
    seconds = [median(c.seconds for c in own) for own in rounds]
    own, other = (max(c.bytes for c in some) / 2**30 for some in rounds)
    with capsys.disabled():
        print(
            f"\n  {method}: {seconds[0]:.2f} s, mergekit {seconds[1]:.2f} s: {seconds[1] / seconds[0]:.1f} times "
            f"faster   aim {AIMS[method]:g}   {own:.2f} GiB held beside the page cache, mergekit {other:.2f}",
            end="",
        )
    if world.shape == "roberta-base":
        assert own * 2**30 <= HELD[world.shape]


@pytest.mark.parametrize("method", list(AIMS))
def test_files_to_files_beside_reading_and_writing(
    method: str, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A merge, and reading all that it reads once and writing as much as it writes."""
    out = tmp_path / "out"
    made = cost(ours(world, method, out), world)
    written = world.size(out)
    shutil.rmtree(out)
    read = world.files if method == "ties" else [p for p in world.files if p.parent != world.base]
    yardstick = cost(plain(read, written, tmp_path / WEIGHTS), world)
    (tmp_path / WEIGHTS).unlink()
    with capsys.disabled():
        print(
            f"\n  {method}, {len(world.members)} members of {written / 1e9:.2f} GB: {made}   reading and writing "
            f"{yardstick}: {made.seconds / yardstick.seconds:.2f} times as long   aim {PLAIN:g}",
            end="",
        )
    assert made.bytes <= HELD.get(world.shape, MOST)
