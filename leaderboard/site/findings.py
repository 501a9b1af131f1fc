"""The numbers of the findings lead to the records that they rest on, on the pages that only the site has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from leaderboard.findings.quantities import in_group
from leaderboard.pages.findings import LINK
from leaderboard.site.rows import page_of, rows
from leaderboard.tables.group import Group


def traced(markdown: str, found: Iterable[Group]) -> str:
    """The page, each number of one row, or of two, with a link to the records of the first; all others as they were."""
    wanted = {link["name"] for link in LINK.finditer(markdown)}
    known: Mapping[str, str | None] = {}
    for group in found:
        known = {**_places(group, wanted), **known}  # the first group that can tell a number has told it

    def led(link: re.Match[str]) -> str:
        place = known.get(link["name"])
        return link[0] if place is None else f'[{link["number"]}]({place} "{link["name"]}")'

    return LINK.sub(led, markdown)


def _places(group: Group, wanted: Collection[str]) -> Mapping[str, str | None]:
    """Number that the group tells -> where the records of its row stand; None where it is of no single row."""
    at = {name: value.row for name, value in in_group(group).items() if name in wanted}
    if not at:
        return {}
    anchors = {(r.question, r.heads, r.exam, r.method): r.anchor for r in rows(group) if not r.aside}
    page = f"runs/{page_of(group)}.md"
    return {name: f"{page}#{anchors[row]}" if row in anchors else None for name, row in at.items()}
