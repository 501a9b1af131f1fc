"""How much memory this process may take: the machine's, or what a container leaves it."""

from __future__ import annotations

import os
from pathlib import Path

SYSTEM = Path("/")
UNLIMITED = 1 << 60  # what version 1 of cgroups says where there is no limit


def limit(root: Path = SYSTEM) -> int | None:
    """Bytes that this process may hold at most, however much others hold; None where nobody says.

    Args:
        root: of the file system, for whoever describes another machine.
    """
    found = [size for size in (_of_machine(root), *_of_groups(root)) if size is not None and size < UNLIMITED]
    return min(found, default=None)


def _of_machine(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if root == SYSTEM else None
        except (OSError, ValueError):
            return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)


def _of_groups(root: Path) -> list[int | None]:
    """The limits of this process' group and of those above it, in both versions of cgroups."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found: list[int | None] = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / "sys/fs/cgroup" / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        parts = [part for part in place.split("/") if part not in ("", "..")]
        # A container may see its own group as the top, or under the name that it has outside.
        found += [_number(top.joinpath(*parts[:n], name)) for n in range(len(parts) + 1)]
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max", or none
        return None
