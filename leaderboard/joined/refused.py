"""Why rows cannot be shown."""

from __future__ import annotations


class Refused(ValueError):
    """One line that says what to do."""
