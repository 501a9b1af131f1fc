"""The collector is spared what was imported, once, and still looks at everything that comes later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def said(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def test_what_lives_at_the_first_training_is_left_out_and_what_comes_later_is_collected() -> None:
    said(
        "import gc\n"
        "from harness.members.garbage import imports_left_out\n"
        "with imports_left_out():\n"
        "    pass\n"
        "left_out = gc.get_freeze_count()\n"
        "knot = []\n"
        "knot.append(knot)\n"
        "with imports_left_out():\n"
        "    pass\n"
        "assert 0 < gc.get_freeze_count() <= left_out\n"
        "del knot\n"
        "assert gc.collect() > 0\n"
    )


def test_nothing_is_collected_while_it_is_imported_and_a_failed_import_leaves_the_collector_on() -> None:
    said(
        "import gc\n"
        "from harness.members.garbage import imports_left_out\n"
        "try:\n"
        "    with imports_left_out():\n"
        "        assert not gc.isenabled()\n"
        "        import no_such_module\n"
        "except ImportError:\n"
        "    assert gc.isenabled() and not gc.get_freeze_count()\n"
    )


def test_a_process_ends_without_a_last_look() -> None:
    code = (
        "import gc\n"
        "gc.disable()\n"
        "from harness.members import garbage\n"
        "{}\n"
        "class Seen:\n"
        "    def __del__(self): print('collected')\n"
        "knot = Seen()\n"
        "knot.itself = knot\n"
        "knot = None\n"
    )
    assert said(code.format("")) == "collected\n"
    assert said(code.format("garbage.no_last_look()")) == ""
