"""Where models come from: repository, revision and licence, as far as their folders and the hub say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checkpoints.hub import NotThere, commit_of, fetch
from harness.members.descent import Descents

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CARD = "README.md"


@dataclass(frozen=True)
class Origin:
    """A model that the result was made of."""

    name: str
    repository: str | None  # on the hub
    revision: str | None  # the commit, or what the user named
    licence: str | None
    content: str  # the fingerprint of its folder


def origin_of(name: str, where: str, folder: Path) -> Origin:
    """What is known of a model; `where` is how the user named it, `folder` where its files are."""
    hub, _, named = where.partition("@")
    known = _REPOSITORY.fullmatch(hub) is not None and not Path(where).is_dir()
    repository = hub if known else _cached(folder)  # config.json often names the parent instead
    revision = commit_of(folder) or (named or None)
    found = _licence(folder / _CARD) or (_fetched(hub, revision) if known else None)
    return Origin(name, repository, revision, found, Descents().fingerprint(folder))


def _cached(folder: Path) -> str | None:
    """The repository whose snapshot a folder of the hub's cache is: models--org--name/snapshots/commit."""
    if commit_of(folder) is None:
        return None
    kind, _, name = folder.parent.parent.name.partition("--")
    return name.replace("--", "/") if kind == "models" else None


def _fetched(repository: str, revision: str | None) -> str | None:
    """The licence by the repository's card, which no merge needs and so nobody fetched."""
    try:
        return _licence(fetch(repository, revision, lambda names: [n for n in names if n == _CARD]) / _CARD)
    except NotThere:
        return None


def _licence(card: Path) -> str | None:
    """The licence that a card's front matter names."""
    from huggingface_hub import metadata_load

    try:
        said: Any = (metadata_load(card) or {}).get("license") if card.is_file() else None
    except Exception:  # of YAML, of whoever wrote the card
        return None
    return said if isinstance(said, str) and said.strip() else None
