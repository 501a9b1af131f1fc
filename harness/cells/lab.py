"""The laboratory of one model: makes its members, populations and judges, each once, under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.cells.cell import Cell, PopulationKey, Source, seed_from
from harness.cells.rowbook import RowBook
from harness.checkpoints import pickles
from harness.checkpoints.brought import Key, key_for, word_of
from harness.checkpoints.hub import commit_of
from harness.checkpoints.names import ModelName, fingerprint
from harness.data.corpus import Corpus, Split
from harness.data.task import Task
from harness.families import family_of, trial
from harness.families.asked import Asked
from harness.families.base import Loaded
from harness.families.batches import Batch, Batches, prepare
from harness.families.encoder import within
from harness.judging.progress import Progress
from harness.judging.scoring import Answers, DevScorer, Exam, Examiner, LiveModel, Sheet
from harness.members import fisher, given, gram
from harness.members.finetune import finetune
from harness.members.joint import VERSION as FINETUNE_VERSION
from harness.members.joint import Part
from harness.members.statistics import LazyStatistics
from harness.protocol.parts import Choosing, FisherSettings, GramSettings, Scoring, Search
from harness.protocol.protocols import Protocol, named
from harness.records.environment import engine
from harness.records.recipe import Recipe, recipe_key, written
from harness.storage import unfinished, zoo
from harness.storage.whole import MINUTES
from harness.suites.setting import corpus_of
from methods import Population, Weights

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PLAIN = Protocol()  # what recipes leave out


class Lab:
    """Everything about one model that cells share.

    Args:
        model: the model as the user named it; `folder` is where it lies.
        corpora: the corpora at hand, by name.
        brought: where the members lie that the user brought, by name and seed; the others are fine-tuned here.
        trusted: folders, the model's or members', whose own code may run.
        say: takes a line about long work.
        any_config: whether the configuration of a brought member may differ from the model's.
        usual: the protocol as it is without the user's settings, which records name where they differ.
        checkpoint_minutes: how old the last checkpoint of a training may be.
    """

    def __init__(
        self,
        model: ModelName,
        folder: Path,
        protocol: Protocol,
        corpora: Mapping[str, Corpus],
        zoo_: zoo.Zoo,
        brought: Mapping[Key, Path],
        say: Callable[[str], None],
        trusted: Collection[Path] = (),
        usual: Protocol | None = None,
        checkpoint_minutes: float = MINUTES,
        any_config: bool = False,
    ) -> None:
        self.model, self.folder, self.protocol = model, pickles.safe(folder, zoo_), protocol
        self._source = folder  # as it was given; what was a pickle is kept elsewhere as safetensors
        self.usual = named(protocol.name) if usual is None else usual
        self.corpora, self._zoo, self._given, self.say = corpora, zoo_, brought, say
        # A folder of pickles has a twin of safetensors, whose code is the same.
        self._trusted = frozenset((*trusted, *(pickles.safe(f, zoo_) for f in trusted)))
        self._any_config, self._akin = any_config, set[Key]()  # members whose configuration and words were compared
        self.family = family_of(self.folder, folder in trusted, self._trusted)
        if isinstance(self.family, Asked) and self.family.answers.split:
            say(
                f"{model}: its tokenizer splits ' yes' or ' no'; answers are told apart by the first token that differs"
            )
        self.rows = RowBook(corpora, protocol)
        self._prepared: dict[tuple[Task, str], Batches] = {}
        self._recipes: dict[Source, Recipe] = {}
        self._keys: dict[Source | Task, str] = {}  # every cell asks for them
        self._firsts: dict[tuple[str, Source], Split] = {}
        self._prints: dict[Key, str] = {}  # of members that the user brought
        self._ancestors: dict[tuple[Task | None, int], Loaded] = {}
        self._live: dict[Task, LiveModel] = {}
        self._minutes = checkpoint_minutes
        self.marks: dict[tuple[object, ...], dict[str, Exam]] = {}  # who -> test rows -> exam, for the table's rows
        self.dev_marks: dict[tuple[object, ...], dict[str, Answers]] = {}  # and what members say to development rows

    # -- identity ----------------------------------------------------------------------------------------------------

    @cached_property
    def identity(self) -> Recipe:
        """What a recipe says of the model; not where it lies."""
        commit = commit_of(self._source)
        return {
            "name": self.model.display,
            "fingerprint": fingerprint(self._source),
            "family": self.family.kind,
            **({"commit": commit} if commit else {}),
            **({"synthetic": True} if self.model.tiny else {}),
        }

    def member_recipe(self, source: Source) -> Recipe:
        """Everything that decides one fine-tuned model."""
        if source not in self._recipes:
            self._recipes[source] = self._member_recipe(source)
        return self._recipes[source]

    def key_of(self, what: Source | Task) -> str:
        """The hash of a member's recipe, or of a task's."""
        if what not in self._keys:
            recipe = what.recipe(self.family.generative) if isinstance(what, Task) else self.member_recipe(what)
            self._keys[what] = recipe_key(recipe)
        return self._keys[what]

    def _member_recipe(self, source: Source) -> Recipe:
        corpora = tuple(dict.fromkeys(map(corpus_of, source.members)))
        shared = {
            "model": self.identity["fingerprint"],
            "family": self.family.kind,
            "corpora": list(corpora),
            "tasks": [self.task(c).recipe(self.family.generative) for c in corpora],
        }
        if (key := self._brought(source)) is not None:
            return {**shared, "given": self._print_of(key)}
        return {
            **shared,
            "train": [self.rows.train(m, source.draw).fingerprint for m in source.members],
            "dev": [self.rows.dev(c, source.draw).fingerprint for c in corpora],
            "training": self.training_recipe(),
            "choosing": written(self.choosing, PLAIN.choosing),
            "seed": source.seed,
            "version": FINETUNE_VERSION,
            "engine": engine(),
        }

    def training_recipe(self) -> Recipe:
        """How members are fine-tuned, in so far as this model's family asks."""
        worded = written(self.protocol.wording, PLAIN.wording) if self.family.generative else {}
        return {**written(self.protocol.training, PLAIN.training), **worded}

    def trains(self, source: Source) -> bool:
        """Whether this is fine-tuned here, not brought."""
        return self._brought(source) is None

    def adapter_of(self, source: Source) -> Recipe | None:
        """What a record says of a member that was brought as an adapter."""
        key = self._brought(source)
        return None if key is None else given.adapter_in(self._given[key])

    # -- what makers are told ----------------------------------------------------------------------------------------

    @cached_property
    def scoring(self) -> Scoring:
        """How rows are scored. A generative model says yes where yes is the likelier answer; D10's threshold is for
        heads."""
        found = self.protocol.scoring
        return replace(found, threshold=0.0) if self.family.generative else found

    @cached_property
    def choosing(self) -> Choosing:
        """By what the best weights of a training are chosen."""
        return replace(self.protocol.choosing, threshold=self.scoring.threshold)

    def fisher_settings(self, task: Task | None = None, protocol: Protocol | None = None) -> FisherSettings:
        """How Fisher diagonals are made, of a task if one is named. D15: the given labels where answers are in words,
        or are scores; of scores, `hard` takes those too, by the released code's loss."""
        found = (protocol or self.protocol).fisher
        scores = task is not None and task.kind == "regression" and found.fisher_labels != "hard"
        given_labels = self.family.generative or scores
        return replace(found, fisher_labels="empirical") if given_labels else found

    def _brought(self, source: Source) -> Key | None:
        return key_for(self._given, source.members[0], source.draw) if len(source.members) == 1 else None

    def task(self, corpus: str) -> Task:
        """What models of this corpus answer."""
        return self.corpora[corpus_of(corpus)].task

    # -- judges ------------------------------------------------------------------------------------------------------

    def prepared(self, task: Task, split: Split) -> Batches:
        """The split's batches; tokenised once in the laboratory's life."""
        name = task, split.fingerprint
        if name not in self._prepared:
            longest, most = self.scoring.max_length, self.protocol.batch_tokens
            self._prepared[name] = prepare(self.family, task, split, longest, most)
        return self._prepared[name]

    def live(self, task: Task) -> LiveModel:
        """The module that every score of this task is computed with."""
        if task not in self._live:
            one = next(iter(self._live.values()), None) if self.family.generative else None  # which answers every task
            model = self.family.load(self.folder, task, seed=1).model if one is None else one.model
            self._live[task] = LiveModel(self.family, task, model, DTYPES[self.scoring.dtype], device())
        return self._live[task]

    def _sheet(self, corpus: str, split: Split, heads: Mapping[str, Weights]) -> Sheet:
        task, threshold = self.task(corpus), self.scoring.threshold
        return Sheet(self.live(task), self.prepared(task, split), threshold, corpus, heads.get(corpus, {}))

    def dev_scorer(self, key: PopulationKey, search: Search = PLAIN.search) -> DevScorer:
        """Scores on the development rows of the members' corpora, or on a prefix of each (D28)."""
        sheets, heads = {}, self.heads(key)
        for corpus in key.corpora:
            split = self.rows.dev(corpus, key.seed)
            rows = split.first(max(1, round(search.dev_fraction * len(split))))
            sheets[corpus] = self._sheet(corpus, rows, heads)
        progress = Progress(self.say, f"searching with {self.model} on {'+'.join(key.members)}")
        return DevScorer(sheets, search.fitness, search.fitness_digits, progress)

    def examiner(self, cell: Cell, corpora: tuple[str, ...], own_heads: bool = True) -> Examiner:
        """The keeper of the test rows of this cell; `own_heads=False` for weights that hold every task's head."""
        heads = self.heads(cell.key) if own_heads else {}
        return Examiner({c: partial(self._sheet, c, self.rows.exam(cell, c), heads) for c in corpora})

    # -- members -----------------------------------------------------------------------------------------------------

    def try_out(self) -> None:
        """Ask the model a few texts before anything is trained. Errors: `BadModel` in one line, whatever goes wrong."""
        tasks = trial.tasks_to_try([corpus.task for corpus in self.corpora.values()])
        trial.lengths(str(self.model), self.family, self.protocol.max_length, self.say)
        for task in tasks:
            loaded = self.family.load(self.folder, task, seed=1)
            for note in loaded.notes:
                self.say(f"{self.model}: {note}")
            if loaded.classifier is not None:
                self.say(f"{self.model}: its file holds {loaded.classifier}, of a classifier, which is left out")
            if loaded.output_layer and not loaded.fresh & set(loaded.output_layer):
                self.say(
                    f"{self.model}: its file holds a head for {len(task.outputs)} labels, from which training starts"
                )
            weights = dict(loaded.model.named_parameters())
            zoo.require_finite(str(self.model), weights)  # also where no text of the trial leads
            self._try(str(self.model), loaded.model, task)

    def try_member(self, key: Key) -> None:
        """The same of a member that the user brought. Errors: `BadModel`, or `Misfit` if it is not of this model."""
        name, task = f"--member {word_of(key)}", self.task(key[0])
        self._try(name, self._taken(key, 1, self.say).module(), task)
        earlier = takewhile(lambda other: other != key, self._given)
        if twin := next((other for other in earlier if self._print_of(other) == self._print_of(key)), None):
            self.say(f"{name}: it is the checkpoint that {word_of(twin)} has; merged with itself it stays as it is")

    def _try(self, name: str, model: nn.Module, task: Task) -> None:
        trial.run(name, self.family, model, task, within(self.protocol.max_length, self.family.limit))

    def _print_of(self, key: Key) -> str:
        if key not in self._prints:
            self._prints[key] = given.fingerprint_of(self._given[key])
        return self._prints[key]

    def _taken(self, key: Key, seed: int, say: Callable[[str], None] = lambda line: None) -> given.Taken:
        """A member that the user brought; an adapter shares the tensors of the ancestor of this seed's populations."""
        base = given.Base(self.family, self.folder, self._zoo, self._trusted, self._any_config)
        name, task, folder = word_of(key), self.task(key[0]), self._given[key]
        if key not in self._akin:
            given.require_akin(base, task, name, folder)
            self._akin.add(key)
        return given.take(base, task, name, folder, say, partial(self.ancestor, task, seed))

    def member(self, source: Source) -> Weights:
        """The model fine-tuned on this; from the zoo, if it was ever made."""
        if (key := self._brought(source)) is not None:
            return self._taken(key, source.draw).weights

        recipe = self.member_recipe(source)
        work = f"fine-tuning {self.model} on {'+'.join(source.members)}, seed {source.seed}"

        def make(folder: Path) -> None:
            self.say(work)
            place = unfinished.Place(self._zoo.path("members", recipe), self.say, self._minutes)
            weights = self._finetune(source, Progress(self.say, work), place)
            zoo.require_finite(f"{self.model} fine-tuned on {'+'.join(source.members)}", weights)
            zoo.save_weights(weights, folder / "model.safetensors")

        return zoo.load_weights(self._zoo.get("members", recipe, make, work) / "model.safetensors")

    def _finetune(self, source: Source, progress: Progress, place: unfinished.Place) -> Weights:
        """One model of one task, or one trunk with several heads."""
        tasks: dict[Task, list[str]] = {}
        for member in source.members:
            tasks.setdefault(self.task(member), []).append(member)
        parts, loaded = [], None
        for task, members in tasks.items():
            rows = self.rows.training(members, source, generative=self.family.generative)
            if loaded is None or not self.family.generative:  # one generative model answers every task
                loaded = self.family.load(self.folder, task, source.seed)
            parts.append(Part(corpus_of(members[0]), task, rows, loaded))
        corpora = dict.fromkeys(map(corpus_of, source.members))
        sheets = {c: self._sheet(c, self.rows.dev(c, source.draw), {}) for c in corpora}
        score = DevScorer(sheets, self.choosing.fitness, self.choosing.fitness_digits)
        weights, _ = finetune(self.family, parts, self.protocol.training, source.seed, score, progress, place)
        return weights

    def population(self, key: PopulationKey) -> Population:
        """The members of this key, trained or loaded, with their ancestor and lazy statistics."""
        members: list[Weights] = [self.member(source) for source in key.sources]
        task = self.task(key.members[0])
        loaded = self.ancestor(task, key.seed)
        for name, weights in zip(key.members, members, strict=True):
            given.require_descends(str(self.model), self.ancestor(self.task(name), key.seed).model, name, weights)
        ancestor: Weights = {name: p.detach() for name, p in loaded.model.named_parameters()}
        if key.heads == "own":
            ancestor = without(ancestor, loaded.head)
            members = [without(m, loaded.head) for m in members]
        elif key.heads == "diff" or not all(map(self.trains, key.sources)):
            ancestor = without(ancestor, loaded.fresh)  # no head is theirs all
        merged = bool(loaded.output_layer) and self.merges_heads(key)
        layer = {"label_aware": loaded.output_layer, "label_aware_weight": loaded.output_layer[:1], "plain": ()}
        return Population(
            members=tuple(members),
            names=key.members,
            ancestor=ancestor,
            statistics=self._statistics(key),
            transposed=gram.transposed(loaded.model),
            output_layer=layer[self.protocol.heads.head_merge] if merged else (),
            annotated=torch.tensor([self.corpora[corpus_of(m)].annotated for m in key.members]) if merged else None,
        )

    def merges_heads(self, key: PopulationKey) -> bool:
        """Whether output layers are merged in a way of their own: members of one multi-label task know different
        labels. Heads of other tasks are merged like everything else."""
        return not self.family.generative and key.heads != "own" and self.task(key.members[0]).kind == "multi_label"

    def heads(self, key: PopulationKey) -> dict[str, Weights]:
        """Corpus -> the head of its own member, where heads are not merged."""
        if key.heads != "own":
            return {}
        found: dict[str, Weights] = {}
        for member, source in zip(key.members, key.sources, strict=True):
            head = self.ancestor(self.task(member), key.seed).head
            weights = self.member(source)
            found[corpus_of(member)] = {name: weights[name] for name in weights if name in head}
        return found

    def forget(self) -> None:
        """Read anew what was handed out: somebody wrote to it, or may have."""
        self._ancestors.clear()

    def ancestor(self, task: Task, seed: int) -> Loaded:
        """The pre-trained model with the head that members of this task and seed started from."""
        place = (None, 0) if self.family.generative else (task, seed)  # a model without a head is always the same
        if place not in self._ancestors:
            self._ancestors = {k: v for k, v in self._ancestors.items() if k[1] == seed}
            self._ancestors[place] = self.family.load(self.folder, task, seed)
        return self._ancestors[place]

    # -- statistics --------------------------------------------------------------------------------------------------

    def _statistics(self, key: PopulationKey) -> LazyStatistics:
        def recipe(kind: str, i: int) -> Recipe:
            return self.statistics_recipe(kind, key.sources[i])

        def work(kind: str, i: int) -> str:
            source = key.sources[i]
            return f"making {kind} statistics of {self.model} on {source.members[0]}, seed {source.seed}"

        def compute(kind: str, i: int) -> dict[str, Tensor]:
            self.say(work(kind, i))
            return self._compute(kind, key.sources[i])

        return LazyStatistics(self._zoo, recipe, len(key.members), compute, work)

    def statistics_recipe(self, kind: str, source: Source) -> Recipe:
        """Everything that decides the Fisher diagonals or the Gram matrices of one member."""
        settings = self._settings(kind, source)
        plain: Any = PLAIN.fisher if kind == "fisher" else PLAIN.gram
        drawn = isinstance(settings, FisherSettings) and settings.fisher_labels == "sampled"
        return {
            "member": self.member_recipe(source),
            "model": self.identity["fingerprint"],
            "rows": self.statistics_rows(kind, source).fingerprint,
            "settings": written(settings, plain),
            "draws": [source.members[0], source.seed] if drawn else None,
            "version": self.statistics_version(kind),
            "engine": engine(),
        }

    def statistics_version(self, kind: str) -> int:
        """Of the code that makes them, whose corrections are other statistics and so other merges."""
        return fisher.VERSION if kind == "fisher" else gram.VERSION

    def statistics_rows(self, kind: str, source: Source) -> Split:
        """The training rows that a member's statistics are made of."""
        if (kind, source) not in self._firsts:
            rows = self.protocol.fisher.fisher_rows if kind == "fisher" else self.protocol.gram.gram_rows
            self._firsts[kind, source] = self.rows.train(source.members[0], source.draw).first(rows)
        return self._firsts[kind, source]

    def _settings(self, kind: str, source: Source) -> FisherSettings | GramSettings:
        return self.fisher_settings(self.task(source.members[0])) if kind == "fisher" else self.protocol.gram

    def _compute(self, kind: str, source: Source) -> dict[str, Tensor]:
        task, settings = self.task(source.members[0]), self._settings(kind, source)
        model, weights = self.family.load(self.folder, task, source.seed).model, self.member(source)
        for name, parameter in model.named_parameters():
            parameter.data = weights[name].clone()
        rows = self.prepared(task, self.statistics_rows(kind, source))

        def logits(of: nn.Module, batch: Batch) -> Tensor:
            return self.family.logits(of, task, batch.inputs)

        if isinstance(settings, GramSettings):
            return gram.matrices(model, logits, rows, settings.gram_padding)
        rng = torch.Generator().manual_seed(seed_from("fisher", source.members[0], source.seed))
        labels, each = settings.fisher_labels, settings.fisher_per_example
        return fisher.diagonal(model, logits, rows, labels, each, rng)


def without(weights: Weights, names: frozenset[str]) -> Weights:
    """The other parameters."""
    return {name: tensor for name, tensor in weights.items() if name not in names}


def device() -> str:
    """Where fine-tuning and scoring run; merging and statistics stay on the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
