"""The rows of a record's exam, found among the user's own and known by their fingerprint.

No protocol is asked: whatever chose the rows, only those that hash as the record's do are taken.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.corpus import MASKED, Corpus, Split
from harness.data.world import World
from harness.records.record import TRAIN_ROWS, RunRecord
from harness.suites.base import Suite, Where
from harness.suites.own.session import begin
from harness.suites.registry import resolve
from leaderboard.joined.refused import Refused
from leaderboard.joined.told import NOT_HERE
from leaderboard.tables.group import synthetic
from leaderboard.tables.searches import part
from methods.errors import MergeboardError


def corpora_of(record: RunRecord, data: Path | None, task: Path | None) -> Mapping[str, Corpus]:
    """Every corpus of the record's suite that is at hand. Raises Refused where none is."""
    if record.suite in NOT_HERE:
        raise Refused(f"{record.key}: the rows of {record.suite} are read by that package alone; it shows them itself")
    try:
        suite = _suite(record, task)
        where = Where(world=World()) if synthetic(record) else Where(folder=_folder(suite, data))
        return suite.find(where, suite.knobs(), _split_seed(record))
    except MergeboardError as error:
        raise Refused(str(error)) from None


def _suite(record: RunRecord, task: Path | None) -> Suite:
    own = begin(task) if task is not None else None
    if own is not None and own.name == record.suite:
        return own
    try:
        return resolve(record.suite)
    except MergeboardError:
        raise Refused(
            f"the record is of the suite {record.suite}; name the file that describes it: --task FILE.toml"
        ) from None


def _folder(suite: Suite, data: Path | None) -> Path | None:
    if not suite.data:
        return data
    if data is None:
        raise Refused(f"say where the rows of {suite.called} lie: --data FOLDER, with {suite.data} in it")
    if not suite.lies_in(data):
        raise Refused(f"--data {data}: {suite.data} is not in it; docs/usage.md says where to get it")
    return data


def _split_seed(record: RunRecord) -> int:
    """By which seed rows were cut into splits, which the record's command says where it is not the usual one."""
    command = str(record.environment.get("command") or "")
    try:
        told = re.search(r"\bsplit_seed=(\d{1,7})\b", " ".join(shlex.split(command)))
    except ValueError:
        told = None
    return int(told[1]) if told else 0


def rows_of(record: RunRecord, corpus: str, corpora: Mapping[str, Corpus]) -> Split:
    """The rows that were examined, in their order, other labels than those that were asked masked.

    Raises Refused where the corpus is not at hand, or its rows are others.
    """
    wanted = part(part(record.recipe, "data"), "exam").get(corpus)
    if corpus not in corpora:
        raise Refused(f"{corpus} is not in the data at hand; give the --data, or the --task file, of then")
    for rows in _candidates(record, corpus, corpora):
        if rows.fingerprint == wanted:
            return rows
    raise Refused(
        f"{corpus}: the rows at hand are others than those of the record; give the --data, or the --task file, of then"
    )


def _candidates(record: RunRecord, corpus: str, corpora: Mapping[str, Corpus]) -> Iterator[Split]:
    """What an exam may be made of: test rows, or all of them, without what members were trained or chosen on."""
    whole, kept = corpora[corpus], part(record.predictions, corpus)
    count, outputs = int(kept["rows"]), [str(name) for name in kept["outputs"]]
    for split in (whole.test, whole.everything):
        left = [np.arange(len(split))]
        if part(part(record.details, "seen"), corpus).get("left_out"):
            left.append(np.flatnonzero(~np.isin(split.text_hashes, _met(record, corpora))))
        for rows in left:
            yield from _asked(whole.sample(split, rows, count), whole, outputs)
            yield from _asked(split.take(rows).first(count), whole, outputs)  # as exams were made before


def _asked(split: Split, corpus: Corpus, outputs: list[str]) -> Iterator[Split]:
    yield split
    if corpus.task.kind == "multi_label":
        labels = np.array(split.labels, dtype=np.int64)
        labels[:, [k for k, name in enumerate(corpus.task.outputs) if name not in outputs]] = MASKED
        yield split.asked(labels)


def _met(record: RunRecord, corpora: Mapping[str, Corpus]) -> Any:
    """The hashes of the texts that members were trained on, or they or the merge were chosen on."""
    train = record.details.get(TRAIN_ROWS)
    hashes = [np.array([], dtype=np.uint64)]
    for member in dict.fromkeys((*record.members, *part(record.details, "seen_dev"))):
        own = corpora.get(member)
        if own is not None:
            dev = part(part(record.details, "seen_dev"), member).get("of")
            hashes += [own.train.first(train if isinstance(train, int) else None).text_hashes]
            hashes += [own.dev.first(dev if isinstance(dev, int) else None).text_hashes]
    return np.concatenate(hashes)
