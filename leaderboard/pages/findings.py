"""docs/findings.md: hand-written sentences, whose numbers are links that records fill.

`[+21.7](leaderboard/....md#... "in-domain: what calibration gains")` is such a link: its title names one of
`leaderboard.findings.quantities`, its number and its address are written anew by `publish`. Whoever writes a sentence
writes `[?](# "in-domain: what calibration gains")`. Where records no longer say what the sentence says, or know no such
number, the link says so, and `complaints` names the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leaderboard.findings.quantities import QUANTITIES
from leaderboard.findings.says import Says, Value
from leaderboard.places import Stems, page_of
from leaderboard.text import plain

LINK = re.compile(r'\[(?P<number>[^\]\n]*)\]\((?P<place>[^)\s]*)\s+"(?P<name>[^"\n]+)"\)')
NO_LONGER, UNTOLD, UNKNOWN = "no longer", "no record tells", "no such number"
_WRONG = re.compile(f"{NO_LONGER}|{UNTOLD}|{UNKNOWN}")
_END = re.compile(r"(?<=[.!?])(?:\*\*)?\s+|\n\s*\n|\n(?=[-#])")


def rewritten(page: str, told: Mapping[str, Value], stem: Stems) -> str:
    """The page with the numbers that records tell."""
    return LINK.sub(lambda link: _link(link, told, stem), page)


def complaints(page: str) -> list[str]:
    """One line for each link that says that its sentence cannot stand, with the sentence."""
    found = []
    for sentence in _END.split(page):
        wrong = [link for link in LINK.finditer(sentence) if _WRONG.search(link["number"])]
        words = plain(LINK.sub(lambda link: link["number"], sentence)).lstrip("-# ")
        found += [f"“{link['name']}” is {link['number']}; write the sentence anew: {words}" for link in wrong]
    return found


def named(page: str) -> list[str]:
    """The numbers that a page asks for, in order."""
    return [link["name"] for link in LINK.finditer(page)]


def _link(link: re.Match[str], told: Mapping[str, Value], stem: Stems) -> str:
    name = link["name"]
    if name not in QUANTITIES:
        return f'[{UNKNOWN}](# "{name}")'
    if name not in told:
        return f'[{UNTOLD} it](# "{name}")'
    value = told[name]
    return f'[{_number(value, QUANTITIES[name].says)}]({_address(value, stem)} "{name}")'


def _number(value: Value, says: Says) -> str:
    return value.text if says.holds(value) else f"{value.text}, {NO_LONGER} {says.words}"


def _address(value: Value, stem: Stems) -> str:
    page, anchor = value.place
    file = str(page_of(stem[page])) if page in stem else page
    return f"{file}#{anchor}" if anchor else file
