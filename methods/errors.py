"""What can go wrong, as a tree:

    MergeboardError              one line for the user: what was met, what was wanted, what to do
    ├── UnknownName              a model, method, protocol or knob that does not exist ("did you mean")
    │   └── UnknownMethod
    ├── NotApplicable            an answer, not a failure: this method has no meaning here; the cell is skipped
    ├── Misfit                   members of one population do not fit each other
    │   └── Breach               a merge does not fit its members, or its method broke another promise
    ├── MethodFailed             a method raised something that nobody meant
    └── (harness/errors.py)      BadWeights, BadData, BadJournal, NotKept: what only the referee can meet

`BadRecord` stands apart in harness/records/reading.py, which is read without torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MergeboardError(Exception):
    """Base of every error that mergeboard raises on purpose; its text is one complete line."""


LISTED = 150  # characters of names that a line has room for
NEAREST = 5  # names that are told where it has not


class UnknownName(MergeboardError):
    """A name that is not known, with the closest known one as a hint.

    Args:
        kind: what the name should have been, e.g. "merging method".
        name: what was met.
        known: every name that would have been accepted; of many, the nearest are told.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        said = ", ".join(names) or "none"
        if len(said) > LISTED:
            nearest = difflib.get_close_matches(name, names, n=NEAREST, cutoff=0.0)
            where = f", which {_PAGES[kind]} lists" if kind in _PAGES else ""
            said = f"{', '.join(nearest)} and {len(names) - len(nearest)} more{where}"
        super().__init__(f"no {kind} named {name!r}.{hint} Known: {said}")


_PAGES = {"merging method": "docs/methods/README.md", "protocol option": "docs/protocols.md"}


class UnknownMethod(UnknownName):
    """No merging method is registered under this name."""


class NotApplicable(MergeboardError):
    """The method has no meaning for this population; the text says why and becomes the skip reason."""


class Misfit(MergeboardError):
    """Members differ in names, shapes, dtypes or labels; the text names the first difference."""


class Breach(Misfit):
    """A method broke its contract; the text names the method, the parameter and what to do."""


class MethodFailed(MergeboardError):
    """A method raised an error that is not mergeboard's; the text says which and where, its cause is the error."""
