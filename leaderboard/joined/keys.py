"""The record that a key names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.records.record import BadRecord, RunRecord, Store, read
from leaderboard.joined.refused import Refused

_KEY = re.compile(r"-s\d+-(?P<key>[0-9a-f]{16})(-[0-9a-f]+)?$")  # a digest follows in the name of a published file
SHOWN = 4  # records that a key of several lists


def record_of(key: str, stores: Iterable[Store]) -> tuple[RunRecord, Store]:
    """The record whose key begins so, or whose file is named so, and the store that it lies in.

    A key that several stores have means the first one's. Raises Refused where there is none, or several, or it does not
    say which rows it answered.
    """
    searched = list(stores)
    found: dict[str, tuple[Path, Store]] = {}
    for store in reversed(searched):  # of one key the record of the first store that has it
        found |= {told: (path, store) for path in store.paths() if (told := _key(path, key))}
    if not found:
        where = " nor ".join(str(store.root) for store in searched)
        raise Refused(
            f"no record {key} in {where}; a record's key is the end of its file's name: METHOD-sSEED-KEY.json"
        )
    if len(found) > 1:
        names = [path.stem for path, _ in found.values()]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise Refused(f"{key} begins {len(names)} keys, write more of it: {', '.join(names[:SHOWN])}{more}")
    ((path, store),) = found.values()
    try:
        record = read(path)
    except BadRecord as error:
        raise Refused(str(error)) from None
    if record is None or record.schema == 1:
        raise Refused(f"{path.stem}: of an older schema, which does not say which rows it answered; run its test again")
    return record, store


def _key(path: Path, asked: str) -> str:
    """The whole key of a file that is asked for, else ""."""
    name = _KEY.search(path.stem)
    if name is None:
        return ""
    named = Path(asked).name.removesuffix(".json") == path.stem
    return name["key"] if named or (asked and name["key"].startswith(asked.lower())) else ""
