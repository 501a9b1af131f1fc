"""What only the referee can meet; the tree is drawn in methods/errors.py."""

from pathlib import Path

from methods.errors import MergeboardError, NotApplicable


class LeftOut(NotApplicable):
    """A cell that is not begun, since it would not end within the session's budget of time."""


class BadWeights(MergeboardError):
    """Weights that cannot be merged: not finite, truncated, or in a format that can run code."""


class BadData(MergeboardError):
    """Data that is missing or malformed; the text names the file and, where there is one, the line."""


class BadModel(MergeboardError):
    """A model that cannot be found or is of a kind that no family knows."""


class BadJournal(MergeboardError):
    """The journal of an interrupted run that is another's, or was edited; the text names the file and what to do."""


class NotKept(MergeboardError):
    """A folder that things are kept in does not take them; the text names it and what to do."""


class NoMemory(MergeboardError, MemoryError):
    """A sound file that this process has no memory for; the text names it and what to do."""


def no_memory(path: Path, error: Exception) -> NoMemory | None:
    """What to raise of a file that could not be read for want of memory; None of another error, such as damage."""
    from methods.exhausted import exhausted  # with torch, which takes a second to import

    if not exhausted(error):
        return None
    return NoMemory(
        f"{path} cannot be read, as this process has no memory left for it; name fewer members, raise its limit "
        "(ulimit -v), or end what else runs"
    )
