"""The collector is spared what was imported, once, and still looks at everything that comes later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_what_lives_at_the_first_training_is_left_out_and_what_comes_later_is_collected() -> None:
    code = (
        "import gc\n"
        "from harness.members.garbage import imports_left_out\n"
        "imports_left_out()\n"
        "left_out = gc.get_freeze_count()\n"
        "knot = []\n"
        "knot.append(knot)\n"
        "imports_left_out()\n"
        "assert 0 < gc.get_freeze_count() <= left_out\n"
        "del knot\n"
        "assert gc.collect() > 0\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
