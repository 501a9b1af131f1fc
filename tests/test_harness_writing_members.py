"""Members whose answers are written: trained in the ordinary way, chosen by likelihood, with their own statistics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from harness.cells import run
from harness.cells.cell import Cell, PopulationKey, Source
from harness.cells.lab import Lab
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus, Reference, Split
from harness.data.task import Task
from harness.errors import BadModel
from harness.export import chapters
from harness.export.facts import Facts, Reading
from harness.families import trial
from harness.families.batches import Batch, prepare
from harness.families.encoder import Encoder
from harness.families.encoder_decoder import EncoderDecoder
from harness.members import gram
from harness.protocol.protocols import named
from harness.records.record import Store
from harness.session import matrix
from harness.session.holdings import Holdings
from harness.session.options import Options
from harness.storage.zoo import Zoo
from harness.suites import Suite, Where, resolve
from harness.suites.setting import Setting
from harness.suites.tailoring import protocol_of
from methods import NotApplicable
from tests.test_harness_families import metaspace, saved, t5, word_level

SAYS = Task(
    *("says", "generation", ("mark",), "mean_mark", (), ()),
    prompt="sentence 1: {text} says",
    tokens=3,
    graders=("exact",),
)
MOODS = ("good", "bad")
SETTINGS = ("epochs=6", "batch_size=8", "learning_rate=1e-2", "max_length=16", "fisher_rows=8", "gram_rows=8")


def rows(seed: int, count: int, moods: tuple[str, ...]) -> Split:
    """A text ends with a mood, and so does the answer; of one member it is the opposite."""
    rng = np.random.default_rng(seed)
    picked = rng.integers(2, size=count)
    texts = tuple(" ".join((*rng.choice(["rain", "day", "the"], size=k + 1), MOODS[k])) for k in picked)
    return Split(texts, np.ones((count, 1)), None, tuple(Reference(moods[k]) for k in picked))


def corpus(name: str, seed: int, moods: tuple[str, ...] = MOODS) -> Corpus:
    train, dev, test = (rows(seed + i, n, moods) for i, n in enumerate((48, 10, 12)))
    return Corpus(name, SAYS, train, dev, test, (True,))


def tiny(words: int) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=words, n_embd=32, n_layer=2, n_head=4, n_positions=24, eos_token_id=3, pad_token_id=0
    )
    config.update({"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0})
    return GPT2LMHeadModel(config)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = saved(tmp_path_factory.mktemp("model"), tiny(len(word_level())), word_level())
    corpora = {"one": corpus("one", 0), "other": corpus("other", 10, MOODS[::-1])}
    protocol = protocol_of(named("quick"), resolve("emotion"), {"decoder"}, list(SETTINGS))
    zoo = Zoo(tmp_path_factory.mktemp("zoo"))
    return Lab(ModelName("small", str(folder)), folder, protocol, corpora, zoo, {}, lambda line: None, usual=protocol)


def test_members_learn_to_write_and_are_chosen_by_how_likely_right_answers_are(lab: Lab) -> None:
    lab.workshop.try_model()
    members = [lab.workshop.member(Source((name,), 1, 1)) for name in lab.rows.corpora]
    replies = [lab.judges._sheet("one", lab.rows.corpora["one"].test, {}).reply(m, dense=True) for m in members]
    assert [reply.predicted.mean() for reply in replies] == [1, 0] and replies[0].details["cut"] == 0
    trainer = lab.judges.trainer(Source(("one",), 1, 1))
    assert trainer is not None
    right, wrong = map(trainer, members)
    assert 0.8 < right <= 1 and 0 < wrong < 0.2  # the mean probability of a token; never negative, so no warning


def test_fisher_diagonals_of_written_answers_are_squares_of_their_likelihoods_gradients(lab: Lab) -> None:
    key = PopulationKey(lab.subject.model, "emotion", tuple(lab.rows.corpora), tuple(lab.rows.corpora), 1, "none")
    population = lab.populations.of(key)
    family, model = lab.subject.family, lab.subject.fresh(SAYS, 1).model
    for name, parameter in model.named_parameters():
        parameter.data = population.members[0][name].clone()
    rows = family.encode(SAYS, lab.rows.corpora["one"].train.first(8), 16)
    wanted = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for row in rows:
        model.zero_grad()
        (-family.loss(model, SAYS, family.collate([row]), torch.ones(1, 1))).backward()  # of one row, its mean
        for name, p in model.named_parameters():
            wanted[name] += p.grad.square() / len(rows)
    found = population.statistics["fisher"][0]
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", ["decoder", "encoder_decoder"])
def test_gram_matrices_of_written_answers_hold_the_inputs_of_every_token_and_no_padding(name: str, lab: Lab) -> None:
    family: Any = lab.subject.family if name == "decoder" else EncoderDecoder(metaspace())
    model = lab.subject.fresh(SAYS, 1).model if name == "decoder" else t5(metaspace())
    split = rows(5, 6, MOODS)
    references = tuple(Reference(words) for words in ("good", "bad day rain", "", "a", "the old bird", "good"))
    task = replace(SAYS, tokens=6)
    split = Split(split.texts, split.labels, None, references)

    def logits(of: nn.Module, batch: Batch) -> Tensor:
        return family.logits(of, task, batch.inputs)

    together = gram.matrices(model, logits, prepare(family, task, split, 24, 1000))
    alone = gram.matrices(model, logits, prepare(family, task, split, 24, 1))
    assert len(together) > 4
    for weight, wanted in alone.items():
        torch.testing.assert_close(together[weight], wanted, rtol=1e-4, atol=1e-6)


def test_an_encoder_is_asked_for_no_written_answer() -> None:
    with pytest.raises(BadModel, match="is an encoder, which writes no answers; name a decoder"):
        Encoder(word_level()).load(Path("folder"), SAYS, 0)
    assert trial.tasks_to_try([SAYS], writes=False) == [] and trial.tasks_to_try([SAYS], writes=True) == [SAYS]


def test_cells_that_ask_encoders_for_written_answers_are_skipped_before_anything_is_trained(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = tuple(lab.rows.corpora)
    key = PopulationKey(lab.subject.model, "says", members, members, 1, "none")
    cell = Cell(Setting("says", "all", members, "all"), key, "avg")
    encoder = SimpleNamespace(rows=lab.rows, workshop=lab.workshop, subject=SimpleNamespace(generative=False))
    with pytest.raises(NotApplicable, match="is an encoder, and answers of one are written; name a decoder"):
        run.run(cell, cast(Lab, encoder), cast(Store, None))
    suite = Suite()
    suite.tasks, suite.in_world = (SAYS,), True
    monkeypatch.setattr(matrix, "resolve", lambda name: suite)
    for kind, reason in (("encoder", "small is an encoder, which writes no answers"), ("decoder", "")):
        has = SimpleNamespace(family=lambda model, kind=kind: kind, where=lambda model: Where())
        found = matrix.Matrix(cast(Options, None), cast(Holdings, has)).elsewhere("says", lab.subject.model)
        assert found.startswith(reason) and bool(found) == bool(reason)


def test_the_card_of_a_model_that_writes_says_from_what_prompt_and_up_to_which_end() -> None:
    told = chapters._how_read(
        cast(Facts, SimpleNamespace(tasks={"one": replace(SAYS, stop=("day",))}, reading=Reading("decoder", 16, 0.0)))
    )
    for words in ("'sentence 1: {text} says'", "3 times at most", "or 'day'", "marked by exact", "fit 16 tokens"):
        assert words in told
    assert "yes" not in told


def test_a_prompt_that_leaves_no_room_for_its_answer_is_told_before_anything_is_trained(lab: Lab) -> None:
    family, model = lab.subject.family, lab.subject.fresh(SAYS, 1).model
    with pytest.raises(
        BadModel, match=r"says: its prompt has 4 tokens without a text, and max_length, .* has room for 3"
    ):
        trial.run("small", family, model, replace(SAYS, tokens=13), 16)
    family.limit = None  # as of a model whose config names no table of positions; the last token is never read
    with pytest.raises(BadModel, match="small cannot be asked a text of 40 tokens: 25 tokens are its longest text"):
        trial.run("small", family, model, SAYS, 40)
