"""What writes token by token: a decoder goes on from prompts, an encoder-decoder answers what it has read.

With a cache only the last token is read again; a model that gives none reads everything anew each time.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from harness.families.calls import takes


class Pen(Protocol):
    """A batch of answers in the making."""

    def ask(self) -> Tensor:
        """(rows, vocabulary) logits of the next token, in float32."""
        ...

    def say(self, tokens: Tensor) -> None:
        """Add these, (rows,), to what was said."""
        ...

    def keep(self, rows: Tensor) -> bool:
        """Go on with these rows alone, (kept,); False, and nothing is done, where what is cached cannot be parted."""
        ...


class Continued:
    """Goes on from prompts.

    Prompts are padded on the left, so that all rows go on in the same column; positions are counted from the first
    token of each.
    """

    def __init__(self, model: nn.Module, ids: Tensor, mask: Tensor, cached: bool) -> None:
        self._model, self._ids, self._mask, self._cached = model, ids, mask, cached and takes(model, "use_cache")
        self._cache: Any = None
        self._fixed: dict[str, Any] = {"use_cache": self._cached} if takes(model, "use_cache") else {}
        self._fixed |= {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
        self._counts = takes(model, "position_ids")

    def ask(self) -> Tensor:
        """(rows, vocabulary)."""
        ids, options = self._ids, dict(self._fixed)
        if self._cache is not None:
            ids, options["past_key_values"] = ids[:, -1:], self._cache
        if self._counts:
            positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -ids.shape[1] :]
        said = self._model(input_ids=ids, attention_mask=self._mask, **options)
        self._cache = getattr(said, "past_key_values", None) if self._cached else None
        logits: Tensor = said.logits[:, -1].float()
        return logits

    def say(self, tokens: Tensor) -> None:
        """Add these."""
        self._ids = torch.cat([self._ids, tokens[:, None]], dim=1)
        self._mask = torch.cat([self._mask, torch.ones_like(tokens[:, None])], dim=1)

    def keep(self, rows: Tensor) -> bool:
        """Go on with these rows."""
        if not _parts(self._cache):
            return False
        self._ids, self._mask, self._cache = self._ids[rows], self._mask[rows], _kept(self._cache, rows)
        return True


class Answered:
    """Answers what the encoder has read, which is read once."""

    def __init__(self, model: nn.Module, ids: Tensor, mask: Tensor, start: int, cached: bool) -> None:
        self._model, self._ids, self._mask, self._cached = model, ids, mask, cached and takes(model, "use_cache")
        self._said = torch.full_like(ids[:, :1], start)
        self._read: Any = None
        self._cache: Any = None
        self._fixed: dict[str, Any] = {"use_cache": self._cached} if takes(model, "use_cache") else {}

    def ask(self) -> Tensor:
        """(rows, vocabulary)."""
        said, options = self._said, dict(self._fixed)
        if self._cache is not None:
            said, options["past_key_values"] = said[:, -1:], self._cache
        options |= {"input_ids": self._ids} if self._read is None else {"encoder_outputs": (self._read,)}
        found = self._model(attention_mask=self._mask, decoder_input_ids=said, **options)
        self._cache = getattr(found, "past_key_values", None) if self._cached else None
        if self._read is None:
            self._read = getattr(found, "encoder_last_hidden_state", None)
        logits: Tensor = found.logits[:, -1].float()
        return logits

    def say(self, tokens: Tensor) -> None:
        """Add these."""
        self._said = torch.cat([self._said, tokens[:, None]], dim=1)

    def keep(self, rows: Tensor) -> bool:
        """Go on with these rows."""
        if not _parts(self._cache):
            return False
        self._ids, self._mask, self._said = self._ids[rows], self._mask[rows], self._said[rows]
        self._read, self._cache = _kept(self._read, rows), _kept(self._cache, rows)
        return True


def _parts(cache: Any) -> bool:
    """Whether rows can be taken out of it."""
    if cache is None or isinstance(cache, Tensor):
        return True
    if isinstance(cache, tuple | list):
        return all(map(_parts, cache))
    inner = [getattr(cache, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    layers = [layer for part in (cache, *inner) for layer in getattr(part, "layers", ())]
    return all(hasattr(part, "batch_select_indices") for part in (cache, *layers))


def _kept(held: Any, rows: Tensor) -> Any:
    """The same of these rows alone."""
    if isinstance(held, Tensor):
        return held[rows.to(held.device)]
    if isinstance(held, tuple | list):
        return type(held)(_kept(part, rows) for part in held)
    if held is not None:
        held.batch_select_indices(rows.cpu())  # layers of a spread model lie apart; from there it may come to any
    return held
