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
SHORT = 100  # letters: a longer text is what one record alone says, as its answers are


class Once:
    """What was met so far. Nobody writes into a record, so parts may be shared."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def shared(self, record: RunRecord) -> RunRecord:
        """The same record; what of it equals a part of an earlier one is that part."""
        found: dict[str, Any] = {name: self._of(getattr(record, name)) for name in TEXTS}
        for name in PARTS:
            found[name] = self._of(getattr(record, name))
        return replace(record, **found, members=tuple(map(sys.intern, record.members)))

    def _of(self, value: Any) -> Any:
        """The value, or the equal one that was met before; so are its parts."""
        if isinstance(value, str):
            return sys.intern(value) if len(value) <= SHORT else value
        if not isinstance(value, dict | list) or not value:
            return value
        told = hashlib.blake2b(marshal.dumps(value, 2), digest_size=16).digest()  # True is not 1 there, nor 1 1.0
        if told not in self._known:
            if isinstance(value, dict):
                self._known[told] = {sys.intern(name): self._of(part) for name, part in value.items()}
            else:
                self._known[told] = [self._of(part) for part in value]
        return self._known[told]
