"""What papers say, decided from records: holds, fails, or undecided; beside a paper's own numbers.

Each claim becomes one difference per group of records (one model, suite and protocol), averaged over that group's
columns. It *holds* where that difference is above 0 by more than chance, *fails* where it is below, and is *undecided*
otherwise (`leaderboard.stats.difference` says what chance is). Over all real models it holds if it holds everywhere it
was asked; it fails if it fails anywhere, by chances corrected for the number of models; the synthetic world is shown
but not counted. A model and a suite count once: over several protocols the difference is averaged first.

A place where one of two methods was never run is shown and says nothing. One that was run and is not complete leaves a
claim undecided.

A rule is a claim that chance has no part in: it holds where no record breaks it, made-up worlds included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.records.record import slug
from harness.suites.papers import Paper, told
from leaderboard.claims import measures
from leaderboard.claims.kinds import KINDS
from leaderboard.claims.measures import Measure
from leaderboard.claims.rules import Kept, Rule
from leaderboard.stats.difference import Difference, pooled
from leaderboard.stats.holm import LEVEL, holm
from leaderboard.tables.group import Group
from leaderboard.tables.kept import kept
from leaderboard.tables.kinds import beside
from leaderboard.tables.namesakes import one_name

Outcome = Literal["holds", "fails", "undecided"]
_OF_RULES: tuple[Outcome, ...] = ("holds", "fails")
_OUTCOME: dict[str, Outcome] = {"above": "holds", "below": "fails", "undecided": "undecided"}


@dataclass(frozen=True)
class Finding:
    """One claim asked of one group of records."""

    block: tuple[str, str]  # model and suite
    place: str  # the same, and the protocol
    verdict: Outcome  # of this group by itself
    difference: Difference | None  # what must be above 0; None where nothing could be compared
    reason: str = (
        ""  # why nothing could be compared; of a rule, how many records were held against it, or which broke it
    )
    synthetic: bool = False
    rule: bool = False
    kinds: str = ""  # what was held against what, in words: the rival, at its defaults, or tuned on development rows
    asked: bool = True  # whether both methods were run there, if only in part


@dataclass(frozen=True)
class Vote:
    """What one model and suite say of a claim, its protocols averaged."""

    block: tuple[str, str]
    outcome: Outcome
    difference: Difference | None  # None where nothing could be compared
    findings: tuple[Finding, ...]
    synthetic: bool = False
    level: float = LEVEL  # what its chance must not be above to decide it

    @property
    def replicates(self) -> int | None:
        """On how many sets of members it rests; None where protocols, or columns, have others."""
        known = None if self.difference is None else self.difference.by_replicate
        return None if known is None else len(known)


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper as a difference that must be above 0, or as a rule that no record may break."""

    name: str  # `evolver_above_base[ties]`
    says: str
    paper: Paper
    number: str  # the paper's numbers for it, as text
    measure: Measure | Rule
    rule: bool = False  # whether chance has no part in it

    def ask(self, group: Group) -> Finding | None:
        """What one group says; None where it was not asked."""
        measured = self.measure(group)
        if measured == measures.NOT_ASKED:
            return None
        block = group.key.model, group.key.suite
        place = f"{group.key.model}, {group.key.suite}, {group.name}"
        if isinstance(measured, Kept):
            said = "; ".join(measured.broken[:3]) or f"{measured.asked} of {measured.asked}"
            told = f"{len(measured.broken)} of {measured.asked} broke it: {said}" if measured.broken else said
            return Finding(
                block, place, "fails" if measured.broken else "holds", None, told, group.synthetic, rule=True
            )
        if isinstance(measured, str):
            both_run = not isinstance(measured, measures.Alone)
            return Finding(block, place, "undecided", None, measured, group.synthetic, asked=both_run)
        outcome, both = _OUTCOME[measured.difference.verdict], beside(measured.kinds)
        both = f"{measured.rival}: {both}" if measured.rival else both
        return Finding(block, place, outcome, measured.difference, "", group.synthetic, kinds=both)


def findings(groups: Sequence[Group]) -> dict[str, list[Finding]]:
    """Every claim asked of every group, real models first."""
    found: dict[str, list[Finding]] = {name: [] for name in CLAIMS}
    names = {made_up: one_name(g for g in groups if g.synthetic == made_up) for made_up in (False, True)}
    for group in groups:
        block = names[group.synthetic][group.key.model], group.key.suite
        for name, finding in asked(group).items():
            found[name].append(replace(finding, block=block))
    return {name: sorted(own, key=lambda f: f.synthetic) for name, own in found.items()}


@kept
def asked(group: Group) -> dict[str, Finding]:
    """What one group says of every claim that it was asked."""
    told = {name: claim.ask(group) for name, claim in CLAIMS.items()}
    return {name: finding for name, finding in told.items() if finding is not None}


def verdict(found: Iterable[Finding]) -> Outcome:
    """Over all real models; of a rule, over all records."""
    said = [vote.outcome for vote in votes(found)]
    if "fails" in said:
        return "fails"
    return "holds" if said and all(v == "holds" for v in said) else "undecided"


def votes(found: Iterable[Finding]) -> list[Vote]:
    """One for each real model and suite; of a rule, for each synthetic one too.

    A claim that holds everywhere was right each time; one that fails somewhere had as many chances to as there are
    models, so failures are held against corrected chances.
    """
    blocks: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in found:
        if finding.asked and (not finding.synthetic or finding.rule):
            blocks[finding.block].append(finding)
    together = {block: _together(own) for block, own in blocks.items()}
    corrected = holm({block: d.chance for block, d in together.items() if d is not None and d.chance is not None})
    left = sum(chance > LEVEL for chance in corrected.values())  # places that Holm's procedure has not decided
    cast: list[Vote] = []
    for block, own in blocks.items():
        difference = together[block]
        outcome = _outcome(own, difference, corrected.get(block))
        level = LEVEL / max(1, left) if difference is not None and difference.mean < 0 else LEVEL
        cast.append(Vote(block, outcome, difference, tuple(own), own[0].synthetic, level))
    return cast


def _outcome(found: Sequence[Finding], difference: Difference | None, corrected: float | None) -> Outcome:
    if found[0].rule:
        return max((finding.verdict for finding in found), key=_OF_RULES.index)
    outcome = "undecided" if difference is None else _OUTCOME[difference.verdict]
    if outcome == "fails" and difference is not None:
        outcome = _OUTCOME[difference.told(corrected).verdict]
    return outcome


def _together(found: Sequence[Finding]) -> Difference | None:
    known = [f.difference for f in found if f.difference is not None]
    return None if not known else known[0] if len(known) == 1 else pooled(known)


def anchor(claim: str) -> str:
    """Names a claim's place on the page of all."""
    return slug(claim).replace("__", "_").strip("_")


CLAIMS: dict[str, Claim] = {
    claim.name: Claim(
        claim.name,
        claim.says,
        claim.paper,
        KINDS[claim.asks].number(claim.where, **claim.words),
        KINDS[claim.asks].measure(claim.where, **claim.words),
        KINDS[claim.asks].rule,
    )
    for claim in told()
}
