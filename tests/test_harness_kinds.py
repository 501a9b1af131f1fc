"""Merges that are not one set of weights, asked as models are: in a cell, around a search, on the disk, in words."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.recorded import weights_sha256
from harness.cells.run import merged_by
from harness.export.deliver import Order, deliver
from harness.export.remake import cell_of, remade
from harness.families.asked import Asked
from harness.families.batches import prepare
from harness.judging.chorus import Chorus, view
from harness.judging.live import LiveModel
from harness.judging.speaking import speaking
from harness.judging.written import WrittenSheet
from harness.records.record import RunRecord, Store
from harness.suites.emotion.labels import IN_DOMAIN
from methods import Ensemble, Hop, Merged, NotApplicable, PerTask, Population, Route, Weights, known, register
from methods.catalogue import METHODS
from methods.merged import for_task, models_of, with_trace
from methods.searching.layers import blocks_of
from methods.space import Gene
from tests.brought import SETTING, TWO, bring, lab_of, record_of
from tests.test_harness_writing import TASK, family, rows_of

Ask = Callable[[str, str], RunRecord]
KINDS = ("ensemble", "route", "per_task")
FAMILIES = ("encoder", "decoder")


def made(kind: str, population: Population, share: float) -> Merged:
    """What the plug-ins give; `share` changes a route's scale, masks and scales of tasks, who is in an ensemble."""
    first, last = population.members[0], population.members[-1]
    if kind == "ensemble":
        return Ensemble((first, {n: torch.lerp(first[n], last[n], share) for n in first}, last))
    if kind == "route":
        blocks = blocks_of(first)
        hops = (*(Hop(0, block) for block in blocks), Hop(len(population) - 1, blocks[-1], 0.5 + share))
        return Route(population.members, hops, "stream")
    unified = {n: torch.stack([m[n] for m in population.members]).mean(0) for n in first}
    masked = [name for name in first if name in population.ancestor]

    def mask(name: str, member: Weights) -> Tensor:
        change = (member[name] - population.ancestor[name]).abs()
        return change >= change.flatten().quantile(share)

    masks = {who: {n: mask(n, m) for n in masked} for who, m in zip(population.names, population.members, strict=True)}
    return PerTask(unified, population.ancestor, masks, dict.fromkeys(population.names, 1 + share))


@pytest.fixture(autouse=True, scope="module")
def plug_ins() -> Iterator[None]:
    """A registry that knows a method for every kind."""
    known()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "entries", dict(METHODS.entries))
        for kind in KINDS:
            _register(kind, f"gives_{kind}")
        _register("route", "gives_scaled", share=0.75)
        yield


def _register(kind: str, name: str, share: float = 0.5) -> None:
    def merge(self: Any, population: Population, score: Any, rng: torch.Generator) -> Merged:
        return with_trace(made(kind, population, self.share), {"share": self.share})

    def replay(self: Any, population: Population, trace: Any, score: Any, rng: torch.Generator) -> Merged:
        return with_trace(made(kind, population, trace["share"]), trace)

    own = {"merge": merge, "replay": replay, "searched": (Gene("share", 0.0, 1.0, local=False),), "share": share}
    hints = {"share": float, "searched": ClassVar[tuple[Gene, ...]]}
    cls = type(name, (), {**own, "__annotations__": hints, "__module__": __name__})
    register(name, paper="none")(dataclass(frozen=True)(cls))


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Lab]:
    root = tmp_path_factory.mktemp("kinds")
    return {kind: lab_of(root / kind, bring(root / kind, kind), kind, "search.budget=12") for kind in FAMILIES}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("results") / "results")


@pytest.fixture(scope="module")
def ask(labs: Mapping[str, Lab], store: Store) -> Ask:
    """The record of a family and a method, made once."""
    return cache(lambda kind, method: record_of(labs[kind], store, method))


def key_of(lab: Lab) -> PopulationKey:
    heads: Any = "diff" if lab.subject.family.kind == "encoder" else "none"
    return PopulationKey(lab.subject.model, "emotion", TWO, IN_DOMAIN, 1, heads)


def count(weights: Weights) -> int:
    return sum(tensor.numel() for tensor in weights.values())


@pytest.mark.parametrize("family_kind", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_of_each_kind_is_answered_recorded_and_made_again(
    kind: str, family_kind: str, labs: Mapping[str, Lab], store: Store, ask: Ask
) -> None:
    lab = labs[family_kind]
    record = ask(family_kind, f"gives_{kind}")
    assert record.trace == {"share": 0.5} and len(record.weights_sha256) == 64
    cell = cell_of(record, lab.subject.model)
    again = remade(cell, lab, record, store)
    assert weights_sha256(again) == record.weights_sha256
    blocks, whole = len(blocks_of(models_of(again)[0])), count(models_of(again)[0])
    passes = {"ensemble": 3, "route": (blocks + 1) / blocks, "per_task": 1}[kind]
    assert record.cost["inference_models"] == passes and record.cost["stored_parameters"] > whole


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_around_each_kind_counts_its_passes_and_is_replayed(
    kind: str, labs: Mapping[str, Lab], store: Store, ask: Ask
) -> None:
    lab = labs["encoder"]
    record = ask("encoder", f"gives_{kind}_random")
    assert record.dev["calls"] > 8 and record.trace is not None
    assert record.dev["forwards"] == pytest.approx(
        record.dev["items"] * record.cost["inference_models"], abs=record.dev["calls"]
    )
    again = merged_by(cell_of(record, lab.subject.model), lab, store, before=record)
    assert weights_sha256(again.merged) == record.weights_sha256


def test_a_model_for_each_task_answers_each_corpus_as_that_model_alone(labs: Mapping[str, Lab]) -> None:
    lab = labs["decoder"]
    key = key_of(lab)
    merged = made("per_task", lab.populations.of(key), 0.5)
    exams = lab.examiner(Cell(SETTING, key, "x"), TWO).examine(merged)
    for corpus, weights in zip(TWO, models_of(merged), strict=True):
        alone = lab.examiner(Cell(SETTING, key, "x"), (corpus,)).examine(dict(weights))[corpus]
        assert (exams[corpus].predicted == alone.predicted).all()
    assert weights_sha256(models_of(merged)[0]) != weights_sha256(models_of(merged)[1])
    lacking = PerTask(merged.unified, merged.ancestor, {TWO[0]: {}}, {TWO[0]: 1.0})  # type: ignore[union-attr]
    with pytest.raises(NotApplicable, match=f"a model of its own for each of {TWO[0]}, and has none for {TWO[1]}"):
        lab.examiner(Cell(SETTING, key, "x"), TWO).examine(lacking)


def written(record: RunRecord, lab: Lab, store: Store, target: Path) -> Path:
    deliver(Order(record, "For the test."), cell_of(record, lab.subject.model), lab, store, store, target)
    return target


def test_a_model_for_each_task_is_a_folder_for_each(
    labs: Mapping[str, Lab], store: Store, ask: Ask, tmp_path: Path
) -> None:
    lab = labs["encoder"]
    record = ask("encoder", "gives_per_task")
    folder = written(record, lab, store, tmp_path / "out")
    merged = remade(cell_of(record, lab.subject.model), lab, record, store)
    for corpus in TWO:
        model = AutoModelForSequenceClassification.from_pretrained(folder / corpus)
        wanted: Any = for_task(merged, corpus)
        assert all(torch.equal(p, wanted[name]) for name, p in model.named_parameters())
    page = (folder / "README.md").read_text()
    assert "A model for each of 2 tasks" in page and "| parameters kept |" in page


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_the_card_of_a_model_that_is_asked_in_words_has_a_prompt_and_how_it_is_read(
    kind: str, labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    lab = labs[kind] if kind in labs else lab_of(tmp_path, bring(tmp_path, kind), kind)
    record = record_of(lab, store, "simple")
    page = (written(record, lab, store, tmp_path / "out") / "README.md").read_text()
    task = lab.rows.task(TWO[0])
    first = task.asked[0]
    wanted = f"{{text}} {task.statements[first]}" if kind == "decoder" else f"{task.questions[first]} "
    assert wanted in page and "logit of the token of yes minus that of no" in page
    assert "An output is said where that is at least" in page, "these tasks have several labels to a row"


def test_an_ensemble_of_others_than_the_members_is_a_folder_for_each_part(
    labs: Mapping[str, Lab], store: Store, ask: Ask, tmp_path: Path
) -> None:
    lab = labs["encoder"]
    folder = written(ask("encoder", "gives_ensemble"), lab, store, tmp_path / "out")
    told = json.loads((folder / "ensemble.json").read_text())
    assert told["members"] == ["part-1", "part-2", "part-3"]
    assert all((folder / part / "model.safetensors").is_file() for part in told["members"])


@pytest.mark.parametrize("family_kind", FAMILIES)
def test_a_route_is_a_deeper_model_that_gives_the_same_logits(
    family_kind: str, labs: Mapping[str, Lab], store: Store, ask: Ask, tmp_path: Path
) -> None:
    lab = labs[family_kind]
    record = ask(family_kind, "gives_route")
    folder, corpus = written(record, lab, store, tmp_path / "out"), TWO[0]
    auto = AutoModelForSequenceClassification if family_kind == "encoder" else AutoModelForCausalLM
    deep, task = auto.from_pretrained(folder).eval(), lab.rows.task(corpus)
    assert (
        len(blocks_of(dict(deep.named_parameters()))) == len(blocks_of(lab.workshop.member(key_of(lab).sources[0]))) + 1
    )
    rows = lab.judges.prepared(task, lab.rows.corpora[corpus].test)
    alone = LiveModel(lab.subject.family, task, deep)
    with speaking(lab.judges.live(task), made("route", lab.populations.of(key_of(lab)), 0.5), corpus) as view_of_it:
        wanted = lab.judges.live(task).logits(rows, view_of_it)
    torch.testing.assert_close(alone.logits(rows), wanted, rtol=0, atol=0)
    hops = len(record.details["route"]["hops"])
    assert f"a block for each of the {hops} hops of a route" in (folder / "README.md").read_text()


def test_a_route_that_no_plain_model_is_leaves_nothing_and_says_so(
    labs: Mapping[str, Lab], store: Store, ask: Ask, tmp_path: Path
) -> None:
    lab = labs["decoder"]
    record = ask("decoder", "gives_scaled")
    with pytest.raises(NotApplicable, match=r"multiplies all that comes in by .*, which no plain model does"):
        written(record, lab, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- ensembles that write --------------------------------------------------------------------------------------------


def members_of(model: nn.Module, count: int = 3) -> list[Weights]:
    rng = torch.Generator().manual_seed(5)

    def noisy(tensor: Tensor) -> Tensor:
        return tensor + 0.1 * tensor.std() * torch.randn(tensor.shape, generator=rng) if tensor.dim() > 1 else tensor

    return [{name: noisy(p.detach()) for name, p in model.named_parameters()} for _ in range(count)]


def by_hand(asked: Asked, members: list[nn.Module], prompt: tuple[int, ...], new: int) -> list[int]:
    """Greedy, with the mean of logits, everything read anew for every token."""
    said: list[int] = []
    while len(said) < new and (not said or said[-1] != asked.tokenizer.eos_token_id):
        if asked.kind == "decoder":
            given: dict[str, Any] = {"input_ids": torch.tensor([[*prompt, *said]])}
        else:
            start: Any = members[0].config.decoder_start_token_id  # type: ignore[union-attr]
            given = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([[start, *said]])}
        with torch.no_grad():
            words = torch.stack([member(**given).logits[0, -1] for member in members]).mean(0)
        said.append(int(words.argmax()))
    return said


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_an_ensemble_writes_what_the_mean_of_its_logits_says_step_by_step(kind: str) -> None:
    asked, model = family(kind)
    weights = members_of(model)
    rows = asked.prompt_rows(TASK, rows_of(), 64)[:4]
    live = LiveModel(asked, TASK, model)
    before = {name: p.data_ptr() for name, p in model.named_parameters()}
    with speaking(live, Ensemble(tuple(weights))) as chorus:
        found = asked.write(chorus, TASK, rows)
        likely = asked.likelihood(chorus, TASK, rows)
        for own, member in zip(weights, chorus.members, strict=True):  # type: ignore[call-overload]
            assert all(p.data_ptr() == own[name].data_ptr() for name, p in member.named_parameters()), "no copies"
    assert {name: p.data_ptr() for name, p in model.named_parameters()} == before
    alone = [view(model, own) for own in weights]
    assert [list(w.tokens) for w in found] == [by_hand(asked, alone, row.prompt, TASK.tokens) for row in rows]
    word = next(sign for w in found for sign in w.text[1:] if any(sign not in other.text for other in found))
    with speaking(live, Ensemble(tuple(weights))) as chorus:
        ended = asked.write(chorus, replace(TASK, stop=(word,)), rows)  # some rows leave the batch before others
    assert [w.text for w in ended] == [w.text.partition(word)[0] for w in found]
    assert {w.ended for w in ended} == {True, False} and len({len(w.tokens) for w in ended}) > 1
    assert found != asked.write(alone[0], TASK, rows), "one member says something else"
    assert likely.std() > 0


def test_an_ensemble_of_one_model_twice_writes_and_scores_as_that_model() -> None:
    asked, model = family("llama")
    split, own = rows_of(), members_of(model, 1)[0]
    rows = prepare(asked, TASK, split, 64, 400)
    sheet = WrittenSheet(LiveModel(asked, TASK, model), asked, rows, split, 400)
    one, twice = (sheet.reply(merged, dense=True) for merged in (own, Ensemble((own, own))))
    assert one.texts == twice.texts and one.likelihood == pytest.approx(twice.likelihood)


def test_a_chorus_takes_what_its_members_take() -> None:
    _, model = family("llama")
    asked = inspect.signature(Chorus([model]).forward).parameters
    assert asked == inspect.signature(model.forward).parameters and "logits_to_keep" in asked
