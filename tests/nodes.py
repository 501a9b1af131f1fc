"""A cluster of Ray whose machines are all this one: each has processors, workers and a raylet of its own, and can be
lost alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.engines.cluster import OWN
from tests.kills import family

PATIENCE = 120.0  # seconds in which a machine joins


@dataclass
class Node:
    """One of its machines: the `ray start --block` that everything else of it is below."""

    process: subprocess.Popen[bytes]

    def lose(self) -> None:
        """Kill -9 of all that it has, at once, as where its power goes."""
        there = family(self.process.pid)
        for pid in there:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)

    def lose_raylet(self) -> str:
        """Kill -9 of its raylet alone; what it was called."""
        pid, name = next((pid, told.name) for pid, told in family(self.process.pid).items() if "/raylet " in told.name)
        os.kill(pid, signal.SIGKILL)
        return name


@dataclass
class Nodes:
    """The cluster. Its word for who joins is its own, whatever this machine has."""

    folder: Path  # short: Ray's sockets lie below it
    environment: dict[str, str]  # of its machines, and of sessions that join it
    address: str
    nodes: list[Node] = field(default_factory=list)

    def start(self, cpus: int) -> Node:
        """One more machine; the first one is the head."""
        words = [f"--num-cpus={cpus}", "--block", "--disable-usage-stats", "--object-store-memory=100000000"]
        if self.nodes:
            words.append(f"--address={self.address}")
        else:
            port = self.address.rpartition(":")[2]
            words += ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words]
        with (self.folder / f"said-{len(self.nodes)}").open("wb") as said:
            process = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdout=said,
                stderr=said,
                start_new_session=True,
                cwd=self.folder,
            )
        self.nodes.append(Node(process))
        deadline, told = time.monotonic() + PATIENCE, self.folder / f"said-{len(self.nodes) - 1}"
        while "Ray runtime started" not in told.read_text(errors="replace"):
            assert process.poll() is None and time.monotonic() < deadline, told.read_text(errors="replace")[-3000:]
            time.sleep(0.1)
        return self.nodes[-1]


@contextlib.contextmanager
def nodes(*cpus: int, environment: Mapping[str, str]) -> Iterator[Nodes]:
    """A cluster of machines with so many processors each, and this in their environment; it is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    word = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    made = Nodes(folder, {**OWN, **environment, **word, "PYTHONUNBUFFERED": "1"}, f"127.0.0.1:{port}")
    try:
        for number in cpus:
            made.start(number)
        yield made
    finally:
        for node in reversed(made.nodes):
            node.lose()
        shutil.rmtree(folder, ignore_errors=True)
