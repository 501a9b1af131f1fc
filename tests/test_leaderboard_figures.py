"""Figures: well-formed, the same bytes for the same numbers, marks where the numbers say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.records.record import RunRecord, Store
from harness.records.terrain import Place, Terrain
from leaderboard.audit import load
from leaderboard.pages.figures import Figure, figures
from leaderboard.pages.files import Files
from leaderboard.pages.pages import pages
from leaderboard.places import FOLDER
from leaderboard.plots.axes import Scale, around, decades
from leaderboard.plots.colours import apart, ramp
from leaderboard.plots.curves import curves
from leaderboard.plots.heat import heat
from leaderboard.plots.intervals import Between, intervals
from leaderboard.plots.labels import AROUND, FAR, HEIGHT, Beside
from leaderboard.plots.landscape import landscape
from leaderboard.plots.pareto import Spent, frontier, pareto
from leaderboard.plots.races import Race, races, together
from leaderboard.plots.ranks import diagram
from leaderboard.plots.svg import LETTER, Drawing
from leaderboard.stats.ranks import Ranking
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import groups
from leaderboard.tables.searches import best_so_far, by_generation, shown_of
from tests.searched_world import search
from tests.test_leaderboard_table import record
from tests.verdict_world import Session, right

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
        "races": races(EVIL, {EVIL: {EVIL: [[(1, 0.2), (2, 0.3)], [(1, 0.1)]], "random": [[(1, 0.2)]]}, "ties": {}}),
        "pareto": pareto(EVIL, [Spent(EVIL, 0.0, 0.4, None, 5), Spent("ties", 2.0, 0.5, 0.1, 1)]),
        "ranks": diagram(EVIL, Ranking({EVIL: 1.0, "b": 2.2, "c": 2.8}, 9, 0.01, 1.0)),
        "intervals": intervals(
            EVIL, EVIL, [Between(EVIL, 0.1, (-0.2, 0.4), "holds"), Between("b", -0.1, None, "fails")]
        ),
        "heat": heat(EVIL, [EVIL, "b"], {EVIL: {EVIL: 0.2, "b": 0.4}, "tec": {"b": 0.1}}),
        "landscape": landscape(EVIL, terrain(members=(EVIL, "isear"), places={EVIL: Place(9.0, -9.0, 1.0, 0.2)})),
    }


def test_of_a_crowd_the_best_are_named_and_the_others_counted() -> None:
    crowd = pareto("x", [Spent(f"m{k}", 1.0, k / 100, None, 1) for k in range(40)])
    few = pareto("x", [Spent(f"m{k}", 1.0, k / 100, None, 1) for k in range(20)])
    held = pareto("x", [Spent("ties", 1.0, 0.2, None, 1)], levels={"best member": 0.7})
    assert "best member 70.0" in held and "best member" not in few, "it stands above all merges, and on the scale"
    said = re.findall(r"<text[^>]*>([^<]*)</text>", crowd)
    assert [f"m{k} {k}.0" in said for k in (39, 28, 27)] == [True, True, False]
    assert "and 28 more, the small circles, in the tables" in said and "small circles" not in few
    assert "m0 0.0 in 1 s" in crowd, "the description tells of all"


@pytest.mark.parametrize("kind", ["curves", "races", "pareto", "ranks", "intervals", "heat", "landscape"])
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


def test_a_frontier_joins_those_of_one_kind_alone() -> None:
    cheap, dear = Spent("ties", 1.0, 0.3, None, 1), Spent("simple", 2.0, 0.5, None, 1)
    tuned = [Spent("ties_grid", 3.0, 0.6, None, 1, "12 evaluations"), Spent("cma", 4.0, 0.7, None, 1, "40 evaluations")]
    alone, both = (pareto("x", spent).count("stroke-dasharray") for spent in ([cheap, dear], [cheap, dear, *tuned]))
    assert (alone, both) == (1, 3), "a tuned one, however good, is joined to no default"


def test_what_all_rows_share_stands_below_the_title_of_scores_against_time_and_not_in_each_name() -> None:
    shown = {"dev_fraction": 0.3}
    asked: dict[str, Any] = {"knobs": shown, "cost": {"merge_seconds": 2.0}}
    tuned = [
        record(m, score=s, protocol={"name": "quick", "search": shown}, **asked)
        for m, s in (("greedy_soup", 0.5), ("simple_evolver", 0.6))
    ]
    (group,) = groups([*tuned, record("simple", protocol={"name": "quick"}, cost={"merge_seconds": 1.0})])
    (cost,) = [figure for figure in figures(group) if figure.kind == "cost"]
    said = [text.text or "" for text in ElementTree.fromstring(cost.svg).iter(f"{SVG}text")]
    assert " ".join(said).count("protocol quick, 30 % of development rows") == 1
    assert " ".join(said).count("of development rows") == 1
    assert {"greedy_soup 50.0", "simple_evolver 60.0"} <= set(said)


def test_of_a_crowd_no_two_named_marks_are_alike_and_the_others_are_small() -> None:
    spent = [Spent(f"simple_{k}", 1.0 + k, (97 * k % 80) / 100, None, 1, f"{k % 3} evaluations") for k in range(60)]
    tree = ElementTree.fromstring(pareto("x", spent))
    marks = [m for m in tree.iter() if m.tag in (f"{SVG}circle", f"{SVG}polygon")]
    small = [m for m in marks if m.attrib.get("r") == "3"]
    assert len(small) > 20 and {m.attrib["class"] for m in small} == {"open"}
    names = [s.method for s in spent][:40]
    assert len(set(apart(names).values())) == len(names), "as of the others, which have colours and shapes"


@pytest.mark.parametrize("places", ["right", "left", "both", "above", "nowhere"])
def test_the_words_of_a_level_line_cover_no_mark_where_there_is_room(places: str) -> None:
    """Its own line crosses none of a merge's name either, unless that has no other place."""
    right = [Spent("ties", 99.0, 0.52, None, 1), Spent("simple", 1.0, 0.2, None, 1)]
    left = [Spent("ties", 1.0, 0.52, None, 1), Spent("simple", 99.0, 0.2, None, 1)]
    high = [Spent(f"m{k}", 10 ** (k / 4), 0.52, None, 1) for k in range(9)]
    spent = {"right": right, "left": left, "both": right[:1] + left[:1], "above": high, "nowhere": []}[places]
    crowd = [Spent(f"n{k}", 10 ** (k / 4), 0.5 + (k % 2 - 0.5) / 20, None, 1) for k in range(18)]
    spent = spent or [*crowd, Spent("simple", 1.0, 0.05, None, 1)]
    tree = ElementTree.fromstring(pareto("x", spent, levels={"best member": 0.5}))
    (said,) = [text for text in tree.iter(f"{SVG}text") if (text.text or "").startswith("best member 50")]
    x, y = float(said.attrib["x"]), float(said.attrib["y"])
    size = LETTER * len(said.text or "")
    start = x - size if said.attrib["text-anchor"] == "end" else x
    marks = [middle(m) for m in tree.iter() if m.tag in (f"{SVG}circle", f"{SVG}polygon")]
    covered = [m for m in marks if start - 6 < m[0] < start + size + 6 and y - HEIGHT - 6 < m[1] < y + 9]
    assert bool(covered) == (places == "nowhere"), (places, covered)


def test_no_name_stands_on_the_words_of_a_level_line_that_found_no_room() -> None:
    crowd = [Spent(f"n{k}", 10 ** (k / 4), 0.5 + (k % 2 - 0.5) / 20, None, 1) for k in range(12)]
    full = [*crowd, Spent("a_name", 900.0, 0.535, None, 1), Spent("simple", 1.0, 0.05, None, 1)]
    tree = ElementTree.fromstring(pareto("x", full, levels={"best member": 0.5}))
    boxes = []
    for text in tree.iter(f"{SVG}text"):
        words, x, y = text.text or "", float(text.attrib["x"]), float(text.attrib["y"])
        if words.startswith("best member") or (words in {s.method for s in full} and y < 330):
            size = LETTER * len(words)
            left = x - {"end": size, "middle": size / 2}.get(text.attrib.get("text-anchor", ""), 0)
            boxes.append((words, left, y - HEIGHT, left + size, y + 3))
    (level,) = [box for box in boxes if box[0].startswith("best member")]
    others = [box for box in boxes if box is not level]
    assert others and not [
        b for b in others if b[1] < level[3] and level[1] < b[3] and b[2] < level[4] and level[2] < b[4]
    ]


def test_figures_of_time_show_what_merges_are_held_against(tmp_path: Path) -> None:
    session = Session(Store(tmp_path), model="mine", suite="tickets")
    for method, wrong in (("best", 40), ("base", 100), ("ties", 60), ("simple", 80)):
        session.add(method, right(200, wrong))
    (group,) = groups(session.records, gold_of(session.store))
    (svg,) = [figure.svg for figure in figures(group) if figure.kind == "cost"]
    assert "best member 80.0" in svg and "ancestor and constant answer 50.0" in svg, "of one height they are one line"


def test_a_figure_of_many_methods_has_room_for_all_their_names() -> None:
    names = [f"a_method_with_a_long_name_{k}_grid" for k in range(60)]
    ranks = Ranking({name: float(k + 1) for k, name in enumerate(names)}, 3, 0.5, 4.0)
    crowd = pareto("x", [Spent(name, 1.0 + k, 0.5, 0.1, 1) for k, name in enumerate(names)])
    for svg, named in ((crowd, 12), (diagram("x", ranks), 60)):  # of a crowd the best, whose names fill no screen
        tree = ElementTree.fromstring(svg)
        wide, high = (float(n) for n in tree.attrib["viewBox"].split()[2:])
        words = [text for text in tree.iter(f"{SVG}text") if (text.text or "").startswith("a_method")]
        legend = [text for text in words if " 50.0" in (text.text or "")] or words  # a crowd's, beside names of marks
        assert len(legend) == named
        assert all(0 < float(text.attrib["y"]) < high for text in words)
        for text in words:
            x, size = float(text.attrib["x"]), 6 * len(text.text or "")
            assert 0 < (x - size if text.attrib.get("text-anchor") == "end" else x) < wide
            assert text.attrib.get("text-anchor") == "end" or x + size < wide


def middle(shape: ElementTree.Element) -> list[float]:
    """Where a mark lies, whatever its shape."""
    if shape.tag == f"{SVG}circle":
        return [float(shape.get(name) or 0) for name in ("cx", "cy")]
    corners = [[float(n) for n in pair.split(",")] for pair in (shape.get("points") or "").split()]
    return [sum(side) / len(corners) for side in zip(*corners, strict=True)]


def test_marks_of_a_landscape_lie_on_the_models_they_are() -> None:
    root = ElementTree.fromstring(landscape("x", terrain()))
    dots = list(root.iter(f"{SVG}circle"))
    origin, first, second = (middle(d) for d in dots if d.get("r") == "4")
    diamond, triangle = (middle(d) for d in list(root.iter(f"{SVG}polygon"))[-2:])
    assert triangle == pytest.approx(first, abs=0.1)  # evolver: a = 1, b = 0
    between = [(p + q) / 2 for p, q in zip(first, second, strict=True)]
    assert diamond == pytest.approx(between, abs=0.1) and origin != first


def test_a_group_gives_the_figures_that_its_records_allow() -> None:
    plain = [record("simple", cost={"merge_seconds": 0.1}), record("ties", cost={"merge_seconds": 2.0})]
    evolved = record("ties_evolver", cost={"merge_seconds": 9.0}, dev={"history": [0.1, 0.2]})
    (group,) = groups(plain)
    assert [f.kind for f in figures(group)] == ["cost", "corpora"]
    (group,) = groups([*plain, evolved])
    assert [f.kind for f in figures(group)] == ["cost", "curves", "corpora"]
    (bare,) = groups([record("avg", scores={})])
    assert list(figures(bare)) == []


def test_a_race_is_the_best_so_far_of_all_seeds_wherever_one_of_them_changes() -> None:
    one, other = [(1, 0.2), (2, 0.2), (3, 0.5)], [(2, 0.4), (6, 0.6)]
    assert together([one, other], min) == [(2, 0.2), (3, 0.4), (6, 0.5)], "from where both have begun"
    assert together([one, other], max) == [(2, 0.4), (3, 0.5), (6, 0.6)]
    assert together([one], max) == [(1, 0.2), (3, 0.5)]


def test_searches_of_one_budget_give_a_figure_with_a_panel_for_each_method(tmp_path: Path) -> None:
    session = Session(Store(tmp_path), suite="tickets", model="mine")
    for seed in (1, 2):
        for method in ("ties_random", "ties_cma", "simple_cma"):
            search(session, method, right(200, 60), seed=seed)
        bred = {"calls": 20, "history": [0.5, 0.6, 0.7], "score": 0.7}  # of two members, by generations
        session.add("ties_evolver", right(200, 50), seed=seed, calls=20, said=bred)
    for made in session.records:
        session.store.put(made)
    (group,) = groups(load(session.store).records, gold_of(session.store))
    (race,) = (figure for figure in figures(group) if figure.kind == "searches")
    words = [t.text for t in ElementTree.fromstring(race.svg).iter(f"{SVG}text")]
    assert {"ties", "simple", "random", "cma", "evolver", "development evaluations"} <= set(words)
    assert race.svg.count("stroke-dasharray") == 1, "random search alone"
    assert race.svg.count("<polygon") == 4 and "evolver in ties 70.0" in race.svg
    assert race.caption and race.caption in pages([group])[FOLDER / "mine.md"]
    (made,) = [r for r in group.records if r.method == "ties_evolver" and r.seed == 1]
    assert best_so_far(made) == [(16, 0.5), (18, 0.6), (20, 0.7)]
    curves_ = [figure for figure in figures(group) if figure.kind == "curves"]
    assert len(curves_) == 1 and "ties_evolver" in curves_[0].svg and "ties_cma" not in curves_[0].svg


def test_of_many_that_were_searched_a_figure_shows_six_where_most_compete_or_that_end_highest() -> None:
    """Forty panels of one line each are a page that nobody scrolls through."""

    def race(end: float) -> Race:
        return [[(1, 0.1), (12, end)]]

    panels = {f"m{k}": {"grid": race(k / 100)} for k in range(20, 60)} | {"both": {"grid": race(0.1), "cma": race(0.1)}}
    many, few = races("x", panels), races("x", {what: panels[what] for what in ("m20", "m21", "both")})
    said = re.findall(r"<text[^>]*>([^<]*)</text>", many)
    assert [what for what in panels if what in said] == ["m55", "m56", "m57", "m58", "m59", "both"]
    assert "and 35 more that were searched, in the tables" in said and "more that were" not in few
    assert "grid in m20 20.0" in many, "the description tells of all"
    (height,) = re.findall(r'<svg [^>]*height="(\d+)', many)
    assert int(height) < 1700


def test_every_evolution_of_a_figure_has_a_look_and_a_name_of_its_own_and_no_option_a_line() -> None:
    def evolved(method: str, seed: int, end: float, **told: Any) -> RunRecord:
        return record(method, seed, end, dev={"history": [0.1, end]}, **told)

    bases = ("ties", "simple", "fisher", "regmean")
    usual = [evolved(f"{m}_evolver", s, 0.2 + 0.2 * k) for k, m in enumerate(bases) for s in (1, 2)]
    option: dict[str, Any] = {"knobs": {"Cr": 0.1}}
    option["recipe"] = {"method": {"name": "ties_evolver", "version": 1, "knobs": {"Cr": 0.1}}}
    (group,) = groups([*usual, evolved("ties_evolver", 1, 0.9, **option), evolved("ties_evolver", 2, 0.9, **option)])
    (figure,) = (f for f in figures(group) if f.kind == "curves")
    said = re.findall(r"<text[^>]*>([^<]*_evolver[^<]*)</text>", figure.svg)
    assert sorted(said) == sorted(2 * [f"{base}_evolver" for base in bases]), "beside its line, and in the legend"
    colours = re.findall(r'<polyline [^>]*stroke="(#\w+)"', figure.svg)
    assert len(colours) == len(set(colours)) == len(bases)


OPTIONS: tuple[dict[str, Any], ...] = ({"F": 0.1}, {"F": 0.3})
BUDGETS: tuple[dict[str, Any], ...] = ({"generations": 5}, {"generations": 20})


@pytest.mark.parametrize("several", [OPTIONS, BUDGETS])
def test_evolutions_of_one_method_that_none_stands_for_are_all_drawn_by_their_whole_names(several: Any) -> None:
    made = []
    for knobs in several:
        recipe = {"method": {"name": "ties_evolver", "version": 1, "knobs": knobs}}
        for seed in (1, 2):
            dev = {"history": [0.1, 0.3 + 0.1 * several.index(knobs)]}
            made.append(record("ties_evolver", seed, 0.5, knobs=knobs, recipe=recipe, dev=dev))
    (group,) = groups(made)
    (figure,) = (f for f in figures(group) if f.kind == "curves")
    said = re.findall(r"<text[^>]*>([^<]*ties_evolver[^<]*)</text>", figure.svg)
    assert len(set(said)) == 2 and len(re.findall("<polyline", figure.svg)) == 2, said


def test_no_line_to_a_name_crosses_another_name_mark_or_line() -> None:
    """Of crowds as dense as those of a real table."""
    led = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        places = [(float(x), float(y)) for x, y in rng.uniform((60, 20), (340, 280), (30, 2))]
        drawing, beside = Drawing(400, 300, "t", "d"), Beside((0.0, 0.0, 400.0, 300.0), places)
        for k, at in enumerate(places[:20]):
            beside.put(drawing, at, f"a_name_{k}", angles=(*AROUND, *FAR))
        tree = ElementTree.fromstring(str(drawing))
        lines = [tuple(float(x.attrib[n]) for n in ("x1", "y1", "x2", "y2")) for x in tree.iter(f"{SVG}line")]
        names = [boxed(t) for t in tree.iter(f"{SVG}text")]
        led += len(lines)
        assert all((x1, y1) in [(round(a, 1), round(b, 1)) for a, b in places] for x1, y1, _, _ in lines)
        for x1, y1, x2, y2 in lines:
            on = [(x1 + (x2 - x1) * t, y1 + (y2 - y1) * t) for t in np.linspace(0.0, 0.97, 60)]
            hit = [box for box in names if any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in on)]
            assert not hit, (seed, hit)
            near = [p for p in places if p != (x1, y1) and any(abs(x - p[0]) < 5 and abs(y - p[1]) < 5 for x, y in on)]
            assert not [p for p in near if abs(p[0] - x1) > 7 or abs(p[1] - y1) > 7], seed
    assert led > 10


def boxed(said: ElementTree.Element) -> tuple[float, float, float, float]:
    """What a name covers, a little less than it keeps free."""
    x, y, size = float(said.attrib["x"]), float(said.attrib["y"]), LETTER * len(said.text or "")
    left = {"start": x, "end": x - size, "middle": x - size / 2}[said.attrib["text-anchor"]]
    return left + 1, y - HEIGHT + 1, left + size - 1, y + 2


def test_a_name_without_room_beside_its_mark_stands_away_from_it_with_a_line_to_it() -> None:
    frame, mark = (0.0, 0.0, 400.0, 300.0), (200.0, 150.0)
    crowded = [mark, (225.0, 152.0), (175.0, 152.0), (190.0, 132.0), (190.0, 170.0)]
    drawing = Drawing(400, 300, "t", "d")
    beside = Beside(frame, crowded)
    assert not beside.put(drawing, mark, "ties"), "no room beside it"
    assert beside.put(drawing, mark, "ties", angles=(*AROUND, *FAR))
    (line,) = ElementTree.fromstring(str(drawing)).iter(f"{SVG}line")
    assert (line.attrib["x1"], line.attrib["y1"]) == ("200", "150"), "from its mark"


def test_an_evolution_that_tells_every_evaluation_is_drawn_by_evaluations_alone() -> None:
    told = {"calls": 4, "history": [0.1, 0.2, 0.2, 0.4]}
    made = record("ties_evolver", dev=told, trace=shown_of({"scores": [0.1, 0.2, None, 0.4]}))
    assert best_so_far(made) == [(1, 0.1), (2, 0.2), (3, 0.2), (4, 0.4)] and by_generation(made) == []
    late = record("ties_cma", dev={"calls": 3}, trace=shown_of({"scores": [None, 0.2, 0.1]}))
    assert best_so_far(late) == [(2, 0.2), (3, 0.2)], "the first one failed"
    again = {"evaluations": 50, "scores": [0.1, 0.2, 0.3], "again": [{}, {}]}
    inner = record("greedy_soup_random", dev={"calls": 50}, trace=shown_of(again))
    assert best_so_far(inner) == [(10, 0.1), (20, 0.2), (30, 0.3)], "the method inside asks for nine scores itself"


def test_files_of_figures_say_what_is_shown_and_no_two_are_one() -> None:
    names = Files(["ranks.svg"])
    told = [
        "tiny, in-domain, 1,500 rows: score",
        "Tiny in-domain 1500 rows score",
        "ranks",
        "../../../x",
        "…",
        "a" * 300,
        f"{'b' * 300}, score against time",
    ]
    assert [names.named(Figure(each, "", "")).name for each in told] == [
        "tiny-in-domain-1500-rows-score.svg",
        "Tiny-in-domain-1500-rows-score-2.svg",
        "ranks-2.svg",
        "x.svg",
        "figure.svg",
        f"{'a' * 120}.svg",
        f"{'b' * 101}-score-against-time.svg",
    ]


def test_every_figure_of_a_page_is_a_file_and_every_file_is_on_a_page() -> None:
    made = [record(m, cost={"merge_seconds": 1.0}, model="roberta-base") for m in ("simple", "ties", "regmean")]
    ood = [record(m, setting="out_of_domain", model="gpt2") for m in ("simple", "ties", "regmean")]
    more = [record(m, model="t5") for m in ("simple", "ties", "regmean")]
    files = pages(groups([*made, *ood, *more]), [terrain()])
    shown = {
        str(path.parent / link)
        for path, text in files.items()
        if path.suffix == ".md"
        for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    }
    assert shown == {str(path) for path in files if path.suffix == ".svg"} and len(shown) == 6
    assert any("ranks-" in name for name in shown)
    few = pages(groups([*made, *ood]))
    assert not [path for path in few if "ranks-" in path.name], "of two questions a diagram would be one bar over all"
    assert any("cannot tell any two of these apart" in text for text in few.values())


def test_a_difference_lies_on_its_interval_and_right_of_zero_if_it_is_above() -> None:
    drawing = ElementTree.fromstring(
        intervals(
            "a is above b",
            "",
            [Between("one", 0.04, (0.01, 0.07), "holds"), Between("two", 0, (-0.02, 0.02), "undecided")],
        )
    )
    (zero, *_) = [float(line.get("x1") or 0) for line in drawing.iter(f"{SVG}line") if line.get("class") == "axis"]
    above, level = drawing.iter(f"{SVG}circle")
    ends = [[float(at.split(",")[0]) for at in bar.get("points", "").split()] for bar in drawing.iter(f"{SVG}polyline")]
    assert zero < ends[0][0] < float(above.get("cx") or 0) < ends[0][1]
    assert float(level.get("cx") or 0) == pytest.approx(zero, abs=0.1) and ends[1][0] < zero < ends[1][1]
    assert level.get("class") == "open" and above.get("class") is None, "what is undecided is hollow"
    words = [text.text for text in drawing.iter(f"{SVG}text")]
    assert {"+4.0 [1.0, 7.0]", "0.0 [-2.0, 2.0]"} <= set(words)
