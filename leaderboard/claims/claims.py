"""What the Evolver paper says, decided from records: holds, fails, or undecided; beside the paper's own numbers.

Each claim becomes one difference per group of records (one model, suite and protocol), averaged over that group's
columns. It *holds* where the whole 95 % interval of that difference is above 0, *fails* where it is below, and is
*undecided* otherwise (`leaderboard.stats.difference` says what the interval covers). Over all real models a claim holds
if it holds everywhere it was asked, fails if it fails anywhere, and is undecided otherwise; the synthetic world is
shown but not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboard import words
from leaderboard.claims import measures
from leaderboard.claims.measures import Measure
from leaderboard.stats.difference import Difference
from leaderboard.tables import paper
from leaderboard.tables.group import Group

Outcome = Literal["holds", "fails", "undecided"]
EVOLVED = ("simple", "fisher", "regmean", "ties")
_OUTCOME: dict[str, Outcome] = {"above": "holds", "below": "fails", "undecided": "undecided"}


@dataclass(frozen=True)
class Finding:
    """One claim asked of one group of records."""

    place: str  # model, suite and protocol
    verdict: Outcome
    difference: Difference | None  # what must be above 0; None where nothing could be compared
    reason: str = ""  # why nothing could be compared
    synthetic: bool = False


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper as a difference that must be above 0."""

    name: str  # `evolver_above_base[ties]`
    says: str
    paper: str  # the paper's numbers for it, as text
    measure: Measure

    def findings(self, groups: Sequence[Group]) -> list[Finding]:
        """The claim asked of each group, real models first."""
        found = [self._ask(group, groups) for group in groups]
        return sorted((f for f in found if f is not None), key=lambda f: f.synthetic)

    def _ask(self, group: Group, groups: Sequence[Group]) -> Finding | None:
        measured = self.measure(group, groups)
        if measured == measures.NOT_ASKED:
            return None
        key, synthetic = group.key, words.synthetic(group.key.model)
        place = f"{key.model}, {key.suite}, {key.protocol} {key.digest}"
        if isinstance(measured, str):
            return Finding(place, "undecided", None, measured, synthetic)
        return Finding(place, _OUTCOME[measured.verdict], measured, "", synthetic)


def verdict(findings: Iterable[Finding]) -> Outcome:
    """Over all real models."""
    said = [f.verdict for f in findings if not f.synthetic]
    if "fails" in said:
        return "fails"
    return "holds" if said and all(v == "holds" for v in said) else "undecided"


FUSION = ("in_domain", "pairwise", "non_iid", "cross_task")


def _claims() -> Iterator[Claim]:
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"evolver_above_base[{base}]",
            f"{method} is above {base} (sections 5.1, 5.2)",
            paper.gain(method, base, ("in_domain", "pairwise")),
            measures.gain(method, base, FUSION),
        )
    yield Claim(
        "best_overall[ties_evolver]",
        "ties_evolver is the best merge (section 5.1)",
        paper.lead("ties_evolver", ("in_domain", "pairwise")),
        measures.best("ties_evolver", FUSION),
    )
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"less_sensitive_to_heads[{base}]",
            f"{method} loses less than {base} when heads start differently (section 5.1)",
            paper.steadiness(method, base, ("in_domain", "out_of_domain")),
            measures.steadier(method, base),
        )
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"out_of_domain_gain[{base}]",
            f"{method} is above {base} out of domain (section 5.3)",
            paper.gain(method, base, ("out_of_domain",)),
            measures.gain(method, base, ("out_of_domain",)),
        )
    for method in ("simple_evolver", "regmean_evolver"):
        yield Claim(
            f"more_dev_rows_help[{method}]",
            f"{method} is better with all development rows than with few (Table 6)",
            paper.dev_size(method),
            measures.more_dev(method),
        )


CLAIMS: dict[str, Claim] = {claim.name: claim for claim in _claims()}
