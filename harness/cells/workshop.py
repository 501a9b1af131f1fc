"""Where members come from: fine-tuned here and kept in the zoo, or opened where the user keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from harness import devices
from harness.cells.cell import Source
from harness.cells.ground import Ground
from harness.checkpoints.brought import Key, word_of
from harness.data.task import Task
from harness.families import trial
from harness.families.base import Loaded
from harness.families.encoder import within
from harness.judging.progress import Progress
from harness.members import given, order
from harness.members.garbage import imports_left_out
from harness.members.joint import Part
from harness.planning.observed import COST
from harness.storage import zoo
from harness.storage.whole import MINUTES, checkpoints
from harness.suites.setting import corpus_of
from methods import Weights
from methods.errors import MergeboardError, Misfit

if TYPE_CHECKING:
    from harness.storage.unfinished import Place


class Workshop:
    """The members of one model.

    Args:
        brought: where the members lie that the user brought, by name and seed.
        any_config: whether the configuration of a brought member may differ from the model's.
        minutes: how old the last checkpoint of a training may be.
    """

    def __init__(
        self, on: Ground, brought: Mapping[Key, Path], any_config: bool = False, minutes: float = MINUTES
    ) -> None:
        self._subject, self._rows, self._told, self._zoo, self._say = on.subject, on.rows, on.told, on.zoo, on.say
        self._identity, self._judges, self._given, self._minutes = on.identity, on.judges, brought, minutes
        self._any_config, self._akin = any_config, set[Key]()  # members whose configuration and words were compared
        self._heard: set[str] = set()
        self.trained = 0.0  # seconds of fine-tuning in this process, which no cell counts as its own

    # -- before anything is trained ----------------------------------------------------------------------------------

    def try_model(self) -> None:
        """Ask the model a few texts of every task. Errors: `BadModel` in one line, whatever goes wrong."""
        name, family = str(self._subject), self._subject.family
        trial.lengths(name, family, self._told.protocol.max_length, self._say)
        for task in trial.tasks_to_try([corpus.task for corpus in self._rows.corpora.values()], family.generative):
            loaded = self._subject.fresh(task, seed=1)
            self._tell(loaded, task)
            weights = dict(loaded.model.named_parameters())
            zoo.require_finite(name, weights)  # also where no text of the trial leads
            self._try(name, loaded.model, task)

    def _tell(self, loaded: Loaded, task: Task) -> None:
        """What the user should know of the model as members start from it, each line once."""
        lines = list(loaded.notes)
        if loaded.classifier is not None:
            lines.append(f"its file holds {loaded.classifier}, of a classifier, which is left out")
        if loaded.output_layer and not loaded.fresh & set(loaded.output_layer):
            lines.append(f"its file holds a head for {len(task.outputs)} labels, from which training starts")
        for line in (line for line in lines if line not in self._heard):
            self._heard.add(line)
            self._say(f"{self._subject}: {line}")

    def try_member(self, key: Key) -> None:
        """The same of a member that the user brought. Errors: `BadModel`, or `Misfit` if it is not of this model."""
        name, task = f"--member {word_of(key)}", self._rows.task(key[0])
        taken = self._taken(key, 1, self._say)
        start = self._subject.ancestor(task, 1).model
        given.require_descends(str(self._subject), start, word_of(key), taken.weights)
        if far := given.strange_to(start, taken.weights):
            self._say(f"{name}: {far}")
        self._try(name, taken.module(), task)
        if taken.nameless:
            self._require_order(name, key, task, taken.weights)
        elif len(task.outputs) > 1 and not self._subject.generative:
            self._doubt_order(name, key, task, taken.weights)
        earlier, own = takewhile(lambda other: other != key, self._given), self._identity.print_of(key)
        if twin := next((other for other in earlier if self._identity.print_of(other) == own), None):
            self._say(f"{name}: it is the checkpoint that {word_of(twin)} has; merged with itself it stays as it is")

    def _require_order(self, name: str, key: Key, task: Task, weights: Weights) -> None:
        """Hold a head whose labels have no names against development rows. Errors: `Misfit` if its order is another."""
        corpus, found = corpus_of(key[0]), self._order(key, task, weights)
        if found is None:
            self._say(f"{name}: {corpus} has no development rows that could tell whether that is their order")
            return
        if found.order:
            raise Misfit(
                f"{name}: its labels have no names, and in the task's order {found.right} of {found.rows} development "
                f"rows are answered rightly, as {found.listed} {found.better}; write id2label and label2id, in the "
                f"order in which it was trained, into {self._given[key] / 'config.json'}, which "
                "config.save_pretrained() makes"
            )
        if not found.sure:
            self._say(f"{name}: development rows of {corpus} do not tell whether that is their order")

    def _doubt_order(self, name: str, key: Key, task: Task, weights: Weights) -> None:
        """Say where development rows surely fit another order than that in which a head names its labels. A model may
        be bad at its task, so it is no fault."""
        found = self._order(key, task, weights)
        if found is not None and found.order:
            self._say(
                f"{name}: as its config.json names its labels, {found.right} of {found.rows} development rows are "
                f"answered rightly, as {found.listed} (in the task's order) {found.better}; if they were trained in "
                "another order, mend id2label and label2id there; if the table's labels were read in another order, "
                "mend the labels of the task"
            )

    def _order(self, key: Key, task: Task, weights: Weights) -> order.Told | None:
        """What development rows say of the order of a head's labels; None where there are none."""
        rows = self._rows.dev(corpus_of(key[0]), key[1] or 1).first(order.MOST)
        if not len(rows):
            return None
        return order.told_by(self._judges.asked(task, rows, weights).numpy(), rows.labels, task)

    def _try(self, name: str, model: nn.Module, task: Task) -> None:
        family = self._subject.family
        trial.run(name, family, model, task, within(self._told.protocol.max_length, family.limit))

    # -- members -----------------------------------------------------------------------------------------------------

    def member(self, source: Source) -> Weights:
        """The model fine-tuned on this; from the zoo, if it was ever made."""
        if (key := self._identity.brought(source)) is not None:
            return self._taken(key, source.draw).weights

        recipe = self._identity.member(source)
        work = f"fine-tuning {self._subject} on {'+'.join(source.members)}, seed {source.seed}"

        def make(folder: Path) -> None:
            from harness.storage.unfinished import Place

            self._say(work)
            place = Place(self._zoo.path("members", recipe), self._say, self._minutes)
            start, whole = time.perf_counter(), not checkpoints(place.target)
            weights, scores = self._finetune(source, Progress(self._say, work), place)
            self.trained += (seconds := time.perf_counter() - start)
            if scores and max(scores) <= 0:
                self._say(
                    f"{self._subject} learned nothing from {'+'.join(source.members)}: its development score stays at "
                    f"{max(scores):.2f}; look at its texts and labels, or give it more rows or epochs"
                )
            zoo.require_finite(f"{self._subject} fine-tuned on {'+'.join(source.members)}", weights)
            zoo.save_weights(weights, folder / "model.safetensors")
            if whole:  # what a killed run had done before is not in it
                (folder / COST).write_text(json.dumps({"seconds": seconds}) + "\n", encoding="utf-8")

        return zoo.load_weights(self._zoo.get("members", recipe, make, work) / "model.safetensors")

    def missing(self, source: Source) -> str:
        """The key of a member that is to be fine-tuned first; empty if it is in the zoo, or the user brought it."""
        if self._identity.brought(source) is not None:
            return ""
        recipe = self._identity.member(source)
        return "" if self._zoo.has("members", recipe) else self._zoo.path("members", recipe).name

    def _taken(self, key: Key, seed: int, say: Callable[[str], None] = lambda line: None) -> given.Taken:
        """A member that the user brought; an adapter shares the tensors of the ancestor of this seed's populations."""
        subject, name, task, folder = self._subject, word_of(key), self._rows.task(key[0]), self._given[key]
        model, known = partial(subject.as_saved, task, seed), self._identity.descents
        base = given.Base(subject.family, subject.folder, self._zoo, subject.trusted, self._any_config, known)
        if key not in self._akin:
            given.require_akin(base, task, name, folder, say, model)
            self._akin.add(key)
        return given.take(base, task, name, folder, say, model)

    def _finetune(self, source: Source, progress: Progress, place: Place) -> tuple[Weights, list[float]]:
        """One model of one task, or one trunk with several heads; and the development scores on the way."""
        with imports_left_out():
            from harness.members.finetune import finetune  # the Trainer takes seconds, and most sessions train nothing

        if devices.current() == devices.SPREAD:
            raise MergeboardError(
                f"{self._subject} is spread over several devices, and members are fine-tuned on one; bring them with "
                "--member, or leave --device-map out"
            )
        family = self._subject.family
        tasks: dict[Task, list[str]] = {}
        for member in source.members:
            tasks.setdefault(self._rows.task(member), []).append(member)
        parts, loaded = [], None
        for task, members in tasks.items():
            rows = self._rows.training(members, source, generative=family.generative)
            if loaded is None or not family.generative:  # one generative model answers every task
                loaded = self._subject.fresh(task, source.seed)
                self._tell(loaded, task)
            parts.append(Part(task.name, task, rows, loaded))
        score, training = self._judges.trainer(source), self._told.training(self._rows.variant(source))
        return finetune(family, parts, training, source.seed, score, progress, place)
