"""Where a model's page and its downloads lie: by its name, and no two models at one place.

A name keeps its form where it can be a file's. Where it cannot, or is that of another file, or differs from another
model's in capitals alone, which to some file systems is no difference, a digest of it follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from harness.records.record import slug

FOLDER = PurePosixPath("leaderboard")  # below docs/
ROWS = "rows"  # the downloads of all models
TAKEN = ("index", "readme", ROWS, "generated")  # by what lies beside the pages of models: a list of what was written

Stems = Mapping[str, str]  # model -> the name of its page and of its downloads, without their endings


def stems(models: Iterable[str]) -> Stems:
    """The names of all; of two that differ in capitals alone the first in order keeps its own."""
    taken, found = set(TAKEN), dict[str, str]()
    for model in sorted(set(models)):
        plain = slug(model)
        free = plain == model and plain.casefold() not in taken
        found[model] = plain if free else f"{plain}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
        taken.add(found[model].casefold())
    return found


def page_of(stem: str) -> PurePosixPath:
    """A model's page, below docs/."""
    return FOLDER / f"{stem}.md"
