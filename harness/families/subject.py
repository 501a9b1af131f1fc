"""The model under test: where it lies, how it is asked, who it is, and what its members start from."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path

from harness.checkpoints import pickles
from harness.checkpoints.folders import config_of
from harness.checkpoints.hub import commit_of
from harness.checkpoints.names import TINY, ModelName, fingerprint
from harness.data.task import Task
from harness.families import family_of, head, kind_of
from harness.families.asked import Asked
from harness.families.base import Family, Loaded
from harness.records.recipe import Recipe
from harness.storage.zoo import Zoo


class Subject:
    """One model.

    Args:
        model: the model as the user named it; `folder` is where it lies.
        trusted: folders, the model's or members', whose own code may run.
        say: takes a line that the user should know.
    """

    def __init__(
        self, model: ModelName, folder: Path, trusted: Collection[Path], zoo: Zoo, say: Callable[[str], None]
    ) -> None:
        self.model, self.folder = model, pickles.safe(folder, zoo)
        self.source = folder  # as it was given; what was a pickle is kept elsewhere as safetensors
        # A folder of pickles has a twin of safetensors, whose code is the same.
        self.trusted = frozenset((*trusted, *(pickles.safe(f, zoo) for f in trusted)))
        self._trusts, self._say = folder in trusted, say
        self._ancestors: dict[tuple[Task | None, int], Loaded] = {}

    def __str__(self) -> str:
        return str(self.model)

    @cached_property
    def kind(self) -> str:
        """The family's name, without its tokenizer."""
        return TINY[self.model.where] if self.model.tiny else kind_of(self.folder, self._trusts)

    @property
    def generative(self) -> bool:
        """Whether it answers in words."""
        return self.kind != "encoder"

    @cached_property
    def family(self) -> Family:
        """How it is asked. Made on first touch: who is answered from the store needs no tokenizer."""
        found = family_of(self.folder, self._trusts, self.trusted)
        if isinstance(found, Asked) and found.answers.split:
            self._say(
                f"{self}: its tokenizer splits ' yes' or ' no'; answers are told apart by the first token that differs"
            )
        return found

    @cached_property
    def identity(self) -> Recipe:
        """What a recipe says of the model: what it is by its files, not where it lies, or at which commit."""
        return {
            "name": self.model.display,
            "fingerprint": fingerprint(self.source),
            "family": self.kind,
            **({"synthetic": True} if self.model.tiny else {}),
        }

    @property
    def commit(self) -> str | None:
        """The commit that its folder is a snapshot of, where it came from the hub."""
        return commit_of(self.source)

    def fresh(self, task: Task, seed: int) -> Loaded:
        """The pre-trained model with a head drawn from this seed, or its own if that answers the task; for whoever
        will write to it."""
        loaded = self.family.load(self.folder, task, seed)
        return loaded if self.generative else head.begun(loaded, config_of(self.folder), task, seed)

    def ancestor(self, task: Task, seed: int) -> Loaded:
        """The same, that members of this task and seed started from; for reading alone."""
        place = (None, 0) if self.generative else (task, seed)  # a model without a head is always the same
        if place not in self._ancestors:
            self._ancestors = {k: v for k, v in self._ancestors.items() if k[1] == seed}
            self._ancestors[place] = self.fresh(task, seed)
        return self._ancestors[place]

    def as_saved(self, task: Task, seed: int) -> Loaded:
        """The ancestor with the rows of a head of its own in the order of its file, which adapters were trained on."""
        found = self.ancestor(task, seed)
        if not found.reordered:
            return found
        return head.begun(self.family.load(self.folder, task, seed), config_of(self.folder), task, seed, reorder=False)

    def start(self, task: Task) -> head.Start:
        """What the head of its members starts as."""
        return "as saved" if self.generative else head.start_of(self.folder, task)

    def forget(self) -> None:
        """Read anew what was handed out: somebody wrote to it, or may have."""
        self._ancestors.clear()
