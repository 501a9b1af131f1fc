"""One module that answers as a merge does, whatever kind of merge it is: the only place that knows kinds.

one set of weights   the live module, pointed at them
ensemble             a view of the live module for each member, whose logits are averaged step by step; where logits
                     are all that is asked for, members answer one after the other and nothing is held beside one
route                a view of the live module's blocks, in the order of its hops
one for each task    that of the task that is asked, made tensor by tensor
any with offsets     what it is without them, and then their numbers are added to its logits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.families.batches import Batches
from harness.families.hops.view import hop_view
from harness.judging.chorus import Chorus, view
from harness.spread.limits import NO_ROOM
from methods.ensemble import combine
from methods.errors import NotApplicable
from methods.merged import Ensemble, Merged, Offset, Route, Weights, for_task, heart_of, offsets_of

if TYPE_CHECKING:
    from harness.judging.live import LiveModel


@contextmanager
def speaking(live: LiveModel, merged: Merged, scope: str = "", head: Weights | None = None) -> Iterator[nn.Module]:
    """The module, for as long as nobody else points the live one at something.

    Args:
        scope: the corpus' name, by which a model of several tasks knows which of them is meant.
        head: the task's own head, where heads are not merged.

    Errors: `NotApplicable` where the merge has nothing for this corpus.
    """
    asked = for_task(merged, scope, live.task.name)
    if isinstance(asked, Offset):
        raise NotApplicable(f"{scope}: the merge adds to logits, and answers that are written have none; ask it others")
    if isinstance(asked, Ensemble):
        if live.spread:
            raise NotApplicable(f"{scope}: several models would answer side by side, {NO_ROOM}")
        yield Chorus([view(live.model, dict(live.brought(m, scope, head))) for m in asked.members]).eval()
        return
    if isinstance(asked, Route):
        with live.turn:
            live.point_at(asked.members[0], scope, head)
            yield hop_view(live.model, asked)
        return
    assert isinstance(asked, Mapping)
    with live.turn:
        live.point_at(asked, scope, head)
        yield live.model


def logits(live: LiveModel, rows: Batches, merged: Merged, scope: str = "", head: Weights | None = None) -> Tensor:
    """(rows, outputs) of a merge; an ensemble's are the mean of its members', each of the outputs that it knows."""
    asked = for_task(merged, scope, live.task.name)
    if (added := offsets_of(asked, scope, live.task.name)) is not None:
        return logits(live, rows, heart_of(asked), scope, head) + torch.tensor(added)
    if isinstance(asked, Ensemble):
        return combine(torch.stack([logits(live, rows, m, scope, head) for m in asked.members]), asked.annotated)
    with speaking(live, asked, scope, head) as model:
        return live.logits(rows, model)
