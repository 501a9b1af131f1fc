"""EMR: one model of the largest agreed changes, and for each task a mask of it and a scale.

    g = sign(sum_i t_i),    t_i = x_i - x_0;    a sum of 0 counts as negative
    u = g * max |t_i| over the members i whose sign is g
    m_i = 1 where t_i g > 0
    s_i = size(t_i) / size(m_i u)
    the model of task i = x_0 + s_i m_i u

It is a model of its own for each task that a member was fine-tuned on, not one for all: who asks must know the task of
a row, and then a row costs one pass. Kept are the unified model, the ancestor, one bit for each member and scalar, and
N numbers. So it is 2 + N/32 models in float32, 2.16 for five members; in memory, where a bit takes a byte, 2 + N/4.
Members are not kept. A corpus that is no member's has no model here, and is refused.

Nothing is tuned. `size` is what the authors' code measures by, the sum over tensors of the mean of |.|, so that a bias
weighs as much as an embedding; `global` is the paper's, the sum over all scalars. A member that is outvoted everywhere
has an empty mask: its scale is 1, and its task's model is the ancestor. Tensors that the ancestor lacks are averaged.
Heads that are the task's own stay with their task; a head of many labels is merged by annotation, as everywhere here,
and no size counts it.

Elsewhere: the authors' EMR_Merging and fusion_bench's emr_merging are `size=per_tensor_mean`; both keep every task's
own head.

References:
    Huang, Ye, Chen, He, Yue, Ouyang. EMR-Merging: Tuning-Free High-Performance Model Merging. NeurIPS 2024.
    https://arxiv.org/abs/2405.17461
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from methods.base import DevScore, PerTask, Population, working_dtype
from methods.catalogue import register
from methods.heads import label_aware
from methods.simple import average_all
from methods.tensors.pieces import blank_like, pieces
from methods.tensors.task_vector import tensors_in_common


@register("emr", paper="Huang et al., NeurIPS 2024, arXiv:2405.17461")
@dataclass(frozen=True)
class Emr:
    """For each task what its member agrees with, of the largest changes of all."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("ancestor", "the task of a row")

    size: Literal["per_tensor_mean", "global"] = "per_tensor_mean"  # what scales are ratios of

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> PerTask:
        """Errors: `NotApplicable` without an ancestor."""
        order = sorted(range(len(population)), key=population.names.__getitem__)  # so that no rounding depends on it
        population = population.subset(tuple(order))
        heads = population.output_layer if population.annotated is not None else ()
        named = [name for name in tensors_in_common("emr", population) if name not in heads]
        first = population.members[0]
        unified = blank_like(first)
        masks: list[dict[str, Tensor]] = [{} for _ in population.members]
        sizes = torch.zeros(2, len(population), dtype=torch.float64)  # of what members changed, and of what is kept
        for name in named:
            tensors, origin = [member[name] for member in population.members], population.ancestor[name]
            own = [torch.empty(origin.shape, dtype=torch.bool, device=first[name].device) for _ in tensors]
            sums = _elect(tensors, origin, unified[name], own)
            sizes += sums / max(1, origin.numel()) if self.size == "per_tensor_mean" else sums
            for kept, mask in zip(masks, own, strict=True):
                kept[name] = mask
        rest = set(unified).difference(named)
        average_all({name: unified[name] for name in unified if name in rest}, population.members)
        scales = torch.where(sizes[1] > 0, sizes[0] / sizes[1], torch.ones(())).tolist()
        return PerTask(
            label_aware(population, unified),
            {name: population.ancestor[name].to(first[name]) for name in named},
            dict(zip(population.names, masks, strict=True)),
            dict(zip(population.names, scales, strict=True)),
        )


def _elect(tensors: Sequence[Tensor], origin: Tensor, unified: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """Write the unified model and all masks of one tensor.

    Where the sum of changes is positive, the largest agreed change is that of the largest x, and else of the smallest:
    the unified model is a member's own number, without a rounding.

    Returns:
        (2, N) in float64: the sums of |t_i|, and of |u| under the mask of member i.
    """
    flat, start, target = [tensor.reshape(-1) for tensor in tensors], origin.reshape(-1), unified.view(-1)
    work, bits, sums = working_dtype(unified), [mask.view(-1) for mask in masks], []
    for piece in pieces(target):
        xs, base = torch.stack([x[piece] for x in flat]), start[piece].to(unified.device, work)
        changes = xs.to(work) - base
        up = changes.sum(0) > 0
        target[piece] = chosen = torch.where(up, xs.amax(0), xs.amin(0))
        kept = torch.where(up, xs > base, xs < base)
        for mask, own in zip(bits, kept, strict=True):
            mask[piece] = own
        agreed = (chosen.to(work) - base).abs() * kept
        sums.append(torch.stack([changes.abs().sum(1, dtype=torch.float64), agreed.sum(1, dtype=torch.float64)]).cpu())
    return torch.stack(sums).sum(0) if sums else torch.zeros(2, len(tensors), dtype=torch.float64)
