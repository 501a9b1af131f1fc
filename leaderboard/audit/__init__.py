"""Whether records can be believed: their fields, their places in a store, and answers that give their scores again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from harness.records.record import SCHEMA, BadRecord, RunRecord, Store, read
from harness.records.uncollected import uncollected
from leaderboard.audit.answers import UNREADABLE
from leaderboard.audit.answers import contradictions as contradictions
from leaderboard.audit.answers import reproduce as reproduce
from leaderboard.audit.fields import sound as sound
from leaderboard.audit.fields import unlikely as unlikely
from leaderboard.audit.made_up import disguised as disguised
from leaderboard.audit.made_up import told_first as told_first
from leaderboard.audit.marks import misgraded
from leaderboard.audit.once import Once
from leaderboard.audit.routes import astray
from leaderboard.audit.searches import contradiction
from leaderboard.tables.answers import Gold, gold_of
from leaderboard.tables.said import told_of
from leaderboard.tables.searches import shown_of

APART = 0.1  # scores of two runs of one recipe: another processor rounds, and so trains, a little otherwise


class Loaded(NamedTuple):
    """What a store holds."""

    records: list[RunRecord]  # fit for a table; of one cell, one
    damaged: list[str]  # one line for each file that cannot be believed
    foreign: list[str]  # one line for each file of another schema; ignored by tables
    repeats: list[tuple[Path, RunRecord]]  # further records of cells that have one, and their files
    places: dict[Path, Path]  # of each record: the path that names its cell -> its file, relative to the store

    @property
    def files(self) -> list[tuple[RunRecord, Path]]:
        """Every record with its file; those that tables show come first."""
        shown = [(record, self.places[record.path]) for record in self.records]
        return [*shown, *((record, place) for place, record in self.repeats)]


@uncollected()
def load(store: Store, paths: Iterable[Path] | None = None) -> Loaded:
    """Read every record of a store, of its trace what tables show; nothing is believed that does not fit.

    Args:
        paths: only these of its files.
    """
    found, once = Loaded([], [], [], [], {}), Once()
    for path in store.paths() if paths is None else paths:
        place = path.relative_to(store.root)
        try:
            record = read(path)
            if record is None:
                found.foreign.append(f"{place}: not of schema 1 or {SCHEMA}; remove it or run the test again")
            else:
                sound(record, place)
                if said := contradiction(record) or astray(record):
                    raise BadRecord(f"{place}: {said}; the file was edited or damaged")
                record = once.shared(record, trace=shown_of(record.trace), says=dict(told_of(record)))
                if record.path in found.places:
                    found.repeats.append((place, record))
                else:
                    found.places[record.path] = place
                    found.records.append(record)
        except UNREADABLE as error:
            said = " ".join(str(error).split()).replace(f"{path}: ", "").removeprefix(f"{place}: ")
            found.damaged.append(f"{place}: {said}")
    return found


def believed(found: Loaded, gold: Gold) -> tuple[list[RunRecord], list[str]]:
    """The records whose answers do not contradict their scores, and a line on each of the others."""
    edited = {record.path: lines for record in found.records if (lines := contradictions(record, gold))}
    kept = [record for record in found.records if record.path not in edited]
    return kept, [line for lines in edited.values() for line in lines]


def faults(store: Store, loaded: Loaded | None = None) -> Iterator[str]:
    """One line for everything that is wrong with published results; `loaded`, if the store was read before."""
    found = loaded or load(store)
    yield from found.damaged
    yield from found.foreign
    gold = gold_of(store)
    told = told_first((), [record for record, _ in found.files])
    for record, _ in found.files:
        yield from unlikely(record)
        yield from disguised(record, told)
        yield from reproduce(record, gold)
        yield from misgraded(record, gold, store)
    first = {record.path: record for record in found.records}
    for place, record in found.repeats:
        if abs(record.score - first[record.path].score) > APART:
            other = first[record.path].score
            yield f"{place}: score {record.score}, but {other} in {found.places[record.path]} of the same recipe"
