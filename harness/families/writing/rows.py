"""Rows of a task whose answers are written: the prompt, the right answer, and where a text that is too long is cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.corpus import Split
from harness.data.task import Task
from harness.errors import BadModel
from harness.families import prompts


@dataclass(frozen=True)
class PromptRow:
    """A prompt and the right answer to it, whose end is one of its tokens."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]  # at most as many as a model may write; empty where a row has no reference

    @property
    def tokens(self) -> int:
        """Of a pass that asks how likely the right answer is."""
        return len(self.prompt) + len(self.answer)


def rendered(task: Task, text: str, second: str = "") -> str:
    """The task's template with a row's text, or texts, in it; braces in them mean nothing."""
    words = {"{text}": text, "{second}": second}
    return re.sub(r"\{(?:text|second)\}", lambda found: words[found[0]], task.prompt)


def prompts_of(tokenizer: Any, task: Task, split: Split, room: int, after: bool) -> list[tuple[int, ...]]:
    """Token ids of every prompt with the tokenizer's special tokens in front and, with `after`, behind.

    Of a prompt that has more than `room` tokens the text is cut on the right, the longer one of a pair; the template
    never is.

    Errors: `BadModel` if the template alone leaves no room.
    """
    before, behind = prompts.special(tokenizer)
    behind = behind if after else []

    def ids_of(texts: Sequence[str]) -> list[tuple[int, ...]]:
        found = prompts.encoded(tokenizer, texts)
        return [tuple([*(() if ids[: len(before)] == before else before), *ids, *behind]) for ids in found]

    bare = len(ids_of([rendered(task, "")])[0])
    if bare > room:
        raise BadModel(
            f"{task.name}: its prompt has {bare} tokens without a text, and max_length, or the model's table of "
            f"positions, has room for {max(room, 0)} beside {task.tokens} new ones; raise max_length, or ask in fewer "
            "words or for fewer tokens"
        )
    seconds = split.seconds or ("",) * len(split)
    found = ids_of([rendered(task, *row) for row in zip(split.texts, seconds, strict=True)])
    for i, ids in enumerate(found):
        if len(ids) > room:
            one = split.texts[i], seconds[i]
            found[i] = _cut(one, lambda row: ids_of([rendered(task, *row)])[0], room)
    return [ids or (_beginning(tokenizer),) for ids in found]


def _cut(row: tuple[str, str], ids_of: Callable[[tuple[str, str]], tuple[int, ...]], room: int) -> tuple[int, ...]:
    """The prompt of as much text as fits; each of a pair keeps the same number of signs at most."""
    fits, over = 0, max(map(len, row))
    best = ids_of(("", ""))
    while over - fits > 1:
        middle = (fits + over) // 2
        ids = ids_of((row[0][:middle], row[1][:middle]))
        if len(ids) <= room:
            fits, best = middle, ids
        else:
            over = middle
    return best


def _beginning(tokenizer: Any) -> int:
    """What stands for a prompt of no tokens, after which nothing could be said."""
    found = tokenizer.bos_token_id
    return prompts.padding(tokenizer) if found is None else int(found)


def answers_after(tokenizer: Any, task: Task, split: Split) -> list[tuple[int, ...]]:
    """Token ids of every right answer as it goes on after its prompt, with the end of a text, cut at `task.tokens`.

    A blank parts prompt and answer, unless the template ends with white space.
    """
    blank = "" if not task.prompt or task.prompt[-1].isspace() else " "
    anchor = rendered(task, "a", "a")
    end = () if tokenizer.eos_token_id is None else (int(tokenizer.eos_token_id),)
    known: dict[str, tuple[int, ...]] = {}  # as few answers as there are, each is read once
    for answer in _answers(split):
        if answer not in known:
            known[answer] = (*prompts.continuation(tokenizer, anchor, blank + answer if answer else ""), *end)[
                : task.tokens
            ]
    return [known[answer] for answer in _answers(split)]


def answers_alone(tokenizer: Any, task: Task, split: Split) -> list[tuple[int, ...]]:
    """Token ids of every right answer as a text of its own, as decoders of encoder-decoders learn it: with the
    tokenizer's special tokens and the end of a text, cut at `task.tokens`."""
    end = () if tokenizer.eos_token_id is None else (int(tokenizer.eos_token_id),)
    answers = list(_answers(split))
    found: list[list[int]] = tokenizer(answers, verbose=False)["input_ids"] if answers else []
    return [tuple([*ids, *(end if tuple(ids[-1:]) != end else ())])[: task.tokens] for ids in found]


def _answers(split: Split) -> list[str]:
    return [""] * len(split) if split.references is None else [r.answer for r in split.references]
