"""What can be found out of a model that writes by asking it, not believed: two short texts, a few words each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.families import prompts
from harness.families.writing.pens import Pen
from harness.families.writing.rows import PromptRow

_AGREE = 1e-3  # largest difference, as a share of the largest centred logit
_TEXTS = "a good day for a walk in the sun", "a day"
_STEPS = 4

Begin = Callable[[Sequence[PromptRow], bool], Pen]  # prompts, and whether with a cache


def caches(tokenizer: Any, begin: Begin) -> bool:
    """Whether the model writes with a cache what it would write without, also when a row has left it."""
    rows = _rows(tokenizer)
    with torch.inference_mode():
        plain, cached = begin(rows, False), begin(rows, True)
        for _ in range(_STEPS):
            wanted = plain.ask()
            try:
                found = cached.ask()
            except Exception:  # an architecture that cannot go on from its cache says so in its own way
                return False
            if not _agree(found, wanted):
                return False
            for pen in (plain, cached):
                pen.say(wanted.argmax(dim=1))
        last = torch.tensor([len(rows) - 1], device=wanted.device)
        return not cached.keep(last) or (plain.keep(last) and _agree(cached.ask(), plain.ask()))


def steady(tokenizer: Any, begin: Begin) -> bool:
    """Whether each text is gone on from alone as it is beside the other, padded to its length."""
    rows = _rows(tokenizer)
    with torch.inference_mode():
        together, alone = begin(rows, False), [begin([row], False) for row in rows]
        for _ in range(_STEPS):
            wanted = torch.cat([pen.ask() for pen in alone])
            if not _agree(together.ask(), wanted):
                return False
            tokens = wanted.argmax(dim=1)
            together.say(tokens)
            for pen, token in zip(alone, tokens, strict=True):
                pen.say(token[None])
    return True


def _rows(tokenizer: Any) -> list[PromptRow]:
    return [PromptRow(tuple(ids) or (prompts.padding(tokenizer),), ()) for ids in prompts.encoded(tokenizer, _TEXTS)]


def _agree(found: Tensor, wanted: Tensor) -> bool:
    scale = (wanted - wanted.mean(dim=1, keepdim=True)).abs().max()
    return found.shape == wanted.shape and bool((found - wanted).abs().max() <= _AGREE * scale)
