"""The laboratory of one model: makes its members, populations and judges, each once, under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from harness import fisher, given, gram, zoo
from harness.batches import Batch, Batches, prepare
from harness.cells import Cell, PopulationKey, seed_from
from harness.data.corpus import MASKED, Corpus, Split, concatenate
from harness.data.emotion import BASIC, LABELS
from harness.errors import BadModel
from harness.families.base import Loaded, Task
from harness.families.encoder import Encoder
from harness.finetune import VERSION as FINETUNE_VERSION
from harness.finetune import finetune
from harness.models import ModelName, fingerprint
from harness.progress import Progress
from harness.protocols import Protocol
from harness.scoring import DevScorer, Examiner, LiveModel
from harness.statistics import LazyStatistics
from methods import Population, Weights

TASK = Task("emotion", LABELS)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TRAINING = ("epochs", "learning_rate", "head_rate", "batch_size", "warmup", "max_length", "checkpoint", "train_dtype")
CHOOSING = ("threshold", "fitness", "fitness_digits", "dtype")  # what the best epoch is chosen by
STATISTICS = {
    "fisher": ("fisher_labels", "fisher_per_example", "fisher_rows", "max_length"),
    "gram": ("gram_rows", "gram_padding", "max_length"),
}


class Lab:
    """Everything about one model that cells share.

    Args:
        model: the model as the user named it; `folder` is where it lies.
        corpora: the corpora at hand, by name.
        brought: members that the user brought, corpus -> checkpoint folder; the others are fine-tuned here.
        say: takes a line about long work.
    """

    def __init__(
        self,
        model: ModelName,
        folder: Path,
        protocol: Protocol,
        corpora: Mapping[str, Corpus],
        zoo_: zoo.Zoo,
        brought: Mapping[str, Path],
        say: Callable[[str], None],
    ) -> None:
        self.model, self.folder, self.protocol = model, folder, protocol
        self.corpora, self._zoo, self._given, self.say = corpora, zoo_, brought, say
        self.family = Encoder()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        if self.tokenizer.pad_token_id is None:
            raise BadModel(f"{model}: its tokenizer has no padding token; add one and save the folder again")
        self._splits: dict[tuple[str, str], Split] = {}
        self._prepared: dict[str, Batches] = {}
        self._ancestors: dict[int, Loaded] = {}
        self.marks: dict[tuple[str, int], dict[str, float]] = {}  # (member, seed) -> test rows -> score, for the rows

    # -- identity ----------------------------------------------------------------------------------------------------

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a recipe says of the model; not where it lies."""
        return {"name": self.model.display, "fingerprint": fingerprint(self.folder), "family": self.family.kind}

    def member_recipe(self, corpora: tuple[str, ...], seed: int) -> dict[str, Any]:
        """Everything that decides one fine-tuned model; several corpora are trained on together (mtl)."""
        if len(corpora) == 1 and corpora[0] in self._given:
            return {"given": fingerprint(self._given[corpora[0]]), "corpus": corpora[0]}
        knobs = asdict(self.protocol)
        return {
            "model": self.identity["fingerprint"],
            "family": self.family.kind,
            "train": [self.train_split(c).fingerprint for c in corpora],
            "dev": [self.dev_split(c).fingerprint for c in corpora],
            "training": {name: knobs[name] for name in (*TRAINING, *CHOOSING)},
            "seed": seed,
            "version": FINETUNE_VERSION,
        }

    # -- rows --------------------------------------------------------------------------------------------------------

    def train_split(self, corpus: str) -> Split:
        """What a member is fine-tuned on."""
        return self._split("train", corpus, lambda: self.corpora[corpus].train.first(self.protocol.train_rows))

    def dev_split(self, corpus: str) -> Split:
        """What checkpoints and candidates are chosen on."""
        return self._split("dev", corpus, lambda: self.corpora[corpus].dev.first(self.protocol.dev_rows))

    def exam_split(self, cell: Cell, corpus: str) -> Split:
        """What the merged model is asked, with labels that the setting does not ask masked."""
        rows, p = self.corpora[corpus], self.protocol
        if cell.setting.examined is None:
            return self._split("test", corpus, lambda: rows.test.first(p.test_rows))
        only_test = p.ood_rows == "test_if_diff" and cell.key.heads == "diff"  # D12

        def unseen() -> Split:
            split = (rows.test if only_test else rows.everything).first(p.test_rows)
            return masked_but(split, BASIC) if p.ood_labels == "basic" else split  # D11

        return self._split("unseen test" if only_test else "unseen", corpus, unseen)

    def _split(self, kind: str, corpus: str, make: Callable[[], Split]) -> Split:
        if (kind, corpus) not in self._splits:
            self._splits[kind, corpus] = make()
        return self._splits[kind, corpus]

    def prepared(self, split: Split) -> Batches:
        """The split's batches; tokenised once in the laboratory's life."""
        name = split.fingerprint
        if name not in self._prepared:
            p = self.protocol
            self._prepared[name] = prepare(self.family, self.tokenizer, split, p.max_length, p.batch_tokens)
        return self._prepared[name]

    # -- judges ------------------------------------------------------------------------------------------------------

    @cached_property
    def live(self) -> LiveModel:
        """The module that every score is computed with."""
        return LiveModel(self.family, self._load(seed=1).model, DTYPES[self.protocol.dtype], device())

    def dev_scorer(self, corpora: tuple[str, ...], fraction: float = 1.0) -> DevScorer:
        """Scores on the development rows of these corpora; `fraction` takes a prefix of each."""
        splits = {c: self.dev_split(c) for c in corpora}
        parts = {c: self.prepared(s.first(max(1, round(fraction * len(s))))) for c, s in splits.items()}
        p, progress = self.protocol, Progress(self.say, f"searching with {self.model} on {'+'.join(corpora)}")
        return DevScorer(self.live, parts, p.threshold, p.fitness, p.fitness_digits, progress)

    def examiner(self, cell: Cell, corpora: tuple[str, ...]) -> Examiner:
        """The keeper of the test rows of this cell."""
        test = {c: self.prepared(self.exam_split(cell, c)) for c in corpora}
        return Examiner(self.live, test, TASK.outputs, self.protocol.threshold)

    # -- members -----------------------------------------------------------------------------------------------------

    def member(self, corpora: tuple[str, ...], seed: int) -> Weights:
        """The model fine-tuned on these corpora; from the zoo, if it was ever made."""
        if len(corpora) == 1 and corpora[0] in self._given:
            given.require_same_words(corpora[0], self._given[corpora[0]], self.tokenizer.get_vocab())
            return given.load(self.family, TASK, corpora[0], self._given[corpora[0]])
        recipe = self.member_recipe(corpora, seed)

        def make(folder: Path) -> None:
            what = f"fine-tuning {self.model} on {'+'.join(corpora)}, seed {seed}"
            self.say(what)
            train = concatenate([self.train_split(c) for c in corpora])
            score = self.dev_scorer(corpora)
            progress = Progress(self.say, what)
            loaded = self._load(seed)
            weights, _ = finetune(self.family, loaded, self.tokenizer, train, self.protocol, seed, score, progress)
            zoo.require_finite(f"{self.model} fine-tuned on {'+'.join(corpora)}", weights)
            zoo.save_weights(weights, folder / "model.safetensors")

        return zoo.load_weights(self._zoo.get("members", recipe, make) / "model.safetensors")

    def population(self, key: PopulationKey) -> Population:
        """The members of this key, trained or loaded, with their ancestor and lazy statistics."""
        members = tuple(self.member((c,), s) for c, s in zip(key.members, key.seeds, strict=True))
        loaded = self.ancestor(key.seed)
        ancestor = {name: p.detach() for name, p in loaded.model.named_parameters()}
        if key.heads == "diff" or any(c in self._given for c in key.members):
            ancestor = {name: p for name, p in ancestor.items() if name not in loaded.fresh}  # no head is theirs all
        for name, weights in zip(key.members, members, strict=True):
            given.require_descends(str(self.model), loaded.model, name, weights)
        layer = {"label_aware": loaded.output_layer, "label_aware_weight": loaded.output_layer[:1], "plain": ()}
        return Population(
            members=members,
            names=key.members,
            ancestor=ancestor,
            statistics=self._statistics(key),
            transposed=gram.transposed(loaded.model),
            output_layer=layer[self.protocol.head_merge],
            annotated=torch.tensor([self.corpora[c].annotated for c in key.members]),
        )

    def ancestor(self, seed: int) -> Loaded:
        """The pre-trained model with the head that members of this seed started from."""
        if seed not in self._ancestors:
            self._ancestors = {seed: self._load(seed)}
        return self._ancestors[seed]

    def _load(self, seed: int) -> Loaded:
        return self.family.load(self.folder, TASK, seed)

    # -- statistics --------------------------------------------------------------------------------------------------

    def _statistics(self, key: PopulationKey) -> LazyStatistics:
        knobs = asdict(self.protocol)

        def recipe(kind: str, i: int) -> dict[str, Any]:
            corpus, seed = key.members[i], key.seeds[i]
            return {
                "member": self.member_recipe((corpus,), seed),
                "rows": self._statistics_rows(kind, corpus).fingerprint,
                "settings": {name: knobs[name] for name in STATISTICS[kind]},
                "version": 1,
            }

        def compute(kind: str, i: int) -> dict[str, Tensor]:
            corpus, seed = key.members[i], key.seeds[i]
            self.say(f"{kind} statistics of {self.model} on {corpus}, seed {seed}")
            return self._compute(kind, corpus, self.member((corpus,), seed), seed)

        return LazyStatistics(self._zoo, recipe, len(key.members), compute)

    def _statistics_rows(self, kind: str, corpus: str) -> Split:
        p = self.protocol
        return self.train_split(corpus).first(p.fisher_rows if kind == "fisher" else p.gram_rows)

    def _compute(self, kind: str, corpus: str, weights: Weights, seed: int) -> dict[str, Tensor]:
        model = self._load(seed).model
        for name, parameter in model.named_parameters():
            parameter.data = weights[name].clone()
        rows = self.prepared(self._statistics_rows(kind, corpus))
        if kind == "gram":
            return gram.matrices(model, self._logits, rows, self.protocol.gram_padding)
        rng = torch.Generator().manual_seed(seed_from("fisher", corpus, seed))
        p = self.protocol
        return fisher.diagonal(model, self._logits, rows, p.fisher_labels, p.fisher_per_example, rng)

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.family.logits(model, batch.ids, batch.mask)


def device() -> str:
    """Where fine-tuning and scoring run; merging and statistics stay on the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def masked_but(split: Split, keep: tuple[str, ...]) -> Split:
    """The same rows with every label but these masked."""
    labels = split.labels.copy()
    labels[:, [i for i, label in enumerate(LABELS) if label not in keep]] = MASKED
    return Split(split.texts, labels)
