"""Records are many: what reads them all holds only what tables show."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from harness.records.record import Store
from leaderboard import audit
from tests.test_leaderboard_table import record

ROOT = Path(__file__).parent.parent
CHECK = """
import sys
from pathlib import Path
from leaderboard.__main__ import main

code = main(["check"])
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")))
sys.exit(code)
"""


def test_what_no_table_shows_is_not_held_in_memory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(20):
        store.put(record(seed=seed, trace={"steps": list(range(10_000))}))
    tracemalloc.start()
    loaded = audit.load(store)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(loaded.records) == 20 and held < 200_000 and most < 2_000_000  # all of them: 7.2 million


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_published_records_are_checked_within_300_mib() -> None:
    """In a process of its own: its peak is nobody else's, as what `getrusage` says after a fork would be."""
    done = subprocess.run([sys.executable, "-c", CHECK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-2]) <= 300 * 1024, done.stdout
