"""A cluster of Ray: one that is there already, or one of this machine that ends with the session."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.engines.watch import AGAIN, ENDED, Guard, Watch
from harness.session.engine import Asked
from methods.counted import counted
from methods.errors import MergeboardError

OWN = {  # of a cluster of this machine, unless the user says otherwise
    "RAY_worker_niceness": "0",  # Ray's own 15 lets every other program go first
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",  # after Ray's own 60 it ends the session, without a word
    "RAY_gcs_server_port_wait_time_s": "120",  # for its first process to begin; Ray's own 30 are few on a busy machine
    "RAY_health_check_timeout_ms": "60000",  # a busy machine answers late, and is no dead one, which refuses at once
}
PREFIX = "mergeboard-ray-"  # of the folder that a cluster of this machine has
LOCK = "in-use"
TOKEN = Path("~/.ray/auth_token")  # where Ray keeps the word that those who join must know
TRIES = 2  # times that Ray's own processes are begun; it gives them 30 s, whatever else the machine is at
STORE = 100 << 20  # bytes of shared memory: nothing but records goes through it


@dataclass(frozen=True)
class Share:
    """What each of so many workers takes of a cluster."""

    workers: int
    cpus: int
    gpus: float
    threads: int | None  # of torch; None: tiny models know their own


def shared(nodes: Sequence[Mapping[str, Any]], asked: Asked, tiny: bool) -> Share:
    """How a cluster is shared out. Unless a number is asked for, tiny models have a worker for each processor, others
    one for each GPU, or for each machine without any. Errors: `MergeboardError` where there are too few processors."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    cpus = [int(node.get("CPU", 0)) for node in alive]
    gpus = int(sum(node.get("GPU", 0) for node in alive))
    workers = asked.workers or (sum(cpus) if tiny else gpus or len(alive))
    if not 0 < workers <= sum(cpus):
        raise MergeboardError(
            f"--ray-workers={workers}: the cluster at {asked.address} has {counted(sum(cpus), 'processor')}, one for "
            f"each worker; ask for fewer, or start more machines with ray start --address={asked.address}"
        )
    share = min(1.0, int(100 * gpus / workers) / 100)
    if asked.address is None:  # Ray was told a processor for each worker, whatever there is
        return Share(workers, 1, share, None if tiny else max(1, (os.cpu_count() or 1) // workers))
    each = 1 if tiny else max(1, min(n for n in cpus if n) // math.ceil(workers / len(alive)))
    return Share(workers, each, share, None if tiny else each)


class Cluster:
    """What Ray runs on, from `begin` to `end`: the cluster at an address, or one of this machine alone."""

    def __init__(self, asked: Asked) -> None:
        self._address, self._workers = asked.address, asked.workers
        self._folder: Path | None = None
        self._lock: IO[bytes] | None = None
        self._watch: Watch | None = None
        self._guard: Guard | None = None

    def begin(self, last_words: Callable[[str], None]) -> Any:
        """Ray itself, connected; on a busy machine, where it gives its own processes too little time, at the second
        try. Errors: `MergeboardError` in one line.

        Args:
            last_words: takes the line of a session that cannot end by itself, as it waits for what is gone.
        """
        for name, value in OWN.items():
            os.environ.setdefault(name, value)
        _show_token(own=self._address is None)
        import ray

        tries = TRIES if self._address is None else 1
        while True:
            tries -= 1
            try:
                self._join(ray)
                self._guard = Guard(ray.get_runtime_context().gcs_address, last_words)
                return ray
            except (Exception, SystemExit) as error:  # Ray raises many kinds, the second where its own processes die
                self.end()
                if not tries or isinstance(error, SystemExit):
                    raise MergeboardError(self._refused(error)) from None
            except BaseException:  # Ctrl-C
                self.end()
                raise

    def _join(self, ray: Any) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._address is not None:
            ray.init(address=self._address, **quiet)
        else:
            self._folder, self._lock = _folder()
            own = {"_temp_dir": str(self._folder), "object_store_memory": STORE, "include_dashboard": False}
            ray.init(num_cpus=self._workers, **own, **quiet)
        self._watch = Watch(ray.get_runtime_context().gcs_address)

    def _refused(self, error: BaseException) -> str:
        line = " ".join(str(error).split())
        if self._address is None:
            return (
                f"--engine=ray: Ray does not start on this machine ({line[:300]}); where it is only too busy, run the "
                "same command again, or take -n N, which needs no Ray"
            )
        if "ersion mismatch" in line:
            return (
                f"--ray-address {self._address}: the cluster has another version of Ray or Python than this session "
                f"({line[:300]}); install the same ones on all machines"
            )
        return (
            f"--ray-address {self._address}: this session cannot join a cluster there ({line[:300]}); start it on a "
            f"machine of the cluster, which ray start --address={self._address} makes this one, and give all machines "
            f"the same {TOKEN.as_posix()}, if the cluster has one"
        )

    def require(self) -> None:
        """Errors: `MergeboardError` in one line where the cluster is gone."""
        if self._watch is not None:
            self._watch.require()

    def require_here(self) -> None:
        """Errors: `MergeboardError` in one line where the session's own machine has left the cluster: Ray would let it
        wait for workers that nobody hires, and end it without a word."""
        if self._watch is None or not self._watch.answers():
            return
        import ray

        here = ray.get_runtime_context().get_node_id()
        if any(node["NodeID"] == here and not node["Alive"] for node in ray.nodes()):
            raise MergeboardError(f"{ENDED} (its raylet on this machine died); {AGAIN}")

    def end(self) -> None:
        """Let go; a cluster of this machine ends, and its folder goes."""
        import ray

        if self._guard is not None:
            self._guard.release()
            self._guard = None
        with _uninterrupted():
            with contextlib.suppress(Exception, SystemExit):  # what is broken already is let go too
                ray.shutdown()
            self._forget()

    def _forget(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _show_token(own: bool) -> None:
    """Ray asks who joins for a word that only they know: a cluster of this machine has one for the session; of
    others it lies in a file."""
    if "RAY_AUTH_MODE" in os.environ:
        return  # the user's own choice
    if own:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    elif not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() and not TOKEN.expanduser().is_file():
        return
    os.environ["RAY_AUTH_MODE"] = "token"


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C waits until Ray's processes are gone, which takes a moment: they would outlive the session."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _folder() -> tuple[Path, IO[bytes]]:
    """A folder for the files that Ray keeps while it runs; those of killed sessions go."""
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{PREFIX}*"):
        with _held(left / LOCK) as mine:
            if mine:
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    lock = (made / LOCK).open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return made, lock


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Whether nobody alive holds this lock."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
    except OSError:
        yield False
