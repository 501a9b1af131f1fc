"""What a record says of where and when it was made: versions, processor, commit, command and day; never a path or a
host's name."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness import devices
from harness.records.git import git

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "numpy", "numba", "scikit-learn", "safetensors", "cmaes")
PROCESSORS = (  # what a processor can do, best first: libraries choose their code by it, and round differently
    ("amx", ("amx_bf16", "amx_tile")),
    ("avx512_bf16", ("avx512_bf16",)),
    ("avx512", ("avx512f",)),
    ("avx2", ("avx2",)),
    ("sve", ("sve",)),
    ("neon", ("asimd", "neon")),
)
_command = ""


def set_command(command: str) -> None:
    """Remember the command of this session, as the user could type it again, folders replaced by words."""
    global _command
    _command = command


@lru_cache(maxsize=1)
def _fixed() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "commit": commit(),
    }


def environment() -> dict[str, Any]:
    """Versions, processor, threads, commit, command, and the day in UTC: `2026-11-27`."""
    import torch

    told = {**engine(), "loops": _loops()}
    day = datetime.now(UTC).date().isoformat()
    return {**_fixed(), "engine": told, "threads": torch.get_num_threads(), "command": _command, "date": day}


def engine() -> dict[str, str]:
    """What numbers are made by, and so what members of one population must share: another engine rounds otherwise."""
    return _engine(devices.current())


@lru_cache(maxsize=2)
def _engine(device: str) -> dict[str, str]:
    import torch

    gpu: dict[str, str] = {}
    if device != devices.CPU:
        names = dict.fromkeys(torch.cuda.get_device_name(number) for number in devices.room() or [None])
        gpu = {"device": " + ".join(names), "products": devices.precision()}
    return {
        "torch": _minor(torch.__version__),
        "transformers": _minor(_version("transformers")),  # which takes seconds to import
        "device": device,
        "processor": processor(_flags()),
        **gpu,
    }


def processor(flags: frozenset[str]) -> str:
    """`x86_64 avx2`: the architecture, and the best of what it can do; the architecture alone where nothing is told."""
    kind = next((name for name, signs in PROCESSORS if any(sign in flags for sign in signs)), "")
    return f"{platform.machine()} {kind}".strip()


def _flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What Linux says that the processor can do; elsewhere what torch found."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = next((line for line in lines if line.partition(":")[0].strip().lower() in ("flags", "features")), "")
    if found:
        return frozenset(found.partition(":")[2].lower().split())
    import torch

    capable = str(torch.backends.cpu.get_cpu_capability()).lower()  # "AVX2", "AVX512", "DEFAULT"
    return frozenset({"avx512": ["avx512f"], "default": []}.get(capable, [capable]))


def _loops() -> bool:
    """Whether merges may use compiled loops. Numba is not imported to say so."""
    if "numba" not in sys.modules:
        return importlib.util.find_spec("numba") is not None
    from methods.loops.sweep import numba_works

    return numba_works()


def _minor(version: str) -> str:
    """`2.13.0+cpu` -> `2.13`."""
    return ".".join(version.split("+")[0].split(".")[:2])


@lru_cache(maxsize=1)
def commit() -> str:
    """The commit of this source tree, "-dirty" if files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parent.parent.parent
    try:
        head = git(root, "rev-parse", "--short=12", "HEAD", timeout=20)
        changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", "*.py", timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    if head.returncode or changed.returncode:
        return ""
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
