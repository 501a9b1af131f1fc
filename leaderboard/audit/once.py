"""Equal parts of records held once: thousands of records tell of a few models, protocols and machines."""

from __future__ import annotations

import hashlib
import marshal
import sys
from dataclasses import replace
from typing import Any

from harness.records.record import RunRecord

TEXTS = ("suite", "setting", "model", "method", "population", "heads", "coverage", "metric", "exam_key")
PARTS = ("recipe", "details", "dev", "environment", "says", "knobs", "cost", "scores", "predictions")
PLAIN = frozenset({int, float, bool, type(None)})  # have no parts
SHORT = 100  # letters: a longer text is what one record alone says, as its answers are


class Once:
    """What was met so far. Nobody writes into a record, so parts may be shared."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def shared(self, record: RunRecord, **instead: Any) -> RunRecord:
        """The same record; what of it equals a part of an earlier one is that part.

        Args:
            instead: fields in the place of its own.
        """
        told = {**vars(record), **instead}
        shared = {name: self._of(told[name]) for name in (*TEXTS, *PARTS)}
        return replace(record, **{**instead, **shared}, members=tuple(map(sys.intern, record.members)))

    def _of(self, value: Any) -> Any:
        """The value, or the equal one that was met before; so are its parts."""
        if isinstance(value, str):
            return sys.intern(value) if len(value) <= SHORT else value
        if not isinstance(value, dict | list) or not value:
            return value
        told = hashlib.blake2b(marshal.dumps(value, 2), digest_size=16).digest()  # True is not 1 there, nor 1 1.0
        if told not in self._known:
            of = self._of  # not asked of numbers, which most parts are
            if isinstance(value, dict):
                made: Any = {sys.intern(k): part if type(part) in PLAIN else of(part) for k, part in value.items()}
            else:
                made = [part if type(part) in PLAIN else of(part) for part in value]
            self._known[told] = made
        return self._known[told]
