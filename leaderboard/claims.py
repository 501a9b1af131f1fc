"""What the Evolver paper says, decided from records: holds, fails, or undecided; beside the paper's own numbers.

Each claim becomes one difference per group of records (one model, suite and protocol), averaged over that group's
columns. It *holds* where the whole 95 % interval of that difference is above 0, *fails* where it is below, and is
*undecided* otherwise (`leaderboard.stats.difference` says what the interval covers). Over all real models a claim holds
if it holds everywhere it was asked, fails if it fails anywhere, and is undecided otherwise; the synthetic world is
shown but not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from harness.record import RunRecord, canonical
from leaderboard import paper, words
from leaderboard.cell import contenders
from leaderboard.group import Block, Group, Question
from leaderboard.stats.difference import Contender, Difference, between, difference, pooled

Outcome = Literal["holds", "fails", "undecided"]
EVOLVED = ("simple", "fisher", "regmean", "ties")
_OUTCOME: dict[str, Outcome] = {"above": "holds", "below": "fails", "undecided": "undecided"}


@dataclass(frozen=True)
class Finding:
    """One claim asked of one group of records."""

    claim: str
    place: str  # model, suite and protocol
    verdict: Outcome
    difference: Difference | None  # what must be above 0; None where nothing could be compared
    reason: str = ""  # why nothing could be compared
    paper: str = ""  # the paper's mean difference over its cells
    synthetic: bool = False


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper as a difference that must be above 0."""

    name: str  # `evolver_above_base[ties]`
    says: str
    paper: str  # the paper's numbers for it, as text
    measure: Callable[[Group, Sequence[Group]], Difference | str]  # of a group among all; or why it has none

    def findings(self, groups: Sequence[Group]) -> list[Finding]:
        """The claim asked of each group, real models first."""
        found = [self._ask(group, groups) for group in groups]
        return sorted((f for f in found if f is not None), key=lambda f: f.synthetic)

    def _ask(self, group: Group, groups: Sequence[Group]) -> Finding | None:
        measured = self.measure(group, groups)
        if measured == NOT_ASKED:
            return None
        key, synthetic = group.key, words.synthetic(group.key.model)
        place = f"{key.model}, {key.suite}, {key.protocol} {key.digest}"
        if isinstance(measured, str):
            return Finding(self.says, place, "undecided", None, measured, self.paper, synthetic)
        return Finding(self.says, place, _OUTCOME[measured.verdict], measured, "", self.paper, synthetic)


def verdict(findings: Iterable[Finding]) -> Outcome:
    """Over all real models."""
    said = [f.verdict for f in findings if not f.synthetic]
    if "fails" in said:
        return "fails"
    return "holds" if said and all(v == "holds" for v in said) else "undecided"


# -- measures: a difference, or the reason why there is none ---------------------------------------------------------

NOT_ASKED = "not asked"


def _gain(method: str, base: str, settings: tuple[str, ...]) -> Callable[..., Difference | str]:
    """`method` minus `base`, averaged over the columns of these settings in which both are complete."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        blocks = [b for b in group.blocks() if b.question.setting in settings]
        if not blocks or _sweeps_dev(group, groups):
            return NOT_ASKED
        pairs = [(c[method], c[base]) for b in blocks if method in (c := _of(group, b)) and base in c]
        return pooled([difference(*pair) for pair in pairs]) if pairs else f"{method} or {base} is incomplete"

    return measure


def _best(method: str, settings: tuple[str, ...]) -> Callable[..., Difference | str]:
    """`method` minus its strongest rival: the other merge with the highest mean over these settings' columns."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        blocks = [b for b in group.blocks() if b.question.setting in settings]
        if not blocks or _sweeps_dev(group, groups):
            return NOT_ASKED
        columns = [c for b in blocks if method in (c := _of(group, b))]
        rivals = {m for c in columns for m in c} - words.REFERENCES - {method}
        against = [
            pooled([difference(c[method], c[rival]) for c in columns])
            for rival in sorted(rivals)
            if all(rival in c for c in columns)
        ]
        return min(against, key=lambda d: d.mean) if against else f"{method} is incomplete or has no rival"

    return measure


def _steadier(method: str, base: str) -> Callable[..., Difference | str]:
    """What `base` loses from same to different heads, minus what `method` loses."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        if _sweeps_dev(group, groups):
            return NOT_ASKED
        by = {(b.question, b.heads): _of(group, b) for b in group.blocks() if b.heads in ("same", "diff")}
        both = [q for q, heads in by if heads == "same" and (q, "diff") in by]
        if not both:
            return NOT_ASKED
        found = []
        for question in both:
            same, diff = by[question, "same"], by[question, "diff"]
            if {method, base} <= set(same) & set(diff):
                found.append(between((same[base], diff[base]), (same[method], diff[method])))
        return pooled(found) if found else f"{method} or {base} is incomplete"

    return measure


def _more_dev(method: str) -> Callable[..., Difference | str]:
    """All development rows minus the smallest part of them that was tried, everything else being equal."""

    def measure(group: Group, groups: Sequence[Group]) -> Difference | str:
        if _dev_fraction(group) != 1.0:
            return NOT_ASKED
        smaller = [g for g in groups if _differs_in_dev_alone(g, group) and _dev_fraction(g) < 1.0]
        if not smaller:
            return NOT_ASKED
        least, found = min(smaller, key=_dev_fraction), []
        fewer = {(b.question, b.heads): _of(least, b) for b in least.blocks()}
        for block in group.blocks():
            more, less = _of(group, block).get(method), fewer.get((block.question, block.heads), {}).get(method)
            if more is not None and less is not None and len(more.means) == len(less.means):
                found.append(difference(more, less))
        return pooled(found) if found else f"{method} was not run on both"

    return measure


def _of(group: Group, block: Block) -> Mapping[str, Contender]:
    return _columns(group)[block.question, block.heads]


@lru_cache(maxsize=64)
def _columns(group: Group) -> Mapping[tuple[Question, str], Mapping[str, Contender]]:
    """The contenders of each column; a dozen claims ask for them."""
    return {
        (b.question, b.heads): contenders(b.records, group.populations(b.question), _score, group.draws)
        for b in group.blocks()
    }


def _score(record: RunRecord) -> float:
    return record.score


def _protocol(group: Group) -> dict[str, object]:
    protocol = group.records[0].recipe.get("protocol")
    return dict(protocol) if isinstance(protocol, dict) else {}


def _dev_fraction(group: Group) -> float:
    value = _protocol(group).get("dev_fraction", 1.0)
    return float(value) if isinstance(value, int | float) else 1.0


def _differs_in_dev_alone(one: Group, other: Group) -> bool:
    same = (one.key.model, one.key.suite) == (other.key.model, other.key.suite)
    rest = [canonical({k: v for k, v in _protocol(g).items() if k != "dev_fraction"}) for g in (one, other)]
    return same and rest[0] == rest[1]


def _sweeps_dev(group: Group, groups: Sequence[Group]) -> bool:
    """Whether this group only exists to try fewer development rows; other claims are asked of its full sibling."""
    return any(_differs_in_dev_alone(g, group) and _dev_fraction(g) > _dev_fraction(group) for g in groups)


# -- the claims ------------------------------------------------------------------------------------------------------

FUSION = ("in_domain", "pairwise", "non_iid", "cross_task")


def _claims() -> Iterator[Claim]:
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"evolver_above_base[{base}]",
            f"{method} is above {base} (sections 5.1, 5.2)",
            paper.gain(method, base, ("in_domain", "pairwise")),
            _gain(method, base, FUSION),
        )
    yield Claim(
        "best_overall[ties_evolver]",
        "ties_evolver is the best merge (section 5.1)",
        paper.lead("ties_evolver", ("in_domain", "pairwise")),
        _best("ties_evolver", FUSION),
    )
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"less_sensitive_to_heads[{base}]",
            f"{method} loses less than {base} when heads start differently (section 5.1)",
            paper.steadiness(method, base, ("in_domain", "out_of_domain")),
            _steadier(method, base),
        )
    for base in EVOLVED:
        method = f"{base}_evolver"
        yield Claim(
            f"out_of_domain_gain[{base}]",
            f"{method} is above {base} out of domain (section 5.3)",
            paper.gain(method, base, ("out_of_domain",)),
            _gain(method, base, ("out_of_domain",)),
        )
    for method in ("simple_evolver", "regmean_evolver"):
        yield Claim(
            f"more_dev_rows_help[{method}]",
            f"{method} is better with all development rows than with few (Table 6)",
            paper.dev_size(method),
            _more_dev(method),
        )


CLAIMS: dict[str, Claim] = {claim.name: claim for claim in _claims()}
