"""What all stand on who work on the cells of one model under one protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.cells.identity import Identity
from harness.cells.judges import Judges
from harness.cells.rowbook import RowBook
from harness.families.subject import Subject
from harness.protocol.told import Told
from harness.storage.zoo import Zoo


@dataclass(frozen=True, eq=False)
class Ground:
    """Put together by `Lab`, once."""

    subject: Subject  # the model
    rows: RowBook  # which rows train, choose and test
    told: Told  # what the protocol tells each maker
    identity: Identity  # recipes and keys
    judges: Judges
    zoo: Zoo  # where what is made is kept
    say: Callable[[str], None]  # takes a line about long work
