"""One number for each output of a layer, added to its logits so that the development score is as high as it gets.

    for each output, in turn, until nothing gains:  o = argmax score(logits + o), the least |o| of equals

An answer changes only where a row's logit passes what it is held against, so only the middles between two such places
are tried, and what lies beyond the last ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.asking import Answered, Said

ROUNDS = 5
MOST = 100  # places of one output that are tried
APART = 1e-4  # two rows whose logits are nearer than this change together: rounding must not tell them apart
GAIN = 1e-12  # of a score: less is rounding


def fitted(said: Said) -> dict[str, Tensor]:
    """Layer -> (outputs,) in float64; 0 where nothing is gained."""
    layers: dict[str, list[Answered]] = {}
    for answered in said.answered.values():
        layers.setdefault(answered.layer, []).append(answered)
    found = {layer: _start(rows) for layer, rows in layers.items()}
    best = said.score(found)
    for _ in range(ROUNDS):
        before = best
        for layer, rows in layers.items():
            if rows[0].kind != "regression":
                for output in range(len(found[layer])):
                    best = _climb(said, found, layer, output, rows, best)
        if best <= before + GAIN:
            break
    return found


def _start(rows: list[Answered]) -> Tensor:
    """0; of scores, whose correlation no number changes, the mean error."""
    nothing = torch.zeros(rows[0].logits.shape[1], dtype=torch.float64)
    if rows[0].kind != "regression":
        return nothing
    errors = torch.cat([own.labels.double() - own.logits[:, 0].double() for own in rows])
    return nothing + errors.mean() if len(errors) else nothing


def _climb(said: Said, found: dict[str, Tensor], layer: str, output: int, rows: list[Answered], best: float) -> float:
    """Move one output to where the score is highest. Gives that score."""
    kept = found[layer]
    for value in _worth_a_try(rows, kept, output):
        tried = kept.clone()
        tried[output] = value
        score = said.score({**found, layer: tried})
        if score > best + GAIN:
            best, found[layer] = score, tried
    return best


def _worth_a_try(rows: list[Answered], offsets: Tensor, output: int) -> list[float]:
    """The middles of all intervals in which nobody's answer changes, from 0 outwards."""
    places = torch.cat([_flips(own, offsets, output) for own in rows]).sort().values
    if not len(places):
        return []
    apart = torch.cat([places.diff() > APART, torch.tensor([True])])
    lasts, firsts = places[apart], places[torch.cat([torch.tensor([True]), apart[:-1]])]
    margin = max(float(places[-1] - places[0]) / len(places), APART)
    middles = [float(firsts[0]) - margin, *((lasts[:-1] + firsts[1:]) / 2).tolist(), float(lasts[-1]) + margin]
    if len(middles) > MOST:
        middles = [middles[round(i * (len(middles) - 1) / (MOST - 1))] for i in range(MOST)]
    return sorted(middles, key=abs)


def _flips(own: Answered, offsets: Tensor, output: int) -> Tensor:
    """(rows,): the offset of this output from which a row is answered otherwise."""
    logits = own.logits.double()
    if own.kind == "multi_label":
        return own.threshold - logits[own.labels[:, output] >= 0, output]
    others = [k for k in range(logits.shape[1]) if k != output]
    if not others:
        return logits.new_empty(0)
    return (logits + offsets)[:, others].amax(dim=1) - logits[:, output]
