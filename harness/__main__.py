"""`python -m harness export RECORD FOLDER`: the model of a record, in transformers' layout. `python -m harness merge
METHOD ...`: a merge from folders to a folder. All else is pytest's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.members.garbage import no_last_look
from harness.merging import command as merging
from harness.merging.words import USAGE as MERGE_USAGE
from methods.errors import MergeboardError

WRONG_WORD = 4  # pytest's own code for a wrong command line


def main(words: Sequence[str]) -> int:
    """The exit code: 0, or 4 with one line for a wrong word, 1 for what failed later."""
    if words[:1] == ["merge"] and not set(words) & {"-h", "--help"}:
        return merging.run(words[1:], Path.cwd())
    from harness.export.command import USAGE, asked, export  # which takes a while: it knows pytest and records
    from harness.records.record import BadRecord

    if set(words) & {"-h", "--help"}:
        asked_for = {"merge": [MERGE_USAGE], "export": [USAGE]}.get(words[0], [USAGE, MERGE_USAGE])
        print("\n\n".join(asked_for))
        return 0
    try:
        order = asked(words, Path.cwd())
    except (MergeboardError, BadRecord) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return WRONG_WORD
    return export(order)


if __name__ == "__main__":
    no_last_look()
    sys.exit(main(sys.argv[1:]))
