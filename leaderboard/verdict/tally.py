"""How often each merge is really better than the best single member, cannot be told from it, or is really worse.

Each comparison is judged by itself at 5 %. Corrected for all merges of a table, a newcomer would make older ones
undecided, and who asks whether to merge would read "cannot tell" where a merge is far below. So now and then one is
called better by chance, which `beyond_chance` allows for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from scipy.special import bdtrc  # the binomial's upper tail, without the weight of scipy.stats

from harness.records.record import RunRecord
from leaderboard import words
from leaderboard.stats.difference import ZERO, Contender, Told, difference
from leaderboard.stats.holm import LEVEL
from leaderboard.tables.ablations import usual_rows
from leaderboard.tables.cell import contenders
from leaderboard.tables.group import Group, Question
from leaderboard.tables.kinds import kinds
from leaderboard.tables.searches import part

MEMBER, ANY = "best", "avg"  # the best single member, chosen on development rows; a member without choosing, on average
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


@dataclass(frozen=True)
class Tally:
    """What all columns say of one merge; each question counts once."""

    better: int = 0
    alike: int = 0  # cannot be told apart
    worse: int = 0
    equal: int = 0  # of those alike, with the very same score
    free: bool = True  # whether it asked for no development row anywhere

    @property
    def asked(self) -> int:
        """How many questions were asked."""
        return self.better + self.alike + self.worse

    @property
    def chance(self) -> float:
        """How probable so many better ones are if the merge is as good as the member everywhere."""
        return float(bdtrc(self.better - 1, self.asked, LEVEL / 2)) if self.better else 1.0

    def __add__(self, other: Tally) -> Tally:
        better, alike, worse = self.better + other.better, self.alike + other.alike, self.worse + other.worse
        return Tally(better, alike, worse, self.equal + other.equal, self.free and other.free)


@lru_cache(maxsize=64)
def beside(group: Group) -> tuple[Beside, ...]:
    """Every merge of a group beside the best member and beside one that nobody chose, where both were asked."""
    found = []
    for block in group.blocks():
        known, usual, told = (
            contenders(block.rows, group.score, group.answers),
            usual_rows(block.rows),
            kinds(block.rows),
        )
        place = (group.key.model, group.key.suite, block.question, block.heads)
        setting = group.said(block.question).title
        for member in (MEMBER, ANY):
            other = known.get(usual.get(member, ""))
            for method, row in usual.items() if other is not None else ():
                if row in known and not words.yardstick(row):
                    free = needs_none(block.rows[row])
                    found.append(Beside(place, setting, (method, told[row]), member, _told(known[row], other), free))
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


def better_on(groups: Iterable[Group], merge: Merge) -> Mapping[str, int]:
    """Model -> in how many of its questions this merge is really better than the best member, the most often first."""
    counted = Counter(one.place[0] for one in _first(groups, MEMBER) if one.merge == merge and _counted(one).better)
    return dict(counted.most_common())


def _first(groups: Iterable[Group], member: str) -> Iterable[Beside]:
    """Of each merge and question the first table that has it, of real models."""
    first: dict[tuple[Place, Merge], Beside] = {}
    for group in groups:
        for one in () if group.synthetic else beside(group):
            if one.member == member:
                first.setdefault((one.place, one.merge), one)
    return first.values()


def _counted(one: Beside) -> Tally:
    said = one.told.verdict
    equal = int(abs(one.told.mean) <= ZERO)
    return Tally(int(said == "above"), int(said == "undecided"), int(said == "below"), equal, one.free)


def _told(one: Contender, other: Contender | None) -> Told:
    assert other is not None
    return difference(one, other).told()


def needs_none(records: Iterable[RunRecord]) -> bool:
    """Whether a merge asked development rows for no score, and learned nothing from them without their labels."""
    return not any(record.dev.get("calls") or part(record.dev, "unlabelled") for record in records)
