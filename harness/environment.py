"""What a record says of where it was made: versions, processor, commit and command; never a path or a host's name."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "numpy", "numba", "scikit-learn", "safetensors")
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
    """Versions, processor, threads, commit and command."""
    import torch

    return {**_fixed(), "threads": torch.get_num_threads(), "command": _command}


@lru_cache(maxsize=1)
def commit() -> str:
    """The commit of this source tree, "-dirty" if files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "*.py")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}-dirty" if changed else head


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
