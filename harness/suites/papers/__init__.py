"""What papers claim, one JSON file for each paper: sentences, and by which comparison of records each is decided.

    {"called", "title", "arxiv",
     "settings": {name: {suite, or "*" for any: [setting, ...]}},
     "claims": [{"name", "of": [...], "says", "asks", "in", and the words of what it asks}, ...]}

A claim is made for each of `of`, which stands in its texts where `{}` is. `asks` names a comparison, which the reader
of records knows (leaderboard/claims/kinds.py); `in` names settings, and without it a claim is asked in all of them.
Numbers that a paper printed for a suite lie with that suite; see harness/suites/paper.py. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Where = Mapping[str, tuple[str, ...]]  # suite -> its settings
ANY_SUITE = "*"  # whose settings of these names are meant, of a user's file too


@dataclass(frozen=True)
class Paper:
    """A paper, as people call it."""

    called: str  # "the Evolver paper"
    title: str
    arxiv: str


@dataclass(frozen=True)
class Told:
    """One claim as its file tells it."""

    paper: Paper
    name: str  # "evolver_above_base[ties]"
    says: str
    asks: str  # the comparison that decides it
    where: Where | None  # the settings that it is about; None: all
    words: Mapping[str, str]  # what the comparison needs to know: method, base, ...


@cache
def told() -> tuple[Told, ...]:
    """All claims of all papers, in the order of their files."""
    files = sorted(Path(__file__).parent.glob("*.json"))
    return tuple(claim for file in files for claim in _of(json.loads(file.read_text(encoding="utf-8"))))


def _of(content: Mapping[str, Any]) -> Iterator[Told]:
    paper = Paper(content["called"], content["title"], content["arxiv"])
    where = {name: {s: tuple(own) for s, own in asked.items()} for name, asked in content["settings"].items()}
    for claim in content["claims"]:
        rest = {name: text for name, text in claim.items() if name not in ("name", "of", "says", "asks", "in")}
        for each in claim["of"]:
            yield Told(
                paper,
                f"{claim['name']}[{each}]",
                claim["says"].replace("{}", each),
                claim["asks"],
                where[claim["in"]] if "in" in claim else None,
                {name: text.replace("{}", each) for name, text in rest.items()},
            )
