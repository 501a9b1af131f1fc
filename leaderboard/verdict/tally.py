"""How often each merge is better than the best single member, cannot be told from it, or is worse.

Each comparison is judged by itself at 5 %. Corrected for all merges of a table, a newcomer would make older ones
undecided, and who asks whether to merge would read "cannot tell" where a merge is far below. So now and then one is
called better by chance, which `Tally.chance` allows for. What is better than the best member and not better than the
ancestor, which nobody fine-tuned, or than an answer that reads no text, gained nothing by merging and counts apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.stats.difference import ZERO, Contender, Told, difference
from leaderboard.stats.holm import LEVEL
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import ANCESTOR, MEMBER
from leaderboard.tables.group import Group, Question
from leaderboard.tables.kept import kept
from leaderboard.tables.kinds import kinds
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.scored import scored
from leaderboard.tables.searches import part
from leaderboard.tables.twins import twins

ANY = "avg"  # a member without choosing, on average; MEMBER is chosen on development rows
Merge = tuple[str, str]  # a method, and by how much it was tuned; "" at its defaults
Place = tuple[str, str, Question, str]  # model, suite, question, heads: under whatever protocol


class Beside(NamedTuple):
    """One merge beside a single member, in one column."""

    place: Place
    setting: str  # its title: "in-domain"
    merge: Merge
    member: str  # "best", or "avg" for one that nobody chose
    told: Told
    free: bool  # whether it asked for no development row
    idle: bool  # better, and not better than the ancestor, where it was asked, or than an answer that reads no text
    sets: int  # of members, that both are means over


class Trials(NamedTuple):
    """How many questions of one model and suite were asked of several sets of members, and whether any says better."""

    asked: int = 0
    better: bool = False


@dataclass(frozen=True)
class Tally:
    """What all columns say of one merge; each question counts once."""

    better: int = 0
    idle: int = 0  # better than the member, and not than the ancestor or an answer that reads no text
    alike: int = 0  # cannot be told apart
    worse: int = 0
    equal: int = 0  # of those alike, with the very same score
    free: bool = True  # whether it asked for no development row anywhere
    trials: Mapping[tuple[str, str], Trials] = field(default_factory=dict, compare=False)  # of each model and suite

    @property
    def asked(self) -> int:
        """How many questions were asked."""
        return self.better + self.idle + self.alike + self.worse

    @property
    def chance(self) -> float:
        """At most how probable so many better ones are if the merge is as good as the member everywhere.

        Questions of one model and suite share members and rows, so together they are one trial, which says better with
        a chance of at most that of all its questions (Boole). One set of members is none: what is so of it may be luck
        with its training. Trials are independent; how many say better is the sum of coins that are not alike.
        """
        return self._chance_of(sum(trial.better for trial in self.trials.values()))

    @property
    def least(self) -> float:
        """The same if every trial said better: where that is no small number, nothing could be told."""
        return self._chance_of(len(self.trials))

    def _chance_of(self, better: int) -> float:
        counts = np.ones(1)  # the probability of each number of trials that say better
        for trial in self.trials.values():
            says = min(1.0, trial.asked * LEVEL / 2)
            counts = np.convolve(counts, [1 - says, says])
        return min(1.0, float(counts[better:].sum())) if better else 1.0

    def __add__(self, other: Tally) -> Tally:
        trials = dict(self.trials)
        for place, trial in other.trials.items():
            own = trials.get(place, Trials())
            trials[place] = Trials(own.asked + trial.asked, own.better or trial.better)
        return Tally(
            self.better + other.better,
            self.idle + other.idle,
            self.alike + other.alike,
            self.worse + other.worse,
            self.equal + other.equal,
            self.free and other.free,
            trials,
        )


@kept
def beside(group: Group) -> tuple[Beside, ...]:
    """Every merge of a group beside the best member and beside one that nobody chose, where both were asked."""
    found = []
    for block in group.blocks():
        known, usual, told = scored(group, block), usual_rows(block.rows), kinds(block.rows)
        place = (group.key.model, group.key.suite, block.question, block.heads)
        setting = group.said(block.question).title
        ancestor = known.get(usual.get(ANCESTOR, ""))
        alike = twins(block)
        for member in (MEMBER, ANY):
            other = known.get(usual.get(member, ""))
            for method, row in usual.items() if other is not None else ():
                if row in known and not words.yardstick(row) and method not in alike:
                    own, free = known[row], needs_none(block.rows[row])
                    lead = _told(own, other)
                    floors = [floor for floor in (ancestor, own.unread) if floor is not None]
                    idle = lead.verdict == "above" and any(_told(own, floor).verdict != "above" for floor in floors)
                    found.append(Beside(place, setting, (method, told[row]), member, lead, free, idle, len(own.means)))
    return tuple(found)


def tallies(groups: Iterable[Group], member: str = MEMBER) -> Mapping[Merge, Tally]:
    """Merge -> its tally over real models, the most often asked first.

    A question that several protocols or exams asked counts once: as in the first table that has the merge.
    """
    found: dict[Merge, Tally] = defaultdict(Tally)
    for one in _first(groups, member):
        found[one.merge] += _counted(one)
    return dict(sorted(found.items(), key=lambda item: (-item[1].asked, item[0])))


def by_setting(groups: Iterable[Group]) -> Mapping[str, Tally]:
    """Title of a setting -> what all merges together say there, beside the best member; the most often asked first."""
    found: dict[str, Tally] = defaultdict(Tally)
    for one in _first(groups, MEMBER):
        found[one.setting] += _counted(one)
    return dict(sorted(found.items(), key=lambda item: (-item[1].asked, item[0])))


def by_model(groups: Iterable[Group]) -> Mapping[str, Tally]:
    """Model -> what all merges together say there, beside the best member; the most often asked first."""
    found: dict[str, Tally] = defaultdict(Tally)
    for one in _first(groups, MEMBER):
        found[one.place[0]] += _counted(one)
    return dict(sorted(found.items(), key=lambda item: (-item[1].asked, item[0])))


def better_on(groups: Iterable[Group], merge: Merge) -> Mapping[str, int]:
    """Model -> in how many of its questions this merge is better than the best member, the most often first."""
    counted = Counter(one.place[0] for one in _first(groups, MEMBER) if one.merge == merge and _counted(one).better)
    return dict(counted.most_common())


def _first(groups: Iterable[Group], member: str) -> Iterable[Beside]:
    """Of each merge and question the first table that has it, of real models."""
    first: dict[tuple[Place, Merge], Beside] = {}
    real = [group for group in groups if not group.synthetic]
    names = one_name(real)
    for one in (one for group in real for one in beside(group)):
        if one.member == member:
            model, suite, question, heads = one.place
            place = (names[model], suite, question, heads)
            first.setdefault((place, one.merge), one._replace(place=place))
    return first.values()


def _counted(one: Beside) -> Tally:
    said = one.told.verdict
    better = said == "above" and not one.idle
    return Tally(
        better=int(better),
        idle=int(said == "above" and one.idle),
        alike=int(said == "undecided"),
        worse=int(said == "below"),
        equal=int(abs(one.told.mean) <= ZERO),
        free=one.free,
        trials={one.place[:2]: Trials(1, better)} if one.sets > 1 else {},
    )


def _told(one: Contender, other: Contender | None) -> Told:
    assert other is not None
    return difference(one, other).told()


def needs_none(records: Iterable[RunRecord]) -> bool:
    """Whether a merge asked development rows for no score, and learned nothing from them without their labels."""
    return not any(record.dev.get("calls") or part(record.dev, "unlabelled") for record in records)
