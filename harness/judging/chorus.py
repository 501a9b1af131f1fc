"""Several models as one: what it answers is, step by step, the mean of what each of them would go on with.

So an ensemble can write: every member reads what all have written together, with a cache of its own. Members are views
of one module, whose parameters are the members' own tensors: nothing is copied but the modules' outlines.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from methods.ensemble import combine

OF_EACH = ("past_key_values", "encoder_last_hidden_state")  # of an output: what every member goes on from by itself


def view(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The same module with other parameters, which are these very tensors; buffers are shared with it.

    Whether gradients may be asked for stays, as torch multiplies in another order where they may.
    """
    known: dict[int, Any] = {id(buffer): buffer for buffer in model.buffers()}
    for name, parameter in model.named_parameters():
        known[id(parameter)] = nn.Parameter(weights[name], requires_grad=parameter.requires_grad)
    return copy.deepcopy(model, known)  # which takes what it knows for copied


class Chorus(nn.Module):
    """Models side by side, called as one of them is.

    The output is the first member's with the mean of the logits; what members go on from is a tuple, one of each, and
    is given back as that: as `past_key_values`, or as the first of `encoder_outputs`.

    Args:
        members: modules of one architecture and vocabulary.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        first: Any = members[0]
        self.config, self.generation_config = first.config, getattr(first, "generation_config", None)
        self.forward = _together(self.members)


def _together(members: nn.ModuleList) -> Callable[..., Any]:
    """Their forward pass; its signature is a member's, from which callers read what it takes."""

    def forward(*given: Any, past_key_values: Any = None, encoder_outputs: Any = None, **same: Any) -> Any:
        said = []
        for i, member in enumerate(members):
            own = {} if past_key_values is None else {"past_key_values": past_key_values[i]}
            own |= {} if encoder_outputs is None else {"encoder_outputs": (encoder_outputs[0][i],)}
            said.append(member(*given, **same, **own))
        found = copy.copy(said[0])
        found["logits"] = combine(torch.stack([one.logits for one in said]))
        for name in OF_EACH:
            if getattr(found, name, None) is not None:
                found[name] = tuple(getattr(one, name) for one in said)
        return found

    forward.__signature__ = inspect.signature(members[0].forward)  # type: ignore[attr-defined]  # as inspect reads it
    return forward
