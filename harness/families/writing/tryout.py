"""Whether a model that writes with a cache writes what it would without, found out by asking, not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness.families import prompts
from harness.families.writing.pens import Pen
from harness.families.writing.rows import PromptRow

_AGREE = 1e-3  # largest difference, as a share of the largest centred logit
_TEXTS = "a good day for a walk in the sun", "a day"
_STEPS = 4

Begin = Callable[[Sequence[PromptRow], bool], Pen]  # prompts, and whether with a cache


def caches(tokenizer: Any, begin: Begin) -> bool:
    """Whether logits are the same in each of a few steps, in a batch that is padded."""
    rows = [PromptRow(tuple(ids) or (prompts.padding(tokenizer),), ()) for ids in prompts.encoded(tokenizer, _TEXTS)]
    with torch.inference_mode():
        plain, cached = begin(rows, False), begin(rows, True)
        for _ in range(_STEPS):
            wanted = plain.ask()
            try:
                found = cached.ask()
            except Exception:  # an architecture that cannot go on from its cache says so in its own way
                return False
            scale = (wanted - wanted.mean(dim=1, keepdim=True)).abs().max()
            if found.shape != wanted.shape or not bool((found - wanted).abs().max() <= _AGREE * scale):
                return False
            tokens = wanted.argmax(dim=1)
            plain.say(tokens)
            cached.say(tokens)
    return True
