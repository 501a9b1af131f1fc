"""How many development scores a method asks for, as far as it says; no torch is needed to ask it.

A method says so by `scores(members)`, which its outline has too (methods/naming/outline.py).
"""

from __future__ import annotations


def asks(method: object, members: int) -> int:
    """How many scores a method asks for by itself to merge so many members; 0 where it does not say."""
    return int(method.scores(members)) if callable(getattr(method, "scores", None)) else 0  # type: ignore[attr-defined]
