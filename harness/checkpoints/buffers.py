"""Tensors that lie in a checkpoint and are no parameters: tables and masks that every model makes anew."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAMES = re.compile(
    r"(^|\.)(position_ids|token_type_ids|(original_)?inv_freq|(cos|sin)_cached|masked_bias|causal_mask"
    r"|final_logits_bias|num_batches_tracked|relative_position_index|positions_encoding)$"
    r"|(^|\.)embed_positions\.weights$"
)
_MASKS = re.compile(r"\.(attn|attention)\.bias$")  # of who sees whom, by GPT-2 and its kin; a bias by another shape


def is_buffer(name: str, shape: Sequence[int] | None = None) -> bool:
    """Whether a tensor of this name was saved by an old version of transformers and is no parameter of any model.

    `shape`: where it is known; a mask is one for all sentences and heads.
    """
    if _MASKS.search(name):
        return shape is None or (len(shape) == 4 and tuple(shape[:2]) == (1, 1))
    return _NAMES.search(name) is not None
