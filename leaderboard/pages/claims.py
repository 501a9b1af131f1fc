"""The page of claims: what fails, what holds, what is undecided and what would decide it, each with its evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import get_args

from leaderboard import text
from leaderboard.claims.claims import CLAIMS, Claim, Finding, Outcome, Vote, anchor, verdict, votes
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.fold import folded
from leaderboard.plots.intervals import Between, intervals
from leaderboard.stats.difference import FEWEST, ZERO
from leaderboard.stats.power import needed

Asked = Mapping[str, Sequence[Finding]]  # each claim's name, and what each group of records says of it
SECTIONS = {"fails": "Fails", "holds": "Holds", "undecided": "Undecided", "": "Asked of no real model yet"}
MORE = "sets of members still needed"
DIFFERENCE = "Our difference, by model and suite"


def page(asked_of: Asked, pictures: str) -> str:
    """The whole page; `pictures` is the folder of `figures`, as the page sees it."""
    sections = _sections(asked_of)
    parts = [prose.CLAIMS_HEAD.format(summary=_summary(asked_of, sections))]
    for kind, names in sections.items():
        if names:
            parts += [f"## {SECTIONS[kind]}\n", _table(asked_of, names)]
            parts += [part for name in names if asked_of[name] for part in _of(CLAIMS[name], asked_of[name], pictures)]
    return "\n".join(parts)


def figures(asked_of: Asked) -> dict[PurePosixPath, str]:
    """File -> a figure, for each claim that something was measured for."""
    return {PurePosixPath(_file(n)): intervals(CLAIMS[n].says, DIFFERENCE, r) for n, r in _rows(asked_of)}


def _sections(asked_of: Asked) -> Mapping[str, Sequence[str]]:
    """The claims of each verdict, in their order; of "" those that nobody asked a real model."""
    found: dict[str, list[str]] = {kind: [] for kind in SECTIONS}
    for name, own in asked_of.items():
        found[verdict(own) if votes(own) else ""].append(name)
    return found


def _summary(asked_of: Asked, sections: Mapping[str, Sequence[str]]) -> str:
    """How many fail, hold and are undecided, and on which evidence."""
    fails, holds, open_, never = (len(sections[kind]) for kind in SECTIONS)
    said = f"**Of {len(asked_of)} claims {_number(fails, 'fail')}, {_number(holds, 'hold')} and {open_ + never} "
    said += "is undecided" if open_ + never == 1 else "are undecided"
    said += f", {never} of them asked of no real model yet.**" if never else ".**"
    papers = list(dict.fromkeys(CLAIMS[name].paper.called for name in asked_of))
    said += f" They are of {text.joined(papers)}, and no other paper's are asked yet. Those that are called an open "
    said += "question are ours: the paper shows nothing of them."
    counted = [vote for own in asked_of.values() for vote in votes(own) if not vote.synthetic]
    if not counted:
        return said
    models = sorted({vote.block[0] for vote in counted})
    sets = sorted({vote.replicates for vote in counted if vote.replicates})
    alone = sum(any(v.replicates == 1 for v in votes(asked_of[n])) for n in (*sections["fails"], *sections["holds"]))
    between = f"{sets[0]} to {sets[-1]}" if sets and sets[0] < sets[-1] else str(*sets[:1])
    said += f" Asked of {text.escaped(text.joined(models, 12))}"
    said += f", with {between} set{'' if between == '1' else 's'} of members each" if sets else ""
    told = f" Of the {fails + holds} decided ones {alone} rest on a single set of members in some place: they say what"
    return f"{said}.{told} is so of these members, and little of others." if alone else f"{said}."


def _number(count: int, do: str) -> str:
    """`1 fails`, `2 fail`."""
    return f"{count} {do}{'s' if count == 1 else ''}"


def _table(asked_of: Asked, names: Sequence[str]) -> str:
    """A line for each claim of a section."""
    lacking = {n: more for n in names if (more := _more_sets(votes(asked_of[n])))}
    rows = [
        [
            f"[{text.escaped(CLAIMS[n].says)}](#{anchor(n)})" if asked_of[n] else text.escaped(CLAIMS[n].says),
            text.escaped(CLAIMS[n].paper.called.removeprefix("the ").removeprefix("paper on ")),
            _counts(asked_of[n]),
            *([lacking.get(n, text.GAP)] if lacking else []),
            CLAIMS[n].number or text.GAP,
        ]
        for n in names
    ]
    head = ["the claim", "paper", "real models and suites", *([MORE] if lacking else []), "paper's difference"]
    return markdown.table((head, rows), words=3)


def _of(claim: Claim, found: Sequence[Finding], pictures: str) -> Iterator[str]:
    """One claim: its verdict in a sentence or two, its figure, and a line for each place."""
    counted = votes(found)
    yield f'<a id="{anchor(claim.name)}"></a>\n\n### {text.escaped(claim.says)}\n'
    lacking = [_decides(vote) for vote in counted if vote.outcome == "undecided"]
    yield f"{' '.join([_verdict(found, counted), *lacking])}\n"
    if _measured(counted):
        yield f"![{text.escaped(f'{DIFFERENCE}: {claim.says}')}]({pictures}/{_file(claim.name)})\n"
    yield folded("Every place where we looked", [markdown.table(grids.findings(list(found), text.escaped), words=2)])
    paper, number = f"{claim.paper.title}, arXiv:{claim.paper.arxiv}", claim.number
    yield f"*{paper}{f'; the difference there: {number}' if number else ', which prints no number for it'}.*\n"


def _verdict(found: Sequence[Finding], counted: Sequence[Vote]) -> str:
    """`**Fails** in 3 of 4 places.`"""
    if not counted:
        return "**Undecided**: it was asked of no real model."
    outcome = verdict(found)
    if found[0].rule:
        return f"**{SECTIONS[outcome]}** in all records." if outcome == "holds" else f"**{SECTIONS[outcome]}**."
    place, own = "place" if len(counted) == 1 else "places", sum(v.outcome == outcome for v in counted)
    if outcome != "undecided":
        named = [text.escaped(f"{v.block[0]} ({v.block[1]})") for v in counted if v.outcome == outcome]
        where = f", {text.joined(named)}" if own < len(counted) else ""
        return f"**{SECTIONS[outcome]}** in {own} of {len(counted)} {place}{where}."
    holding = sum(v.outcome == "holds" for v in counted)
    told = f", and holds in the other {holding if holding > 1 else 'one'}" if holding else ""
    return f"**Undecided** in {own} of {len(counted)} {place}{told}."


def _decides(vote: Vote) -> str:
    """What would decide an undecided place."""
    (model, suite), found = vote.block, vote.difference
    where = text.escaped(f"{model} ({suite})")
    if found is None:
        return f"{where}: {text.escaped(vote.findings[0].reason)}."
    if abs(found.mean) <= ZERO:
        return f"On {where} both score exactly the same: further sets of members may tell, but nobody can say how many."
    lacks, have, asked = needed(found, 1.0, vote.level), vote.replicates, []
    if lacks.replicates is not None:
        asked.append(_sets(lacks.replicates, have or 0))
    if lacks.rows is not None:
        asked.append(_rows_more(lacks.rows))
    if have is None:
        asked.append("the same sets of members in all its columns, which it has not")
    elif have < FEWEST and lacks.replicates is None:
        asked.append(f"{FEWEST - have} more sets of members to say anything of others")
    return f"To decide it on {where} takes {' and '.join(asked)}."


def _more_sets(counted: Iterable[Vote]) -> str:
    """How many more sets of members would decide all that is undecided; "" of what they would not."""
    lacks = [
        found.replicates - (vote.replicates or 0)
        for vote in counted
        if vote.outcome == "undecided"
        and vote.difference is not None
        and (found := needed(vote.difference, 1.0, vote.level)).replicates is not None
    ]
    return "" if not lacks else "over 1,000" if math.isinf(max(lacks)) else f"{max(lacks):,.0f}"


def _sets(count: float, have: int) -> str:
    if math.isinf(count):
        return f"more than 1,000 sets of members (the {have} at hand do not agree)"
    return f"{count:,.0f} sets of members ({count - have:,.0f} more than now)"


def _rows_more(times: float) -> str:
    return "more test rows than are in reach" if times > 1000 else f"{max(times, 1.1):,.1f} times the test rows"


def _counts(found: Sequence[Finding]) -> str:
    cast = votes(found)
    said, made_up = [v.outcome for v in cast if not v.synthetic], [v.outcome for v in cast if v.synthetic]
    counts = [f"{said.count(v)} {v}" for v in get_args(Outcome) if v in said]
    counts += [f"{made_up.count(v)} {v} in made-up worlds" for v in get_args(Outcome) if v in made_up]  # of a rule
    return ", ".join(counts) or "not asked"


def _rows(asked_of: Asked) -> Iterator[tuple[str, list[Between]]]:
    for name, found in asked_of.items():
        if rows := _measured(votes(found)):
            yield name, rows


def _measured(counted: Iterable[Vote]) -> list[Between]:
    """A line of the figure for each real place in which something was measured."""
    return [
        Between(", ".join(vote.block), told.mean, told.span, vote.outcome)
        for vote in counted
        if vote.difference is not None and (told := vote.difference.told())
    ]


def _file(claim: str) -> str:
    return f"claim-{anchor(claim)}.svg"
