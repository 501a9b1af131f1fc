"""`python -m leaderboard show | rows | publish | check | site | serve | submit | cite`, from the root of a checkout.

Exit code 0: fine; 1: something is wrong, one line each; 2: usage; 130: Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.records.record import Store
from leaderboard import audit, cite, publish, show, submit, text
from leaderboard.joined import command as joined
from leaderboard.joined.refused import Refused
from leaderboard.site import build, serve
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups

SERVED, SITE, PAGES = Path(".mergeboard", "served"), "site", "pages"  # what `serve` makes, for each port
MOST = 200  # lines of what is wrong that are still read


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    root: Path = options.root
    if wanted := _absent(root, options.command):
        print(
            f"leaderboard: no {wanted} in {root.absolute()}; go to the root of a checkout or name it with --root",
            file=sys.stderr,
        )
        return 2
    if options.command == "check":
        return _check(root)
    if options.command == "site":
        return _site(root, options.out)
    if options.command == "cite":
        return _cite(root, options.format)
    if options.command == "rows":
        return _rows(root, options)
    if options.command == "serve" and options.results is None:
        return _serve(root, options.port)
    results = root / (options.results or publish.LOCAL)
    if not results.is_dir():
        print(
            f"leaderboard: no results at {results}; run pytest suites/ first, or name a folder with --results",
            file=sys.stderr,
        )
        return 2
    if options.command == "show":
        store = Store(results)
        found, gold = audit.load(store), gold_of(store)
        kept, edited = audit.believed(found, gold)
        shown, left_out = groups(kept, gold), [f"{line}; left out" for line in edited]
        if wrong := show.wrong(shown, options):
            _report([wrong, *left_out])
            return 2
        print(show.shown(shown, options) or f"no records that can be shown at {results}")
        return _report([*found.damaged, *found.foreign, *left_out])
    if options.command == "serve":
        return _serve(root, options.port, Store(results))
    if options.command == "submit":
        return _submit(root, Store(results), options.name)
    from harness.storage.turns import turn  # who only reads needs none

    try:
        with turn(root / publish.PUBLISHED, "publishing", lambda line: print(f"leaderboard: {line}", file=sys.stderr)):
            done, refused = publish.publish(root, Store(results))
    except (OSError, ValueError) as error:
        print(f"leaderboard: {error}", file=sys.stderr)
        return 1
    print("\n".join(done))
    return _report([*refused, *publish.untrue(root)])


def ended() -> int:
    """`main`, until Ctrl-C or until it is told to end: what was half made is removed. Who reads may have had enough."""
    before = signal.signal(signal.SIGTERM, _told_to_end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not have a letter
    try:
        code = main()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("leaderboard: stopped; run the same command again", file=sys.stderr)
        return 130  # as a shell says of Ctrl-C
    except BrokenPipeError:
        _silenced()
        return 141  # and of a pipe that nobody reads
    except OSError as error:
        if error.filename is not None:
            raise
        _silenced()
        print(f"leaderboard: what is printed cannot be written ({error.strerror})", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _told_to_end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _silenced() -> None:
    """Without what is still to be printed, which Python would try once more at its end."""
    with open(os.devnull, "w", encoding="utf-8") as nobody:
        os.dup2(nobody.fileno(), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m leaderboard", description="Read records, write tables.")
    parser.add_argument("--root", type=Path, default=Path(), help="checkout to work in (default: the current folder)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (
        ("show", "print who ranks best and the scores of a store"),
        ("rows", "print what a record answered to each row of your own data"),
        ("publish", "copy healthy records to leaderboard/results and write all pages"),
        ("check", "compare what is published with its records"),
        ("site", "build the static site from docs and the published records"),
        ("serve", "build the site, of any records, and serve it on this machine"),
        ("submit", "check this machine's records and make a branch of git with them"),
        ("cite", "print how to cite this project"),
    ):
        command = commands.add_parser(name, help=help_text)
        if name in ("show", "publish", "submit"):
            command.add_argument("--results", type=Path, help=f"store to read (default: {publish.LOCAL})")
        if name == "rows":
            joined.add(command)
            command.add_argument(
                "--results", type=Path, help=f"store of the record (default: {publish.LOCAL}, then {publish.PUBLISHED})"
            )
        if name == "serve":
            command.add_argument(
                "--results", type=Path, help="store to show (default: the published pages as they are)"
            )
            command.add_argument("--port", type=int, default=serve.PORT, help=f"default: {serve.PORT}; 0: any free one")
        if name == "submit":
            command.add_argument("--name", default="", help="the branch (default: named by model and records)")
        if name == "cite":
            command.add_argument("--format", choices=cite.FORMATS, default="bibtex", help="default: bibtex")
        if name == "show":
            show.add(command)
        if name == "site":
            command.add_argument("--out", type=Path, default=Path("site"), help="folder to write (default: site)")
    return parser


def _absent(root: Path, command: str) -> Path | None:
    """What the command reads of a checkout and does not find; None where it is there or nothing is needed."""
    if command == "publish" and not any((root / part).exists() for part in (*publish.HOSTS, publish.PUBLISHED)):
        return publish.README  # whatever folder one stands in, pages would be strewn there
    wanted = {"check": publish.PUBLISHED, "cite": cite.METADATA}.get(command)
    return None if wanted is None or (root / wanted).exists() else wanted


def _check(root: Path) -> int:
    print("checking every published record and the pages that are made of them ...", flush=True)
    wrong = publish.check(root)
    if not wrong:
        print(f"{len(Store(root / publish.PUBLISHED).paths()):,} records are sound, and the pages say what they say")
    return _report(wrong)


def _site(root: Path, out: Path) -> int:
    if wrong := build.not_a_place(root, out) or build.build(root, out):
        return _report([wrong])
    print(f"written: {out}/index.html")
    return 0


def _serve(root: Path, port: int, store: Store | None = None) -> int:
    """The port first, which is known at once; then what takes a while, in folders of this port alone."""
    try:
        server = serve.server_of(root / SERVED, port)
    except serve.Taken as error:
        return _report([str(error)])
    own = root / SERVED / str(server.server_address[1])
    try:
        with server:
            checkout = root if store is None else own / PAGES
            try:
                lines = [] if store is None else build.of_store(root, store, checkout)
            except (OSError, ValueError) as error:
                return _report([str(error)])
            _report(lines)
            if wrong := build.not_a_place(root, own / SITE) or build.build(checkout, own / SITE):
                return _report([wrong])
            server.folder = own / SITE
            serve.run(server, lambda line: print(f"leaderboard: {line}", flush=True))
    finally:
        shutil.rmtree(own, ignore_errors=True)  # another free port would have another one
    return 0


def _rows(root: Path, options: argparse.Namespace) -> int:
    places = [options.results] if options.results else [publish.LOCAL, publish.PUBLISHED]
    try:
        for part in joined.shown(options, root, [Store(root / place) for place in places]):
            print(part)
    except Refused as error:
        return _report([str(error)])
    return 0


def _submit(root: Path, local: Store, name: str) -> int:
    print("checking the records and writing the pages with them ...", flush=True)
    try:
        print("\n".join(submit.submit(root, local, name)))
    except submit.Refused as error:
        return _report(error.lines)
    except ValueError as error:
        return _report([f"{' '.join(str(error).split())}; no branch was made"])
    return 0


def _cite(root: Path, form: str) -> int:
    try:
        print(cite.citation(root, form), end="")
    except ValueError as error:
        return _report([str(error)])
    return 0


def _report(problems: Sequence[str]) -> int:
    """Print problems one per line, of very many the first; the exit code."""
    for line in text.few(problems, MOST):
        print(f"leaderboard: {text.plain(line)}", file=sys.stderr)  # a record may hold what moves a cursor
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(ended())
