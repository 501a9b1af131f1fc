"""Which process is at work, told so that another one, on any machine, can say when it has surely ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

HOST = socket.gethostname()
_PROC = Path("/proc")


def myself() -> dict[str, Any]:
    """This process: its machine, the system that counts its processes there, its number and when it began."""
    return {"host": HOST, "system": _system(), "pid": os.getpid(), "born": _born(os.getpid())}


def has_ended(owner: Mapping[str, Any]) -> bool:
    """Whether this process surely has ended. Of one that another machine, or another container, counts nothing is sure.

    A number alone says little: it is given again, in a container at once.
    """
    pid, here = owner.get("pid"), (HOST, _system())
    if (owner.get("host"), owner.get("system")) != here or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    return _born(pid) != owner.get("born")


@cache
def _system() -> str:
    """Since when this machine runs, and which of its tables of processes this one is in; "" where that is not told."""
    try:
        started = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{started} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When this process began, by its system's count; "" if it only waits to be buried, or where that is not told."""
    try:
        told = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        state, *numbers = told.rpartition(")")[2].split()  # its name, in brackets, may hold anything
        return "" if state in "ZX" else numbers[18]
    except (OSError, ValueError, IndexError):
        return ""
