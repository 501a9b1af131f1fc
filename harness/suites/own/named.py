"""What names a label: a text without the blanks around it, or a whole number, however its signs are written."""

from __future__ import annotations

import math
import re
from typing import Any
from unicodedata import normalize

NUMBER = re.compile(r"-?\d+(\.0+)?")


def plain(cell: Any) -> str | None:
    """A cell as the name of a label: 1, 1.0 and "1" are one, and an e with an accent, written as one sign or as two.

    None where nothing stands.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    text = str(cell).strip()
    return (text.partition(".")[0] if NUMBER.fullmatch(text) else normalize("NFC", text)) or None
