"""Kills what answers a session of `--engine=ray`, at random moments, and looks at what is left:

    python -m tests.kills [--rounds=20] [--first=1] [--within=SECONDS] [--seed=1]

Each round has a store and a zoo of its own. A worker, any process of Ray, or the session itself is killed; a
session that was killed is begun again, and so is one that ends with the line that its cluster did. In the end the
records must be those of a session that nobody disturbed, and no member may have been trained twice but one that was in
flight. Every round draws from its own number, so `--first=9` goes on where another run ended. A round in which nobody
was left to be killed is tried again, earlier.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.engines.watch import ENDED
from harness.records.record import RunRecord, Store, read
from tests.small_world import ROOT, SMALL, make_lab, outcome

WHO = ("worker", "process", "session")
WORKERS = 3
METHODS = ("simple", "ensemble", "regmean", "ties_evolver", "avg")
CHOSEN = "in_domain or tec+isear or out_of_domain"
PATIENCE = 600.0  # seconds that any session may take


@dataclass(frozen=True)
class Round:
    """One store and one zoo."""

    folder: Path
    heads: str = "same"
    more: Mapping[str, str] = field(default_factory=dict)  # of its sessions' environment

    @property
    def environment(self) -> dict[str, str]:
        """What is set for all who train for it."""
        return {"SMALL_WORLD_LOG": str(self.folder / "trained"), "OMP_NUM_THREADS": "1", **self.more}

    def words(self, *more: str) -> list[str]:
        """The command of a session."""
        stores = [f"--results={self.folder / 'results'}", f"--zoo={self.folder / 'zoo'}"]
        what = [*(f"--method={name}" for name in METHODS), *(f"--set={one}" for one in SMALL), f"--heads={self.heads}"]
        plain = ["--model=tiny-encoder", "--seeds=1", "-p", "tests.shrunk", "-p", "no:cacheprovider", "-q", "-rA"]
        command = [sys.executable, "-m", "pytest", "suites/test_emotion.py", "-k", CHOSEN]
        return [*command, *what, *plain, *stores, *more]

    def begin(self, *more: str) -> subprocess.Popen[bytes]:
        """Such a session, in a process of its own; it speaks to a file."""
        environment = {**os.environ, **self.environment}
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                self.words(*more), cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
            )

    def records(self) -> dict[str, RunRecord]:
        """Those that are stored, by their places."""
        store = Store(self.folder / "results")
        found = {path.relative_to(store.root).as_posix(): read(path) for path in store.paths()}
        return {name: record for name, record in found.items() if record is not None}

    def trained(self) -> int:
        """How often a training began."""
        log = self.folder / "trained"
        return len(log.read_text().split()) if log.exists() else 0

    def said(self) -> str:
        """All that was printed."""
        return (self.folder / "said").read_text(errors="replace")


def begun(root: Path, name: str, base: Path, **environment: str) -> Round:
    """A round whose zoo has the tiny model and no member."""
    folder = root / name
    shutil.copytree(base, folder / "zoo")
    return Round(folder, more=environment)


def base_of(root: Path) -> Path:
    """A zoo with the tiny model alone."""
    make_lab(root / "base")
    return root / "base"


def undisturbed_in(root: Path, base: Path) -> Round:
    """A session of one process, from nothing, at its end."""
    one = begun(root, "undisturbed", base)
    ended(one.begin("--engine=inline"), one)
    return one


def below(pid: int) -> dict[int, str]:
    """The processes that this one and those below it have begun, by number: what they call themselves."""
    return {one: told.name for one, told in family(pid).items() if one != pid}


@dataclass(frozen=True)
class Process:
    """One that runs."""

    parent: int
    name: str
    seconds: float  # of processors, all its threads'


def family(pid: int) -> dict[int, Process]:
    """This process and those below it, by number."""
    there: dict[int, Process] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()  # proc(5), from the third field on
                name = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended
            ticks = int(stat[11]) + int(stat[12])
            there[int(entry.name)] = Process(int(stat[1]), name, ticks / os.sysconf("SC_CLK_TCK"))
    found, edge = dict[int, Process](), {pid} & there.keys()
    while edge:
        found |= {one: there[one] for one in edge}
        edge = {one for one, told in there.items() if told.parent in edge}
    return found


def kill(who: str, session: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kill -9; what it was called, or nothing if there was none."""
    if who == "session":
        session.send_signal(signal.SIGKILL)
        return "the session"
    there = below(session.pid)
    busy = {pid: name for pid, name in there.items() if name.startswith("ray::Worker")}
    chosen = sorted(busy if who == "worker" else there)
    if not chosen:
        return ""
    pid = rng.choice(chosen)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return " ".join(word for word in map(_last, there[pid].split()) if not word.startswith("-"))[:60]


def _last(word: str) -> str:
    """A word of a command without the folders of the file that it names."""
    return word if word.startswith("-") else word.rpartition("/")[2]


def ended(session: subprocess.Popen[bytes], one: Round, may_break: bool = False) -> bool:
    """Wait for its end; whether it came to it. Errors: `AssertionError` with what it said if it did not end well.

    Args:
        may_break: whether it may also end, in one line, because its cluster did.
    """
    try:
        code = session.wait(PATIENCE)
    finally:
        session.kill()
    said = one.said()[-3000:]
    broken = may_break and code == pytest.ExitCode.USAGE_ERROR and f"\nERROR: {ENDED}" in said
    assert code == 0 or broken, f"ended with {code}:\n{said}"
    return code == 0


def gone(pids: dict[int, str]) -> None:
    """Wait until the workers among these processes are no more: they end with their session."""
    pids = {pid: name for pid, name in pids.items() if name.startswith("ray::Worker")}
    deadline = time.monotonic() + 60
    while left := [pid for pid in pids if (Path("/proc") / str(pid)).exists()]:
        assert time.monotonic() < deadline, f"still there: {[pids[pid] for pid in left]}"
        time.sleep(0.05)


def disturbed(one: Round, who: str, after: float, rng: random.Random) -> str:
    """A session that loses `who` so many seconds after its workers began, to its end; what was killed."""
    words = ("--engine=ray", f"--ray-workers={WORKERS}")
    session = one.begin(*words)
    try:
        while session.poll() is None and not any("ray::Worker" in name for name in below(session.pid).values()):
            time.sleep(0.05)
        moment = time.monotonic() + after
        while session.poll() is None and time.monotonic() < moment:
            time.sleep(0.05)
        there = below(session.pid)
        killed = kill(who, session, rng) if session.poll() is None else ""
        if who == "session" and killed:
            session.wait(60)
        elif ended(session, one, may_break=bool(killed)):
            return killed
        gone(there)
        ended(one.begin(*words), one)
        return f"{killed}, and begun again"
    finally:
        session.kill()


def check(one: Round, wanted: Round, who: str) -> None:
    """Hold what is left against an undisturbed session. Errors: `AssertionError`."""
    found, theirs = one.records(), wanted.records()
    assert found.keys() == theirs.keys(), found.keys() ^ theirs.keys()
    for name, record in found.items():
        assert outcome(record) == outcome(theirs[name]), name
    in_flight = 1 if who == "worker" else WORKERS
    assert one.trained() <= wanted.trained() + in_flight, f"{one.trained()} trainings for {wanted.trained()} members"
    litter = [path for path in one.folder.rglob("*") if path.suffix == ".tmp" or path.name.startswith(".mergeboard")]
    assert not litter, litter


def main() -> None:
    """Run so many rounds, and say of each what was killed and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--within", type=float, help="seconds in which a kill comes; else a session's length")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        root = Path(name)
        base = base_of(root)
        wanted = undisturbed_in(root, base)
        most = options.within or _length(root, base)
        what = f"{len(wanted.records())} records, {wanted.trained()} members"
        print(f"undisturbed: {what}; moments up to {most:.0f} s", flush=True)
        for number in range(options.first, options.rounds + 1):
            rng, who, killed = random.Random(f"{options.seed} {number}"), WHO[number % len(WHO)], ""
            while not killed:
                one, after = begun(root, f"round-{number}", base), rng.uniform(0, most)
                if not (killed := disturbed(one, who, after, rng)):
                    most = max(2.0, min(most, after))
                check(one, wanted, who)
                told = f"{killed}: the same records, {one.trained()} trainings" if killed else "nobody was left"
                print(f"{number}: {who} after {after:.1f} s: {told}", flush=True)
                shutil.rmtree(one.folder)


def _length(root: Path, base: Path) -> float:
    """Seconds that a session works, by one that is killed as it begins and begun again."""
    start, probe = time.monotonic(), begun(root, "probe", base)
    disturbed(probe, "session", 1e-3, random.Random())
    return (time.monotonic() - start) / 2


if __name__ == "__main__":
    main()
