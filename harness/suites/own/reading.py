"""The file of an own suite, read and checked as far as it goes without a look at the rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.protocol.protocol import LIMITS
from harness.suites.own import aims, entries, questions
from harness.suites.own import columns as columns_
from harness.suites.own.aims import Aims
from harness.suites.own.described import SPLITS, Described, File, Shares
from harness.suites.own.entries import Entries
from harness.suites.own.questions import Asked
from methods.errors import MergeboardError, UnknownName

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SETTABLE: Mapping[str, type[int] | type[float]] = {  # what members of a soup differ by
    **{"learning_rate": float, "epochs": int, "steps": int, "batch_size": int, "warmup": float, "head_rate": float}
}


def read(path: Path) -> File:
    """The file. Errors: `MergeboardError` in one line that names the place in it."""
    top = entries.read(path).only("name", "title", "tasks", "corpora", "unseen", *aims.KEYS, *questions.KEYS)
    name = top.take("name", str)
    if name is None or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise MergeboardError(
            f'{path}: name is {name!r}; write name = "..." in lower-case letters, digits and _, a letter first'
            if name is not None
            else f'{path}: name is missing; write name = "...", what records and tables call it'
        )
    title = top.take("title", str, usual=name)
    tables = top.tables("tasks")
    if both := [key for key in questions.KEYS if tables and key in top]:
        raise MergeboardError(f"{path}: {both[0]} stands in each of [tasks], or above all where there are none")
    tasks = {key: _task(table, key) for key, table in tables.items()} or {name: questions.read(top, name)}
    corpora = {key: _corpus(table, key, tasks) for key, table in top.tables("corpora").items()}
    if not corpora:
        raise MergeboardError(f'{path}: no corpora; write [corpora.NAME] with data = "FILE" for each')
    unseen = top.texts("unseen") or ()
    for what, names in (("corpora", corpora), ("tasks", tasks)):
        _require_apart(path, what, list(names))
    for corpus in unseen:
        if corpus not in corpora:
            raise MergeboardError(f"{path}: unseen: {UnknownName('corpus', corpus, corpora)}")
    return File(path, name, title, tasks, corpora, unseen, _aims(top, path, corpora, unseen))


def _aims(top: Entries, path: Path, corpora: Mapping[str, Described], unseen: Sequence[str]) -> Aims:
    found = aims.read(top, corpora)
    for name in found.sources:
        _require_name(f"{path}: sources", name)
    _require_apart(path, "corpora", list(dict.fromkeys((*corpora, *found.sources))))
    aims.require_named(path, found, unseen)
    return found


def _task(table: Entries, name: str) -> Asked:
    _require_name(table.where, name)
    return questions.read(table.only(*questions.KEYS), name)


def _corpus(table: Entries, name: str, tasks: Mapping[str, Asked]) -> Described:
    _require_name(table.where, name)
    table.only(
        "task", "data", "files", "columns", "split", "delimiter", "quote", "missing", "members", "soup", "language"
    )
    task = table.take("task", str, usual=next(iter(tasks)) if len(tasks) == 1 else None)
    if task is None:
        raise MergeboardError(f"{table.where}: task is missing; write one of {', '.join(tasks)}")
    if task not in tasks:
        raise MergeboardError(f"{table.where}: {UnknownName('task', task, tasks)}")
    data, files = table.take("data", str), _files(table)
    if data is None and not files:
        raise MergeboardError(
            f'{table.where}: no rows; write data = "FILE", or files = {{train = "...", test = "..."}}'
        )
    shares, column = _split(table, given=bool(files))
    language = table.take("language", str, usual="")
    columns = columns_.read(table, tasks[task], column, language)
    if files and columns.split:
        raise MergeboardError(f"{table.where}: files and a split column both say what is train and test; leave one out")
    missing = table.take("missing", str, usual="refuse")
    if missing not in ("refuse", "skip"):
        raise MergeboardError(f"{table.where}: {UnknownName('way with missing values', missing, ('refuse', 'skip'))}")
    delimiter, quote = _signs(table)
    members = _members(table)
    soup = _soup(table, members)
    skip = missing == "skip"
    return Described(
        table.where, name, task, data, files, columns, shares, delimiter, quote, skip, members, soup, language
    )


def _files(table: Entries) -> dict[str, tuple[str, ...]]:
    given = table.table("files")
    if given is None:
        return {}
    given.only(*SPLITS)
    found = {split: names for split in SPLITS if (names := given.texts(split)) is not None}
    if "test" not in found:
        raise MergeboardError(f"{table.where}: files names no test rows, and there is nothing to test on; add test")
    return found


def _split(table: Entries, given: bool) -> tuple[Shares, str | None]:
    """Shares to draw, or the column that says which rows are which."""
    value = table.take("split", str, dict)
    if isinstance(value, str):
        return Shares(), value
    if value is None:
        return Shares(), None
    said = Entries(f"{table.where}, split", value)
    names = ("dev",) if given else SPLITS
    said.only(*SPLITS, "seed")
    sizes = {name: said.take(name, int, float) for name in names if name in said}
    seed = said.take("seed", int, usual=0)
    for name in SPLITS:
        if name in said and name not in names:
            raise MergeboardError(f"{said.where}: files say what is {name}; only dev can be drawn, from the train rows")
    for name, size in sizes.items():
        if not size >= 0 or (isinstance(size, float) and size > 1):  # nan is neither
            raise MergeboardError(f"{said.where}: {name} is {size}; write a share from 0.0 to 1.0, or a number of rows")
    found = Shares(**sizes, seed=seed)
    shares = [size for size in (found.train, found.dev, found.test) if isinstance(size, float)]
    room = 1 + 1e-9 - sum(shares)
    if not given and (room < 0 or found.test == 0 or (found.test is None and room < 1e-6)):
        raise MergeboardError(
            f"{said.where}: train {found.train} and dev {found.dev} leave no test rows; shares are of all rows, 1.0 "
            "together"
        )
    if not 0 <= seed <= 1_000_000:
        raise MergeboardError(f"{said.where}: seed is {seed}; write a whole number from 0 to 1,000,000")
    return found, None


def _signs(table: Entries) -> tuple[str | None, bool | None]:
    """Between two cells, and whether quotation marks mean anything; None where nobody says."""
    delimiter, quote = table.take("delimiter", str), table.take("quote", bool)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise MergeboardError(f"{table.where}: delimiter is {delimiter!r}; write the one character between two cells")
    return delimiter, quote


def _members(table: Entries) -> dict[int | None, str]:
    value = table.take("members", str, dict)
    if value is None:
        return {}
    if isinstance(value, str):
        return {None: value}
    for seed, folder in value.items():
        if not seed.isdecimal() or not 1 <= int(seed) <= 1_000_000 or not isinstance(folder, str) or not folder.strip():
            raise MergeboardError(
                f"{table.where}: members has {seed} = {folder!r:.60}; write seed = folder, "
                'members = {1 = "ckpt/one", 2 = "ckpt/two"}'
            )
    return {int(seed): folder for seed, folder in value.items()}


def _soup(table: Entries, members: Mapping[int | None, str]) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Members of one corpus: each seed with each choice of hyper-parameters; or those that were brought."""
    said = table.table("soup")
    if said is None:
        brought = [seed for seed in members if seed is not None]
        return tuple((str(seed), {}) for seed in brought) if len(brought) > 1 else ()
    said.only("seeds", *SETTABLE)
    seeds = said.take("seeds", list, usual=[1])
    knobs = {name: _values(said, name) for name in SETTABLE if name in said}
    if not seeds or not all(type(seed) is int and 1 <= seed <= 1_000_000 for seed in seeds):
        raise MergeboardError(f"{said.where}: seeds is {seeds!r:.60}; write whole numbers from 1 up, [1, 2, 3]")
    if "epochs" in knobs and "steps" in knobs:
        raise MergeboardError(f"{said.where}: epochs and steps both say how long a training is; leave one out")
    for name, values in {"seeds": seeds, **knobs}.items():
        if not values or len(set(map(str, values))) < len(values):
            raise MergeboardError(f"{said.where}: {name} is {values!r:.60}; write each value once, members must differ")
    choices = [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]
    if len(seeds) * len(choices) < 2 or len(choices) > 26:
        count = len(seeds) * len(choices)
        raise MergeboardError(f"{said.where}: it makes {count} members; wanted are 2 at least, 26 of a seed at most")
    letters = [chr(ord("a") + k) for k in range(len(choices))] if len(choices) > 1 else [""]
    return tuple((f"{seed}{letter}", knob) for seed in seeds for letter, knob in zip(letters, choices, strict=True))


def _values(said: Entries, name: str) -> list[int | float]:
    """What one knob of training is for the members of a soup, each where such a number makes sense."""
    kind, found = SETTABLE[name], list[int | float]()
    for value in said.take(name, list):
        if isinstance(value, bool) or not isinstance(value, int | kind):
            wanted = "a whole number" if kind is int else "a number"
            raise MergeboardError(f"{said.where}: {name} has {value!r:.60}; it must be {wanted}, {LIMITS[name]}")
        LIMITS[name].require(f"{said.where}: {name}", value)
        found.append(kind(value))
    return found


def _require_apart(path: Path, what: str, names: Sequence[str]) -> None:
    """Refuse names that are one but for capitals: neither people nor the folders of some systems tell them apart."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise MergeboardError(f"{path}: [{what}.{other}] and [{what}.{name}] are one but for capitals; rename one")


def _require_name(where: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise MergeboardError(f"{where}: {name!r} cannot be a name; use letters, digits, _, - and .")
