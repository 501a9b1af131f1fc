"""Which model of a session to keep, as a record: the merge that wins on development rows, or the best single member."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.records.record import RunRecord, Store
from leaderboard.tables.answers import gold_of
from leaderboard.tables.exams import exams
from leaderboard.tables.rows import rows_of
from leaderboard.verdict import dev
from leaderboard.verdict.decision import decide
from leaderboard.verdict.reason import reason


@dataclass(frozen=True, eq=False)
class Choice:
    """The model to keep."""

    record: RunRecord | None  # whose weights; None where nothing can be chosen, and `reason` says what to do
    member: str  # the member whose weights they are; "" for a merge, and where no record says which
    row: str  # "ties k=0.4", "best" for a member
    alike: tuple[str, ...]  # merges that are no worse and cost more
    merged: bool  # whether a merge is really better than the best member
    reason: str  # in words, from development rows alone


def choose(records: Sequence[RunRecord], store: Store) -> Choice:
    """Choose among the records of one population, which may have been trained with several seeds.

    Of several seeds, the record with the best development score is taken; the lowest seed of equals. Test scores are
    not read. Raises ValueError if the records are of several questions, or sat several exams.
    """
    asked = sorted({(r.model, r.suite, r.setting, r.population, r.heads) for r in records})
    if len(asked) != 1 or len(exams(records)) != 1:
        told = "; ".join(dict.fromkeys(", ".join(place) for place in asked)) or "nothing"
        raise ValueError(f"a model is chosen among records of one exam of one set of members; these are of {told}")
    decision = decide(rows_of(records), gold_of(store))
    contest, row = decision.contest, decision.row
    if not row:
        return Choice(None, "", "", (), False, reason(decision))
    record = max(contest.rows[row], key=lambda r: (contest.score(r) or 0.0, -r.seed))
    member = "" if decision.winner else member_of(record, records)
    return Choice(record, member, row, decision.alike, bool(decision.winner), reason(decision))


def member_of(best: RunRecord, records: Iterable[RunRecord]) -> str:
    """The member that the row `best` is: by its trace, or by who said the same to development rows; "" if unknown."""
    place = (best.trace or {}).get("member")
    if isinstance(place, int) and 0 <= place < len(best.members):
        return best.members[place]
    for record in (r for r in records if r.method == "avg" and r.exam_key == best.exam_key):
        for member in best.members if dev.kept(best) else ():
            if dev.kept_of_member(record, member) == dev.kept(best):
                return member
    return ""
