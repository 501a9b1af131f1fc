"""Figures: well-formed, the same bytes for the same numbers, marks where the numbers say."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.records.terrain import Place, Terrain
from leaderboard.pages.figures import figures
from leaderboard.pages.pages import pages
from leaderboard.plots.axes import Scale, around, decades
from leaderboard.plots.colours import ramp
from leaderboard.plots.curves import curves
from leaderboard.plots.heat import heat
from leaderboard.plots.landscape import landscape
from leaderboard.plots.pareto import Spent, frontier, pareto
from leaderboard.plots.ranks import diagram
from leaderboard.stats.ranks import Ranking
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record

SVG = "{http://www.w3.org/2000/svg}"
EVIL = 'a<script>alert(1)</script>&"\x1b'


def terrain(**changes: Any) -> Terrain:
    """Three by three models of a slope that rises with a."""
    told: dict[str, Any] = {
        "key": "0" * 16,
        "suite": "emotion",
        "setting": "pairwise",
        "model": "roberta-base",
        "seed": 1,
        "members": ("tec", "isear"),
        "heads": "same",
        "recipe": {},
        "axis": (0.0, 0.5, 1.0),
        "scores": ((0.1, 0.2, 0.3),) * 3,
        "places": {"simple": Place(0.5, 0.5, 0.0, 0.2), "evolver": Place(1.0, 0.0, 0.4, 0.3)},
    }
    return Terrain(**{**told, **changes})


def drawn() -> dict[str, str]:
    """One of every kind, with a hostile name in each."""
    return {
        "curves": curves(EVIL, {EVIL: [[0.1, 0.2], [0.2, 0.4, 0.5]], "ties_evolver": [[0.3, 0.3]]}),
        "pareto": pareto(EVIL, [Spent(EVIL, 0.0, 0.4, None, 5), Spent("ties", 2.0, 0.5, 0.1, 1)]),
        "ranks": diagram(EVIL, Ranking({EVIL: 1.0, "b": 2.2, "c": 2.8}, 9, 0.01, 1.0)),
        "heat": heat(EVIL, [EVIL, "b"], {EVIL: {EVIL: 0.2, "b": 0.4}, "tec": {"b": 0.1}}),
        "landscape": landscape(EVIL, terrain(members=(EVIL, "isear"), places={EVIL: Place(9.0, -9.0, 1.0, 0.2)})),
    }


@pytest.mark.parametrize("kind", ["curves", "pareto", "ranks", "heat", "landscape"])
def test_figures_are_well_formed_and_names_are_words(kind: str) -> None:
    text = drawn()[kind]
    assert text == drawn()[kind]
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg" and not list(root.iter(f"{SVG}script"))
    assert root.findtext(f"{SVG}title") and root.findtext(f"{SVG}desc")
    words = [t.text or "" for t in root.iter(f"{SVG}text")]
    assert any("<script>alert(1)</script>" in word for word in words)
    assert not re.search(r"(nan|inf)\b", re.sub(r"<(title|desc|text)[^>]*>[^<]*", "", text))


def test_ticks_are_round_and_inside() -> None:
    assert Scale(0.13, 0.57, 0, 1).ticks == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert Scale(0.02, 30, 0, 1, log=True).ticks == [0.1, 1.0, 10.0]
    assert Scale(0, 10, 100, 200)(2.5) == 125 and Scale(1, 100, 0, 2, log=True)(10) == pytest.approx(1)
    assert around([3.0, 3.0]) == pytest.approx((2.97, 3.03)) and decades([0.02, 30]) == (0.01, 100.0)
    assert (ramp(0), ramp(1), ramp(7)) == ("#eff6ff", "#084594", "#084594")


def test_the_frontier_is_who_nobody_beats_in_both() -> None:
    cheap, better, dear, worse = (
        Spent(m, s, x, None, 1) for m, s, x in (("a", 0.1, 0.4), ("b", 1, 0.6), ("c", 9, 0.7), ("d", 5, 0.5))
    )
    assert frontier([dear, worse, better, cheap]) == [cheap, better, dear]


def test_marks_of_a_landscape_lie_on_the_models_they_are() -> None:
    root = ElementTree.fromstring(landscape("x", terrain()))
    dots = [(d.get("cx"), d.get("cy"), d.get("r")) for d in root.iter(f"{SVG}circle")]
    origin, first, second = (d[:2] for d in dots if d[2] == "4")
    marks = [d[:2] for d in dots if d[2] == "5"][::2]  # each mark is followed by its line of the legend
    assert marks[1] == first  # evolver: a = 1, b = 0
    middle = [(float(p) + float(q)) / 2 for p, q in zip(first, second, strict=True)]
    assert [float(v) for v in marks[0]] == pytest.approx(middle, abs=0.1) and origin != first


def test_a_group_gives_the_figures_that_its_records_allow() -> None:
    plain = [record("simple", cost={"merge_seconds": 0.1}), record("ties", cost={"merge_seconds": 2.0})]
    evolved = record("ties_evolver", cost={"merge_seconds": 9.0}, dev={"history": [0.1, 0.2]})
    (group,) = groups(plain)
    assert [f.name.rsplit("-", 2)[1] for f in figures(group)] == ["cost", "corpora"]
    (group,) = groups([*plain, evolved])
    assert [f.name.rsplit("-", 2)[1] for f in figures(group)] == ["cost", "curves", "corpora"]
    (bare,) = groups([record("avg", scores={})])
    assert list(figures(bare)) == []


def test_every_figure_of_a_page_is_a_file_and_every_file_is_on_a_page() -> None:
    made = [record(m, cost={"merge_seconds": 1.0}, model="roberta-base") for m in ("simple", "ties", "regmean")]
    ood = [record(m, setting="out_of_domain", model="gpt2") for m in ("simple", "ties", "regmean")]
    files = pages(groups([*made, *ood]), [terrain()])
    shown = {
        str(path.parent / link)
        for path, text in files.items()
        if path.suffix == ".md"
        for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    }
    assert shown == {str(path) for path in files if path.suffix == ".svg"} and len(shown) == 5
