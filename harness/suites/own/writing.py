"""A task of one's own whose answers are written: its prompt, what ends an answer, and who marks it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.bounds import Bound
from harness.data.task import Task
from harness.grading import asks_language
from harness.grading.named import graders_of
from harness.suites.own.entries import Entries
from methods.errors import MergeboardError, UnknownName

KEYS = ("prompt", "tokens", "stop", "graders")
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
PLACES = ("text", "second")
TOKENS = Bound(1, 16_384)
STOPS = 16  # texts are looked for in every answer after every token


@dataclass(frozen=True)
class Writes:
    """What the file says of a generation beside its kind."""

    prompt: str
    tokens: int
    stop: tuple[str, ...]
    graders: tuple[str, ...]

    @property
    def pair(self) -> bool:
        """Whether a prompt is made of two texts."""
        return "{second}" in self.prompt

    @property
    def asks_language(self) -> bool:
        """Whether a grader wants to know the language that an answer is wanted in."""
        return any(map(asks_language, graders_of(self.graders).values()))

    def task(self, name: str, metric: str) -> Task:
        """The task; it has one output, the mark."""
        told = {"prompt": self.prompt, "tokens": self.tokens, "stop": self.stop, "graders": self.graders}
        return Task(name, "generation", ("mark",), metric, (), (), self.pair, **told)  # type: ignore[arg-type]


def read(entries: Entries) -> Writes:
    """The keys of a generation. Errors: `MergeboardError` in one line."""
    for name in ("labels", "span", "words", "pair"):
        if name in entries:
            raise MergeboardError(f"{entries.where}: {name} says nothing of answers that are written; leave it out")
    tokens, graders = entries.take("tokens", int), entries.texts("graders")
    if tokens is None:
        raise MergeboardError(f"{entries.where}: tokens is missing; write the most tokens that an answer may have")
    if not TOKENS.holds(tokens):
        raise MergeboardError(f"{entries.where}: tokens is {tokens}; write a whole number {TOKENS}")
    if graders is None:
        raise MergeboardError(f'{entries.where}: graders is missing; write who marks answers, graders = ["number"]')
    try:
        graders_of(graders)
    except MergeboardError as error:
        raise MergeboardError(f"{entries.where}: graders: {error}") from None
    stop = entries.texts("stop") or ()
    if not all(stop) or len(stop) > STOPS:
        raise MergeboardError(f"{entries.where}: stop is {list(stop)!r:.60}; write up to {STOPS} texts, none empty")
    return Writes(_prompt(entries), tokens, stop, graders)


def refuse(entries: Entries, kind: str) -> None:
    """Refuse keys of a generation in a task of another kind."""
    for name in KEYS:
        if name in entries:
            raise MergeboardError(f"{entries.where}: {name} is that of a generation, and kind is {kind}; leave it out")


def _prompt(entries: Entries) -> str:
    prompt = entries.take("prompt", str)
    if prompt is None:
        raise MergeboardError(
            f"{entries.where}: prompt is missing; write what a model goes on from, with {{text}} in it"
        )
    for name in PLACEHOLDER.findall(prompt):
        if name not in PLACES:
            raise MergeboardError(f"{entries.where}: prompt: {UnknownName('placeholder', name, PLACES)}")
    if "{text}" not in prompt:
        raise MergeboardError(f"{entries.where}: prompt has no {{text}}, so every row would ask the same")
    return str(prompt)
