"""A hub on the loopback: folders as repositories, behind the interface that huggingface_hub speaks."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from harness.checkpoints.checkpoint import fingerprint
from harness.checkpoints.hub import folder_of
from harness.suites.glue import corpora as glue

DOWN = 500  # what is answered where it is down
SEPARATE = {"models": "", "datasets": "datasets/"}  # what stands before a repository's name in a file's address


@dataclass
class Repository:
    """Folders by commit, and what branches and tags point to."""

    commits: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False


class Hub:
    """What the server has, what was asked of it, and how it misbehaves."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}  # "models/org/name", "datasets/org/name"
        self.asked: list[str] = []  # "GET /api/models/org/name/revision/main"
        self.lost: set[str] = set()  # files that are listed and not there
        self.cut: dict[str, int] = {}  # file -> bytes after which every answer breaks off
        self.down: tuple[str, ...] = ()  # what an address holds that is answered with the error of `DOWN`
        self.endpoint = ""

    def put(self, name: str, folder: Path, *names: str, kind: str = "models", commit: str = "") -> str:
        """Publish a folder under a new commit, which these branches and tags, or main, then point to."""
        repository = self.repositories.setdefault(f"{kind}/{name}", Repository())
        commit = commit or hashlib.sha1(f"{name} {len(repository.commits)}".encode()).hexdigest()
        repository.commits[commit] = folder
        repository.names |= dict.fromkeys(names or ("main",), commit)
        return commit

    def files_asked(self) -> list[str]:
        """The files that were fetched."""
        return [line.rpartition("/")[2] for line in self.asked if line.startswith("GET") and "/resolve/" in line]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *arguments: Any) -> None:
        self.hub.asked.append(f"{self.command} {unquote(urlsplit(self.path).path)}")

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if any(part in path for part in self.hub.down):
            return self._error(DOWN, "")
        for key, repository in self.hub.repositories.items():
            kind, _, name = key.partition("/")
            api, files = f"/api/{kind}/{name}", f"/{SEPARATE[kind]}{name}/resolve/"
            if path != api and not path.startswith((f"{api}/", files)):
                continue
            if repository.private:
                return self._error(401, "RepoNotFound")
            if path.startswith(files):
                return self._file(repository, path.removeprefix(files), body)
            what, _, rest = path.removeprefix(api).lstrip("/").partition("/")
            revision = rest or "main"
            commit = repository.names.get(revision, revision)
            if commit not in repository.commits:
                return self._error(404, "RevisionNotFound")
            return self._json(self._listed(repository, commit, name, tree=what == "tree"))
        return self._error(401 if path.startswith("/api/") else 404, "RepoNotFound")  # as the real one without a login

    def _listed(self, repository: Repository, commit: str, name: str, tree: bool) -> Any:
        folder = repository.commits[commit]
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        if tree:
            return [
                {
                    "type": "file",
                    "path": path.relative_to(folder).as_posix(),
                    "size": path.stat().st_size,
                    "oid": _etag(path),
                }
                for path in paths
            ]
        siblings = [{"rfilename": path.relative_to(folder).as_posix()} for path in paths]
        return {"id": name, "sha": commit, "private": False, "tags": [], "siblings": siblings}

    def _file(self, repository: Repository, rest: str, body: bool) -> None:
        revision, _, file = rest.partition("/")
        commit = repository.names.get(revision, revision)
        if commit not in repository.commits:
            return self._error(404, "RevisionNotFound")
        if repository.gated:
            return self._error(403, "GatedRepo", commit)
        path = repository.commits[commit] / file
        if not path.is_file() or file in self.hub.lost:
            return self._error(404, "EntryNotFound", commit)
        data = path.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(path)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if body:
            self.wfile.write(data[start : self.hub.cut.get(file, len(data))])
            self.close_connection = self.close_connection or file in self.hub.cut

    def _json(self, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _error(self, status: int, code: str, commit: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers as long as the block lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hasty:
    """The module `time` for one who never waits; everybody else's clock is left alone."""

    def __getattr__(self, name: str) -> Any:
        return (lambda seconds: None) if name == "sleep" else getattr(time, name)


def at(endpoint: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process ask that hub, as HF_ENDPOINT and HF_HUB_CACHE let another; nobody waits before asking again."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    for asking in (_http, file_download):
        monkeypatch.setattr(asking, "time", _Hasty())
    forget()


def forget() -> None:
    """As in a new process: what was asked before is not remembered."""
    folder_of.cache_clear()
    fingerprint.cache_clear()
    glue._snapshot.cache_clear()
    glue._load.cache_clear()
