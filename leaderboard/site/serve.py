"""The site on this machine alone: a folder of files, served on loopback until somebody ends it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"  # nobody else's machine reaches it
PORT = 8000


class Taken(ValueError):
    """The port cannot be had; one line says what to do."""


class Server(ThreadingHTTPServer):
    """Holds its port; serves the files of a folder that may be named later."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        super().__init__((HOST, port), Quiet)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing, where somebody left in the middle of a file."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no line for each."""

    def __init__(self, request: Any, client_address: Any, server: Server) -> None:
        super().__init__(request, client_address, server, directory=str(server.folder))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def send_head(self) -> Any:
        """As ever; an address that can be no file's is not found."""
        try:
            return super().send_head()
        except ValueError:
            self.send_error(HTTPStatus.NOT_FOUND, "File not found")
            return None


def server_of(folder: Path, port: int) -> Server:
    """A server of this folder that holds its port and serves nobody yet; port 0: any that is free. Errors: `Taken`."""
    try:
        return Server(folder, port)
    except OverflowError:
        raise Taken(f"--port={port} is no port; wanted a number from 0, any that is free, to 65535") from None
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise Taken(f"port {port} {why}; name another one with --port, or 0 for any that is free") from None


def run(server: Server, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C."""
    say(f"http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("ended")
    finally:
        server.server_close()
