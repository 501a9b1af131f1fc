"""Lines about work that takes long, past pytest's capture to the terminal; workers have none and send theirs."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

SAID = "mergeboard_said"  # in a worker's input: the file that takes its lines
STATUS = "mergeboard-status"  # the plugin that shows how far the session is
PATIENCE = 0.3  # seconds between two looks at it


def speaker(config: pytest.Config) -> Callable[[str], None]:
    """What takes a line: the terminal, or in a worker the file that the controller reads."""
    sent: dict[str, Any] = getattr(config, "workerinput", {})

    def say(line: str) -> None:
        text = " ".join(line.split())
        if hasattr(config, "workerinput"):
            if SAID in sent:
                send(Path(sent[SAID]), text)
            return
        show(config, text)

    return say


def show(config: pytest.Config, text: str, more: str = " ...") -> None:
    """Write the line to the terminal, on a line of its own.

    Args:
        more: what stands behind it: the work goes on.
    """
    find = config.pluginmanager.get_plugin
    terminal, capture, status = (find(name) for name in ("terminalreporter", "capturemanager", STATUS))
    if terminal is None:
        return
    with (
        status.away() if status else nullcontext(),
        capture.global_and_fixture_disabled() if capture else nullcontext(),
    ):
        terminal.ensure_newline()
        terminal.write_line(f"  {text}{more}")


def send(file: Path, text: str) -> None:
    """Append one line in one piece, so that lines of several workers do not mix. Nobody may listen any more."""
    with suppress(OSError):
        handle = os.open(file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, f"{text}\n".encode(errors="replace"))
        finally:
            os.close(handle)


class Ears:
    """Reads what workers say while they work, and hands on whole lines, those that all of them say once."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear, self._done = hear, threading.Event()
        handle, name = tempfile.mkstemp(prefix="mergeboard-", suffix=".said")
        os.close(handle)
        self.file, self._read, self._rest = Path(name), 0, b""
        self._heard: set[bytes] = set()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._done.wait(PATIENCE):
            self._take()

    def _take(self) -> None:
        with self.file.open("rb") as file:
            file.seek(self._read)
            found = file.read()
        self._read += len(found)
        *lines, self._rest = (self._rest + found).split(b"\n")
        for line in (line for line in lines if line not in self._heard):
            self._heard.add(line)
            self._hear(line.decode(errors="replace"))

    def close(self) -> None:
        """Hear the last words; nothing is heard afterwards."""
        self._done.set()
        self._thread.join()
        self._take()
        self.file.unlink(missing_ok=True)


EARS = pytest.StashKey[Ears]()
