"""What ends an answer: a token of the tokenizer or of the generation config, or words that a task names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from harness.checkpoints.written import json_of
from harness.data.task import Task
from methods.errors import Misfit

_FILES = "generation_config.json", "config.json"  # the first that is there says where a model's answers end


@dataclass(frozen=True, eq=False)
class Ends:
    """The ends of one model's answers to one task."""

    tokenizer: Any
    tokens: frozenset[int]
    words: tuple[str, ...]
    silent: frozenset[int]  # special tokens, which are no part of a text

    @staticmethod
    def of(tokenizer: Any, model: nn.Module, task: Task) -> Ends:
        """A word that is a special token of its own ("<|im_end|>") ends as a token does: texts do not show it."""
        configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        tokens = {*_several(configured), *_several(tokenizer.eos_token_id)}
        special = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
        tokens |= {special[word] for word in task.stop if word in special}
        words = tuple(word for word in task.stop if word and word not in special)
        return Ends(tokenizer, frozenset(tokens), words, frozenset(tokenizer.all_special_ids))

    def reached(self, said: Sequence[int]) -> bool:
        """Whether these new tokens end an answer, of which all but the last do not.

        Words are looked for in the last tokens alone: a token says a byte at least, or nothing at all.
        """
        if said[-1] in self.tokens:
            return True
        if not self.words:
            return False
        spoken = [token for token in said if token not in self.silent]
        most = max(len(word.encode()) for word in self.words)
        near = self.decoded(spoken[-2 * most - 8 :])
        return any(word in near for word in self.words) and self._place(self.decoded(said)) is not None

    def text(self, said: Sequence[int]) -> tuple[str, bool]:
        """The answer, and whether it came to an end; a sign whose bytes are not all there is written as U+FFFD."""
        whole = self.decoded(said)
        place = self._place(whole)
        return (whole if place is None else whole[:place]), place is not None or bool(said and said[-1] in self.tokens)

    def decoded(self, tokens: Sequence[int]) -> str:
        """What they say, special tokens left out, blanks as they are."""
        found: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return found

    def _place(self, text: str) -> int | None:
        """Where the first of the words begins."""
        return min((at for at in map(text.find, self.words) if at >= 0), default=None)


def require_same_ends(own: Ends, member: Path, task: Task) -> None:
    """Raise `Misfit` if a checkpoint's own files end an answer at a token at which neither the model's nor the task
    does: it would go on where it was taught to stop.

    `own`: the ends of the model's answers to this task.
    """
    tokenizer = own.tokenizer
    for token in sorted({*_configured(member)} - own.tokens):
        word = tokenizer.convert_ids_to_tokens(token)
        said = word if token in tokenizer.all_special_ids else tokenizer.decode([token])
        if word is not None and not any(end in (word, said) or end in said for end in task.stop if end):
            raise Misfit(
                f"it ends its answers at {said!r}, where the model goes on; name that in the task's stop, or in "
                "eos_token_id of the model's generation_config.json"
            )


def _configured(folder: Path) -> tuple[int, ...]:
    """What ends an answer by the files of a folder; a config.json says it where there is no generation config."""
    path = next((p for name in _FILES if (p := folder / name).is_file()), None)
    try:
        told = {} if path is None else json_of(path)
    except (OSError, ValueError) as error:
        raise Misfit(f"{path} cannot be read ({' '.join(str(error).split())})") from None
    ids = told.get("eos_token_id") if isinstance(told, dict) else None
    return tuple(i for i in (ids if isinstance(ids, list) else [ids]) if isinstance(i, int) and i >= 0)


def _several(ids: int | Iterable[int] | None) -> tuple[int, ...]:
    return () if ids is None else (ids,) if isinstance(ids, int) else tuple(ids)
