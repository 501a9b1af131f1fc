"""What one choice does: which rows are a sweep, worked out by hand, and how pages show them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.protocol.protocol import Protocol
from harness.records.method_recipe import method_recipe
from harness.records.record import RunRecord
from leaderboard.pages import pages
from leaderboard.pages.changed import CALIBRATED
from leaderboard.pages.varied import varied
from leaderboard.plots.colours import apart, shape
from leaderboard.plots.dumbbells import dumbbells
from leaderboard.plots.lines import Mark, lines
from leaderboard.tables.ablations import usual_rows, variants
from leaderboard.tables.coefficients import coefficients
from leaderboard.tables.group import Group, groups
from leaderboard.tables.one_by_one import one_by_one
from leaderboard.tables.options import BUDGET, DEV_ROWS, USUAL
from leaderboard.tables.sweeps import Sweep, sweeps
from leaderboard.tables.table import headline
from leaderboard.tables.tuned import calibration, default_and_tuned
from methods import resolve
from tests.test_leaderboard_figures import EVIL
from tests.test_leaderboard_table import method_part, record

SVG = "{http://www.w3.org/2000/svg}"
F = {0.1: 0.30, 0.3: 0.40, 0.5: 0.46, 0.9: 0.45}  # of seed 1


def evolved(score: float, seed: int = 1, dev: float = 1.0, **knobs: Any) -> RunRecord:
    """An evolution of `simple` with options of its own, as recipes tell it."""
    part = method_part("simple_evolver")
    part["knobs"] = {**part["knobs"], "generations": 5, **knobs}
    search = {} if dev == 1 else {DEV_ROWS: dev}
    protocol = {"name": "quick", "search": search}
    return record("simple_evolver", seed, score, knobs={**knobs, **search}, recipe={"method": part}, protocol=protocol)


def plain(method: str, score: float, seed: int = 1) -> RunRecord:
    """A merge that reads no development rows."""
    return record(method, seed, score, protocol={"name": "quick"})


def by_f(*seeds: int) -> list[RunRecord]:
    """F at four values, of which 0.5 is not told; each further seed 0.1 above the one before."""
    of = [(value, score + 0.1 * (seed - 1), seed) for value, score in F.items() for seed in seeds]
    return [evolved(score, seed, **({} if value == 0.5 else {"F": value})) for value, score, seed in of]


def group_of(*records: RunRecord) -> Group:
    (group,) = groups(records)
    return group


def only(*records: RunRecord) -> Sweep:
    (sweep,) = sweeps(group_of(*records))
    return sweep


def test_usual_values_are_those_of_methods_and_protocols() -> None:
    made = {"evolver": resolve("simple_evolver"), "regmean": resolve("regmean")}
    told = {name: getattr(made[owner], option) for name in USUAL for owner, dot, option in [name.partition(".")] if dot}
    assert {**told, DEV_ROWS: Protocol().search.dev_fraction} == USUAL


def test_a_sweep_has_a_point_for_each_value_and_the_usual_one_is_read_from_the_row_that_tells_none() -> None:
    sweep = only(*by_f(1, 2, 3), *(plain("simple", 0.2 + 0.1 * s, s) for s in (1, 2, 3)))
    (points,) = sweep.lines.values()
    assert (sweep.option, sweep.usual, sweep.seeds, list(sweep.lines)) == (
        "evolver.F",
        0.5,
        (1, 2, 3),
        ["simple_evolver"],
    )
    assert [point.value for point in points] == [0.1, 0.3, 0.5, 0.9]
    assert points[0].mean == pytest.approx(0.40) and points[0].seeds == pytest.approx((0.3, 0.4, 0.5))
    assert sweep.beside == {"simple": pytest.approx(0.4)}
    # 0.1 lies 0.16 below 0.5 in every seed, so Student's t knows no doubt; 0.5 is held against nothing
    assert [p.told and p.told.verdict for p in points] == ["below", "below", None, "below"]


def test_only_seeds_that_all_points_share_count() -> None:
    some = [r for r in by_f(1, 2) if r.seed == 1 or r.knobs.get("F") != 0.9]
    assert only(*some).seeds == (1,)
    assert sweeps(group_of(*(r for r in by_f(1, 2) if (r.seed == 1) == (r.knobs.get("F") != 0.9)))) == []


@pytest.mark.parametrize(
    "records",
    [
        [evolved(0.5, F=0.1), evolved(0.5)],  # two values
        [evolved(0.5, F=0.1), evolved(0.5, F=0.3, Cr=0.9), evolved(0.5)],  # something else differs
        [record("best", knobs={DEV_ROWS: f}, protocol={"search": {DEV_ROWS: f}}) for f in (0.1, 0.2, 0.3)],
    ],
)
def test_what_is_no_sweep(records: list[RunRecord]) -> None:
    assert sweeps(group_of(*records)) == []


def test_the_share_of_development_rows_is_an_option_of_whoever_reads_them() -> None:
    shares = [evolved(s, dev=d) for d, s in ((0.1, 0.2), (0.5, 0.3), (1.0, 0.4))]
    sweep = only(*shares, plain("simple", 0.5))
    assert (sweep.option, sweep.usual, [p.value for p in sweep.lines["simple_evolver"]]) == (DEV_ROWS, 1, [0.1, 0.5, 1])


def test_a_budget_is_judged_by_what_it_gains_over_the_method_at_its_defaults() -> None:
    found = [evolved(s, budget=b) for b, s in ((4, 0.5), (8, 0.6), (16, 0.8))]
    sweep = only(*found, plain("simple", 0.5))
    assert sweep.option == BUDGET and sweep.gains and sweep.beside == {}
    assert [p.mean for p in sweep.lines["simple_evolver"]] == pytest.approx([0.0, 0.1, 0.3])
    alone = only(*found)
    assert not alone.gains and [p.mean for p in alone.lines["simple_evolver"]] == pytest.approx([0.5, 0.6, 0.8])


def of_budget(name: str, outer: str, budget: int, score: float, version: int | None = None) -> RunRecord:
    """A search as this version writes its recipe, or as another one did."""
    part = method_recipe(resolve(name, {outer: {"budget": budget}}))
    knobs, protocol = {"budget": budget}, {"name": "quick"}
    part |= {} if version is None else {"version": version}
    return record(name, score=score, knobs=knobs, recipe={"method": part}, protocol=protocol)


@pytest.mark.parametrize("name", ["simple+cma", "ties+random", "dare_linear+grid", "dfs", "ps_dfs"])
def test_a_version_that_follows_from_a_budget_leaves_no_budget_out(name: str) -> None:
    name, outer = name.replace("+", "_"), "search" if "+" in name else name
    found = [of_budget(name, outer, budget, budget / 100) for budget in (8, 16, 30, 50)]
    (line,) = only(*found).lines.values()
    assert [(point.value, point.mean) for point in line] == [(b, pytest.approx(b / 100)) for b in (8, 16, 30, 50)]


def test_a_budget_that_two_versions_were_given_shows_what_the_later_one_found() -> None:
    found = [of_budget("simple_cma", "search", budget, 0.5) for budget in (8, 16, 32)]
    earlier = of_budget("simple_cma", "search", 16, 0.1, 1)
    for twice in ([*found, earlier], [earlier, *found]):
        (line,) = only(*twice).lines.values()
        assert [point.mean for point in line] == [0.5, 0.5, 0.5]


def test_lines_are_named_by_what_they_do_not_share() -> None:
    steady = [evolved(0.5, F=f, Cr=c) for f in (0.1, 0.3, 0.9) for c in (0.1, 0.9)]
    assert list(only(*steady).lines) == ["simple_evolver Cr=0.1", "simple_evolver Cr=0.9"]


def one_more(method: str, count: int, score: float) -> RunRecord:
    """A merge of so many members, asked about all corpora."""
    says = {"title": "members one by one", "role": "ablation", "suite_title": "mine", "caption": "", "order": 1}
    members = ("isear", "tec", "tales")[:count]
    fields = {"suite": "mine", "setting": "one_by_one", "members": members, "population": "+".join(members)}
    return record(method, score=score, says=says, coverage=f"{count} of 3", **fields)


def test_members_one_by_one() -> None:
    group = group_of(*(one_more(m, n, s) for m, n, s in (("simple", 2, 0.3), ("simple", 3, 0.5), ("ties", 2, 0.4))))
    (one,) = one_by_one(group)
    assert {row: [(p.value, p.mean) for p in points] for row, points in one.lines.items()} == {
        "simple": [(2, 0.3), (3, 0.5)]
    }, "ties has one number of members alone"
    assert one.members == ("isear", "tec", "tales")
    (shown,) = varied(group)
    assert shown.outcome == "From 2 to 3 members: simple +20.0 points."
    assert one_by_one(group_of(one_more("simple", 2, 0.3))) == []


def searched(inner: str, score: float) -> RunRecord:
    """`inner` with coefficients that a grid of 12 evaluations found."""
    part = method_part(f"{inner}_grid")
    part["knobs"]["budget"] = 12
    return record(f"{inner}_grid", score=score, recipe={"method": part}, knobs={"budget": 12})


def test_coefficients_are_searched_around_a_merge_and_its_evolution() -> None:
    family = [record("simple", score=0.3), searched("simple", 0.4), record("simple_evolver", score=0.5)]
    assert coefficients(group_of(*family, record("ties", score=0.3), searched("ties", 0.4))) == []
    (one,) = coefficients(group_of(*family, searched("simple_evolver", 0.6), record("ties"), searched("ties", 0.4)))
    assert (one.optimiser, one.budget) == ("grid", 12)
    assert {row: (own.before, own.after) for row, own in one.rows.items()} == {
        "simple": (0.3, 0.4),
        "simple_evolver": (0.5, 0.6),
    }


def test_pages_show_the_figure_below_a_heading_of_its_own_and_list_it() -> None:
    made_up = [*by_f(1, 2), plain("simple", 0.4), plain("simple", 0.5, 2)]
    real = [
        replace(r, model="real", recipe={**r.recipe, "model": {"name": "real", "family": "encoder"}}) for r in made_up
    ]
    found = groups([*made_up, *real])
    files = {path.as_posix(): content for path, content in pages.pages(found).items()}
    (drawn,) = [name for name in files if "real-" in name and "score-by-F-the-scale-of-mutations" in name]
    folded = files["leaderboard/real.md"].split("<summary>What one choice does</summary>")[1].split("</details>")[0]
    assert drawn.removeprefix("leaderboard/") in folded and "Ablation, in-domain" in folded
    listed = files["ablations.md"]
    assert f"]({drawn})" in listed and listed.count("![") == 1, "made-up models are listed and not drawn"
    assert "[tiny-encoder (made up)](leaderboard/tiny-encoder.md#emotion-" in listed
    assert "Really below the usual value, 0.5: simple_evolver at 0.1" in listed
    assert "Figure 5" in listed and "## F, the scale of mutations" in listed


def test_how_a_figure_is_read_is_said_once_for_all_of_its_kind() -> None:
    made = [
        replace(r, model=model, recipe={**r.recipe, "model": {"name": model, "family": "encoder"}})
        for model in ("one", "two")
        for r in (*by_f(1, 2), plain("simple", 0.4), plain("simple", 0.5, 2))
    ]
    (listed,) = [c for path, c in pages.pages(groups(made)).items() if path.as_posix() == "ablations.md"]
    assert listed.count("![") == 2 and listed.count("Each line is a method's score") == 1
    table, *figures = listed.split("![")
    assert table.rstrip().endswith("which the option does not reach.")
    assert all("Really below the usual value" in figure for figure in figures)


def test_without_anything_varied_the_page_says_so() -> None:
    (content,) = [c for path, c in pages.pages(groups([record()])).items() if path.as_posix() == "ablations.md"]
    assert "No results yet." in content


def test_marks_stand_where_the_numbers_say() -> None:
    drawn = ElementTree.fromstring(
        lines("Score by F", EVIL, {EVIL: [Mark(0.1, 0.2, (0.1, 0.3)), Mark(0.9, 0.4, (0.4,))]}, ("F", "x"), {EVIL: 0.3})
    )
    assert len(drawn.findall(f"{SVG}circle") + drawn.findall(f"{SVG}polygon")) == 4, "two marks, a band, a legend"
    assert {"0.1", "0.9"} <= {e.text for e in drawn.iter(f"{SVG}text")}, "values are told below"
    (across,) = [e for e in drawn.iter(f"{SVG}polyline") if e.get("stroke-dasharray")]
    assert len({point.split(",")[1] for point in str(across.get("points")).split()}) == 1
    bells = ElementTree.fromstring(
        dumbbells("x", EVIL, ("a", "b"), {EVIL: (0.1, 0.3), "y": (0.2, None)}, "x", zero=True)
    )
    spots = [float(str(e.get("cx"))) for e in bells.iter(f"{SVG}circle") if e.find(f"{SVG}title") is not None]
    assert spots[0] < spots[2] < spots[1], "0.1 < 0.2 < 0.3"


def test_methods_of_one_family_are_told_apart_in_one_figure() -> None:
    assert apart(["simple_evolver", "ties_evolver"])["ties_evolver"] == ("#56b4e9", True, shape("ties"))
    looks = apart(["simple_evolver", "simple_cma", "simple_random"])
    assert len({(colour, form) for colour, _, form in looks.values()}) == 3


def test_calibration_is_held_against_what_was_tuned_and_not_against_points_of_a_sweep() -> None:
    calibrated = record("simple_calibrated", score=0.7, protocol={"name": "quick", "search": {}})
    (shown,) = [v for v in varied(group_of(plain("simple", 0.5), calibrated, *by_f(1))) if v.topic == CALIBRATED]
    assert "simple_evolver: calibrated alone 20.0, tuned alone -4.0" in shown.figure.svg
    assert "Cr" not in shown.figure.svg and "F=" not in shown.figure.svg


def test_the_share_of_development_rows_that_a_column_has_is_no_option_and_others_are_points_of_an_ablation() -> None:
    """Else a calibration on all of them, of two seeds, took the place of that of the column, of three."""

    def calibrated(share: float, seed: int, method: str = "simple_calibrated") -> RunRecord:
        search = {} if share == 1 else {DEV_ROWS: share}
        told = {"name": "quick", "search": search}
        return replace(record(method, seed, 0.7, knobs=search, protocol=told), dev={"calls": 1})

    seeds = (1, 2, 3)
    own = [calibrated(0.3, seed, m) for seed in seeds for m in ("simple_calibrated", "ties_calibrated")]
    own += [evolved(0.65, seed, 0.3) for seed in seeds]
    others = [asked for share in (0.1, 1.0) for asked in (calibrated(share, 1), evolved(0.9, 1, share))]
    group = group_of(*(plain("simple", 0.5, seed) for seed in seeds), *own, *others, evolved(0.8, 1, 0.3, F=0.9))
    (block,) = group.blocks()
    points = {f"simple_{kind}{share}" for kind in ("calibrated", "evolver") for share in ("", " dev_fraction=0.1")}
    assert variants(block.rows).keys() == points | {"simple_evolver F=0.9 dev_fraction=0.3"}
    stands = {m: f"{m} dev_fraction=0.3" for m in ("simple_calibrated", "ties_calibrated", "simple_evolver")}
    assert usual_rows(block.rows) == {"simple": "simple", **stands}, "the README shows these"
    assert headline(group).shared == ("dev_fraction=0.3",), "what points of an ablation have, no row of the table has"
    (table,), (both,) = calibration(group), default_and_tuned(group)
    (simple,) = [row for row in table.rows if row.row == "simple"]
    assert simple.gain and simple.tuned_gain and simple.beyond, "whole, of three seeds each"
    assert (round(simple.gain.mean, 4), round(simple.tuned_gain.mean, 4)) == (0.2, 0.15)
    assert [pair.tuned_row for pair in both.pairs] == ["simple_evolver dev_fraction=0.3"]
