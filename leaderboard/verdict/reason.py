"""Why a model was chosen, in words: what development rows say, and what would make them say more."""

from __future__ import annotations

from leaderboard import text, words
from leaderboard.stats.difference import ZERO
from leaderboard.stats.holm import LEVEL
from leaderboard.tables.kinds import BY_TASK, CONTROL
from leaderboard.verdict.decision import Decision
from leaderboard.verdict.more import more
from leaderboard.verdict.standing import MEMBER, Standing

HALF = "--set dev_fraction=0.5 keeps half of them from searches, to judge these by."
SOME = "--set dev_fraction=0.5 keeps some of them from searches altogether, to judge these by."


def reason(decision: Decision) -> str:
    """One to three sentences."""
    contest, nearest = decision.contest, decision.nearest
    if not contest.member:
        return unasked(decision)
    if nearest is None:
        return "No merge can be judged on development rows: " + _gap(decision)
    if decision.winner:
        alike = f" No worse there, and dearer: {decision.equals}." if decision.alike else ""
        named = contest.named(decision.winner)
        return f"{named} is really above the best single member on development rows: {_told(nearest)}.{alike}"
    named = contest.named(nearest.row)
    said = f"No merge is really above the best single member on development rows. The nearest is {named}: "
    return f"{said}{_told(nearest)}. {to_choose(decision)}".rstrip()


def to_choose(decision: Decision) -> str:
    """What would decide on development rows whether the nearest merge is above the best member; "" where it is."""
    nearest = decision.nearest
    if nearest is None or nearest.better or nearest.lead.mean <= ZERO or nearest.chance <= LEVEL:
        return ""
    if nearest.scores:
        calibrated = decision.contest.kinds[nearest.row].removeprefix(f"{BY_TASK}, ") == CONTROL
        how = "calibrated on" if calibrated else "searched for on"
        by = "" if calibrated else f" by {nearest.scores} scores,"
        return (
            f"{words.shown(nearest.row)} was {how} all development rows,{by} so its lead there proves nothing: "
            f"{SOME if nearest.apart else HALF}"
        )
    needed = more(nearest.lead, nearest.rows, "development", LEVEL / nearest.of)
    return f"To choose it would take {needed}." if needed else ""


def unasked(decision: Decision) -> str:
    """What to do where there is no best member to hold merges against."""
    asked = any(records[0].method == MEMBER for records in decision.contest.rows.values())
    if not asked:
        return (
            "Nothing says whether a merge is worth it: the best single member was not asked; add --method=best, which "
            "needs development rows."
        )
    return f"Nothing can be chosen: {_gap(decision)}"


def _gap(decision: Decision) -> str:
    return (
        "a seed or a set of members is missing, or the records are of before answers to development rows were kept; "
        "--rerun makes them anew."
    )


def _told(standing: Standing) -> str:
    """`+2.31 [0.90, 3.70] p = 0.004`; without p where it is a bound, which says nothing to a reader."""
    if standing.scores and standing.chance > LEVEL:
        return text.difference(standing.lead.told()).partition(" p ")[0]
    return text.difference(standing.lead.told(standing.chance))
