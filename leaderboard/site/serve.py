"""The site on this machine alone: a folder of files, served on loopback until somebody ends it."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"  # nobody else's machine reaches it
PORT = 8000


class Taken(ValueError):
    """The port cannot be had; one line says what to do."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no line for each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def server_of(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of this folder that holds its port and serves nobody yet; port 0: any that is free. Errors: `Taken`."""
    try:
        return ThreadingHTTPServer((HOST, port), functools.partial(Quiet, directory=str(folder)))
    except OverflowError:
        raise Taken(f"--port={port} is no port; wanted a number from 0, any that is free, to 65535") from None
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise Taken(f"port {port} {why}; name another one with --port, or 0 for any that is free") from None


def run(server: ThreadingHTTPServer, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C."""
    say(f"http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("ended")
    finally:
        server.server_close()
