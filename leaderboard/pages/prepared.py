"""Every table that needs a group's answers, made while those are in memory: of many records by two processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from leaderboard.claims.claims import asked
from leaderboard.findings.quantities import in_group
from leaderboard.pages import varied
from leaderboard.tables import sent
from leaderboard.tables.budgets import same_budget
from leaderboard.tables.elsewhere import elsewhere
from leaderboard.tables.group import Group, let_go
from leaderboard.tables.table import ablations, headline, per_corpus, unseen
from leaderboard.tables.tuned import calibration, default_and_tuned
from leaderboard.verdict.tally import beside

LEASES = "lease"  # begins the names of the threads of harness/storage/lease.py
MANY = 2000  # records; a second process of fewer takes longer to begin than it saves


def prepare(found: Sequence[Group]) -> None:
    """Make each group's tables; what is made after them needs the room of the answers."""
    here, there = _halves(found) if _worth(found) else (found, ())
    with suppress(EOFError, OSError):  # the other process was ended: what it has not told is made here
        _with_another(here, there)
    _make(found)


def _make(groups: Iterable[Group]) -> None:
    """What a group has already is not made again."""
    for group in groups:
        headline(group), per_corpus(group), elsewhere(group), default_and_tuned(group), calibration(group)
        same_budget(group), unseen(group), ablations(group), [*varied.of_answers(group)]
        asked(group), in_group(group), None if group.synthetic else beside(group)  # made-up models count in no tally
        let_go()


def _worth(found: Sequence[Group]) -> bool:
    """Whether there is work for two, and a system where a process can become two that share their memory. Of a process
    with threads the copy has one alone, and waits for ever for what the others held; the one that keeps a store's lease
    holds nothing that tables ask for."""
    enough = len(found) > 1 and sum(len(group.records) for group in found) >= MANY
    alone = all(t is threading.current_thread() or t.name.startswith(LEASES) for t in threading.enumerate())
    return enough and alone and sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


def _halves(found: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """The groups in two parts with about as many answers: the largest first, each to the part that has fewer."""
    here, there = list[Group](), list[Group]()
    many = {group: sum(len(record.scores) for record in group.records) for group in found}
    for group in sorted(found, key=lambda group: -many[group]):
        min(here, there, key=lambda part: sum(many[one] for one in part)).append(group)
    return here, there


def _with_another(here: Sequence[Group], there: Sequence[Group]) -> None:
    """Make the first part here while a copy of this process makes the second and tells what it found."""
    if not there:
        return
    forked = multiprocessing.get_context("fork")
    ours, theirs = forked.Pipe(duplex=False)
    other = forked.Process(target=_tell, args=(ours, theirs, there), daemon=True)
    other.start()
    theirs.close()
    try:
        _make(here)
        sent.read(ours.recv_bytes(), there)
    finally:
        ours.close()
        other.terminate()
        other.join()


def _tell(unread: Connection, to: Connection, groups: Sequence[Group]) -> None:
    """In the copy. An error here comes again in the first process, which says it."""
    unread.close()  # the first process reads; once it has gone nobody does, and this one must not wait
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first one's to answer, and ends this one too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(Exception), to:
        _make(groups)
        to.send_bytes(sent.written(groups))
