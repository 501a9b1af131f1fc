"""Whether a cluster and its workers are still there, and the lines that say that they are not."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

from methods.errors import MergeboardError

ENDED = "--engine=ray: the cluster of this session ended"
AGAIN = "run the same command again, which goes on from what is stored"
SILENCE = 20.0  # seconds without an answer after which a cluster is taken for lost
ABSENCE = 60.0  # seconds without any worker after which the user is told
EXIT_CODE = 4  # of a session that an error of its engine ended, as pytest's for wrong words
LOOKS = 1.0  # seconds between two calls to a cluster, and until it takes one


class Watch:
    """Whether the cluster at an address still takes calls.

    Where the cluster's first process is silent for long, Ray kills the session itself, and says nothing that anybody
    could read.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._at = address, (host.strip("[]"), int(port))
        self._heard = self._looked = time.monotonic()

    def require(self) -> None:
        """Errors: `MergeboardError` in one line where it has been silent for too long."""
        now = time.monotonic()
        if now - self._looked < LOOKS:
            return
        if now - self._looked > SILENCE:
            self._heard = now  # this process slept: nobody knows who was silent meanwhile
        self._looked = now
        reason = self._refusal()
        if not reason:
            self._heard = now
        elif now - self._heard > SILENCE:
            raise MergeboardError(f"{ENDED} (nobody answers at {self._address}: {reason}); {AGAIN}")

    def answers(self) -> bool:
        """Whether it takes a call now. To ask Ray about a cluster whose first process is dead would never end."""
        return not self._refusal()

    def _refusal(self) -> str:
        try:
            socket.create_connection(self._at, LOOKS).close()
        except OSError as error:
            return (error.strerror or str(error) or type(error).__name__).lower()
        return ""


class Guard:
    """Ends a session that waits for a cluster which is gone: some calls of Ray never return then, and nothing in Python
    breaks them off. Ray's processes go with the session, and what is stored stays."""

    def __init__(self, address: str, last_words: Callable[[str], None]) -> None:
        self._address, self._last_words, self._over = address, last_words, threading.Event()
        threading.Thread(target=self._run, name="cluster-guard", daemon=True).start()

    def release(self) -> None:
        """The session ends by itself."""
        self._over.set()

    def _run(self) -> None:
        watch = Watch(self._address)
        while not self._over.wait(LOOKS):
            try:
                watch.require()
            except MergeboardError as error:
                if not self._over.wait(SILENCE):  # the session looks too, and was given as long to say so itself
                    try:
                        self._last_words(f"ERROR: {error}")
                    finally:
                        os._exit(EXIT_CODE)
                return


class Absence:
    """How long no worker has been there: a cluster that lost its machines lets a session wait for others."""

    def __init__(self) -> None:
        self._since, self._told = time.monotonic(), False

    def line(self, there: bool) -> str:
        """What to tell the user now, once for each time that nobody is there for long; else nothing."""
        now = time.monotonic()
        if there:
            self._since, self._told = now, False
        elif not self._told and now - self._since > ABSENCE:
            self._told = True
            return (
                f"no worker is there for {now - self._since:.0f} s: the machine is busy, or the cluster has no room "
                "for one; the session waits for one, or for a machine that joins by ray start --address=HOST:PORT"
            )
        return ""
