"""Who shall answer the cells, as the command line names it; a wrong word is refused before anything is imported."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, cast

import pytest

from harness import parsing
from harness.checkpoints.names import ModelName
from harness.session.flags import ENGINES, only_told
from methods.errors import MergeboardError

Name = Literal["inline", "xdist", "ray"]
PATIENCE, ANSWER = 1.0, 5.0  # seconds in which whoever is at an address takes a call, and answers it
SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # the frame that both sides of HTTP/2 begin with (RFC 9113, 6.5), which Ray speaks
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS
MOST = 4  # workers on one machine, unless more are asked for


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    name: Name
    address: str | None = None  # of a cluster that is there
    workers: int | None = None  # None: as many as suit the cluster


def asked(config: pytest.Config, models: Sequence[ModelName]) -> Asked:
    """The words of this session. Errors: `MergeboardError` in one line."""
    text, processes = config.getoption("--engine"), getattr(config.option, "numprocesses", None)
    worker = hasattr(config, "workerinput") or "PYTEST_XDIST_WORKER" in os.environ  # it has no processes of its own
    name = cast("Name", parsing.choice_of("--engine", text, ENGINES)) if text else "xdist" if processes else "inline"
    address, workers = config.getoption("--ray-address"), parsing.ray_workers_of(config.getoption("--ray-workers"))
    for words, given in (("--ray-address", address), ("--ray-workers", workers)):
        if given is not None and name != "ray":
            raise MergeboardError(f"{words}={given} says nothing where Ray does not answer; add --engine=ray")
    if text and text != "xdist" and processes:
        more = ", and --ray-workers=N for their number" if name == "ray" else ""
        raise MergeboardError(f"--engine={name} and -n {processes} name two engines; leave -n out{more}")
    if name == "xdist" and not processes and not worker and not only_told(config):
        _require_processes(config)
    if name != "ray":
        return Asked(name)
    if find_spec("ray") is None:
        raise MergeboardError("--engine=ray needs the package ray; pip install 'mergeboard[ray]'")
    if address is not None:
        require_address(address)
    elif workers is None:
        workers = min(MOST, os.cpu_count() or 1) if all(model.tiny for model in models) else 1
    return Asked(name, address, workers)


def _require_processes(config: pytest.Config) -> None:
    if not hasattr(config.option, "numprocesses"):
        raise MergeboardError("--engine=xdist needs the package pytest-xdist; pip install 'mergeboard[parallel]'")
    raise MergeboardError("--engine=xdist has no workers; write -n N with the number of processes")


def require_address(text: str) -> None:
    """Raise one line unless somebody takes calls there; whether that is a cluster, is seen when it begins."""
    if text == "auto":
        return
    host, colon, port = text.rpartition(":")
    if "://" in text or not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise MergeboardError(
            f"--ray-address {text}: write HOST:PORT, as `ray start --head --port=PORT` said, or auto for the cluster "
            "that this machine has joined"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as line:
            line.settimeout(ANSWER)
            line.sendall(GREETING)
            answer = line.recv(len(SETTINGS))
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        raise MergeboardError(
            f"--ray-address {text}: no cluster answers there ({reason}); start one with ray start --head --port={port}"
        ) from None
    if answer[3:4] != SETTINGS[3:4]:
        raise MergeboardError(
            f"--ray-address {text}: what answers there is no cluster of Ray; write the address that `ray start` said"
        )
