"""What only the referee can meet; the tree is drawn in methods/errors.py."""

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
