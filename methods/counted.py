"""Numbers of things in lines for users: "1 evaluation", "2 evaluations"."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """`1 evaluation`, `1,000 evaluations`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
