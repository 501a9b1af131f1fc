"""JSON files that come with a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def json_of(path: Path) -> Any:
    """What a file holds. Errors: `OSError`; `ValueError` for what is no JSON, or deeper nested than anybody reads."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("its lists or objects are nested too deep") from None
