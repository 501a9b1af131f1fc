"""One module that answers as a merge does, whatever kind of merge it is: the only place that knows kinds.

one set of weights   the live module, pointed at them
ensemble             not one module: whoever reads logits averages those of its members
route                a view of the live module's blocks, in the order of its hops
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

from harness.families.hops.view import hop_view
from methods.errors import NotApplicable
from methods.merged import Ensemble, Merged, PerTask, Route, Weights

if TYPE_CHECKING:
    from harness.judging.scoring import LiveModel


@contextmanager
def speaking(live: LiveModel, merged: Merged, scope: str = "", head: Weights | None = None) -> Iterator[nn.Module]:
    """The module, for as long as nobody else points the live one at something.

    Args:
        scope: the corpus' name, by which a model of several tasks knows which head is meant.
        head: the task's own head, where heads are not merged.
    """
    if isinstance(merged, Route):
        first = merged.members[0]
        with live.turn:
            live.point_at({**first, **head} if head else first, scope)
            yield hop_view(live.model, merged)
        return
    if isinstance(merged, Ensemble | PerTask):
        raise NotApplicable(f"a {type(merged).__name__} cannot be asked so")
    assert isinstance(merged, Mapping)
    with live.turn:
        live.point_at({**merged, **head} if head else merged, scope)
        yield live.model
