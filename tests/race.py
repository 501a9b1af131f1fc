"""Holds the workers of a cluster on this machine against those of `-n`, in turns, on a share of the embedded benchmark:

    python -m tests.race [--turns=1] [--workers=2] [-k EXPRESSION] [more words of a session]

Each session begins with an empty store and with the tiny model alone, so that members are trained too. A turn prints
the seconds of both and their ratio, with what Ray took to begin, and the seconds of processors, which say on a busy
machine too who does more; both must leave the same records.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.data.world import World
from harness.members import tiny
from harness.storage.zoo import Zoo
from tests.kills import Round, begun, ended, family
from tests.small_world import outcome

CHOSEN = "test_emotion"  # all of this suite
MODEL = "tiny-encoder"
LOOKS = 0.2  # seconds between two looks at what processes have spent


@dataclass(frozen=True)
class Share(Round):
    """A store and a cache of one session."""

    chosen: str

    def words(self, *more: str) -> list[str]:
        """The command of a session."""
        stores = [f"--results={self.folder / 'results'}", f"--cache={self.folder / 'zoo'}"]
        command = [sys.executable, "-m", "pytest", "suites/test_emotion.py", "-k", self.chosen]
        return [*command, f"--model={MODEL}", "--seeds=1", "-p", "no:cacheprovider", *stores, *more]


def seconds(one: Share, *words: str) -> tuple[float, float]:
    """What a session takes, from its command to its prompt; and of processors, with all processes that it begins, but
    for the last moments of each."""
    start, session, spent = time.perf_counter(), one.begin(*words), dict[int, float]()
    try:
        while session.poll() is None:
            spent |= {pid: told.seconds for pid, told in family(session.pid).items()}
            time.sleep(LOOKS)
        took = time.perf_counter() - start
        ended(session, one)
    finally:
        session.kill()
    return took, sum(spent.values())


def require_same(one: Share, other: Share) -> int:
    """How many records both have. Errors: `AssertionError` unless they are the same but for their costs."""
    mine, theirs = one.records(), other.records()
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    for name, record in mine.items():
        assert outcome(record) == outcome(theirs[name]), name
    return len(mine)


def main() -> None:
    """Run so many turns, and say what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-k", dest="chosen", default=CHOSEN)
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="race-") as name:
        root, ratios = Path(name), list[float]()
        tiny.build(MODEL, World(), Zoo(root / "base"))
        for turn in range(1, options.turns + 1):
            ray, xdist = (
                Share(begun(root, f"{who}-{turn}", root / "base").folder, options.chosen) for who in ("ray", "xdist")
            )
            pairs = [
                (ray, (*more, "--engine=ray", f"--ray-workers={options.workers}")),
                (xdist, (*more, "-n", str(options.workers))),
            ]
            took = {one: seconds(one, *words) for one, words in (pairs if turn % 2 else reversed(pairs))}
            begin = re.search(r"begun in ([\d.]+) s", ray.said())
            assert begin is not None, ray.said()[-3000:]
            (mine, spent), (theirs, theirs_spent) = took[ray], took[xdist]
            ratios.append(mine / theirs)
            number = require_same(ray, xdist)
            print(
                f"{turn}: {number} records, the same; {ratios[-1]:.2f} times: Ray {mine:.1f} s, {begin[1]} s of it to "
                f"begin, -n {options.workers} {theirs:.1f} s; seconds of processors {spent / theirs_spent:.2f} times: "
                f"{spent:.1f} and {theirs_spent:.1f}",
                flush=True,
            )
            for one in took:
                shutil.rmtree(one.folder)
        print(f"median {statistics.median(ratios):.2f} times")


if __name__ == "__main__":
    main()
