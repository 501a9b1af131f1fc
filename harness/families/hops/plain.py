"""A route as a plain deeper model, without anything that multiplies on the way: where that is exact."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from harness.families.blocks import stacks
from harness.families.hops.fold import folds_of
from harness.families.hops.view import hop_view, ways_of
from methods.errors import NotApplicable
from methods.merged import Route


def plain(model: nn.Module, route: Route) -> nn.Module:
    """The view of a route whose scales are folded into the weights of the blocks before; those are copies.

    Args:
        model, route: as of `hop_view`.

    Errors: `NotApplicable` in one line where no plain model computes the same.
    """
    view = hop_view(model, replace(route, hops=tuple(replace(hop, scale=1.0) for hop in route.hops)))
    for stack, way in ways_of(route, found := stacks(model)).items():
        scaled = [place for place, hop in enumerate(way) if hop.scale != 1]
        if scaled and route.scale == "stream":
            raise NotApplicable(
                f"hop {scaled[0] + 1} of {stack} multiplies all that comes in by {way[scaled[0]].scale:g}, which no "
                "plain model does; a route can be written whose scale is 'update', or whose scales are 1"
            )
        if 0 in scaled:
            raise NotApplicable(
                f"the first hop of {stack} multiplies the embeddings by {way[0].scale:g}, which no plain model does; "
                "let the first scale be 1 to write a route"
            )
        folds = folds_of(model, found[stack], list(dict.fromkeys(way[place - 1].block for place in scaled)))
        for place in scaled:
            block = way[place - 1].block
            if block not in folds:
                raise NotApplicable(
                    f"what {block} adds last has no weights of its own that its scale could be written into, so the "
                    "route cannot be written as a plain model"
                )
            fold, hop = folds[block], view.get_submodule(f"{stack}.{place - 1}")
            for parameter in hop.get_submodule(fold.module).parameters(recurse=False):
                parameter.data = fold.scaled(parameter.data, way[place].scale)
    return view
