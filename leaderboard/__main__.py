"""`python -m leaderboard show | publish | check | site`, from the root of a checkout.

Exit code 0: fine; 1: something is wrong, one line each; 2: usage.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.records.record import Store
from leaderboard import audit, publish, show, text
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    root: Path = options.root
    if options.command == "check":
        return _report(publish.check(root))
    if options.command == "site":
        return _site(root, options.out)
    results = root / (options.results or publish.LOCAL)
    if not results.is_dir():
        print(
            f"leaderboard: no results at {results}; run pytest suites/ first, or name a folder with --results",
            file=sys.stderr,
        )
        return 2
    if options.command == "show":
        store = Store(results)
        found = audit.load(store)
        shown = groups(found.records, gold_of(store))
        if wrong := show.wrong(shown, options):
            print(f"leaderboard: {wrong}", file=sys.stderr)
            return 2
        print(show.shown(shown, options) or f"no records of this schema at {results}")
        return _report(found.damaged)
    from harness.storage.turns import turn  # who only reads needs none

    try:
        with turn(root / publish.PUBLISHED, "publishing", lambda line: print(f"leaderboard: {line}", file=sys.stderr)):
            done, refused = publish.publish(root, Store(results))
    except (OSError, ValueError) as error:
        print(f"leaderboard: {error}", file=sys.stderr)
        return 1
    print("\n".join(done))
    return _report(refused)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m leaderboard", description="Read records, write tables.")
    parser.add_argument("--root", type=Path, default=Path(), help="checkout to work in (default: the current folder)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("show", "print who ranks best and the scores of a store"),
        ("publish", "copy healthy records to leaderboard/results and write all pages"),
        ("check", "compare what is published with its records"),
        ("site", "build the static site from docs and the published records"),
    ):
        command = commands.add_parser(name, help=help_text)
        if name in ("show", "publish"):
            command.add_argument("--results", type=Path, help=f"store to read (default: {publish.LOCAL})")
        if name == "show":
            show.add(command)
        if name == "site":
            command.add_argument("--out", type=Path, default=Path("site"), help="folder to write (default: site)")
    return parser


def _site(root: Path, out: Path) -> int:
    """MkDocs in a process of its own: its settings name files relative to the checkout."""
    if importlib.util.find_spec("mkdocs") is None:
        print("leaderboard: the site needs mkdocs-material; pip install 'mergeboard[site]'", file=sys.stderr)
        return 1
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out.absolute())]
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # of a successor that Material does not run on
    code = subprocess.run([sys.executable, *words], cwd=root, env=told, check=False).returncode
    if code == 0:
        print(f"written: {out}/index.html")
    return 1 if code else 0


def _report(problems: Sequence[str]) -> int:
    """Print problems one per line; the exit code."""
    for line in problems:
        print(f"leaderboard: {text.plain(line)}", file=sys.stderr)  # a record may hold what moves a cursor
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
