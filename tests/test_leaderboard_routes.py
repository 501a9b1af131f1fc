"""Routes as tables and figures have them: read from records, refused where edited, drawn so that a phone shows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.audit import load
from leaderboard.pages import pages, terminal
from leaderboard.pages.figures import figures
from leaderboard.pages.routes import caption, figure, ways
from leaderboard.tables.group import groups
from leaderboard.tables.routes import way_of, wrong_with
from tests.test_leaderboard_table import record

SVG = "{http://www.w3.org/2000/svg}"
STACK = "model.layers"
HOPS: list[list[Any]] = [
    [0, f"{STACK}.0", 1.0],
    [1, f"{STACK}.2", 0.87],
    [1, f"{STACK}.2", 1.2],
    [0, f"{STACK}.3", 1.0],
]
ROUTE: dict[str, Any] = {"hops": HOPS, "scale": "update", "stacks": {STACK: [4, 4]}, "sources": ["fluent", "maths"]}
T5: dict[str, Any] = {
    "hops": [[0, "encoder.block.0", 1.0], [1, "decoder.block.0", 0.5]],
    "scale": "stream",
    "stacks": {"encoder.block": [1, 1], "decoder.block": [1, 1]},
}


def routed(route: Any = ROUTE, method: str = "dfs", times: float = 1.0, **fields: Any) -> RunRecord:
    cost = {"merge_seconds": 1.0, "inference_models": times}
    return record(method, details={"route": route}, cost=cost, **fields)


def circles(svg: str) -> list[ElementTree.Element]:
    """The hops, which say what they are to who points at them."""
    return [dot for dot in ElementTree.fromstring(svg).iter(f"{SVG}circle") if dot.find(f"{SVG}title") is not None]


def test_a_route_is_a_path_from_hop_to_hop_through_a_lane_for_each_source() -> None:
    (group,) = groups([routed(), record("simple")])
    (block,) = group.blocks()
    svg = figure("tiny-decoder, recipes", ways(block))
    hops = circles(svg)
    assert [dot.findtext(f"{SVG}title") for dot in hops] == [
        *("hop 1: fluent 0", "hop 2: maths 2 x 0.87", "hop 3: maths 2 x 1.2", "hop 4: fluent 3")
    ]
    across, down = ([float(dot.get(axis, "")) for dot in hops] for axis in ("cx", "cy"))
    assert across == sorted(across) and len(set(across)) == 4, "in order"
    assert down[3] < down[0] < down[1] == down[2], "later blocks higher up, the second source below the first"
    assert len({hops[0].get("fill"), hops[1].get("fill")}) == 2 and hops[1].get("fill") == hops[2].get("fill")
    (path,) = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    places = [tuple(map(float, pair.split(","))) for pair in str(path.get("points")).split()]
    assert places == list(zip(across, down, strict=True))


def test_scales_stand_below_as_bars_up_and_down_from_one_and_not_where_all_are_one() -> None:
    (group,) = groups([routed()])
    root = ElementTree.fromstring(figure("x", ways(group.blocks()[0])))
    bars = {bar.findtext(f"{SVG}title"): bar for bar in root.iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None}
    (axis,) = (line for line in root.iter(f"{SVG}line") if line.get("class") == "axis")
    down, up = bars["hop 2: maths 2 x 0.87"], bars["hop 3: maths 2 x 1.2"]
    assert float(down.get("y", "")) == float(axis.get("y1", "")), "it hangs from 1"
    assert float(up.get("y", "")) + float(up.get("height", "")) == pytest.approx(float(axis.get("y1", "")), abs=0.11)
    assert float(up.get("height", "")) > float(down.get("height", "")) and bars["hop 1: fluent 0"].get("height") == "0"
    assert "scale (update)" in [text.text for text in root.iter(f"{SVG}text")]
    level = {**ROUTE, "hops": [[0, f"{STACK}.{k}", 1.0] for k in range(4)]}
    assert "scale (" not in figure("x", ways(groups([routed(level)])[0].blocks()[0]))


def test_a_route_fits_a_phone_at_the_size_of_its_words() -> None:
    long = {
        **ROUTE,
        "hops": [[k % 2, f"{STACK}.{k % 30}", 1.0 + k / 200] for k in range(150)],
        "stacks": {STACK: [30] * 2},
    }
    (group,) = groups([routed(long, method="a_method_with_a_rather_long_name_that_somebody_has_registered_elsewhere")])
    root = ElementTree.fromstring(
        figure("a model with a long name, a suite with a long name, a column", ways(group.blocks()[0]))
    )
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert width == 390 and f"0 0 390 {root.get('height')}" == root.get("viewBox")
    for text in root.iter(f"{SVG}text"):
        x, wide = float(text.get("x", "")), 6.2 * len(text.text or "")  # 12 pixels high
        begins = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.get("text-anchor", "start")]
        assert begins >= 0 and begins + wide <= 390, text.text
    dots = circles(figure("x", ways(group.blocks()[0])))
    assert len(dots) == 150 and all(
        0 < float(d.get("cx", "")) < 390 and 0 < float(d.get("cy", "")) < height for d in dots
    )


def test_a_model_page_shows_its_routes_and_says_each_hop_in_words() -> None:
    told = [routed(), routed(T5, method="layer_swap"), record("simple"), routed(method="dfs", seed=2)]
    (group,) = groups(told)
    drawn = [found for found in figures(group) if found.kind == "routes"]
    assert len(drawn) == 1 and drawn[0].svg.count("seed 1") >= 2 and "seed 2" not in drawn[0].svg
    page = pages.pages([group])[pages.FOLDER / "tiny-encoder.md"]
    assert "- dfs, seed 1: 1:0, 2:2 x 0.87, 2:2 x 1.2, 1:3\n" in page and drawn[0].caption in page
    assert "- layer_swap, seed 1: encoder 1:0, decoder 2:0 x 0.5\n" in page, "each stack is named where there are two"
    words = [t.text for t in ElementTree.fromstring(drawn[0].svg).iter(f"{SVG}text")]
    assert {"layer_swap, seed 1, encoder", "layer_swap, seed 1, decoder", "source 1", "fluent"} <= set(words)
    assert "4 hops, and 4 blocks in one model: x 1" in words
    assert not [found for found in figures(groups([record("simple")])[0]) if found.kind == "routes"]


def test_a_stack_that_a_route_leaves_as_it_is_has_no_panel() -> None:
    (group,) = groups([routed({**T5, "hops": T5["hops"][:1]})])
    words = [t.text for t in ElementTree.fromstring(figure("x", ways(group.blocks()[0]))).iter(f"{SVG}text")]
    assert "dfs, seed 1, encoder" in words and "dfs, seed 1, decoder" not in words


def test_hostile_names_are_words(tmp_path: Path) -> None:
    evil = "</title><script>alert(1)</script>|"
    (group,) = groups([routed({**ROUTE, "sources": [evil, "b"]}, method=evil)])
    svg, words = figure(evil, ways(group.blocks()[0])), caption(ways(group.blocks()[0]))
    assert not list(ElementTree.fromstring(svg).iter(f"{SVG}script")) and "<" not in words


def test_costs_say_how_many_models_a_route_is_with_two_digits_and_how_many_an_ensemble_runs_without() -> None:
    costly = {"merge_seconds": 1.0, "inference_models": 3}
    kept = {"merge_seconds": 1.0, "inference_models": 1, "stored_parameters": 1234567}
    (group,) = groups([routed(times=1.9000001), record("ensemble", cost=costly), record("simple", cost=kept)])
    page = pages.session([group])
    spent = page[page.index("#### Cost") :].splitlines()
    rows = {cells[0]: cells for cells in (line.strip("| ").split(" | ") for line in spent if line.startswith("| "))}
    assert (rows["dfs"][5], rows["ensemble"][5], rows["simple"][5]) == ("1.9", "3", "1")
    assert rows["method"][6] == "parameters stored" and rows["simple"][6] == "1,234,567" and rows["dfs"][6] == "—"
    assert "1.9 " in terminal.tables([group]) and "1.9000" not in terminal.tables([group]) + page
    (without,) = groups([record("ensemble", cost=costly)])
    assert "parameters stored" not in pages.session([without])


def test_costs_say_what_must_be_known_and_what_was_learned_from_where_some_method_asks_for_it() -> None:
    told = {"emr": {"tasks": 3, "stored_parameters": 20}, "adamerging": {"unlabelled_rows": 1600}, "simple": {}}
    (group,) = groups([record(m, cost={"merge_seconds": 1.0, "inference_models": 1, **c}) for m, c in told.items()])
    spent = pages.session([group]).split("#### Cost")[1].splitlines()
    rows = {cells[0]: cells[6:] for cells in (line.strip("|").split("|") for line in spent if line.startswith("| "))}
    shown = {name.strip(): [cell.strip() for cell in own] for name, own in rows.items()}
    assert shown["method"] == ["parameters stored", "must be known", "rows learned from"]
    assert shown["emr"] == ["20", "which of 3 tasks", "—"]
    assert shown["adamerging"] == ["—", "", "1,600"] and shown["simple"] == ["—", "", "—"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hops": []}, "is no list of 1 to 1,000 hops"),
        ({"hops": [HOPS[0]] * 1001}, "is no list of 1 to 1,000 hops"),
        ({"hops": [[2, f"{STACK}.0", 1.0]]}, "which is none"),
        ({"hops": [[0, f"{STACK}.4", 1.0]]}, "which is none"),
        ({"hops": [[0, "elsewhere.0", 1.0]]}, "which is none"),
        ({"hops": [[0, f"{STACK}.0", "1"]]}, "which is none"),
        ({"hops": [[0, f"{STACK}.0"]]}, "which is none"),
        ({"hops": [[True, f"{STACK}.0", 1.0]]}, "which is none"),
        ({"scale": "both"}, "has the scale 'both', wanted update or stream"),
        ({"stacks": {}}, "does not say how many blocks each source has"),
        ({"stacks": {STACK: [4, 0]}}, "does not say how many blocks each source has"),
        ({"stacks": {STACK: [4, 4], "other": [4]}}, "does not say how many blocks each source has"),
        ({"sources": ["one"]}, "names more or fewer sources than it has"),
        ({"sources": ["one", 2]}, "has sources whose names are no texts"),
    ],
)
def test_what_is_no_route_is_not_drawn_and_said(changes: dict[str, Any], said: str) -> None:
    wrong = {**ROUTE, **changes}
    assert said in wrong_with(wrong) and way_of(routed(wrong)) is None
    assert not wrong_with(ROUTE) and not wrong_with(T5) and way_of(record()) is None


def test_a_record_whose_route_was_edited_is_not_believed(tmp_path: Path) -> None:
    sound = routed(trace={"route": {"hops": [HOPS[0], [1, f"{STACK}.2", 0.87000000001], *HOPS[2:]]}})
    edited = {**ROUTE, "hops": [HOPS[0], HOPS[3], HOPS[2], HOPS[3]]}
    for place, (made, said) in enumerate(
        (
            (sound, ""),
            (replace(sound, details={"route": edited}), "its route is not that of its trace"),
            (
                replace(sound, cost={"inference_models": 2.0}),
                "cost.inference_models is 2.0, and its route has 4 hops, 1 models",
            ),
            (replace(sound, details={"route": {**ROUTE, "scale": 2}}), "its route has the scale 2"),
            (replace(sound, trace={"route": {"hops": 3}}), "its route is not that of its trace"),
            (replace(sound, details={"route": []}), "its route does not say how many blocks"),
        )
    ):
        store = Store(tmp_path / str(place))
        store.put(made)
        found = load(store)
        assert (len(found.records), bool(found.damaged)) == (0 if said else 1, bool(said)) and said in "".join(
            found.damaged
        )
