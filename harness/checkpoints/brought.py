"""Members that a user brings: whose checkpoint lies where, and for which seed. No torch: the command line asks too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from harness import parsing
from harness.checkpoints import adapters
from harness.checkpoints.checkpoint import ADAPTER_CONFIG, require_weights
from harness.checkpoints.folders import is_adapter, require_whole
from harness.checkpoints.hub import REVISION, NotThere, fetched
from harness.errors import BadModel, BadWeights
from methods.errors import MergeboardError

Key = tuple[str, int | None]  # a member's name, and the seed whose populations it is for; None for those of any seed
T = TypeVar("T")

OPTION = "--member"
EXAMPLE = "NAME=FOLDER, for instance --member isear=./my-isear-model, or NAME=org/name@revision of the hub"
_CONFIGS = ("config.json", ADAPTER_CONFIG)
_ON_THE_HUB = re.compile(r"[\w][\w.-]*/[\w.-]+")


def given_for(given: Mapping[Key, T], member: str, seed: int) -> T | None:
    """What the user brought for this member in populations of this seed."""
    key = key_for(given, member, seed)
    return None if key is None else given[key]


def key_for(given: Mapping[Key, object], member: str, seed: int) -> Key | None:
    """How it was named: for the seed, else for any.

    "de@2", the variant of a corpus that has seed 2, is also what was named as `de` for seed 2.
    """
    places = [(member, seed), (member, None), *([key_of(member)] if key_of(member)[1] is not None else [])]
    return next((key for key in places if key in given), None)


def key_of(name: str) -> Key:
    """`tec` is for any seed, `tec@3` for seed 3."""
    member, _, seed = name.rpartition("@")
    return (member, int(seed)) if member and seed.isdecimal() and len(seed) < 8 and int(seed) else (name, None)


def word_of(key: Key) -> str:
    """The same in one word, as it is typed."""
    return key[0] if key[1] is None else f"{key[0]}@{key[1]}"


def seeds_of(given: Mapping[Key, object]) -> tuple[int, ...] | None:
    """The seeds that members were named for; None if none was."""
    return tuple(sorted({seed for _, seed in given if seed is not None})) or None


def place_of(what: str, where: str) -> str:
    """Where a member lies, a folder's whole path or a name on the hub; `what` begins every line about it.

    Errors: `MergeboardError` for a folder that holds no model, or an adapter that no whole model can be made of.
    """
    folder = parsing.folder_at(where)
    if folder is None:
        name, at, revision = where.partition("@")
        if not _ON_THE_HUB.fullmatch(name):
            raise MergeboardError(f"{what}: {where} has no config.json; name a folder in transformers' layout")
        if at and not REVISION.fullmatch(revision):
            raise BadModel(f"{what}: after @ stands a branch, a tag or a commit of the hub's, not {revision!r}")
        return where
    require_readable(what, folder)
    return str(folder.resolve())


def require_readable(what: str, folder: Path) -> None:
    """Raise one line unless this is a model's folder, or that of an adapter that can be expanded."""
    try:
        if is_adapter(folder):
            adapters.read(folder)
        elif (folder / "config.json").is_file():
            require_whole(folder)
            require_weights(folder)
        else:
            inner = sorted(path.parent for name in _CONFIGS for path in folder.glob(f"*/{name}"))
            cure = f"name a folder in it, such as {inner[-1]}" if inner else "name a folder in transformers' layout"
            raise BadModel(f"{folder} has no config.json; {cure}")
    except (BadModel, BadWeights) as error:
        raise type(error)(f"{what}: {error}") from None
    except OSError as error:
        raise BadModel(f"{what}: {folder} cannot be read ({error.strerror or error}); give yourself access") from None


def folder_of(key: Key, where: str, what: str) -> Path:
    """The folder of a member; from the hub, at its commit, where it has no folder of its own.

    `what` begins every line about it.
    """
    if Path(where).is_dir():
        return Path(where)
    try:
        folder = fetched(where)
    except (NotThere, BadWeights) as error:
        cure = f"or give one with {OPTION} {word_of(key)}=FOLDER"
        raise BadModel(f"{what}: {where} is no folder here, and {error}; {cure}") from None
    require_readable(what, folder)
    return folder
