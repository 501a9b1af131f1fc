"""Git in a folder, whatever repository the process was started for: hooks and aliases pass on theirs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_OF_A_REPOSITORY = {  # `git rev-parse --local-env-vars`, but for settings that somebody gave on purpose
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE"),
    *("GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"),
    *("GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE"),
}


def git(folder: Path, *words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """What git did and printed; nothing is raised for its exit code.

    Errors: `OSError` where there is no git, `subprocess.TimeoutExpired`.
    """
    told = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
    return subprocess.run(
        ["git", *words], cwd=folder, env=told, capture_output=True, text=True, timeout=timeout, check=False
    )
