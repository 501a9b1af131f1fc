"""What pages of many records cost: all that is published of them, and the end of a session that asked for one more.

Seconds and memory of a process of its own, printed beside the aim. By default the records are those that are
published: `--speed-shape=roberta-base` takes 10,000, which lie in a folder of 90 MB for as long.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import pytest

from harness.records.record import Store, read

pytestmark = pytest.mark.measures
ROOT = Path(__file__).parent.parent
RECORDS = {"small": 0}
MANY = 10_000
MODEL = "tiny-encoder"  # of which most records are
PAGES = """
import os, sys, time
start = time.perf_counter()
from pathlib import Path
from harness.records.record import Store
from leaderboard import audit, publish

root = Path(sys.argv[1])
loaded = audit.load(Store(root / publish.PUBLISHED))
read = time.process_time()
files = publish.outputs(root, loaded)
took = time.perf_counter() - start
print(len(loaded.records), len(files), read, sum(os.times()[:4]), took)
"""
SESSION = """
import sys, time
import pytest
from leaderboard import audit, plugin
from leaderboard.pages import brief, pages, terminal

class Clock:
    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self):
        start = time.process_time()
        yield
        print("TOOK", time.process_time() - start)

sys.exit(pytest.main(["-q", "-p", "leaderboard.plugin", "-p", "no:cacheprovider", *sys.argv[1:]], [Clock()]))
"""
CONFTEST = 'def pytest_addoption(parser):\n    parser.addoption("--results")\n'


@pytest.fixture(scope="module")
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that has nothing but records, as many as are asked for."""
    folder = tmp_path_factory.mktemp("records")
    count = RECORDS.get(request.config.getoption("--speed-shape"), MANY)
    multiply = import_module("suites.workbench_records").multiply
    multiply(ROOT / "leaderboard" / "results", folder / "leaderboard" / "results", count)
    return folder


def run(script: str, *arguments: str) -> tuple[str, float]:
    """What a process of its own prints, and the MiB that it and its copies held at most, shared ones counted once."""
    peak = 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=ROOT, stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, held(process.pid))
            time.sleep(0.5)  # to look takes time from what is looked at
        said.seek(0)
        told = said.read()
    assert process.returncode == 0, told
    return told, peak


def held(process: int) -> float:
    """MiB of a process and of those that it began; each page is divided among those that share it."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        begun = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has ended, or this system does not say
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(held(int(one)) for one in begun)


def test_pages(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages, figures and downloads; aims: 15 s and 500 MiB."""
    said, peak = run(PAGES, str(root))
    records, files, read_, seconds, took = map(float, said.split())
    with capsys.disabled():
        print(f"\n  {records:,.0f} records, {files:.0f} files: {took:.1f} s by the clock, ", end="")
        print(f"{seconds:.1f} of processors, {read_:.1f} of them to read; {peak:.0f} MiB   aims 15 s, 500 MiB", end="")


@pytest.mark.parametrize("suite, setting", [("emotion", "in_domain"), ("emotion", "pairwise"), ("glue", "non_iid")])
def test_session(root: Path, tmp_path: Path, suite: str, setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of a session of one record, its tables and its page; aim: 1 s."""
    store = Store(root / "leaderboard" / "results")
    record = read(next(iter(sorted(store.folder(suite, setting, MODEL).glob("*.json")))))
    assert record is not None
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    cell = tmp_path / "test_cell.py"
    name = record.path.as_posix()
    cell.write_text(f"def test_cell(record_property): record_property('record', {name!r})\n", encoding="utf-8")
    page = tmp_path / "page.md"
    said, _ = run(SESSION, str(cell), f"--rootdir={tmp_path}", f"--results={store.root}", f"--leaderboard={page}")
    (took,) = [float(line.split()[1]) for line in said.splitlines() if line.startswith("TOOK")]
    beside = len(store.paths_beside([record.path]))
    with capsys.disabled():
        print(f"\n  {MODEL}, {suite}, {setting}: {took:.2f} s for {beside:,} records beside it   aim 1 s", end="")
    assert page.is_file()
