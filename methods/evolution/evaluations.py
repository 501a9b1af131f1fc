"""The evaluations of one evolution: each one counted, written down, and known again by who was judged.

A session that was killed knows the scores of children by their keys (methods/asking.py). A key names the whole line of
births up to the child, so what another evolution was told of another child is never taken for it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

from methods.asking import is_the_end, score_at
from methods.base import DevScore, Merged
from methods.errors import MethodFailed
from methods.searching.ledger import Counted


class Evaluations:
    """The development score as one evolution asks it.

    Args:
        who: everything that decides the evolution but for its draws, in words.
    """

    def __init__(self, score: DevScore, who: str) -> None:
        self._score, self._line = score, who
        self.inner = Counted(score)  # for an inner method that asks for scores itself, which count as well
        self.scores: list[float | None] = []  # in the order in which they were asked for; None: no finite number
        self.children = self.failures = 0
        self.failure: Exception | None = None  # the first of a child that the inner method could not merge
        self.most = 0  # scores that a single evaluation has cost
        self._before = 0

    @property
    def spent(self) -> int:
        """Scores that were asked for, one for a child that failed included."""
        return len(self.scores) + self.inner.calls

    def key(self, place: str, *told: object) -> str:
        """The key of who is judged at this place of the line: `3.1` is the child of member 1 in generation 3."""
        return f"{place} {hashlib.sha256(repr((self._line, place, *told)).encode()).hexdigest()[:16]}"

    def accepted(self, key: str) -> None:
        """All that come after are of another line."""
        self._line = key

    def of(self, key: str, make: Callable[[], Merged]) -> float:
        """The score of what is known as `key`, made only where nobody knows it yet."""
        # Inner scores are counted as they are asked for: what asks for them is made again.
        value = float(self._score(make())) if self.inner.calls else score_at(self._score, key, make)
        self._note(value)
        return value

    def of_child(self, key: str, make: Callable[[], Merged]) -> float:
        """The same of a child; NaN, which is above and equal to nothing, if the inner method fails at it.

        Errors: what the score raised, and what no other child would mend.
        """
        own: list[Exception] = []

        def attempt() -> Merged:
            try:
                return make()
            except Exception as error:
                own.extend([error] if self.inner.failed is None and not is_the_end(error) else [])
                raise

        self.children += 1
        try:
            return self.of(key, attempt)
        except Exception as error:
            if error not in own and not isinstance(error, MethodFailed):  # which an earlier run told of this child
                raise
            self.failures += 1
            self.failure = self.failure or error
            self._note(math.nan)
            return math.nan

    def failed(self) -> dict[str, object]:
        """For the trace, where the inner method failed at some children. Errors: the first, if it failed at all."""
        if self.failure is None:
            return {}
        if self.failures == self.children:
            raise self.failure
        return {"failed": {"children": self.failures, "first": " ".join(f"{self.failure!r}".split())}}

    def _note(self, value: float) -> None:
        self.scores.append(value if math.isfinite(value) else None)
        self.most = max(self.most, self.spent - self._before)
        self._before = self.spent
