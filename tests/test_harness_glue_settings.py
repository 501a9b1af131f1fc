"""GLUE's two settings end to end: two halves of one task, and two tasks under one trunk that keep their own heads."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.rowbook import RowBook
from harness.cells.rows import ROWS, avg, domain_specific
from harness.checkpoints.names import ModelName
from harness.data.corpus import Corpus, Split, concatenate
from harness.errors import BadData
from harness.judging.rowwise import whole
from harness.protocol.protocols import named
from harness.protocol.told import Told
from harness.records.record import Store
from harness.session import holdings
from harness.session.options import DEFAULT_METHODS
from harness.suites.glue.tasks import PAIRS, TASKS
from harness.suites.setting import Heads, Setting
from leaderboard.audit import faults
from leaderboard.tables.answers import gold_of, rowwise
from methods import Ensemble, resolve
from methods.base import Weights
from tests.emotion_cells import METHODS, answer, name_of
from tests.made_once import made_once
from tests.small_world import DECODER, HARDLY, ROOT, TINY, Project, alone, make_lab, swap, swap_all
from tests.test_harness_glue import rows_of, write_tsv

pytestmark = pytest.mark.whole

HALVES = Setting("glue", "non_iid", tuple(TASKS), "halves")
CROSS = Setting("glue", "cross_task", tuple(TASKS), PAIRS, heads=("own",))
COLA, PAIR = ("cola#1", "cola#2"), ("mrpc", "stsb")
SOME = ("-k", "(non_iid and s1-cola) or mrpc+stsb")
HALF, APART = "non_iid/same/cola", "cross_task/own/mrpc+stsb"
HEAD = ("classifier.weight", "classifier.bias")
FEW = ("simple", "ensemble", "fisher", "regmean", "ties", "simple_evolver", *ROWS)


def population(members: tuple[str, ...], heads: Heads, seed: int = 1, model: ModelName = TINY) -> PopulationKey:
    setting = CROSS if "#" not in members[0] else HALVES
    return PopulationKey(model, "glue", members, setting.places(members), seed, heads)


OWN, SAME = population(PAIR, "own"), population(COLA, "same")


@pytest.fixture(scope="module")
def encoder(small_zoo: Path) -> Lab:
    return make_lab(small_zoo, suite="glue")


@pytest.fixture(scope="module")
def decoder(small_zoo: Path) -> Lab:
    return make_lab(small_zoo, model=DECODER, suite="glue")


@pytest.fixture
def answered(glue_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose cells of one task's halves and of one pair are answered; the first test that asks pays for it."""

    def answer(folder: Path) -> None:
        glue_project.run(*SOME).assert_outcomes(passed=30, deselected=330)
        shutil.move(glue_project.path / "results", folder)

    shutil.copytree(made_once(tmp_path_factory, "glue answers", answer), glue_project.path / "results")
    return glue_project


def equal(one: Weights, two: Weights) -> bool:
    """Bit by bit."""
    return set(one) == set(two) and all(torch.equal(one[name], two[name]) for name in one)


# -- what a session leaves -------------------------------------------------------------------------------------------


def test_both_settings_have_their_records(answered: Project) -> None:
    records = answered.records()
    asked = {f"non_iid/same/cola/{m}" for m in DEFAULT_METHODS} | {f"cross_task/own/mrpc+stsb/{m}" for m in METHODS}
    assert set(records) == asked | {f"cross_task/own/mrpc+stsb/{m}" for m in ROWS}
    for name, record in records.items():
        cross = record.setting == "cross_task"
        assert tuple(record.scores) == (PAIR if cross else ("cola",)), name
        assert record.score == pytest.approx(np.mean(list(record.scores.values())), abs=1e-6), name
        assert record.metric == ("accuracy+pearson" if cross else "matthews")
        assert record.coverage == ("8 of 8 pairs" if cross else "8 of 8")
        assert record.members == (PAIR if cross else COLA)
        assert (record.weights_sha256 == "") == (record.method in ("avg", "domain_specific")), name
    assert len({r.score for r in records.values()}) > 15, "the small world tells methods from each other"
    assert list(faults(answered.store())) == [], "predictions of every kind give the scores again"


def test_answers_to_development_rows_under_own_heads_give_the_development_score_again(answered: Project) -> None:
    gold, found = gold_of(answered.store()), answered.records()
    merges = [r for r in found.values() if r.method in METHODS]
    assert {r.heads for r in merges} == {"own", "same"}
    for record in merges:
        kept = record.dev["predictions"]
        assert set(kept) == set(PAIR if record.heads == "own" else ("cola",))
        scores = [whole(rowwise(told, gold(told["gold"]))) for told in kept.values()]
        assert np.mean(scores) == pytest.approx(record.dev["score"], abs=1e-6), record.path
    pair = {m: found[f"cross_task/own/mrpc+stsb/{m}"] for m in ("avg", "best")}
    chosen = PAIR[(pair["best"].trace or {})["member"]]
    assert pair["avg"].details["answers"][chosen]["dev"] == pair["best"].dev["predictions"]


def test_a_second_run_is_answered_from_the_store(answered: Project) -> None:
    before = answered.contents()
    answered.run(*SOME).stdout.fnmatch_lines(["*330 deselected*30 cached*"])
    assert answered.contents() == before


def test_different_heads_run_whole(glue_project: Project) -> None:
    result = glue_project.run("--method=simple", "--method=ties", "-k", "diff-stsb", small=HARDLY)
    result.assert_outcomes(passed=2, deselected=46)
    record = glue_project.records()["non_iid/diff/stsb/ties"]
    assert record.metric == "pearson" and record.recipe["population"]["seeds"] == [1, 2]


def test_the_released_protocol_runs_whole(glue_project: Project, encoder: Lab) -> None:
    words = ("--protocol=official_code", "--heads=same", "--method=ties", "--method=fisher_evolver", *SOME)
    glue_project.run(*words).assert_outcomes(passed=4, deselected=28)
    halves, pair = (glue_project.records()[f"{n}/ties"].recipe["data"]["dev"] for n in (HALF, APART))
    assert halves["cola"] != encoder.rows.dev("cola", 1).fingerprint, "the members' own rows"
    assert pair["mrpc"] == encoder.rows.dev("mrpc", 1).fingerprint, "rows of train kept apart"
    fisher = glue_project.records()[f"{HALF}/fisher_evolver"].recipe["protocol"]["fisher"]
    assert fisher["fisher_labels"] == "hard" and fisher["batch_tokens"] == 4096


def test_scores_have_the_codes_factor_where_the_protocol_is_the_codes(encoder: Lab, decoder: Lab) -> None:
    told = {
        (one.family.kind, name, task): Told(named(name), one.generative).fisher(task == "stsb").fisher_labels
        for one in (encoder.subject, decoder.subject)
        for name in ("official_code", "paper")
        for task in ("stsb", "cola")
    }
    assert {where: how for where, how in told.items() if how != "empirical"} == {
        ("encoder", "official_code", "stsb"): "hard",
        ("encoder", "official_code", "cola"): "hard",
        ("encoder", "paper", "cola"): "expected",
    }


def test_models_that_answer_in_words_have_no_heads_and_one_column(glue_project: Project) -> None:
    result = glue_project.run("--model=tiny-decoder", *(f"--method={m}" for m in FEW), *SOME, small=HARDLY)
    result.assert_outcomes(passed=2 * len(FEW), deselected=14 * len(FEW))
    records = glue_project.records()
    assert set(records) == {f"{p}/{m}" for p in ("non_iid/none/cola", "cross_task/none/mrpc+stsb") for m in FEW}
    assert list(faults(glue_project.store())) == []
    (head,) = (line for line in result.outlines if line.startswith("method  ") and "non-" in line)
    columns = [title for title in re.split(r"\s{2,}", head.strip()) if title != "tuned by"]
    assert len(columns) == 3, "the method and one column for each setting"
    assert records["cross_task/none/mrpc+stsb/simple"].weights_sha256, "everything is merged"


def test_a_generative_model_is_listed_once_whatever_heads_are_asked(glue_project: Project) -> None:
    for words in ((), ("--heads=same",), ("--heads=diff",)):
        result = glue_project.run("--model=tiny-decoder", "--method=simple", "-q", "--collect-only", *words)
        listed = [line for line in result.outlines if "::" in line]
        assert len(listed) == len(set(listed)) == 8 + 8 and not any("diff" in line for line in listed)


# -- two tasks, one trunk --------------------------------------------------------------------------------------------


def test_heads_of_two_tasks_take_no_part_in_a_merge(encoder: Lab) -> None:
    people = encoder.populations.of(OWN)
    trunk = set(people.ancestor)
    assert trunk == set(encoder.workshop.member(alone("mrpc"))) - set(HEAD) and len(trunk) > 30
    assert all(set(member) == trunk for member in people.members)
    assert people.output_layer == () and people.annotated is None
    for name in METHODS:
        method = resolve(name, encoder.protocol.methods)
        merged = method.merge(people, encoder.developer(OWN), torch.Generator().manual_seed(0))
        for weights in merged.members if isinstance(merged, Ensemble) else (merged,):
            assert set(weights) == trunk, name


def test_every_task_is_asked_through_the_head_of_its_own_member_bit_by_bit(encoder: Lab) -> None:
    heads = {task: {n: encoder.workshop.member(alone(task))[n] for n in HEAD} for task in PAIR}
    assert {task: tuple(head[HEAD[0]].shape) for task, head in heads.items()} == {"mrpc": (2, 64), "stsb": (1, 64)}
    people = encoder.populations.of(OWN)
    merged = resolve("simple").merge(people, encoder.developer(OWN), torch.Generator())
    assert not isinstance(merged, Ensemble)
    examiner = encoder.examiner(Cell(CROSS, OWN, "simple"), PAIR)
    for sheets in (encoder.developer(OWN)._dev, {task: examiner._test[task]() for task in PAIR}):
        for task, sheet in sheets.items():
            assert equal(sheet.head, heads[task])
            sheet.logits(merged)
            asked = dict(sheet.live.model.named_parameters())
            assert equal({n: asked[n].detach() for n in HEAD}, heads[task])
            assert all(torch.equal(asked[n], tensor) for n, tensor in merged.items()), "and the trunk is the merged one"


def test_a_trunk_that_is_not_changed_scores_what_its_member_scored(encoder: Lab) -> None:
    cell = Cell(CROSS, OWN, "simple")
    examiner = encoder.examiner(cell, PAIR)
    for task, trunk in zip(PAIR, encoder.populations.of(OWN).members, strict=True):
        alone_ = encoder.examiner(cell, (task,), own_heads=False).examine(encoder.workshop.member(alone(task)))[task]
        assert examiner.examine(trunk)[task].score == alone_.score
        assert examiner.examine(trunk)[task].predicted.tolist() == alone_.predicted.tolist()


def test_the_rows_of_a_pair_by_hand(encoder: Lab) -> None:
    cell = Cell(CROSS, OWN, "avg")
    exams = [encoder.examiner(cell, PAIR).examine(encoder.workshop.member(alone(task))) for task in PAIR]
    own = {"mrpc": exams[0]["mrpc"].score, "stsb": exams[1]["stsb"].score}
    assert domain_specific(cell, encoder, PAIR).scores == own
    assert avg(cell, encoder, PAIR).scores == {t: (exams[0][t].score + exams[1][t].score) / 2 for t in PAIR}


def test_one_model_of_two_tasks_has_one_trunk_and_two_heads(encoder: Lab, answered: Project) -> None:
    weights = encoder.workshop.member(OWN.together)
    heads = {f"{task}::{name}" for task in PAIR for name in HEAD}
    assert set(weights) == set(encoder.populations.of(OWN).ancestor) | heads
    assert weights["mrpc::classifier.weight"].shape == (2, 64) and weights["stsb::classifier.bias"].shape == (1,)
    cell = Cell(CROSS, OWN, "mtl")
    found = encoder.examiner(cell, PAIR, own_heads=False).examine(weights)
    record = answered.records()["cross_task/own/mrpc+stsb/mtl"]
    assert record.scores == pytest.approx({t: e.score for t, e in found.items()}, abs=1e-6)
    assert set(record.predictions) == set(PAIR)
    other = {n: torch.zeros_like(w) if n.startswith("stsb::") else w for n, w in weights.items()}
    changed = encoder.examiner(cell, PAIR, own_heads=False).examine(other)
    assert changed["mrpc"].predicted.tolist() == found["mrpc"].predicted.tolist(), "no task is asked through another's"
    assert set(changed["stsb"].predicted.tolist()) == {0.0} != set(found["stsb"].predicted.tolist())


def test_one_model_that_answers_in_words_has_no_heads_for_two_tasks_either(decoder: Lab) -> None:
    key = population(PAIR, "none", model=DECODER)
    assert set(decoder.workshop.member(key.together)) == set(decoder.populations.of(key).ancestor)


# -- two halves of one task ------------------------------------------------------------------------------------------


@pytest.fixture
def numbered(small_zoo: Path) -> Lab:
    """A laboratory whose training rows are told apart by their texts."""
    lab = make_lab(small_zoo, suite="glue")
    cola = lab.rows.corpora["cola"]
    rows = Split(tuple(map(str, range(len(cola.train)))), cola.train.labels)
    swap(lab, "cola", train=rows)
    return lab


def test_the_halves_of_a_population_share_no_row_and_follow_the_seed_of_the_run(numbered: Lab) -> None:
    dealt = {}
    for seed in (1, 2, 3):
        for heads in ("same", "diff"):
            halves = [numbered.rows.train(s.members[0], s.draw).texts for s in population(COLA, heads, seed).sources]
            assert [len(set(half)) for half in halves] == [40, 40] and not set(halves[0]) & set(halves[1])
            dealt[seed, heads] = tuple(frozenset(half) for half in halves)
        assert dealt[seed, "same"] == dealt[seed, "diff"], "whatever seeds the members are trained with"
    assert len(set(dealt.values())) == 3
    again = RowBook(numbered.rows.corpora, numbered.protocol)
    assert frozenset(again.train("cola#2", 3).texts) == dealt[3, "same"][1]


def test_one_model_of_two_halves_is_trained_on_both(numbered: Lab) -> None:
    source = SAME.together
    both = numbered.rows.training(source.members, source, generative=False)
    assert both.texts == (*numbered.rows.train("cola#1", 1).texts, *numbered.rows.train("cola#2", 1).texts)


def test_one_model_of_two_halves_has_one_head(encoder: Lab) -> None:
    assert set(encoder.workshop.member(SAME.together)) == set(encoder.populations.of(SAME).ancestor) >= set(HEAD)


def test_a_half_of_another_draw_is_another_member(encoder: Lab) -> None:
    recipes = [encoder.identity.member(replace(alone("cola#1"), draw=draw)) for draw in (1, 2)]
    assert recipes[0]["train"] != recipes[1]["train"] and recipes[0]["dev"] == recipes[1]["dev"]
    assert encoder.identity.member(alone("cola#2"))["train"] != recipes[0]["train"]


def test_development_rows_are_held_out_or_the_halves_themselves(small_zoo: Path) -> None:
    held, released = make_lab(small_zoo, suite="glue"), make_lab(small_zoo, "glue_dev=partitions", suite="glue")
    assert held.rows.dev("cola", 1).fingerprint == held.rows.corpora["cola"].dev.fingerprint
    halves = [released.rows.train(half, 2) for half in COLA]
    assert released.rows.dev("cola", 2).fingerprint == concatenate(halves).fingerprint


def test_rows_kept_apart_that_stand_in_an_order_of_labels_are_refused(small_zoo: Path) -> None:
    """Whoever answers the last label alone would win there"""
    texts, mixed = tuple(f"row {i}" for i in range(80)), np.arange(80)[:, None] % 2
    for labels, apart, refused in (
        (mixed, 0.25, False),
        (np.sort(mixed, 0), 0.25, True),
        (np.sort(mixed, 0), 0.0, False),
    ):
        lab = make_lab(small_zoo, "dev_rows=80", suite="glue")
        swap(lab, "cola", dev=Split(texts, labels))
        if refused:
            with pytest.raises(BadData, match=r"cola: its development rows are in an order .*; shuffle the rows"):
                lab.developers(SAME, apart)
        else:
            assert (lab.developers(SAME, apart).apart is not None) == (apart > 0)


def test_the_rows_of_two_halves_by_hand(encoder: Lab, answered: Project) -> None:
    cell = Cell(HALVES, SAME, "domain_specific")
    scores = [encoder.examiner(cell, ("cola",)).examine(encoder.workshop.member(s))["cola"].score for s in SAME.sources]
    assert scores[0] != scores[1]
    for row in ("avg", "domain_specific"):
        record = answered.records()[f"non_iid/same/cola/{row}"]
        assert record.scores["cola"] == pytest.approx((scores[0] + scores[1]) / 2, abs=1e-6), row
    assert domain_specific(cell, encoder, ("cola",)).cost == {"inference_models": 2}


def test_halves_start_from_one_head_or_from_two(encoder: Lab) -> None:
    for heads, shared in (("same", True), ("diff", False)):
        people = encoder.populations.of(population(COLA, heads))  # type: ignore[arg-type]
        assert (set(HEAD) <= set(people.ancestor)) == shared
        assert all(set(HEAD) <= set(member) for member in people.members), "heads are merged"
        assert people.output_layer == () and people.annotated is None, "classes are no labels that one may not know"


# -- the test split --------------------------------------------------------------------------------------------------

TURNED = {"cola": lambda s: -s, "mrpc": lambda s: 1 - s, "stsb": lambda s: -s}  # what turned labels do to a score


def poisoned(corpora: Mapping[str, Corpus]) -> Mapping[str, Corpus]:
    """Every answer of a test row turned round: the other class, or the score as far from the other end."""

    def turned(corpus: Corpus) -> Split:
        labels = corpus.test.labels
        return corpus.test.asked(5 - labels if corpus.task.kind == "regression" else 1 - labels)

    return {n: replace(c, test=turned(c)) if len(c.task.outputs) < 3 else c for n, c in corpora.items()}


def test_poisoned_test_labels_change_no_weight_and_turn_every_score(
    answered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(answered.zoo / "tiny", tmp_path / "zoo" / "tiny")  # and no member: all are trained anew
    other = make_lab(tmp_path / "zoo", suite="glue")
    swap_all(other, poisoned(other.rows.corpora))
    clean, store = answered.records(), Store(tmp_path / "results")
    for setting, key in ((HALVES, SAME), (CROSS, OWN)):
        for method in DEFAULT_METHODS:
            found = answer(other, store, Cell(setting, key, method))
            wanted = clean[name_of(found)]
            assert found.key != wanted.key, "another exam is another cell"
            assert found.weights_sha256 == wanted.weights_sha256, name_of(found)
            assert found.dev == wanted.dev and found.trace == wanted.trace, name_of(found)
            turned = {task: TURNED[task](score) for task, score in wanted.scores.items()}
            assert found.scores == pytest.approx(turned, abs=3e-6), name_of(found)
    assert len(store.paths()) == len(clean)


# -- tasks that are not there ----------------------------------------------------------------------------------------


def test_missing_tasks_and_their_pairs_are_skipped_with_a_reason(glue_project: Project) -> None:
    lab = make_lab(glue_project.zoo, suite="glue")
    for name in ("cola", "mrpc"):
        corpus = lab.rows.corpora[name]
        write_tsv(glue_project.path / "data", name, rows_of(corpus.everything), rows_of(corpus.test))
    words = (f"--model=mine={lab.subject.folder}", f"--data={glue_project.path / 'data'}", "--protocol=quick")
    result = glue_project.run(*words, "--method=simple", "--heads=same", small=HARDLY)
    result.assert_outcomes(passed=2 + 1, skipped=6 + 7)
    records = glue_project.records()
    assert {n: r.coverage for n, r in records.items()} == {
        "non_iid/same/cola/simple": "2 of 8",
        "non_iid/same/mrpc/simple": "2 of 8",
        "cross_task/own/cola+mrpc/simple": "1 of 8 pairs",
    }
    result.stdout.fnmatch_lines(["mergeboard: glue: not in the data: sst2, stsb, mnli, qnli, qqp, rte; *"])
    said = [line.partition(".py:")[2].partition(": ")[2] for line in result.outlines if line.startswith("SKIPPED")]
    reasons = {f"non_iid: not in the data: {t}" for t in TASKS if t not in ("cola", "mrpc")}
    for pair in PAIRS:
        missing = ", ".join(t for t in pair if t not in ("cola", "mrpc"))
        reasons |= {f"cross_task: not in the data: {missing}"} if missing else set()
    assert set(said) == reasons


def test_without_any_task_everything_is_skipped_with_a_reason(
    glue_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings.Holdings, "available", lambda *_: ())
    result = glue_project.run("--method=simple", "--heads=same")
    result.assert_outcomes(skipped=16)
    for reason in ("non_iid: not in the data: cola", "cross_task: not in the data: rte, qqp"):
        result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])
    assert glue_project.records() == {} and result.ret == 0


# -- the paper's cells -----------------------------------------------------------------------------------------------


def listed(project: Project, *words: str) -> Counter[str]:
    """How many cells every suite function has."""
    shutil.copy(ROOT / "suites" / "test_emotion.py", project.path / "suites")
    result = project.pytester.runpytest_inprocess("suites/", "--collect-only", "-q", "-p", "no:cacheprovider", *words)
    assert result.ret == 0
    cells = [line for line in result.outlines if "::" in line]
    assert len(cells) == len(set(cells))
    return Counter(cell.partition("::")[2].partition("[")[0] for cell in cells)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise AssertionError("a list needs no network")

    monkeypatch.setattr("socket.socket.connect", unreachable)


def test_the_papers_cells_of_an_encoder(glue_project: Project, offline: None) -> None:
    methods = len(DEFAULT_METHODS)
    assert methods == 15
    assert listed(glue_project, "--model=roberta-base") == {
        "test_in_domain": 5 * 2 * methods,
        "test_pairwise": 10 * 5 * methods,
        "test_out_of_domain": 5 * 2 * methods,
        "test_non_iid": 8 * 8 * 2 * methods,
        "test_cross_task": 8 * 8 * methods,
    }


@pytest.mark.parametrize("model", ["gpt2", "t5-v1_1-base"])
def test_the_papers_cells_of_a_model_without_heads(model: str, glue_project: Project, offline: None) -> None:
    methods = len(DEFAULT_METHODS)
    assert listed(glue_project, f"--model={model}") == {
        "test_in_domain": 5 * methods,
        "test_pairwise": 10 * 5 * methods,
        "test_out_of_domain": 5 * methods,
        "test_non_iid": 8 * 8 * methods,
        "test_cross_task": 8 * 8 * methods,
    }
