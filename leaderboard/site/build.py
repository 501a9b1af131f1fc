"""The site as a folder of files: of a checkout, or of any store beside the checkout's own documents."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.records.record import Store
from leaderboard.cite import METADATA
from leaderboard.site import examples

MARKER = ".mergeboard-site"  # in a folder that was made here
MADE_BEFORE = ((MARKER,), ("404.html", "search", "sitemap.xml"))  # what such a folder has, and what MkDocs makes
SOURCES = ("docs", "leaderboard", "harness", "methods", "suites", "tests", "examples", ".git")
SETTINGS, HOOK = "mkdocs.yml", "leaderboard/site/hook.py"
ELSEWHERE = "# Findings\n\nThe project's findings are about its own records. These pages show others.\n"
ABSENT = "the site needs mkdocs-material; pip install 'mergeboard[site]'"


def build(root: Path, out: Path) -> str:
    """Build the site of a checkout beside its place, and put it there whole, instead of one that was built before.
    Gives why there is none, as one line; "" where all is well.

    MkDocs runs in a process of its own: its settings name files relative to the checkout.
    """
    if wrong := _lacking(root):
        return wrong
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # of a successor that Material does not run on
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name[:100]}-", dir=out.parent) as beside:
            made = Path(beside).absolute() / "site"
            words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(made)]
            code = subprocess.run([sys.executable, *words], cwd=root, env=told, check=False).returncode
            if code:
                return f"mkdocs ended with code {code}; what it said stands above"
            (made / MARKER).write_text("Made by `python -m leaderboard site`, which may replace this folder.\n")
            before = Path(beside) / "before"
            if out.exists():
                out.rename(before)
            try:
                made.rename(out)
            except OSError:
                if before.exists():
                    before.rename(out)
                raise
    except OSError as error:
        return f"{out} cannot be written ({error.strerror or error}); name another folder with --out"
    return ""


def not_a_place(root: Path, out: Path) -> str:
    """Why a site must not be put there, as one line: what is there would be lost; "" where it may."""
    if out.is_symlink():
        return f"{out} is a link; name the folder that it leads to"
    whole, source = out.resolve(), root.resolve()
    if source.is_relative_to(whole) or any(whole.is_relative_to(source / own) for own in SOURCES):
        return f"{out} holds what the site is made of, or lies in it; name another folder with --out"
    if out.is_dir() and any(out.iterdir()) and not any(all((out / n).exists() for n in made) for made in MADE_BEFORE):
        return f"{out} holds something that is no site; name a folder that is empty or not there with --out"
    return f"{out} is a file; name a folder with --out" if out.exists() and not out.is_dir() else ""


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
    if (root / METADATA).is_file():
        shutil.copy(root / METADATA, work)  # how to cite the project, whosever records these are
    for path in (root / "docs").glob("*.md"):
        if path.name not in (publish.PAGE.name, publish.FINDINGS.name):
            shutil.copy(path, work / "docs")
    if (root / examples.FOLDER).is_dir():
        shutil.copytree(root / examples.FOLDER, work / examples.FOLDER)
    (work / publish.FINDINGS).write_text(ELSEWHERE, encoding="utf-8")
    return publish.publish(work, store)[1]
