"""Populations that a user brings: a model of each family with random weights, and members that differ from it by noise.

Nothing is trained, so they cost nothing, and their answers differ from row to row.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertForSequenceClassification

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus
from harness.members import tiny
from harness.records.record import RunRecord, Store
from harness.storage.zoo import Zoo
from harness.suites.base import Where
from harness.suites.emotion import world
from harness.suites.emotion.labels import IN_DOMAIN, LABELS
from harness.suites.glue.tasks import TASKS
from harness.suites.registry import resolve
from harness.suites.setting import Setting
from tests.emotion_cells import answer
from tests.small_world import SmallWorld, protocol, shrink

TWO = ("tec", "isear")
TASKS_OF_TWO = ("cola", "rte")
SETTING = Setting("emotion", "pairwise", IN_DOMAIN, "pairs", heads=("same",))
FAMILIES = {"encoder": "tiny-encoder", "decoder": "tiny-decoder", "encoder_decoder": "tiny-encoder-decoder"}

NOISE = {"encoder": 0.1, "decoder": 0.2, "encoder_decoder": 0.8}  # by which the mean of two says yes and no


def bring(folder: Path, kind: str, dtype: torch.dtype = torch.float32) -> dict[str, Path]:
    """Save a model of this family and two members of it; the second one's labels are in another order."""
    name = FAMILIES[kind]
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        tokenizer = tiny._tokenizer(SmallWorld(), pairs=kind == "encoder", ends=kind != "decoder")
        model = tiny._MODELS[name](len(tokenizer)).to(dtype)
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    if kind == "encoder":
        model = BertForSequenceClassification.from_pretrained(folder / "base", num_labels=len(LABELS), dtype=dtype)
    whole = {name: p.detach().clone() for name, p in model.named_parameters()}
    members = {}
    for i, corpus in enumerate(TWO):
        for name, parameter in model.named_parameters():
            parameter.data = whole[name] + NOISE[kind] * torch.randn(whole[name].shape).to(dtype)
        order = LABELS if i == 0 else LABELS[::-1]
        if kind == "encoder":
            model.config.id2label, model.config.label2id = dict(enumerate(order)), {n: k for k, n in enumerate(order)}
        members[corpus] = folder / corpus
        model.save_pretrained(members[corpus])
        tokenizer.save_pretrained(members[corpus])
    return members


def lab_of(folder: Path, members: dict[str, Path], kind: str, *settings: str) -> Lab:
    """The laboratory of a session with these members."""
    p = protocol("threshold=0.0", *settings, tags=(kind, "emotion"))
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        corpora = {name: _few(corpus) for name, corpus in world.load(SmallWorld(), p.split_seed).items()}
    given = {(name, None): where for name, where in members.items()}
    model = ModelName("mine", str(folder / "base"))
    return Lab(model, folder / "base", p, corpora, Zoo(folder / "zoo"), given, lambda line: None)


def _few(corpus: Corpus) -> Corpus:
    return replace(corpus, train=corpus.train.first(20), dev=corpus.dev.first(10), test=corpus.test.first(12))


def record_of(lab: Lab, store: Store, method: str) -> RunRecord:
    """The answer of one method to the pair."""
    heads = "diff" if lab.subject.family.kind == "encoder" else "none"
    key = PopulationKey(lab.subject.model, "emotion", TWO, IN_DOMAIN, 1, heads)
    return answer(lab, store, Cell(SETTING, key, method))


def lab_of_two_tasks(folder: Path) -> Lab:
    """The laboratory of a session with a member of each of two GLUE tasks, whose heads differ."""
    bring(folder, "encoder")
    p = protocol(suite="glue")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        found = resolve("glue").find(Where(world=SmallWorld()), p.own, p.split_seed)
    corpora = {name: _few(found[name]) for name in TASKS_OF_TWO}
    given = {}
    for corpus in TASKS_OF_TWO:
        names = corpora[corpus].task.outputs
        model = BertForSequenceClassification.from_pretrained(
            folder / "base", num_labels=len(names), id2label=dict(enumerate(names)), label2id=None
        )
        model.config.label2id = {name: i for i, name in enumerate(names)}
        for name, parameter in model.named_parameters():
            noise = 0.0 if name == "classifier.bias" else 0.3  # or it alone decides
            parameter.data = parameter.data + noise * torch.randn(parameter.shape)
        given[corpus, None] = folder / corpus
        model.save_pretrained(folder / corpus)
        AutoTokenizer.from_pretrained(folder / "base").save_pretrained(folder / corpus)
    base = ModelName("mine", str(folder / "base"))
    return Lab(base, folder / "base", p, corpora, Zoo(folder / "zoo"), given, lambda line: None)


def record_of_two_tasks(lab: Lab, store: Store, method: str) -> RunRecord:
    """The answer of one method to the two tasks."""
    setting = Setting("glue", "cross_task", tuple(TASKS), (TASKS_OF_TWO,), heads=("own",))
    key = PopulationKey(lab.subject.model, "glue", TASKS_OF_TWO, tuple(TASKS), 1, "own")
    return answer(lab, store, Cell(setting, key, method))
