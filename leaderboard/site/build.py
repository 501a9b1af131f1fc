"""The site as a folder of files: of a checkout, or of any store beside the checkout's own documents."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.records.record import Store
from leaderboard.site import examples

SETTINGS, HOOK = "mkdocs.yml", "leaderboard/site/hook.py"
ELSEWHERE = "# Findings\n\nThe project's findings are about its own records. These pages show others.\n"
ABSENT = "the site needs mkdocs-material; pip install 'mergeboard[site]'"


def build(root: Path, out: Path) -> str:
    """Build the site of a checkout. Gives why there is none, as one line; "" where all is well.

    MkDocs runs in a process of its own: its settings name files relative to the checkout.
    """
    if wrong := _lacking(root):
        return wrong
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out.absolute())]
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # of a successor that Material does not run on
    code = subprocess.run([sys.executable, *words], cwd=root, env=told, check=False).returncode
    return f"mkdocs ended with code {code}; what it said stands above" if code else ""


def _lacking(root: Path) -> str:
    """Why no site can be built of this folder; "" if one can."""
    if importlib.util.find_spec("mkdocs") is None:
        return ABSENT
    if not (root / SETTINGS).is_file():
        return f"no {SETTINGS} in {root.absolute()}: the site is built from the root of a checkout; name it with --root"
    return ""


def of_store(root: Path, store: Store, work: Path) -> list[str]:
    """Make a checkout in `work` whose documents are those of `root` and whose records are those of a store.

    Gives a line for each record that does not hold up; the site is of the rest. Errors: `ValueError` where no site can
    be built.
    """
    from leaderboard import publish  # what the other commands need not wait for

    if wrong := _lacking(root):
        raise ValueError(wrong)
    shutil.rmtree(work, ignore_errors=True)
    (work / "docs").mkdir(parents=True)
    settings = (root / SETTINGS).read_text(encoding="utf-8")
    own = Path(__file__).resolve().with_name("hook.py").as_posix()
    (work / SETTINGS).write_text(settings.replace(HOOK, own), encoding="utf-8")
    for path in (root / "docs").glob("*.md"):
        if path.name not in (publish.PAGE.name, publish.FINDINGS.name):
            shutil.copy(path, work / "docs")
    if (root / examples.FOLDER).is_dir():
        shutil.copytree(root / examples.FOLDER, work / examples.FOLDER)
    (work / publish.FINDINGS).write_text(ELSEWHERE, encoding="utf-8")
    return publish.publish(work, store)[1]
