"""A data set of the hub at one commit: its files by split, as the user names them or as `datasets` finds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from harness.checkpoints.hub import NotThere, fetch
from harness.data.tables import FORMATS
from harness.errors import BadData

WHOLE = "all"  # rows that are still to be split
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CARD = "README.md"  # whose head may say which files are which split
_OURS = {"train": "train", "validation": "dev", "test": "test"}


def files(where: str, wanted: Mapping[str, Sequence[str]]) -> dict[str, tuple[Path, ...]]:
    """Split -> its files, downloaded unless they are in the hub's cache; `WHOLE` -> all, where there is one split.

    Args:
        where: `org/name@commit`; rows must not move, so a branch will not do.
        wanted: split -> names or patterns of files; empty for the splits that `datasets` finds.

    Errors: `BadData` in one line.
    """
    name, _, commit = where.partition("@")
    if not _COMMIT.fullmatch(commit):
        raise BadData(
            f"hub:{where}: name a commit, hub:{name or 'org/name'}@ and 40 hexadecimal digits, so that rows never move"
        )
    patterns = [pattern for names in wanted.values() for pattern in names]

    def choose(names: Sequence[str]) -> list[str]:
        if patterns:
            return [n for n in names if any(fnmatch(n, pattern) for pattern in patterns)]
        return [n for n in names if n == _CARD or any(ending in Path(n).suffixes for ending in FORMATS)]

    try:
        folder = fetch(name, commit, choose, "dataset")
    except NotThere as error:
        raise BadData(f"hub:{where}: {error}") from error
    if not wanted:
        return _found(where, folder)
    found = {split: tuple(p for n in names for p in sorted(folder.glob(n))) for split, names in wanted.items()}
    if lacking := next((names for split, names in wanted.items() if not found[split]), None):
        raise BadData(f"hub:{where}: it has no file {', '.join(lacking)}")
    return found


def _found(where: str, folder: Path) -> dict[str, tuple[Path, ...]]:
    """What `datasets` takes for splits, by the card or by names of files."""
    import datasets

    try:
        listed = datasets.load_dataset_builder(str(folder)).config.data_files or {}
    except Exception as error:  # no files, several configurations, a card that is no YAML
        said = " ".join(str(error).replace(str(folder), where).split())
        raise BadData(f'hub:{where}: say which files are which, files = {{train = "..."}} ({said:.200})') from None
    found = {_OURS[s]: tuple(Path(p) for p in paths) for s, paths in listed.items() if str(s) in _OURS}
    if [*listed] == ["train"]:
        return {WHOLE: found["train"]}
    if "test" not in found:
        raise BadData(
            f"hub:{where}: its splits are {', '.join(map(str, listed))}; say which files are which, "
            'files = {train = "...", test = "..."}'
        )
    return found
