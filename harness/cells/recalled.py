"""A development score that remembers: what an earlier run of the same search was told is told again, not scored."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from types import TracebackType

import torch

from harness.judging.meter import peak_bytes
from harness.judging.progress import Progress, left
from harness.judging.scoring import DevScorer
from harness.storage.journal import Entry, Journal
from methods import Merged
from methods.asking import Said, is_the_end
from methods.counted import counted
from methods.errors import MethodFailed
from methods.merged import beside, models_of, votes_of

LOOKED_AT = 4096  # scalars of every tensor, evenly spread, by which weights are known again
Make = Callable[[], Merged | None]
"""Makes a candidate; None if it is not finite: then it scores minus infinity, and no row is asked."""


class Recalled:
    """A DevScorer with a journal (implements methods.DevScore). `with` gives the journal back at the end.

    Args:
        score: on the rows that the search sees.
        apart: on those that it does not see, if some are kept apart.
        say: takes a line about the search.
        waited: seconds so far that were spent on something else than candidates, such as statistics.
    """

    def __init__(
        self,
        score: DevScorer,
        journal: Journal,
        apart: DevScorer | None = None,
        progress: Progress | None = None,
        say: Callable[[str], None] = lambda line: None,
        waited: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._score, self._apart, self._journal, self._progress = score, apart, journal, progress
        self._waited, self.say = waited, say
        self.calls = 0  # scores that were asked for, read back or not
        self.items = 0  # rows that were scored for them
        self.forwards = 0  # the same, times the passes of one model that a row costs
        self.best: float | None = None  # of the search's rows
        self.asked_apart = False
        self.seconds = 0.0  # that an earlier run spent on what was read back
        self.peak_bytes = 0  # of that run
        self._made, self._began = 0, time.monotonic()
        self._expected: int | None = None
        self._examined: dict[str, float] = {}  # digest of weights -> their score on the rows kept apart

    def expect(self, total: int, space: str = "") -> None:
        """How many evaluations are coming, and of what space; a search within a search does not say it again."""
        if self._expected is None:
            self._expected, self._began = total, time.monotonic()
            self._journal.of_space(space)

    def __call__(self, merged: Merged) -> float:
        """The score of these weights."""
        mark = digest(merged)
        known = self._journal.recall(self.calls, mark)
        entry = self._given(self._score, lambda: merged, weights=mark) if known is None else self._told(known)
        return self._of_search(entry)

    def answers(self, merged: Merged) -> Said:
        """What these weights say to the search's rows. What an earlier run was told is their score, so they are asked
        again; it counts once."""
        mark, start = digest(merged), time.perf_counter()
        known = self._journal.recall(self.calls, mark)
        items, forwards = self._score.items, self._score.forwards
        said = self._score.said(merged)
        if known is not None:
            self._of_search(self._told(known))
            return said
        items, forwards = self._score.items - items, self._score.forwards - forwards
        seconds, score = time.perf_counter() - start, said.score({})
        entry = Entry(score, seconds, weights=mark, peak_bytes=peak_bytes(), items=items, forwards=forwards)
        self._journal.add(entry)
        self._made += 1
        self._counted(entry)
        self._of_search(entry)
        return said

    def at(self, key: str, make: Make) -> float:
        """The score of the candidate known as `key`, which is only made if no earlier run has scored it."""
        return self._of_search(self._asked(self._score, key, make))

    @property
    def apart(self) -> Callable[[str, Make], float] | None:
        """The same on the rows kept apart; None where there are none."""
        return None if self._apart is None else self._examine

    def apart_of(self, merged: Merged) -> float | None:
        """What these weights scored on the rows kept apart, if they were examined there."""
        return self._examined.get(digest(merged)) if self._examined else None

    def _examine(self, key: str, make: Make) -> float:
        assert self._apart is not None  # or nobody was given this
        self.asked_apart = True
        entry = self._asked(self._apart, f"{key} apart", make)
        self._examined[entry.weights] = entry.score
        self._tick()
        return entry.score

    def _asked(self, score: DevScorer, key: str, make: Make) -> Entry:
        """What is known of this candidate, or a new score."""
        known = self._journal.recall_key(self.calls, key)
        if known is None:
            return self._given(score, make, key)
        self._told(known)
        if known.failed:
            make()  # it says again what was wrong
            raise MethodFailed(known.failed)
        return known

    def _given(self, score: DevScorer, make: Make, key: str = "", weights: str = "") -> Entry:
        """A new score, written down before anybody is told; so is that a candidate could not be made."""
        start, waited, failure = time.perf_counter(), self._waited(), None
        merged: Merged | None = None
        try:
            merged = make()
        except Exception as error:
            if is_the_end(error):
                raise
            failure = error
        if merged is not None and score is self._apart:
            weights = digest(merged)
        items, forwards = score.items, score.forwards
        entry = Entry(
            score=-math.inf if merged is None else score(merged),
            seconds=time.perf_counter() - start - (self._waited() - waited),
            key=key,
            weights=weights,
            failed="" if failure is None else f"{type(failure).__name__}: {' '.join(str(failure).split())}",
            peak_bytes=peak_bytes(),
            items=score.items - items,
            forwards=score.forwards - forwards,
        )
        self._journal.add(entry)
        self._made += 1
        self._counted(entry)
        if failure is not None:
            raise failure
        return entry

    def _told(self, known: Entry) -> Entry:
        """Count a score that was given before."""
        self.seconds += known.seconds
        self.peak_bytes = max(self.peak_bytes, known.peak_bytes)
        self._counted(known)
        return known

    def _counted(self, entry: Entry) -> None:
        self.calls += 1
        self.items += entry.items
        self.forwards += entry.forwards

    def _of_search(self, entry: Entry) -> float:
        if entry.score > (-math.inf if self.best is None else self.best):
            self.best = entry.score
        self._tick()
        return entry.score

    def _tick(self) -> None:
        """How far the search is, if a line is due."""
        if self._progress is None or not self._made:
            return
        best = "" if self.best is None else f", the best {self.best:.4f}"
        if self._expected is None:
            self._progress.tick(f"{counted(self.calls, 'development score')}{best}")
            return
        more = max(0, self._expected - self.calls)
        time_left = left((time.monotonic() - self._began) / self._made * more)
        total = counted(self.calls + more, "development evaluation")
        self._progress.tick(f"{self.calls} of {total}{best}, {time_left}")

    def __enter__(self) -> Recalled:
        return self

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._journal.close()


def digest(merged: Merged) -> str:
    """A short hash of a merge's weights, by a sample of every tensor, and of what it does with them: milliseconds for
    any model."""
    found = hashlib.blake2b(beside(merged).encode(), digest_size=12)
    if (votes := votes_of(merged)) is not None:
        found.update(repr(votes.tolist()).encode())
    for weights in models_of(merged):
        for name in sorted(weights):
            flat = weights[name].detach().reshape(-1)
            sample = flat[:: max(1, len(flat) // LOOKED_AT)].contiguous().cpu()
            found.update(f"{name} {tuple(weights[name].shape)} {sample.dtype} ".encode())
            found.update(sample.view(torch.uint8).numpy().tobytes() if len(sample) else b"")
    return found.hexdigest()
