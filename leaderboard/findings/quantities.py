"""Every number of docs/findings.md: its name is the title of its links there, and `says` what its sentence says of it.

A sentence that says something else needs another `says` here. A number without its sentence is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from leaderboard.claims.claims import CLAIMS, Finding, anchor, findings, verdict, votes
from leaderboard.findings.lookups import Lookup, Row, difference, extreme, gap, score, share, spread
from leaderboard.findings.says import (
    ABOVE,
    ALIKE,
    ANYTHING,
    BELOW,
    HIGHER,
    LOWER,
    Says,
    Value,
    at_least,
    at_most,
    both,
    is_,
)
from leaderboard.tables.cell import MEMBER
from leaderboard.tables.group import Group
from leaderboard.tables.kept import kept
from leaderboard.tables.kinds import BY_TASK
from leaderboard.verdict import settings
from leaderboard.verdict.tally import Tally, beside, tallies

MINILM, SMOLLM, EMOTION, GLUE = "all-MiniLM-L6-v2", "smollm2-135m", "emotion", "glue"
INDEX, CLAIMS_PAGE, TALLIES = "leaderboard.md", "claims.md", "against-the-best-single-member"
Asked = Mapping[str, Sequence[Finding]]


@dataclass(frozen=True)
class InTable:
    """A number of one table of one model: of the first of its groups that can tell it."""

    name: str
    model: str
    suite: str
    look: Lookup
    says: Says


@dataclass(frozen=True)
class OverAll:
    """A number over all groups, or of a claim."""

    name: str
    look: Callable[[Sequence[Group], Asked], Value | None]
    says: Says


def _tuned(method: str, by: str = "grid", evaluations: int = 12) -> Row:
    return Row(f"{method}_{by}", f"{evaluations} evaluations")


def _calibrated(method: str) -> Row:
    return Row(f"{method}_calibrated", "calibrated")


def _above_member(setting: str) -> Lookup:
    """In how many comparisons, each taken alone, a merge was above the best member and the ancestor."""

    def look(group: Group) -> Value | None:
        told = [b for b in beside(group) if b.place[2].setting == setting and b.member == MEMBER]
        better = sum(one.told.verdict == "above" and not one.idle for one in told)
        return Value(better, f"{better} of {len(told)}", (group.key.model, group.anchor)) if told else None

    return look


def _verdicts(wanted: str) -> Callable[[Sequence[Group], Asked], Value]:
    """How many claims have this verdict; all of them, if none is wanted."""

    def look(_: Sequence[Group], asked_of: Asked) -> Value:
        count = sum(wanted in ("", verdict(own)) for own in asked_of.values())
        return Value(count, str(count), (CLAIMS_PAGE, wanted))

    return look


def _free(worse: bool) -> Callable[[Sequence[Group], Asked], Value | None]:
    """How often merges that need no development rows were better than the best member, or worse."""

    def look(found: Sequence[Group], _: Asked) -> Value | None:
        every = sum((tally for tally in tallies(found).values() if tally.free), Tally())
        count = every.worse if worse else every.better
        return Value(count, f"{count} of {every.asked}", (INDEX, TALLIES)) if every.asked else None

    return look


def _bred(worse: bool) -> Callable[[Sequence[Group], Asked], Value | None]:
    """The same of Evolver around the members themselves, five generations."""

    def look(found: Sequence[Group], _: Asked) -> Value | None:
        own = tallies(found).get(("evolver", "5 generations"), Tally())
        count = own.worse if worse else own.better
        return Value(count, f"{count} of {own.asked}", (INDEX, TALLIES)) if own.asked else None

    return look


def _mute(setting: str = "") -> Callable[[Sequence[Group], Asked], Value | None]:
    """In how many settings even the best member is not above an answer that reads no text."""

    def look(found: Sequence[Group], _: Asked) -> Value | None:
        known = [one for one in settings.asked(found) if one.unread is not None and one.title.startswith(setting)]
        low = sum(one.mute(one.member) for one in known)
        return Value(low, f"{low} of {len(known)}", (INDEX, "each-setting-by-itself")) if known else None

    return look


def _claim(name: str, model: str, suite: str) -> Callable[[Sequence[Group], Asked], Value | None]:
    """The difference of a claim, on one model and suite."""

    def look(_: Sequence[Group], asked_of: Asked) -> Value | None:
        (vote,) = [v for v in votes(asked_of[name]) if v.block == (model, suite)] or (None,)
        told = None if vote is None else vote.difference
        return None if told is None else difference(told, (CLAIMS_PAGE, anchor(name)))

    return look


def _verdict_of(name: str) -> Callable[[Sequence[Group], Asked], Value]:
    """What was decided of a claim, as a word; 1 where it holds, -1 where it fails."""

    def look(_: Sequence[Group], asked_of: Asked) -> Value:
        said = verdict(asked_of[name])
        return Value({"holds": 1, "fails": -1}.get(said, 0), said, (CLAIMS_PAGE, anchor(name)))

    return look


def _decided(*names: str) -> Callable[[Sequence[Group], Asked], Value]:
    """How many of these claims are decided."""

    def look(_: Sequence[Group], asked_of: Asked) -> Value:
        count = sum(verdict(asked_of[name]) != "undecided" for name in names)
        return Value(count, f"{count} of {len(names)}", (CLAIMS_PAGE, anchor(names[0])))

    return look


BEST, SIMPLE, TIES = Row(MEMBER), Row("simple"), Row("ties")
EVOLVED, RANDOM = _tuned("ties", "evolver", 50), _tuned("dare_ties", "random", 50)
EACH, TOGETHER, SUMS = Row("domain_specific"), Row("mtl"), "sums"
AROUND_CMA = [name for name in CLAIMS if name.startswith("cma_above_random")]


def _sums(method: str, evaluations: int = 0) -> Row:
    return Row(method, f"{evaluations} evaluations" if evaluations else "")


IN_TABLES = (
    # what to do
    InTable("in-domain: merges above the best member", MINILM, EMOTION, _above_member("in_domain"), is_(0)),
    InTable(
        "in-domain: tuned mean, below the best member",
        MINILM,
        EMOTION,
        gap("in_domain", _tuned("simple"), BEST),
        BELOW,
    ),
    *(
        InTable(
            f"GLUE pairs: {name}, above the best member",
            MINILM,
            GLUE,
            gap("cross_task", row, BEST, _calibrated("ties")),
            says,
        )
        for name, row, says in (
            ("calibrated ties", _calibrated("ties"), ABOVE),
            ("regmean_plus_plus", Row("regmean_plus_plus"), ABOVE),
            ("emr", Row("emr", BY_TASK), ABOVE),
            ("evolver", Row("evolver", "5 generations"), ALIKE),
            ("tuned mean", _tuned("simple"), ALIKE),
        )
    ),
    InTable(
        "GLUE pairs: calibrated ties, below each on its own",
        MINILM,
        GLUE,
        gap("cross_task", _calibrated("ties"), EACH),
        LOWER,
    ),
    InTable("GLUE partitions: merges above the best member", MINILM, GLUE, _above_member("non_iid"), is_(0)),
    InTable("GLUE partitions: mean, above the best member", MINILM, GLUE, gap("non_iid", SIMPLE, BEST), ALIKE),
    InTable("a decoder: merges above the best member", SMOLLM, EMOTION, _above_member("in_domain"), at_least(8)),
    InTable("a decoder: best member", SMOLLM, EMOTION, score("in_domain", BEST), ANYTHING),
    InTable("a decoder: mean", SMOLLM, EMOTION, score("in_domain", SIMPLE), ANYTHING),
    InTable("a decoder: each on its own", SMOLLM, EMOTION, score("in_domain", EACH), ANYTHING),
    InTable("a decoder: mean, above the best member", SMOLLM, EMOTION, gap("in_domain", SIMPLE, BEST), ALIKE),
    *(
        InTable(
            f"a decoder: {method}, above the best member", SMOLLM, EMOTION, gap("in_domain", Row(method), BEST), ABOVE
        )
        for method in ("tsv_m", "fisher")
    ),
    InTable(
        "a decoder: what calibration gains", SMOLLM, EMOTION, gap("in_domain", _calibrated("simple"), SIMPLE), ALIKE
    ),
    InTable("a decoder, out of domain: mean", SMOLLM, EMOTION, gap("out_of_domain", SIMPLE, BEST), ALIKE),
    InTable("in-domain: mean", MINILM, EMOTION, score("in_domain", SIMPLE, _calibrated("simple")), ANYTHING),
    InTable("in-domain: calibrated mean", MINILM, EMOTION, score("in_domain", _calibrated("simple")), ANYTHING),
    InTable(
        "in-domain: what calibration gains", MINILM, EMOTION, gap("in_domain", _calibrated("simple"), SIMPLE), ABOVE
    ),
    InTable("pairs: what calibration gains", MINILM, EMOTION, gap("pairwise", _calibrated("simple"), SIMPLE), ABOVE),
    *(
        InTable(
            f"{model}: what calibration gains", model, EMOTION, gap("in_domain", _calibrated("simple"), SIMPLE), ABOVE
        )
        for model in ("small-gpt2", "small-t5")
    ),
    InTable("in-domain: trained together", MINILM, EMOTION, score("in_domain", TOGETHER), at_most(31)),
    *(
        InTable(
            f"in-domain: {by}, 50 evaluations, minus calibration",
            MINILM,
            EMOTION,
            gap("in_domain", _tuned("simple", by, 50), _calibrated("simple")),
            BELOW if by == "random" else ALIKE,
        )
        for by in ("random", "grid", "cma", "evolver")
    ),
    InTable("pairs: what tuning the mean gains", MINILM, EMOTION, gap("pairwise", _tuned("simple"), SIMPLE), ABOVE),
    InTable(
        "pairs: spread of tuned means",
        MINILM,
        EMOTION,
        spread("pairwise", *map(_tuned, ("simple", "slerp", "karcher", "regmean", "dare_ties"))),
        at_most(1),
    ),
    # what the claims are worth
    InTable(
        "in-domain: share of ties_evolver that is calibration",
        MINILM,
        EMOTION,
        share("in_domain", _calibrated("ties"), EVOLVED, TIES),
        both(at_least(50), at_most(100)),
    ),
    InTable(
        "in-domain: ties_evolver minus calibrated ties",
        MINILM,
        EMOTION,
        gap("in_domain", EVOLVED, _calibrated("ties")),
        ALIKE,
    ),
    InTable("sums: first source", SMOLLM, SUMS, score("recipe", _sums("source_1")), at_most(1)),
    InTable("sums: second source", SMOLLM, SUMS, score("recipe", _sums("source_2")), at_most(1)),
    InTable("sums: search of weights", SMOLLM, SUMS, score("recipe", _sums("dare_ties_cma", 32)), at_least(80)),
    InTable("sums: routes", SMOLLM, SUMS, score("recipe", _sums("dfs", 32)), at_most(10)),
    InTable("sums: the mean", SMOLLM, SUMS, score("recipe", SIMPLE), at_most(5)),
    # what surprised
    InTable("ancestor with the members' heads", MINILM, EMOTION, score("pairwise", Row("base")), ANYTHING),
    InTable("out of domain: ancestor", MINILM, EMOTION, score("out_of_domain", Row("base")), at_least(50)),
    InTable(
        "out of domain: best member, below the ancestor",
        MINILM,
        EMOTION,
        gap("out_of_domain", BEST, Row("base")),
        BELOW,
    ),
    InTable(
        "out of domain: evolver, below the ancestor",
        MINILM,
        EMOTION,
        gap("out_of_domain", Row("evolver", "5 generations"), Row("base")),
        BELOW,
    ),
    InTable("pairs: tuned model_stock", MINILM, EMOTION, score("pairwise", _tuned("model_stock")), at_most(21.1)),
    InTable(
        "pairs: what tuning consensus gains",
        MINILM,
        EMOTION,
        gap("pairwise", _tuned("consensus"), Row("consensus")),
        ABOVE,
    ),
    InTable("pairs: tuned consensus", MINILM, EMOTION, score("pairwise", _tuned("consensus")), at_most(21.1)),
    *(
        InTable(
            f"in-domain: trained together, {which} set",
            MINILM,
            EMOTION,
            extreme("in_domain", TOGETHER, EACH, which == "lowest"),
            says,
        )
        for which, says in (("lowest", at_most(-20)), ("highest", at_least(2)))
    ),
    InTable(
        "in-domain: lowest set of members",
        MINILM,
        EMOTION,
        extreme("in_domain", _tuned("dare_ties", "cma", 50), RANDOM, True),
        LOWER,
    ),
    InTable(
        "in-domain: highest set of members",
        MINILM,
        EMOTION,
        extreme("in_domain", _tuned("dare_ties", "cma", 50), RANDOM, False),
        HIGHER,
    ),
)
OVER_ALL = (
    OverAll("without development rows: better", _free(worse=False), at_most(15)),
    OverAll("without development rows: worse", _free(worse=True), at_least(50)),
    OverAll("evolver against the best member: better", _bred(worse=False), at_most(1)),
    OverAll("evolver against the best member: worse", _bred(worse=True), is_(0)),
    OverAll("settings whose best member is not above a constant answer", _mute(), at_least(8)),
    OverAll("out of domain: best member not above a constant answer", _mute("out-of-domain"), at_least(5)),
    OverAll("claims", _verdicts(""), ANYTHING),
    OverAll("claims that fail", _verdicts("fails"), ANYTHING),
    OverAll("claims that hold", _verdicts("holds"), ANYTHING),
    OverAll("claims that are undecided", _verdicts("undecided"), ANYTHING),
    OverAll("ties_evolver above ties, emotion", _claim("evolver_above_base[ties]", MINILM, EMOTION), ABOVE),
    OverAll("ties_evolver above ties, GLUE", _claim("evolver_above_base[ties]", MINILM, GLUE), ABOVE),
    OverAll(
        "ties_evolver is the best, MiniLM's GLUE",
        _claim("best_overall[ties_evolver]", MINILM, GLUE),
        both(LOWER, ALIKE),
    ),
    OverAll("best_overall, over all models", _verdict_of("best_overall[ties_evolver]"), is_(0)),
    OverAll("out_of_domain_gain, over all models", _verdict_of("out_of_domain_gain[fisher]"), is_(0)),
    OverAll("fisher_evolver out of domain", _claim("out_of_domain_gain[fisher]", MINILM, EMOTION), ABOVE),
    OverAll("claims about CMA-ES that are decided", _decided(*AROUND_CMA), is_(0)),
    OverAll("both searches minus one", _claim("both_above_weights[ps_dfs]", SMOLLM, SUMS), BELOW),
)
QUANTITIES: Mapping[str, InTable | OverAll] = {q.name: q for q in IN_TABLES} | {q.name: q for q in OVER_ALL}


@kept
def in_group(group: Group) -> Mapping[str, Value]:
    """What one group tells; asked while its answers are in memory."""
    own = [q for q in IN_TABLES if (q.model, q.suite) == (group.key.model, group.key.suite) and not group.synthetic]
    told = {q.name: q.look(group) for q in own}
    return {name: value for name, value in told.items() if value is not None}


def values(found: Sequence[Group]) -> dict[str, Value]:
    """Every number that these records can tell."""
    told: dict[str, Value] = {}
    for group in found:
        told = {**in_group(group), **told}
    asked_of = findings(found)
    over = {q.name: q.look(found, asked_of) for q in OVER_ALL}
    return told | {name: value for name, value in over.items() if value is not None}
