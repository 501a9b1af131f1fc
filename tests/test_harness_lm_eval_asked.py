"""Documents of lm-eval's tasks, asked of small models by its own code: offline, and nothing of it stays behind."""

from __future__ import annotations

import json
import logging
import os
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.recipe import recipe_of
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus
from harness.judging.reply import Reply
from harness.lm_eval.corpora import load
from harness.lm_eval.documents import hash_of
from harness.lm_eval.made import LmEvalSuite
from harness.lm_eval.words import wanted_of
from harness.protocol.protocols import named
from harness.records.record import RunRecord, Store
from harness.storage.zoo import Zoo
from harness.suites.base import Where
from harness.suites.tailoring import protocol_of
from leaderboard.audit import reproduce
from leaderboard.tables.answers import gold_of
from methods import Merged, NotApplicable
from methods.errors import MergeboardError
from methods.merged import Ensemble, Hop, Route
from methods.searching.layers import blocks_of
from tests.brought import TWO, bring
from tests.emotion_cells import answer
from tests.lm_eval_world import METRICS, WRITTEN, Document, documents, task
from tests.made_once import made_once
from tests.small_world import ROOT, Project

pytest.importorskip("lm_eval")
AUTO = {"decoder": AutoModelForCausalLM, "encoder_decoder": AutoModelForSeq2SeqLM}


class World(NamedTuple):
    folder: Path
    models: dict[str, Path]  # of a kind: base, and two members
    words: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = made_once(tmp_path_factory, "models for lm-eval", lambda at: [bring(at / kind, kind) for kind in AUTO])
    vocabulary = AutoTokenizer.from_pretrained(folder / "decoder" / "base").get_vocab()
    words = sorted(word for word in vocabulary if word.isalpha() and len(word) > 2)[:60]
    return World(tmp_path_factory.mktemp("tasks"), {kind: folder / kind for kind in AUTO}, words)


def split(world: World, train: int = 0, validation: int = 0, test: int = 0) -> dict[str, list[Document]]:
    rows = {"train": train, "validation": validation, "test": test}
    return {name: documents(world.words, n, seed) for seed, (name, n) in enumerate(rows.items()) if n}


def corpus_of(world: World, name: str, word: str = "", seed: int = 0, **of_task: Any) -> Corpus:
    rows = of_task.pop("rows", None) or split(world, validation=12, test=14)
    path = task(world.folder, name, rows, **of_task)
    return load([(wanted_of(f"{name}{word}"), path)], seed, lambda line: None)[name]


def model_of(world: World, kind: str, name: str) -> tuple[Any, Any]:
    folder = world.models[kind] / name
    return AUTO[kind].from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def ask(world: World, corpus: Corpus, kind: str = "decoder", name: str = TWO[0]) -> Reply:
    model, tokenizer = model_of(world, kind, name)
    reply: Reply = corpus.asker.ask(model, tokenizer, corpus.test)
    return reply


@pytest.mark.parametrize(
    ("kind", "described"),
    [("decoder", {}), ("decoder", WRITTEN), ("encoder_decoder", {}), ("encoder_decoder", WRITTEN)],
    ids=["choice", "written", "choice by an encoder-decoder", "written by an encoder-decoder"],
)
def test_the_marks_are_those_that_lm_eval_itself_gives(world: World, kind: str, described: dict[str, Any]) -> None:
    from lm_eval import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    name = f"same_{len(described)}_{kind}"
    rows = split(world, validation=12, test=14)
    model, tokenizer = model_of(world, kind, TWO[0])
    if described:
        _make_some_right(rows["test"], model, tokenizer)
    corpus = corpus_of(world, name, rows=rows, **described)
    manager = TaskManager(include_defaults=False)
    model.tie_weights = lambda: None  # or HFLM ties what the checkpoint holds apart
    own = HFLM(model, "seq2seq" if kind == "encoder_decoder" else "causal", tokenizer=tokenizer, batch_size=8)
    found = evaluate(own, manager.load([str(world.folder / "tasks" / f"{name}.yaml")]), bootstrap_iters=0)
    assert found is not None
    metric = "exact_match" if described else "acc"
    theirs = {s["doc_hash"]: s[metric] for s in found["samples"][name] if s["filter"] in ("none", "first")}
    reply = ask(world, corpus, kind)
    assert {h[:16]: mark for h, mark in theirs.items()} == dict(
        zip(reply.details["documents"].split(), reply.predicted, strict=True)
    )
    assert 0 < reply.predicted.mean() < 1
    assert reply.predicted.mean() == pytest.approx(
        found["results"][name][f"{metric},{'first' if described else 'none'}"]
    )


def _make_some_right(rows: list[Document], model: Any, tokenizer: Any) -> None:
    """Let a few documents want what the model says to them."""
    for row in rows[:5]:
        ids = tokenizer(row["question"], return_tensors="pt", return_token_type_ids=False)
        out = model.generate(**ids, max_new_tokens=3, do_sample=False)[0]
        new = out if model.config.is_encoder_decoder else out[ids["input_ids"].shape[1] :]
        row["said"] = tokenizer.decode(new, skip_special_tokens=True).split(" ")[0] or "[invalid]"


def test_weights_change_under_one_asker_and_no_answer_is_anothers(world: World) -> None:
    corpus = corpus_of(world, "swapped")
    model, tokenizer = model_of(world, "decoder", TWO[0])
    other, _ = model_of(world, "decoder", TWO[1])
    whole = {n: p.data.clone() for n, p in model.named_parameters()}

    def told() -> list[float]:
        return list(corpus.asker.ask(model, tokenizer, corpus.test).predicted)

    first = told()
    for (_, parameter), (_, of_other) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        parameter.data = of_other.data
    second = told()
    assert second == list(ask(world, corpus, name=TWO[1]).predicted) != first
    for name, parameter in model.named_parameters():
        parameter.data = whole[name]
    assert told() == first


def test_generators_settings_and_logs_are_put_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    logging.getLogger("lm_eval").setLevel(logging.INFO)
    datasets.enable_progress_bars()
    random.seed(5)
    np.random.seed(6)
    torch.manual_seed(7)

    def state() -> tuple[object, ...]:
        drawn = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
        bars, level = datasets.are_progress_bars_disabled(), logging.getLogger("lm_eval").level
        return (*drawn, dict(os.environ), bars, level)

    before = state()
    tokenizer = model_of(world, "decoder", "base")[1]
    told = tokenizer.padding_side, tokenizer.pad_token
    corpus = corpus_of(world, "quiet", **{**WRITTEN, "generation_kwargs": {"do_sample": True, "temperature": 5.0, **{
        "until": ["\n"], "max_gen_toks": 3}}})  # fmt: skip
    model = model_of(world, "decoder", TWO[0])[0]
    said = [list(corpus.asker.ask(model, tokenizer, corpus.test).predicted) for _ in range(2)]
    assert said[0] == said[1], "a task that draws its answers draws the same again"
    assert state() == before
    assert (tokenizer.padding_side, tokenizer.pad_token) == told


def test_development_documents_are_of_validation_else_of_train_else_a_half(world: World) -> None:
    all_three = corpus_of(world, "all_three", rows=split(world, train=9, validation=8, test=7))
    no_validation = corpus_of(world, "no_validation", rows=split(world, train=9, test=7))
    no_test = corpus_of(world, "no_test", rows=split(world, train=9, validation=8))
    alone = corpus_of(world, "alone", rows=split(world, test=9))
    sizes = [(len(c.train), len(c.dev), len(c.test)) for c in (all_three, no_validation, no_test, alone)]
    assert sizes == [(0, 8, 7), (0, 9, 7), (0, 9, 8), (0, 4, 5)]
    assert not set(alone.dev.texts) & set(alone.test.texts)
    assert set(corpus_of(world, "alone", seed=1, rows=split(world, test=9)).dev.texts) != set(alone.dev.texts)
    again = corpus_of(world, "alone", rows=split(world, test=9))
    assert again.dev.texts == alone.dev.texts and again.dev.fingerprint == alone.dev.fingerprint


def test_a_document_that_is_there_twice_never_chooses_and_examines(world: World) -> None:
    twice = documents(world.words, 10, 3) * 2
    halves = corpus_of(world, "twice", rows={"test": twice})
    assert not set(halves.dev.texts) & set(halves.test.texts) and len(halves.dev) == len(halves.test) == 10
    shared = corpus_of(world, "shared", rows={"validation": documents(world.words, 10, 3), "test": twice[:4]})
    assert (len(shared.dev), len(shared.test)) == (6, 4) and not set(shared.dev.texts) & set(shared.test.texts)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_question_that_is_there_under_two_numbers_never_chooses_and_examines(world: World, shots: int) -> None:
    twice = [{**row, "id": k} for k, row in enumerate(documents(world.words, 10, 3) * 2)]
    halves = corpus_of(world, f"numbered_{shots}", rows={"test": twice}, num_fewshot=shots)
    others = [{**row, "id": k} for k, row in enumerate(documents(world.words, 10, 3), 100)]
    shared = corpus_of(world, f"shared_{shots}", rows={"validation": others, "test": twice[:4]}, num_fewshot=shots)
    for corpus in (halves, shared):
        questions = [{_field(text) for text in split.texts} for split in (corpus.dev, corpus.test)]
        assert not questions[0] & questions[1]
        for text in corpus.test.texts:
            *examples, _ = corpus.asker._asked_of(text)[0].arguments[0].split("\n\n")
            assert len(examples) == shots and not {" ".join(e.split(" ")[:4]) for e in examples} & questions[1]
    assert (len(halves.dev), len(halves.test)) == (10, 10) and (len(shared.dev), len(shared.test)) == (6, 4)


@pytest.mark.parametrize(
    ("rows", "sampler"),
    [({"test": 12}, "default"), ({"test": 12}, "first_n"), ({"train": 6, "test": 5}, "default")],
    ids=["halves", "the first of halves", "train rows"],
)
def test_examples_are_never_examined_nor_the_document_itself(
    world: World, rows: Mapping[str, int], sampler: str
) -> None:
    corpus = corpus_of(
        world,
        "shots",
        rows=split(world, **rows),
        num_fewshot=2,
        fewshot_split="test",
        fewshot_config={"sampler": sampler},
    )
    questions = {text: _field(text) for text in (*corpus.dev.texts, *corpus.test.texts)}
    examined = {questions[text] for text in corpus.test.texts}
    for text in questions:
        prompt = corpus.asker._asked_of(text)[0].arguments[0]
        *examples, last = prompt.split("\n\n")
        assert last == questions[text] and len(examples) == 2
        for example in examples:
            shown = " ".join(example.split(" ")[:4])
            assert shown in questions.values() and shown not in examined | {questions[text]}


def _field(text: str) -> str:
    return str(json.loads(text)["question"])


def test_a_prompt_is_the_same_whichever_documents_are_asked_with_it(world: World) -> None:
    def made(name: str) -> Corpus:
        return corpus_of(world, name, rows=split(world, train=9, test=9), num_fewshot=2, fewshot_split="train")

    one, other = made("prompts"), made("prompts")
    for text in one.test.texts:
        one.asker._asked_of(text)
    for text in reversed(one.test.texts):
        assert other.asker._asked_of(text)[0].arguments == one.asker._asked_of(text)[0].arguments


@pytest.mark.parametrize(
    ("word", "described", "said"),
    [
        (":acc_nor", {}, "its metrics are acc, acc_norm"),
        (":acc,last", {}, "its filters are none"),
        ("", {"metric_list": [{"metric": "f1"}]}, "which is no mean over documents"),
        ("", {"metric_list": [{"metric": "perplexity"}], "output_type": "loglikelihood"}, "of which less is better"),
        (":mcc", {"metric_list": [*METRICS, {"metric": "mcc"}]}, "name one of acc"),
        ("", {"rows": {"validation": [], "test": []}}, "lm-eval-task refused.*"),
        ("", {"dataset_kwargs": {"data_files": {"test": "none.jsonl"}}}, "its data are not at hand"),
        ("", {"doc_to_target": None, "doc_to_text": "{{", "rows": None}, "lm-eval cannot open"),
        ("", {"num_fewshot": 30, "fewshot_split": "validation"}, "30 examples stand in front of each document"),
        ("", {"unsafe_code": True}, "it runs code that models write"),
    ],
)
def test_a_task_that_cannot_be_a_setting_is_refused_in_one_line(
    world: World, word: str, described: dict[str, Any], said: str
) -> None:
    with pytest.raises(MergeboardError, match=said) as error:
        corpus_of(world, "refused", word, **described)
    assert "\n" not in str(error.value) and str(error.value).startswith("--lm-eval-task refused")


def test_answers_that_a_model_has_no_room_for_are_refused_in_one_line(world: World) -> None:
    long = {**WRITTEN, "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4096}}
    with pytest.raises(MergeboardError, match="lm-eval cannot ask it") as error:
        ask(world, corpus_of(world, "long", **long))
    assert "\n" not in str(error.value)


MEMBERS = ("one", "two")


def lab_of(world: World, *tasks: str, settings: tuple[str, ...] = (), knobs: int = 0) -> tuple[Lab, LmEvalSuite]:
    wanted = [wanted_of(text) for text in tasks]
    files = {one.task: world.folder / "tasks" / f"{one.task}.yaml" for one in wanted}
    suite = LmEvalSuite(wanted, files, MEMBERS)
    p = protocol_of(named("paper"), None, {"decoder"}, ["repeats=kept", *settings])
    given = {(name, None): world.models["decoder"] / own for name, own in zip(MEMBERS, TWO, strict=True)}
    base = world.models["decoder"] / "base"
    corpora = suite.find(Where(hub=True), p.own, 0)
    return Lab(ModelName("mine", str(base)), base, p, corpora, Zoo(world.folder / "zoo"), given, lambda _: None), suite


def cell_of(lab: Lab, suite: LmEvalSuite, method: str) -> Cell:
    setting = suite.settings[0]
    key = PopulationKey(
        lab.subject.model, suite.name, MEMBERS, MEMBERS, 1, "none", setting.called(MEMBERS), setting.chosen or ()
    )
    return Cell(setting, key, method)


def test_a_record_recomputes_without_lm_eval(world: World, tmp_path: Path) -> None:
    task(world.folder, "choose", split(world, validation=12, test=14))
    task(world.folder, "say", {"test": documents(world.words, 13, 9)}, **WRITTEN)
    lab, suite = lab_of(world, "choose:acc_norm", "say", settings=("evolver.budget=2", "dev_rows=5", "test_rows=6"))
    store, found = Store(tmp_path), {}
    for method in ("avg", "simple_evolver"):
        found[method] = record = answer(lab, store, cell_of(lab, suite, method))
        assert reproduce(record, gold_of(store)) == []
        assert set(record.scores) == {"choose", "say"}
    record = found["simple_evolver"]
    assert record.dev["calls"] == 2
    assert record.details["exams"]["choose"]["lm_eval"]["metric"] == "acc_norm"
    exam = record.details["exams"]["choose"]
    assert exam["rows"] == 6 == record.predictions["choose"]["rows"]
    rows = lab.rows.exam(cell_of(lab, suite, "simple"), "choose")
    assert exam["documents"].split() == [hash_of(text)[:16] for text in rows.texts]
    assert {name: len(lab.rows.dev(name, 1)) for name in ("choose", "say")} == {"choose": 5, "say": 5}
    with pytest.raises(NotApplicable, match="no member was fine-tuned on choose, say"):
        answer(lab, store, cell_of(lab, suite, "domain_specific"))


def test_an_ensemble_and_a_route_are_asked_as_one_model_is(world: World) -> None:
    task(world.folder, "choose", split(world, validation=12, test=14))
    task(world.folder, "say", {"test": documents(world.words, 13, 9)}, **WRITTEN)
    lab, suite = lab_of(world, "choose", "say", settings=("dev_rows=5",))
    key = cell_of(lab, suite, "simple").key
    population = lab.populations.of(key)
    one, other = population.members

    def said(merged: Merged, asked: str) -> list[float]:
        only = replace(key, chosen=(asked,))
        return list(lab.developer(only).answers(merged)[asked].predicted)

    blocks = blocks_of(one)
    own = Route(population.members, tuple(Hop(0, block) for block in blocks))
    assert said(Ensemble((one, one)), "choose") == said(own, "choose") == said(one, "choose")
    assert said(own, "say") == said(one, "say")
    with pytest.raises(NotApplicable, match="answered in writing, by one model and not by several"):
        said(Ensemble((one, other)), "say")


def test_examined_documents_choose_nothing(world: World, tmp_path: Path) -> None:
    rows = split(world, validation=12, test=14)

    def searched(test: list[Document]) -> RunRecord:
        task(world.folder, "poisoned", {**rows, "test": test})
        lab, suite = lab_of(world, "poisoned", settings=("search.budget=4", "search.apart=0"))
        return answer(lab, Store(tmp_path), cell_of(lab, suite, "simple_random"))

    plain = searched(rows["test"])
    other = searched(
        [{**row, "answer": (row["answer"] + 1) % 3, "choices": row["choices"][::-1]} for row in rows["test"]]
    )
    assert other.weights_sha256 == plain.weights_sha256 and other.dev == plain.dev
    assert other.recipe["data"]["dev"] == plain.recipe["data"]["dev"]
    assert other.recipe["data"]["exam"] != plain.recipe["data"]["exam"]


def test_the_key_changes_with_how_a_task_is_asked_and_not_with_where_it_lies(world: World, tmp_path: Path) -> None:
    rows = split(world, validation=12, test=14)

    def key(word: str = "keyed", at: World = world, **changes: Any) -> str:
        task(at.folder, "keyed", rows, **changes)
        lab, suite = lab_of(at, word)
        return str(recipe_of(cell_of(lab, suite, "simple"), lab, ())["data"]["tasks"])

    first = key()
    elsewhere = world._replace(folder=tmp_path)
    assert key(at=elsewhere) == first
    others = [
        key("keyed:acc_norm"),
        key(num_fewshot=1, fewshot_split="validation"),
        key(doc_to_text="Q: {{question}}"),
        key(metadata={"version": 3.0}),
        key(target_delimiter=""),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_the_key_changes_with_the_whole_file_of_a_function_and_not_with_where_it_is_loaded(
    world: World, tmp_path: Path
) -> None:
    rows = split(world, validation=12, test=14)
    code = "from functools import partial\ndef put(doc, front): return mark() + doc['question']\n"
    code += "def mark(): return {!r}\nasked = partial(put, front={!r})\ndef plain(doc): return asked(doc)\n"

    def config(folder: str, function: str, *said: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        path = task(tmp_path / folder, "coded", rows, doc_to_text="FUNCTION")
        path.with_name("words.py").write_text(code.format(*said), encoding="utf-8")
        told = path.read_text(encoding="utf-8").replace("FUNCTION", f"!function words.{function}")
        path.write_text(told, encoding="utf-8")
        corpus = load([(wanted_of("coded"), path)], 0, lambda line: None)["coded"]
        return corpus.task.asked_by

    for function in ("plain", "asked"):
        first = config(f"{function} 1", function, "Q", "")
        assert config(f"{function} 2", function, "Q", "") == first
        assert config(f"{function} 3", function, "A", "") != first, "what a function calls changed"
    assert config("asked 4", "asked", "Q", "x") != first


def test_the_page_of_docs_works_as_it_stands(
    world: World, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "lm-eval.md").read_text(encoding="utf-8")
    (described,), (rows,) = (re.findall(rf"^```{kind}\n(.*?)^```", page, re.M | re.S) for kind in ("yaml", "json"))
    project = Project(pytester, pytester.path / "zoo", "lm_eval")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(world.folder / "cache"))
    (project.path / "mine").mkdir()
    (project.path / "mine" / "capitals.yaml").write_text(described, encoding="utf-8")
    (project.path / "capitals.jsonl").write_text(rows, encoding="utf-8")
    words = re.findall(r"pytest (suites/test_lm_eval.py .*?)\n(?:```|$)", page, re.S)[1].replace("\\\n", "").split()
    places = {"./base": "base", "./tuned-one": TWO[0], "./tuned-two": TWO[1]}
    for said, name in places.items():
        words = [
            word.replace(said, f"mine={world.models['decoder'] / name}"[5 * (said != "./base") :]) for word in words
        ]

    def run(*more: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*words, "-p", "no:cacheprovider", "--zoo=zoo", "--results=results", *more)

    result = run("-n0")
    result.assert_outcomes(passed=3)
    choose = "2 of its 4 documents choose, by the seed, and the others are tested on"
    result.stdout.fnmatch_lines([f"*{choose}; its score is acc*"])
    record = project.records()["tasks/none/one+two/simple"]
    assert record.recipe["population"]["chosen"] == ["capitals"] and record.seed == 1
    run("-n0").stdout.fnmatch_lines(["*3 cached*"])
    run("--collect-only", "-q").stdout.fnmatch_lines(["*test_tasks?mine-s1-one+two-simple?"])
