"""A right answer as a model is told it: all of its tokens in one pass, each scored by what stands before it.

Both kinds of models get `wanted` (n,): all tokens of all answers, one after the other; token i is read in sequence
`sequence[i]` at column `columns[at[i]]` of a decoder, `at[i]` of an encoder-decoder's answer. `rows` is (rows,), for
its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.families.base import Inputs
from harness.families.encoder import padded
from harness.families.writing.rows import PromptRow


def after_prompts(rows: Sequence[PromptRow], fill: int) -> Inputs:
    """For decoders: `ids`, `mask` (rows, tokens) of prompt and answer, padded on the right: right for any causal model.

    The last token of an answer is never read, only said.
    """
    texts = [row.prompt + row.answer[:-1] for row in rows]
    places = [len(row.prompt) - 1 + i for row in rows for i in range(len(row.answer))]
    columns = sorted(set(places)) or [0]
    column = {place: i for i, place in enumerate(columns)}
    return {
        "ids": padded(texts, fill),
        "mask": padded([(1,) * len(text) for text in texts], 0),
        "columns": torch.tensor(columns, dtype=torch.long),
        "at": torch.tensor([column[place] for place in places], dtype=torch.long),
        **_asked(rows),
    }


def beside_prompts(rows: Sequence[PromptRow], fill: int) -> Inputs:
    """For encoder-decoders: `ids`, `mask` (rows, tokens) of the prompts, and `answers` (rows, answer's tokens): what
    the decoder reads after the token that starts it, padded on the right."""
    told = [row.answer[:-1] for row in rows]
    return {
        "ids": padded([row.prompt for row in rows], fill),
        "mask": padded([(1,) * len(row.prompt) for row in rows], 0),
        "answers": padded(told, fill),
        "at": torch.tensor([i for row in rows for i in range(len(row.answer))], dtype=torch.long),
        **_asked(rows),
    }


def _asked(rows: Sequence[PromptRow]) -> Inputs:
    return {
        "wanted": torch.tensor([token for row in rows for token in row.answer], dtype=torch.long),
        "sequence": torch.tensor([i for i, row in enumerate(rows) for _ in row.answer], dtype=torch.long),
        "rows": torch.arange(len(rows)),
    }


def prompts_padded(rows: Sequence[PromptRow], fill: int) -> Inputs:
    """`ids`, `mask` (rows, tokens) of the prompts alone, padded on the left: all go on in the same column."""
    width = max(len(row.prompt) for row in rows)
    gaps = [width - len(row.prompt) for row in rows]
    return {
        "ids": torch.tensor([[*[fill] * gap, *row.prompt] for gap, row in zip(gaps, rows, strict=True)]),
        "mask": torch.tensor([[*[0] * gap, *[1] * (width - gap)] for gap in gaps]),
    }


def likelihood(words: Tensor, inputs: Inputs) -> Tensor:
    """(rows, 1): the mean log-probability of a token of the right answer, its end among them; 0 of no tokens.

    `words` is (n, vocabulary): the logits of all of them.
    """
    said = _log_probabilities(words, inputs["wanted"])
    zeros = said.new_zeros(len(inputs["rows"]))
    sums = zeros.index_add(0, inputs["sequence"], said)
    counts = zeros.index_add(0, inputs["sequence"], torch.ones_like(said))
    return (sums / counts.clamp(min=1))[:, None]


def loss(words: Tensor, inputs: Inputs) -> Tensor:
    """The mean cross-entropy of the answers' tokens, all rows' together; 0 of no tokens."""
    return -_log_probabilities(words, inputs["wanted"]).sum() / max(1, len(inputs["wanted"]))


def _log_probabilities(words: Tensor, wanted: Tensor) -> Tensor:
    """(n,), in float32 or better: a logarithm over a vocabulary in half precision is none."""
    words = words if words.dtype == torch.float64 else words.float()
    return words.gather(1, wanted[:, None])[:, 0] - torch.logsumexp(words, dim=1)
