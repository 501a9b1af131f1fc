"""The space of routes: one variable for each place, and those of the scales.

At the start A's own way is on and all scales are 1: a search begins with A. The chance of a place to be as it is at
the start is `prior`, in first draws; 0.9 of 32 places, and of more as much as leaves some three that change at once,
since a model survives few changes however deep it is. Where places are numbers (`pair`), this is how far from 0 they
begin: so far that a first step of a sixth of the range crosses 0 with the chance 1 - prior. The paper says no more than
that A's blocks are likely at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from methods.routes.decoding import Track
from methods.routes.slots import Slot
from methods.space import Gene, Variable

STEP = 1 / 3  # a sixth of -1 to 1
LIKELY, CHANGED, LIKELIEST = 0.9, 3.2, 0.998  # places that change at once; above the last, numbers would begin outside
_ON, _CHOSEN = Gene("on", -1.0, 1.0), Gene("on", choices=(False, True))


def variables_of(track: Track, names: Sequence[str], prior: float | None, reach: float) -> Iterator[Variable]:
    """The variables of one stack: its places in order, then the scales.

    Args:
        names: of the members, A first.
        prior: the chance of a place to be as in A's own way; by the number of places, if None.
        reach: how many times a scale may be larger than 1, or smaller; `pair` has what is as far from 1 below, not
            below 0.
    """
    usual = min(max(LIKELY, 1 - CHANGED / len(track.slots)), LIKELIEST)
    for slot in track.slots:
        yield _place(track, slot, names, usual if prior is None else prior)
    if track.preset == "hop":
        gene = Gene("log_scale", -math.log(reach), math.log(reach), 0.0)
        for slot in track.slots:
            yield Variable(gene, gene.low, gene.high, 0.0, names[slot.source], _where(track, slot))
        return
    gene = Gene("deviation", max(-1.0, 1 - reach), reach - 1, 0.0)
    blocks = [f"{name} {block}" for name in names for block in track.stack.blocks]
    for before in blocks:
        for after in blocks:
            yield Variable(gene, gene.low, gene.high, 0.0, "", f"{after} from {before}")


def _place(track: Track, slot: Slot, names: Sequence[str], prior: float) -> Variable:
    on, where = track.starts_on(slot), _where(track, slot)
    chances = (1 - prior, prior) if on else (prior, 1 - prior)
    if track.preset == "hop":
        return Variable(_CHOSEN, 0.0, 1.0, float(on), names[slot.source], where, chances)
    offset = STEP * NormalDist().inv_cdf(prior)
    return Variable(_ON, -1.0, 1.0, offset if on else -offset, names[slot.source], where, chances)


def _where(track: Track, slot: Slot) -> str:
    return f"{track.stack.blocks[slot.block]}, pass {slot.turn + 1}"
