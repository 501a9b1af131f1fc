"""What was made of a group stays with it: many pages ask for one table, whose answers do not stay in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from leaderboard.tables.group import Group

Made = TypeVar("Made")


def kept(make: Callable[[Group], Made]) -> Callable[[Group], Made]:
    """Ask `make` of each group once."""
    name = f"{make.__module__}.{make.__qualname__}"

    @wraps(make)
    def asked(group: Group) -> Made:
        if name not in group.made:
            group.made[name] = make(group)
        found: Made = group.made[name]
        return found

    return asked
