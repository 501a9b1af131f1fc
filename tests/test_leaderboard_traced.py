"""The commands of a record page: each once, those that differ in one seed as one."""

from __future__ import annotations

import re
from html import unescape

from leaderboard.site.rows import rows
from leaderboard.site.traced import traced
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record


def page(*commands: str) -> str:
    """A page of one record for each command, with seeds in order."""
    made = [record(seed=s, score=0.5, environment={"command": c}) for s, c in enumerate(commands, 1)]
    return traced([row for group in groups(made) for row in rows(group)])


def shown(told: str) -> dict[str, str]:
    """Number -> the command that bears it."""
    found = re.findall(r'<h3 id="command-(\d+)">\1</h3>\n<pre><code>(.*?)</code></pre>', told, re.DOTALL)
    return {number: unescape(command).replace(" \\\n  ", " ") for number, command in found}


def test_commands_that_differ_in_their_seed_alone_are_one() -> None:
    told = page("pytest s -k a=* --seeds=2 -q", "pytest s -k a=* --seeds=1 -q", "pytest s -k b --seeds=1 -q", "")
    assert shown(told) == {"1": "pytest s -k a=* --seeds=1,2 -q", "2": "pytest s -k b --seeds=1 -q"}
    assert re.findall(r"<td>(?:<a href=\"#command-(\d)\">\d</a>|not recorded)</td></tr>", told) == ["1", "1", "2", ""]
    assert told.count("<pre>") == 2, "each once"


def test_commands_of_several_seeds_or_of_none_stay_as_they_are() -> None:
    commands = ("pytest s --seeds=1-3", "pytest s --seeds=1,2", "pytest s", "a --seeds=1 && b --seeds=2")
    assert [*shown(page(*commands)).values()] == [*commands]


def test_a_page_without_commands_has_no_heading_for_them() -> None:
    assert "Commands" not in page("", "")


def test_a_page_begins_with_its_rows_column_by_column() -> None:
    made = [
        record(m, score=0.5, setting=s) for s in ("in_domain", "pairwise") for m in ("simple", "<b>ties</b>", "best")
    ]
    own = [row for group in groups(made) for row in rows(group)]
    told = traced(own)
    contents = told[: told.index("</ul>")]
    assert re.findall(r"<li><strong>(.*?)</strong>", contents) == ["in-domain", "pairwise"]
    links = re.findall(r'<a href="#([^"]*)">(.*?)</a>', contents)
    assert [anchor for anchor, _ in links] == [row.anchor for row in own]
    assert sorted({name for _, name in links}) == ["&lt;b&gt;ties&lt;/b&gt;", "best member", "simple"]
    assert all(f'<h2 id="{anchor}">' in told for anchor, _ in links)
    assert "Contents" not in traced(own[:1])
