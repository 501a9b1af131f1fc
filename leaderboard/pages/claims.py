"""The page of claims: for each paper what it says, the verdict over all real models, and where we looked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.suites.papers import Paper
from leaderboard import text
from leaderboard.claims.claims import CLAIMS, Claim, Finding, findings, verdict, votes
from leaderboard.pages import grids, markdown, prose
from leaderboard.tables.group import Group


def page(found: Iterable[Group]) -> str:
    """The whole page; groups are asked one after the other."""
    asked_of = findings(found)
    papers = dict.fromkeys(claim.paper for claim in CLAIMS.values())
    own = {paper: {name: claim for name, claim in CLAIMS.items() if claim.paper == paper} for paper in papers}
    return "\n".join([prose.CLAIMS_HEAD, *(part for paper in papers for part in _of(paper, own[paper], asked_of))])


def _of(paper: Paper, own: Mapping[str, Claim], asked_of: Mapping[str, list[Finding]]) -> Iterator[str]:
    """A paper's claims in one table, and one table more for each that some group of records was asked."""
    yield f"## {paper.called[:1].upper()}{paper.called[1:]}\n\n*{paper.title}*, arXiv:{paper.arxiv}.\n"
    rows = [
        [text.escaped(claim.says), f"**{verdict(asked_of[name])}**", _counts(asked_of[name]), claim.number or text.GAP]
        for name, claim in own.items()
    ]
    yield markdown.table((["the paper says", "verdict", "real models", "paper's difference"], rows))
    for name, claim in own.items():
        if asked_of[name]:
            yield f"### {text.escaped(claim.says)}\n\nThe paper's difference: {claim.number or 'not given'}.\n"
            yield markdown.table(grids.findings(asked_of[name], text.escaped))


def _counts(found: list[Finding]) -> str:
    said = votes(found)
    counts = [f"{said.count(v)} {v}" for v in ("holds", "fails", "undecided") if v in said]
    return ", ".join(counts) or "not asked"
