"""A trial before anything is trained: whatever a model cannot do, one line says it, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.checkpoints.folders import because, missing_library, one_line
from harness.data.corpus import Reference, Split, concatenate
from harness.data.task import Task
from harness.errors import BadModel
from harness.families.asked import Asked
from harness.families.base import Family
from methods.errors import MergeboardError

_AGREE = 1e-3  # largest difference that padding may make, as a share of the largest centred logit
_SHORT, _LONG = "a good day", "the sun is out and this is a very good day for a walk "


def run(name: str, family: Family, model: nn.Module, task: Task, max_length: int) -> None:
    """Ask a short text, one of `max_length` tokens and, where the task has pairs, pairs: alone and padded.

    Errors: `BadModel` in one line, whatever transformers or the model's own code raises.
    """
    _require_words(name, family, model)
    if task.asked_by:
        return  # by somebody else's prompts
    short, long = _split(task, _SHORT), _split(task, _LONG * max_length)
    _require_room(name, family, task, (short, long), max_length)
    alone = []
    for split, what in ((short, "a short text"), (long, f"a text of {max_length} tokens")):
        try:
            alone.append(_ask(family, model, task, split, max_length))
        except Exception as error:
            said = _cause(family, model, task, split, max_length, error)
            raise BadModel(f"{name} cannot be asked {'a pair' if task.pair else what}: {said}") from None
    try:
        together = _ask(family, model, task, concatenate([short, long]), max_length)
    except Exception as error:
        raise BadModel(f"{name} cannot be asked two texts at once ({_said(error)})") from None
    apart = torch.cat(alone)
    scale = (apart - apart.mean(dim=1, keepdim=True)).abs().max()
    if not apart.isfinite().all():
        raise BadModel(f"{name} answers a plain text with numbers that are not finite")
    if task.kind == "generation":
        scale = apart.abs().max()  # a logarithm
    unsteady = isinstance(family, Asked) and task.kind == "generation" and not family.writes_steadily(model)
    if unsteady or (together - apart).abs().max() > _AGREE * scale + 1e-5:
        raise BadModel(
            f"{name} answers a text otherwise when it is padded to the length of another, so its scores would depend "
            "on which texts are asked together; this architecture cannot be used"
        )


def _require_words(name: str, family: Family, model: Any) -> None:
    """Raise `BadModel` if the tokenizer may say a number that the table of words has no row for."""
    try:
        rooms = int(model.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError, TypeError):
        return  # characters, hashes: no table of words
    tokenizer = family.tokenizer
    words = tokenizer.get_vocab()
    unused = {t for t in getattr(tokenizer, "all_special_ids", ()) if t != tokenizer.pad_token_id}
    said = tokenizer(_SHORT)["input_ids"]
    over = {i: w for w, i in words.items() if i >= rooms and (i not in unused or i in said)}
    if over:
        first = min(over)
        raise BadModel(
            f"{name}: its tokenizer numbers {over[first]!r} {first}, and its table of words has {rooms} rows; call "
            "resize_token_embeddings(len(tokenizer)) and save it again, or save the tokenizer that it was trained with"
        )


def _require_room(name: str, family: Family, task: Task, splits: Sequence[Split], max_length: int) -> None:
    """Raise `BadModel` if two texts are cut down to the same tokens: no answer could depend on what they say."""
    try:
        one, other = (family.collate(family.encode(task, split, max_length))["ids"] for split in splits)
    except Exception:
        return  # told where the texts are asked
    if one.shape == other.shape and torch.equal(one, other):
        raise BadModel(
            f"{name}: {max_length} tokens leave no room for a text beside what is asked about it; "
            "raise max_length, or take a model with a longer table of positions"
        )


def _cause(family: Family, model: Any, task: Task, split: Split, max_length: int, error: Exception) -> str:
    if missing_library(error):
        return because(error)
    if isinstance(error, MergeboardError):
        return str(error)
    rows = family.encode(task, split, max_length)
    kinds = getattr(getattr(model, "config", None), "type_vocab_size", None)
    types = [t for row in rows for t in getattr(row, "types", None) or ()]
    if isinstance(kinds, int) and types and max(types) >= kinds:
        return (
            f"its tokenizer gives the second text of a pair type {max(types)}, and the model knows {kinds}; save it "
            "with a tokenizer that gives no token types"
        )
    longest = _longest(family, model, task, split, max_length)
    if longest:
        return f"{longest} tokens are its longest text ({_said(error)}); try --set max_length={longest}"
    return _said(error)


def _longest(family: Family, model: nn.Module, task: Task, split: Split, max_length: int) -> int:
    """The longest text that does work; 0 if none does."""
    works, fails = 0, max_length
    while fails - works > 1:
        middle = (works + fails) // 2
        try:
            _ask(family, model, task, split, middle)
            works = middle
        except Exception:
            fails = middle
    return works


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _ask(family: Family, model: nn.Module, task: Task, split: Split, max_length: int) -> Tensor:
    with torch.inference_mode():
        inputs = family.collate(family.encode(task, split, max_length))
        return family.logits(model.eval(), task, inputs).float()


def _split(task: Task, text: str) -> Split:
    if task.kind == "generation":
        longest = Reference(_LONG * task.tokens)
        return Split((text,), np.ones((1, 1)), (text,) if task.pair else None, (longest,))
    if task.kind == "regression":
        labels = np.full((1, task.width), float(task.span[0]))
    else:
        labels = np.zeros((1, task.width), dtype=np.int64)
    return Split((text,), labels, (text,) if task.pair else None)


def lengths(name: str, family: Family, max_length: int, say: Callable[[str], None]) -> None:
    """Say where the model's own limit is below what was asked for."""
    if family.limit is not None and family.limit < max_length:
        say(f"{name}: it has positions for {family.limit} tokens, so max_length={max_length} is {family.limit} here")


def tasks_to_try(tasks: Sequence[Task], writes: bool) -> list[Task]:
    """One that asks about single texts and one about pairs, as far as there are both; and of those whose answers are
    written, by models that do, every one: its prompt and its longest answer must fit."""
    plain = {task.pair: task for task in reversed(tasks) if task.kind != "generation"}
    return [*plain.values(), *dict.fromkeys(task for task in tasks if writes and task.kind == "generation")]
