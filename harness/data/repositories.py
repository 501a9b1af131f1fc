"""A data set of the hub at one commit: its files by split, as the user names them or as `datasets` finds them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.checkpoints.hub import NotThere, fetch
from harness.data import patterns
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
    chosen: dict[str, list[str]] = {}  # what lies beside them in the cache, from an earlier session, is not asked for

    def choose(names: Sequence[str]) -> list[str]:
        for split, asked in wanted.items():
            chosen[split] = [name for pattern in asked for name in patterns.among(names, pattern)]
        if not wanted:
            chosen[WHOLE] = [n for n in names if n == _CARD or any(ending in Path(n).suffixes for ending in FORMATS)]
        return [name for own in chosen.values() for name in own]

    try:
        folder = fetch(name, commit, choose, "dataset")
    except NotThere as error:
        raise BadData(f"hub:{where}: {error}") from error
    found = {split: tuple(folder / name for name in names) for split, names in chosen.items()}
    if not wanted:
        return _found(where, folder, frozenset(found[WHOLE]))
    if lacking := next((names for split, names in wanted.items() if not found[split]), None):
        raise BadData(f"hub:{where}: it has no file {', '.join(lacking)}")
    return found


def _found(where: str, folder: Path, there: Collection[Path]) -> dict[str, tuple[Path, ...]]:
    """What `datasets` takes for splits of these files, by the card or by names."""
    import datasets

    try:
        listed = datasets.load_dataset_builder(str(folder)).config.data_files or {}
    except Exception as error:  # no files, several configurations, a card that is no YAML
        said = " ".join(str(error).replace(str(folder), where).split())
        raise BadData(f'hub:{where}: say which files are which, files = {{train = "..."}} ({said:.200})') from None
    own = {s: tuple(path for p in paths if (path := Path(p)) in there) for s, paths in listed.items()}
    found = {_OURS[s]: paths for s, paths in own.items() if str(s) in _OURS and paths}
    if [*listed] == ["train"] and found:
        return {WHOLE: found["train"]}
    if "test" not in found:
        raise BadData(
            f"hub:{where}: its splits are {', '.join(map(str, listed))}; say which files are which, "
            'files = {train = "...", test = "..."}'
        )
    return found
