"""Who makes a thing: one process at a time, as far as that can be had, and who waits is told for whom and how long."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.storage import lease, owner
from harness.storage.lease import Lease, Watch

PATIENCE = 0.2  # seconds that nobody need hear about
EVERY = 60.0  # seconds between two lines of one that waits
POLL, SELDOM = 0.05, 0.5  # seconds between two looks, at first and after a while


@contextlib.contextmanager
def turn(path: Path, work: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold this path's lease, after whoever has it; `work` is what others are told meanwhile.

    Where no lease can be written nobody is waited for: what is made then may be made twice, and is kept once.
    """
    held = _waited(path, work, say)
    try:
        yield
    finally:
        if held is not None:
            held.give_back()


@contextlib.contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold this path's lease if nobody does; whether it is held. It leaves nothing behind."""
    held = None
    with contextlib.suppress(OSError):
        held = taken_if_free(path, "tidying up")
    try:
        yield held is not None
    finally:
        if held is not None:
            held.give_back()


def taken_if_free(path: Path, work: str) -> Lease | None:
    """This path's lease, or None if somebody has it. Errors: `OSError` where none can be written."""
    where = _lease_of(path)
    if (held := lease.take(where, work)) is not None:
        return held
    watch = Watch(where)
    seen = watch.look()
    if not watch.has_ended():
        return None
    if seen is not None:
        lease.clear(where, seen)
    return lease.take(where, work)


def _waited(path: Path, work: str, say: Callable[[str], None]) -> Lease | None:
    where = _lease_of(path)
    watch, due, pause = Watch(where), time.monotonic() + PATIENCE, POLL
    while True:
        try:
            if (held := lease.take(where, work)) is not None:
                return held
            seen = watch.look()
            if watch.has_ended():
                if seen is not None:
                    _tell_of_the_silent(watch, path, say)
                    lease.clear(where, seen)
                continue
        except OSError:
            return None
        if time.monotonic() >= due:
            say(f"waiting for {_holder(watch, path)}{_silence(watch)}")
            due = time.monotonic() + EVERY
        time.sleep(pause := min(SELDOM, 1.02 * pause))


def _tell_of_the_silent(watch: Watch, path: Path, say: Callable[[str], None]) -> None:
    if watch.silent > lease.STALE:
        say(f"{_holder(watch, path)}, gave no sign of life for {_duration(watch.silent)}; its work is taken over")


def _holder(watch: Watch, path: Path) -> str:
    """What the holder of a lease says of itself, as far as it can be read."""
    seen = watch.look()
    try:
        note = seen.note if seen is not None else {}
        where = "" if note["host"] == owner.HOST else f" on {note['host']}"
        lasted = _duration(watch.now() - note["since"])
        return f"process {note['pid']}{where}, which has been {note['work']} for {lasted}"
    except (KeyError, TypeError):
        return f"another process, which is making {path}"


def _silence(watch: Watch) -> str:
    if watch.silent < 3 * lease.BEAT:
        return ""
    return f"; no sign of it for {_duration(watch.silent)}, and after {lease.STALE:.0f} s its work is taken over"


def _duration(seconds: float) -> str:
    minutes = int(max(0, seconds)) // 60
    return f"{max(0, seconds):.0f} s" if minutes < 2 else f"{minutes} min"


def _lease_of(path: Path) -> Path:
    return path.with_name(f"{path.name}{lease.ENDING}")
