"""What a record tells of a route, and that the reader of records believes it."""

from __future__ import annotations

import torch

from harness.cells.way import way
from leaderboard.tables.routes import wrong_with
from methods.merged import Ensemble, Hop, Route, Weights


def model(*stacks: tuple[str, int]) -> Weights:
    names = [f"{stack}.{k}.weight" for stack, count in stacks for k in range(count)]
    return {name: torch.zeros(1) for name in ("embed.weight", *names)}


def test_a_route_is_told_with_the_blocks_of_each_source_and_their_names_where_they_have_some() -> None:
    members = (model(("model.layers", 2)), model(("model.layers", 3)))
    found = Route(
        members,
        (Hop(0, "model.layers.1"), Hop(1, "model.layers.2", 0.5)),
        "stream",
        {"route": {"members": ["a", "b"], "cut": 2}},
    )
    told = way(found)["route"]
    assert told["hops"] == [[0, "model.layers.1", 1.0], [1, "model.layers.2", 0.5]] and told["scale"] == "stream"
    assert (
        told["stacks"] == {"model.layers": [2, 3]}
        and (told["sources"], told["cut"]) == (["a", "b"], 2)
        and not wrong_with(told)
    )
    two = model(("encoder.block", 1), ("decoder.block", 2))
    both = way(Route((two, two), (Hop(1, "encoder.block.0"), Hop(0, "decoder.block.1"))))["route"]
    assert both["stacks"] == {"encoder.block": [1, 1], "decoder.block": [2, 2]} and not {"sources", "cut"} & both.keys()
    assert not wrong_with(both)


def test_what_is_no_route_is_told_of_none() -> None:
    one = model(("model.layers", 1))
    assert way(one) == way(Ensemble((one, one))) == way(None) == {}
