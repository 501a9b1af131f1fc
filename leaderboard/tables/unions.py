"""Names that turn out to be one thing, joined as it is learned (Galler and Fischer 1964)."""

from __future__ import annotations


class Unions:
    """Each name stands for itself until it is joined with another one."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name that stands for this one."""
        self._above.setdefault(name, name)
        while self._above[name] != name:
            name = self._above[name]
        return name

    def join(self, name: str, other: str) -> None:
        """Both are one."""
        self._above[self.of(name)] = self.of(other)
