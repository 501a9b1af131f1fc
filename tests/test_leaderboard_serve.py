"""The site on loopback, and how to cite it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.records.record import Store
from leaderboard import __main__ as command
from leaderboard.__main__ import main
from leaderboard.publish import FINDINGS, PUBLISHED
from leaderboard.site import build, serve
from tests.test_leaderboard_publish import answered

ROOT = Path(__file__).parent.parent


def test_a_folder_is_served_on_loopback_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("here", encoding="utf-8")
    (tmp_path.parent / "secret.txt").write_text("no", encoding="utf-8")
    said: list[str] = []
    server = serve.server_of(tmp_path, 0)
    assert server.server_address[0] == "127.0.0.1"
    running = threading.Thread(target=serve.run, args=(server, said.append))
    running.start()
    port = server.server_address[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
        assert page.read() == b"here"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/../secret.txt", timeout=30)
    server.shutdown()
    running.join()
    assert said == [f"http://127.0.0.1:{port}/ (Ctrl-C ends it)"]


def test_a_port_that_is_taken_is_one_line_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert main(["--root", str(ROOT), "serve", f"--port={port}"]) == 1
    said = f"leaderboard: port {port} is taken; name another one with --port, or 0 for any that is free\n"
    assert capsys.readouterr().err == said
    assert main(["serve", "--port=70000"]) == 1
    assert "--port=70000 is no port" in capsys.readouterr().err


def test_a_site_that_cannot_be_built_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    for words in (["site"], ["serve", "--port=0"]):
        assert main(["--root", str(tmp_path), *words]) == 1
        assert capsys.readouterr().err == f"leaderboard: {build.ABSENT}\n"
    monkeypatch.undo()
    pytest.importorskip("mkdocs", reason="the site needs mkdocs-material")
    assert main(["--root", str(tmp_path), "serve", "--port=0"]) == 1
    assert capsys.readouterr().err.startswith("leaderboard: no mkdocs.yml in ")
    assert main(["--root", str(tmp_path), "serve", "--port=0", f"--results={ROOT / PUBLISHED}"]) == 1
    assert capsys.readouterr().err.startswith("leaderboard: no mkdocs.yml in ")
    assert not list(tmp_path.iterdir())


def test_other_records_are_shown_without_findings_about_the_projects_own(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site needs mkdocs-material")
    store = Store(tmp_path / "mine")
    answered(store)
    assert build.of_store(ROOT, store, tmp_path / "work") == []
    assert (tmp_path / "work" / "pyproject.toml").read_bytes() == (ROOT / "pyproject.toml").read_bytes(), "to be cited"
    assert (tmp_path / "work" / FINDINGS).read_text(encoding="utf-8") == build.ELSEWHERE
    assert "tiny-encoder" in (tmp_path / "work" / "docs" / "leaderboard.md").read_text(encoding="utf-8")


def test_a_citation_says_what_pyproject_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert main(["--root", str(ROOT), "cite"]) == 0
    bibtex = capsys.readouterr().out
    assert bibtex.startswith("@software{mergeboard,\n") and f"version = {{{told['version']}}}" in bibtex
    assert f"author = {{{{{told['authors'][0]['name']}}}}}" in bibtex
    assert main(["--root", str(ROOT), "cite", "--format=cff"]) == 0
    assert capsys.readouterr().out == (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert main(["--root", str(tmp_path), "cite"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("words", "wanted"), [("check", "leaderboard/results"), ("cite", "pyproject.toml")])
def test_where_no_checkout_is_one_line_says_so(
    words: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"leaderboard: no {wanted} in {tmp_path}; ") and said.count("\n") == 1


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "main", stopped)
    assert command.ended() == 130
    assert capsys.readouterr().err == "leaderboard: stopped; run the same command again\n"


def a_site(folder: Path) -> None:
    folder.mkdir()
    (folder / build.MARKER).write_text("", encoding="utf-8")


def with_a_thesis(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious", encoding="utf-8")


def a_link(folder: Path) -> None:
    with_a_thesis(folder.with_name("there"))
    folder.symlink_to(folder.with_name("there"))


def nothing(folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("out", "make", "said"),
    [
        ("new", nothing, ""),
        ("new", Path.mkdir, ""),
        ("new", a_site, ""),
        ("new", with_a_thesis, "holds something that is no site"),
        ("new", a_link, "is a link"),
        ("new", Path.touch, "is a file"),
        ("docs/site", nothing, "holds what the site is made of, or lies in it"),
        ("leaderboard/results", with_a_thesis, "holds what the site is made of, or lies in it"),
        (".", nothing, "holds what the site is made of, or lies in it"),
        ("..", nothing, "holds what the site is made of, or lies in it"),
    ],
)
def test_a_site_takes_the_place_of_nothing_but_a_site(
    out: str, make: Callable[[Path], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MkDocs empties the folder that it is given."""
    root = tmp_path / "checkout"
    (root / "docs").mkdir(parents=True)
    (root / "leaderboard").mkdir()
    (root / build.SETTINGS).write_text("", encoding="utf-8")
    make(root / out)

    def built(words: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        Path(words[-1]).mkdir()
        (Path(words[-1]) / "index.html").write_text("new", encoding="utf-8")
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(build.subprocess, "run", built)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: True)
    before = sorted(tmp_path.rglob("*"))
    assert main(["--root", str(root), "site", "--out", str(root / out)]) == (1 if said else 0)
    if said:
        assert said in build.not_a_place(root, root / out) and sorted(tmp_path.rglob("*")) == before
    else:
        assert {p.name for p in (root / out).iterdir()} == {"index.html", build.MARKER}
        assert not [p for p in root.iterdir() if p.name.startswith(".new")]


def test_an_address_that_is_no_files_is_not_found_and_two_servers_have_two_folders(tmp_path: Path) -> None:
    servers = [serve.server_of(tmp_path / "none", 0) for _ in range(2)]
    for number, server in enumerate(servers):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "index.html").write_text(str(number), encoding="utf-8")
        server.folder = tmp_path / str(number)
        threading.Thread(target=serve.run, args=(server, lambda line: None), daemon=True).start()
    for number, server in enumerate(servers):
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.read() == str(number).encode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}%00", timeout=30)
        server.shutdown()


@pytest.mark.parametrize("words", [("show", "--all"), ("cite",)])
@pytest.mark.parametrize("broken", ["pipe", "/dev/full", "ascii"])
def test_who_no_longer_reads_or_has_no_letters_gets_no_traceback(
    broken: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    if broken == "/dev/full" and not Path(broken).exists():
        pytest.skip("no /dev/full here")
    answered(Store(tmp_path / "store"))
    given = [f"--results={tmp_path / 'store'}"] if words[0] == "show" else []
    told = {**os.environ, **({"PYTHONIOENCODING": "ascii"} if broken == "ascii" else {})}
    reading, writing = os.pipe()
    os.close(reading)
    where = {"pipe": lambda: writing, "ascii": lambda: subprocess.DEVNULL}
    out = where.get(broken, lambda: os.open(broken, os.O_WRONLY))()
    command = [sys.executable, "-m", "leaderboard", *words, *given]
    done = subprocess.run(command, cwd=ROOT, env=told, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1
    assert done.returncode == {"pipe": 141, "/dev/full": 1, "ascii": 0}[broken]
