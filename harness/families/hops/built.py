"""The class of a model, built anew from the configuration of a deeper view and given its weights: what a stranger gets
who loads the written model."""

from __future__ import annotations

import copy
import json
from typing import Any

from torch import nn

from methods.errors import NotApplicable


def built(view: Any) -> nn.Module:
    """A model of its own with the view's weights; a block that is visited twice is there twice.

    Errors: `NotApplicable` in one line where the class does not make these blocks in this order.
    """
    try:
        config = type(view.config).from_dict(json.loads(view.config.to_json_string()))
        model: Any = type(view)._from_config(config, attn_implementation=view.config._attn_implementation)
    except Exception as error:  # a class that checks its numbers against each other says so in its own way
        reason = f"({' '.join(str(error).split())[:120]})"
        raise NotApplicable(f"{_class(view)} cannot be made deeper by its configuration {reason}; {_LEFT}") from None
    own, wanted = dict(model.named_parameters()), dict(view.named_parameters())
    for name in dict.fromkeys((*wanted, *own)):
        if name not in own or name not in wanted or own[name].shape != wanted[name].shape:
            raise NotApplicable(f"{_class(view)} makes {name} otherwise than the route has it there; {_LEFT}")
    seen = set[int]()
    for name, parameter in own.items():
        data = wanted[name].data
        parameter.data = data.clone() if data.data_ptr() in seen else data
        seen.add(data.data_ptr())
    model.generation_config = copy.deepcopy(getattr(view, "generation_config", None))
    return model.eval()  # type: ignore[no-any-return]


_LEFT = "the route cannot be written as a plain model"


def _class(view: nn.Module) -> str:
    return f"the class of the model, {type(view).__name__},"
