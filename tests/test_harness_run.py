"""The heart: a cell from question to record; resumed, replayed, interrupted, poisoned, run twice at once."""

from __future__ import annotations

import errno
import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import harness.lab
from harness.cells import Cell, PopulationKey
from harness.data import synthetic
from harness.data.corpus import MASKED, Corpus, Split
from harness.data.emotion import FILE, IN_DOMAIN, LABELS, OUT_OF_DOMAIN
from harness.errors import BadWeights
from harness.lab import Lab
from harness.options import DEFAULT_METHODS
from harness.record import RunRecord, Store, read, recipe_key
from harness.rows import ROWS
from harness.run import recipe_of, run, weights_sha256
from harness.scoring import DevScorer, Examiner
from harness.settings import Heads, Setting
from methods import MergeboardError, Merged, NotApplicable, Population, known, register, registry, resolve
from tests.small_world import SMALL, TINY, Project, SmallWorld, make_lab, outcome

IN = Setting("emotion", "in_domain", IN_DOMAIN, "all")
OUT = Setting("emotion", "out_of_domain", IN_DOMAIN, "all", examined=OUT_OF_DOMAIN)
PAIR = Setting("emotion", "pairwise", IN_DOMAIN, "pairs", heads=("same",))
METHODS = tuple(m for m in DEFAULT_METHODS if m not in ROWS)
SEARCHES = ("best", "greedy_soup", *(m for m in METHODS if m.endswith("evolver")))  # what leaves a trace
BOTH = ("--heads=same", "-k", "in_domain or out_of_domain")


def cell(method: str, setting: Setting = IN, heads: Heads = "same", members: tuple[str, ...] = IN_DOMAIN) -> Cell:
    return Cell(setting, PopulationKey(TINY, "emotion", members, IN_DOMAIN, 1, heads), method)


def answer(lab: Lab, store: Store, asked: Cell) -> RunRecord:
    """Run one cell and keep its record, as a session does."""
    record = run(asked, lab, store, recipe_of(asked, lab))
    store.put(record)
    found = store.find("emotion", asked.setting.name, TINY.display, asked.method, 1, record.key)
    assert found is not None
    return found


def name_of(record: RunRecord) -> str:
    return f"{record.setting}/{record.heads}/{record.population}/{record.method}"


@pytest.fixture(scope="session")
def first_answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers") / "results"


@pytest.fixture
def answered(project: Project, first_answers: Path) -> Project:
    """A project whose in-domain and out-of-domain cells are answered; the first test that wants it pays for it."""
    if not first_answers.exists():
        result = project.run(*BOTH)
        result.assert_outcomes(passed=29, skipped=1, deselected=150)
        shutil.copytree(project.path / "results", first_answers)
    else:
        shutil.copytree(first_answers, project.path / "results")
    return project


@pytest.fixture(scope="session")
def lab(small_zoo: Path) -> Lab:
    return make_lab(small_zoo)


# -- what a session leaves -------------------------------------------------------------------------------------------


def test_every_cell_has_its_record(answered: Project) -> None:
    records = answered.records()
    every = {f"{s}/same/all/{m}" for s in ("in_domain", "out_of_domain") for m in DEFAULT_METHODS}
    assert set(records) == every - {"out_of_domain/same/all/domain_specific"}
    for name, record in records.items():
        assert set(record.scores) == set(IN_DOMAIN if record.setting == "in_domain" else OUT_OF_DOMAIN), name
        assert record.score == pytest.approx(np.mean(list(record.scores.values())), abs=1e-6), name
        assert record.members == IN_DOMAIN and record.recipe["population"]["seeds"] == [1] * 5
        assert (record.weights_sha256 == "") == (record.method in ("avg", "domain_specific"))
    assert records["in_domain/same/all/simple"].coverage == "5 of 5"
    assert records["out_of_domain/same/all/simple"].coverage == "5 of 5 members, 5 of 5 corpora"
    assert len({r.score for r in records.values()}) > 20, "the small world tells methods from each other"
    assert all(0.1 < r.score < 0.9 for r in records.values())


def test_predictions_give_the_scores_again(answered: Project) -> None:
    from leaderboard.audit import faults

    assert list(faults(answered.store())) == []
    record = answered.records()["out_of_domain/same/all/ties"]
    asked = record.predictions["ssec"]
    assert set(asked["outputs"]) == {"joy", "anger", "sadness", "disgust", "fear", "surprise"}, "basic six, no trust"
    gold = np.array(answered.store().gold(asked["gold"]))
    assert gold.shape == (asked["rows"], 6) == (40, 6) and set(np.unique(gold)) == {0, 1}


def test_a_record_names_no_folder_of_anyone(answered: Project) -> None:
    for path in answered.store().paths():
        text = path.read_text(encoding="utf-8")
        assert str(answered.path) not in text and str(answered.zoo) not in text and str(Path.home()) not in text
    record = answered.records()["in_domain/same/all/ties"]
    assert record.environment["command"].startswith("pytest suites/ -p tests.small_world -p no:cacheprovider --zoo=ZOO")
    assert record.environment["threads"] == 1 and "torch" in record.environment["packages"]


def test_what_is_stored_says_what_it_cost(answered: Project) -> None:
    records = answered.records()
    for method in METHODS:
        cost = records[f"in_domain/same/all/{method}"].cost
        assert cost["merge_seconds"] >= 0 and cost["exam_seconds"] > 0 and cost["peak_bytes"] > 2**20, method
        assert cost["inference_models"] == (5 if method == "ensemble" else 1)
        assert (cost["statistics_seconds"] > 0) == method.startswith(("fisher", "regmean")), method
    calls = {m: records[f"in_domain/same/all/{m}"].dev["calls"] for m in METHODS}
    assert calls["simple"] == calls["ties"] == calls["ensemble"] == 0
    assert (calls["best"], calls["greedy_soup"]) == (5, 9)
    assert calls["evolver"] == 5 + 2 * 5 and calls["ties_evolver"] == calls["simple_evolver"] == 1 + 2 * 5


def test_evolution_never_falls_below_what_it_started_from(answered: Project) -> None:
    dev = {r.method: r.dev for r in answered.records().values() if r.setting == "in_domain"}
    for method in ("simple", "fisher", "regmean", "ties"):
        assert dev[f"{method}_evolver"]["score"] >= dev[method]["score"], method
    assert dev["evolver"]["score"] >= dev["best"]["score"]
    rising = [m for m in ("simple", "fisher", "regmean", "ties") if dev[f"{m}_evolver"]["score"] > dev[m]["score"]]
    assert rising, "and somewhere it rises"
    for method in dev:
        if method.endswith("evolver"):
            history = dev[method]["history"]
            assert len(history) == 2 and history == sorted(history)
            assert history[-1] == pytest.approx(dev[method]["score"], abs=1e-6)


# -- answered from the store -----------------------------------------------------------------------------------------


def forbid(monkeypatch: pytest.MonkeyPatch, *what: tuple[Any, str]) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing of this should be needed again")

    for owner, name in what:
        monkeypatch.setattr(owner, name, refuse)


def test_a_second_run_is_answered_from_the_store_and_trains_nothing(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answered.contents()
    forbid(monkeypatch, (harness.lab, "finetune"), (DevScorer, "__call__"), (Examiner, "examine"), (Lab, "member"))
    result = answered.run(*BOTH)
    result.stdout.fnmatch_lines(["*1 skipped, 150 deselected*29 cached*"])
    assert result.ret == 0 and answered.contents() == before


def test_rerun_answers_nothing_from_the_store(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: outcome(record) for name, record in answered.records().items()}
    calls = []
    ask = DevScorer.__call__
    monkeypatch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(1) or ask(self, merged))
    result = answered.run("--rerun", "--heads=same", "--method=ties_evolver", "-k", "in_domain")
    result.assert_outcomes(passed=1, deselected=11)
    assert len(calls) == 1 + 2 * 5 + 1, "the search is made again, not replayed"
    assert {name: outcome(record) for name, record in answered.records().items()} == before


def test_a_cell_has_the_same_record_whatever_ran_before_it(answered: Project) -> None:
    torch.manual_seed(12345)
    for method in ("regmean_evolver", "greedy_soup"):
        words = ("--heads=same", f"--method={method}", "-k", "in_domain", "--results=alone")
        answered.run(*words).assert_outcomes(passed=1, deselected=11)
    shared = answered.records()
    for name, record in answered.records("alone").items():
        assert outcome(record) == outcome(shared[name]), name


def test_a_damaged_record_is_reported_and_made_again(answered: Project) -> None:
    wanted = answered.records()["in_domain/same/all/fisher"]
    path = answered.path / "results" / wanted.path
    path.write_bytes(path.read_bytes()[:100])
    result = answered.run(*BOTH)
    result.stdout.fnmatch_lines([f"*damaged record, made again: {path}*", "*1 passed*28 cached*"])
    assert outcome(answered.records()["in_domain/same/all/fisher"]) == outcome(wanted)


def test_a_changed_setting_is_another_cell_and_leaves_the_first(answered: Project) -> None:
    before = answered.contents()
    result = answered.run("--heads=same", "--method=ties", "-k", "in_domain", "--set=ties.k=0.5")
    result.assert_outcomes(passed=1, deselected=11)
    after = answered.contents()
    assert {name: after[name] for name in before} == before
    new = [name for name in after if name not in before and "gold" not in name]
    assert len(new) == 1 and new[0].startswith("emotion/in_domain/tiny-encoder/ties-s1-")


@pytest.mark.parametrize("setting", ["evolver.F=0.25", "dev_fraction=0.5"])
def test_a_search_of_another_kind_is_made_and_not_replayed(
    setting: str, answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    ask = DevScorer.__call__
    monkeypatch.setattr(DevScorer, "__call__", lambda self, merged: calls.append(1) or ask(self, merged))
    before, known_ = answered.records()["in_domain/same/all/simple_evolver"], set(answered.store().paths())
    result = answered.run("--heads=same", "--method=simple_evolver", "-k", "in_domain", f"--set={setting}")
    result.assert_outcomes(passed=1, deselected=11)
    (path,) = set(answered.store().paths()) - known_
    found = read(path)
    assert found is not None and found.trace is not None and before.trace is not None
    assert len(calls) == 1 + 2 * 5 + 1 and found.trace["F"] == (0.25 if "F" in setting else before.trace["F"])
    assert found.dev != before.dev


# -- replayed --------------------------------------------------------------------------------------------------------


def test_out_of_domain_replays_the_in_domain_search(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answered.records()
    shutil.rmtree(answered.path / "results" / "emotion" / "out_of_domain")
    forbid(monkeypatch, (DevScorer, "__call__"))
    result = answered.run("--heads=same", *(f"--method={m}" for m in SEARCHES), "-k", "out_of_domain")
    result.assert_outcomes(passed=len(SEARCHES), deselected=11 * len(SEARCHES))
    for method in SEARCHES:
        inside, outside = (answered.records()[f"{s}_domain/same/all/{method}"] for s in ("in", "out_of"))
        assert inside.weights_sha256 == outside.weights_sha256 == whole[name_of(outside)].weights_sha256
        assert inside.dev == outside.dev and inside.trace == outside.trace
        assert outcome(outside) == outcome(whole[name_of(outside)])
        assert outside.cost["merge_seconds"] == inside.cost["merge_seconds"], "it cost what it cost when it was made"


def test_in_domain_and_out_of_domain_judge_the_same_weights(answered: Project) -> None:
    records = answered.records()
    for method in METHODS:
        inside, outside = (records[f"{s}_domain/same/all/{method}"] for s in ("in", "out_of"))
        assert inside.weights_sha256 == outside.weights_sha256, method
        assert inside.key != outside.key and inside.score != outside.score


def test_every_trace_gives_its_weights_again(answered: Project, lab: Lab) -> None:
    population = lab.population(cell("best").key)

    def refuse(merged: Merged) -> float:
        raise AssertionError("a replay scores nothing")

    refuse.calls = 0  # type: ignore[attr-defined]
    replayed = []
    for record in answered.records().values():
        if record.trace is not None and record.setting == "in_domain":
            method: Any = resolve(record.method, lab.protocol.methods)
            again = method.replay(population, record.trace, refuse, torch.Generator().manual_seed(99))
            assert weights_sha256(again) == record.weights_sha256, record.method
            replayed.append(record.method)
    assert set(replayed) == set(SEARCHES)
    lineages = [r.trace["lineage"] for r in answered.records().values() if r.trace and "lineage" in r.trace]
    assert max(map(len, lineages)) > 1, "some children were accepted"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda trace: {**trace, "F": trace["F"] / 2},
        lambda trace: {},
        lambda trace: {**trace, "lineage": [{**trace["lineage"][0], "i": 99}]},
    ],
    ids=["other weights", "empty", "no such member"],
)
def test_a_trace_that_cannot_be_replayed_is_reported_and_the_search_made_again(
    spoil: Callable[[Mapping[str, Any]], Any], answered: Project
) -> None:
    inside, wanted = (answered.records()[f"{s}_domain/same/all/simple_evolver"] for s in ("in", "out_of"))
    answered.store().put(replace(inside, trace=spoil(inside.trace or {})))
    (answered.path / "results" / wanted.path).unlink()
    result = answered.run("--heads=same", "--method=simple_evolver", "-k", "out_of_domain")
    result.assert_outcomes(passed=1, deselected=11)
    result.stdout.fnmatch_lines([f"*{inside.path}: its trace cannot be replayed (*"])
    assert outcome(answered.records()[name_of(wanted)]) == outcome(wanted)


# -- the test split --------------------------------------------------------------------------------------------------


def poisoned(corpora: Mapping[str, Corpus]) -> Mapping[str, Corpus]:
    """Every label that an exam may ask is turned round; what models are trained and chosen on stays as it is."""

    def turned(split: Split) -> Split:
        return Split(split.texts, np.where(split.labels == MASKED, MASKED, 1 - split.labels))

    return {
        name: replace(corpus, test=turned(corpus.test))
        if name in IN_DOMAIN
        else replace(corpus, train=turned(corpus.train), dev=turned(corpus.dev), test=turned(corpus.test))
        for name, corpus in corpora.items()
    }


def test_poisoned_test_labels_change_no_weight_and_every_score(
    answered: Project, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(answered.zoo / "tiny", tmp_path / "zoo" / "tiny")  # and no member: all are trained anew
    other = make_lab(tmp_path / "zoo")
    other.corpora = poisoned(other.corpora)
    clean, store = answered.records(), Store(tmp_path / "results")
    for asked in (cell(m, s) for s in (IN, OUT) for m in DEFAULT_METHODS if (m, s) != ("domain_specific", OUT)):
        found = answer(other, store, asked)
        wanted = clean[name_of(found)]
        assert found.key != wanted.key, "another exam is another cell"
        assert found.weights_sha256 == wanted.weights_sha256, name_of(found)
        assert found.dev == wanted.dev and found.trace == wanted.trace, name_of(found)
        assert found.scores.keys() == wanted.scores.keys()
        assert all(found.scores[c] != wanted.scores[c] for c in found.scores), name_of(found)
    assert len(store.paths()) == len(clean)


def test_poisoned_dev_labels_do_change_a_search(answered: Project, tmp_path: Path) -> None:
    """The other half of the proof: were the dev rows poisoned instead, it would be seen."""
    other = make_lab(answered.zoo)
    other.corpora = {
        name: replace(c, dev=Split(c.dev.texts, np.where(c.dev.labels == MASKED, MASKED, 1 - c.dev.labels)))
        for name, c in other.corpora.items()
    }
    clean = make_lab(answered.zoo)
    other.member = clean.member  # type: ignore[method-assign]  # the members stay: only the search is poisoned
    found = answer(other, Store(tmp_path), cell("evolver"))
    assert found.weights_sha256 != answered.records()["in_domain/same/all/evolver"].weights_sha256


# -- heads and ancestors ---------------------------------------------------------------------------------------------

STILL = ("train_rows=8", "epochs=1", "learning_rate=1e-30")  # steps too small to move anything


def equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    """But for such a step."""
    return torch.allclose(one, two, rtol=0, atol=1e-20)


def test_same_heads_are_equal_and_are_the_ancestors(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    population = make_lab(tmp_path, *STILL).population(cell("simple").key)
    head = population.output_layer
    assert head == ("classifier.weight", "classifier.bias")
    for member in population.members:
        assert set(member) == set(population.ancestor)
        assert all(equal(member[name], tensor) for name, tensor in population.ancestor.items())
    assert population.ancestor[head[0]].std() > 0


def test_different_heads_differ_and_are_not_the_ancestors(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    still = make_lab(tmp_path, *STILL)
    key = cell("simple", heads="diff").key
    population = still.population(key)
    weight = population.output_layer[0]
    assert key.seeds == (1, 2, 3, 4, 5)
    assert not set(population.output_layer) & set(population.ancestor), "no head is the ancestor of all"
    for member in population.members:
        assert all(equal(member[name], tensor) for name, tensor in population.ancestor.items())
    for one, two in itertools.combinations(population.members, 2):
        assert not equal(one[weight], two[weight])
    for seed, member in zip(key.seeds, population.members, strict=True):
        assert equal(member[weight], dict(still.ancestor(seed).model.named_parameters())[weight])


def test_a_population_knows_what_its_members_annotate(lab: Lab) -> None:
    population = lab.population(cell("simple", members=("tec", "isear"), setting=PAIR).key)
    assert population.annotated is not None and population.names == ("tec", "isear")
    own = [{label for label, there in zip(LABELS, row, strict=True) if there} for row in population.annotated]
    assert own == [set(synthetic.ANNOTATED["tec"]), set(synthetic.ANNOTATED["isear"])]


def test_a_member_is_the_same_whatever_was_drawn_before(small_zoo: Path, tmp_path: Path, lab: Lab) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    torch.manual_seed(4711)
    np.random.seed(4711)
    again = make_lab(tmp_path).member(("tec",), 1)
    first = lab.member(("tec",), 1)
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    assert any(not torch.equal(tensor, lab.member(("isear",), 1)[name]) for name, tensor in first.items())


@pytest.mark.parametrize(
    ("setting", "remade"),
    [
        ("train_rows=95", True),
        ("epochs=3", True),
        ("threshold=-1.9", True),  # the best epoch is chosen by it
        ("dev_rows=19", True),
        ("test_rows=39", False),
        ("fisher_rows=15", False),
        ("dev_fraction=0.5", False),
        ("ood_labels=annotated", False),
        ("ties.k=0.5", False),
    ],
)
def test_a_member_is_another_when_what_made_it_is(setting: str, remade: bool, small_zoo: Path, lab: Lab) -> None:
    changed = make_lab(small_zoo, setting)
    assert (changed.member_recipe(("tec",), 1) != lab.member_recipe(("tec",), 1)) == remade
    if not setting.startswith("ties"):
        assert recipe_key(recipe_of(cell("simple"), changed)) != recipe_key(recipe_of(cell("simple"), lab))


def test_unseen_corpora_are_asked_whole_or_as_the_released_code_does(small_zoo: Path) -> None:
    paper, official = make_lab(small_zoo, "test_rows=none"), make_lab(small_zoo, "test_rows=none")
    official.protocol = replace(official.protocol, ood_rows="test_if_diff", ood_labels="annotated")
    same, diff = cell("simple", OUT), cell("simple", OUT, heads="diff")
    labs = {"p": paper, "o": official}
    rows = {(w, c.key.heads): len(lab.exam_split(c, "ssec")) for w, lab in labs.items() for c in (same, diff)}
    assert rows == {("p", "same"): 200, ("p", "diff"): 200, ("o", "same"): 200, ("o", "diff"): 40}
    asked = {w: (lab.exam_split(same, "ssec").labels != MASKED).any(axis=0).sum() for w, lab in labs.items()}
    assert asked == {"p": 6, "o": 7}, "trust is no basic emotion"


def test_members_that_are_damaged_are_named(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo, tmp_path / "zoo")
    spoiled = make_lab(tmp_path / "zoo")
    (path,) = (tmp_path / "zoo" / "members").glob(f"{recipe_key(spoiled.member_recipe(('tec',), 1))}/*.safetensors")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(BadWeights, match=f"{path} cannot be read .*; delete {path.parent} and it will be made again"):
        spoiled.population(cell("simple").key)


# -- other protocols -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [("--protocol=official_code",), ("--set=dtype=bf16",), ("--set=head_merge=plain", "--set=fitness=pooled")],
    ids=lambda words: " ".join(words),
)
def test_other_protocols_run_whole(settings: tuple[str, ...], project: Project) -> None:
    methods = ("ensemble", "evolver", "fisher", "regmean", "ties")
    result = project.run(*settings, *(f"--method={m}" for m in methods), "-k", "tec+isear")
    result.assert_outcomes(passed=5)
    records = project.records()
    assert len({r.weights_sha256 for r in records.values()}) == 5
    if "official_code" in settings[0]:
        assert all(r.dev["score"] == round(r.dev["score"], 5) for r in records.values())


def test_different_heads_and_pairs_run_whole(project: Project) -> None:
    words = ("--method=ties", "--method=ensemble", "--method=domain_specific")
    result = project.run(*words, "-k", "(diff and in_domain) or tec+isear")
    result.assert_outcomes(passed=6)
    pair = project.records()["pairwise/same/tec+isear/ties"]
    assert set(pair.scores) == {"tec", "isear"} and pair.coverage == "5 of 5"
    assert project.records()["in_domain/diff/all/ties"].recipe["population"]["seeds"] == [1, 2, 3, 4, 5]


# -- corpora that are not there --------------------------------------------------------------------------------------


def unified(folder: Path, *corpora: str) -> Path:
    """The small world's rows of these corpora in the layout of the real file."""
    path = folder / FILE
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for name in corpora:
            rows = synthetic.load(SmallWorld(), 0)[name].everything
            for text, row in zip(rows.texts, rows.labels.tolist(), strict=True):
                values = {k: None if v == MASKED else float(v) for k, v in zip(LABELS, row, strict=True)}
                emotions = {k: values[k] for k in LABELS[:13]}
                entry = {"source": name, "text": text, "emotions": emotions, "VAD": dict.fromkeys(LABELS[13:])}
                file.write(json.dumps(entry) + "\n")
    return folder


def real(project: Project) -> list[str]:
    """Options that make the tiny model a user's own, on corpora from a file."""
    (folder,) = (project.zoo / "tiny").glob("[!.]*/")
    return [f"--model=mine={folder}", f"--data={project.path / 'data'}", "--protocol=quick", "--method=simple"]


def test_missing_corpora_are_named_and_the_rows_say_how_much_is_there(project: Project) -> None:
    unified(project.path / "data", "crowdflower", "dailydialog", "isear", "ssec", "affectivetext")
    result = project.run(*real(project), "--heads=same")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["mergeboard: not in the data: tec, tales-emotion, emoint, electoraltweets, *"])
    records = project.records()
    pairs = itertools.combinations(("dailydialog", "crowdflower", "isear"), 2)
    assert {n for n in records if n.startswith("pairwise")} == {f"pairwise/same/{a}+{b}/simple" for a, b in pairs}
    assert {r.coverage for r in records.values() if r.setting != "out_of_domain"} == {"3 of 5"}
    outside = records["out_of_domain/same/all/simple"]
    assert outside.coverage == "3 of 5 members, 2 of 5 corpora" and set(outside.scores) == {"ssec", "affectivetext"}


def test_without_any_unseen_corpus_the_question_is_skipped_with_a_reason(project: Project) -> None:
    unified(project.path / "data", "tec", "isear")
    result = project.run(*real(project), "--heads=same")
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*out_of_domain: none of emoint, ssec, * is in the data*"])


def test_with_a_single_corpus_there_is_nothing_to_merge(project: Project) -> None:
    unified(project.path / "data", "isear", "ssec")
    result = project.run(*real(project))
    result.assert_outcomes(skipped=3)
    assert result.ret == 0 and project.records() == {}


# -- methods that fail -----------------------------------------------------------------------------------------------


@pytest.fixture
def own_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that forgets what is registered meanwhile."""
    known()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    yield


def registered(name: str, error: Exception) -> None:
    @register(name, paper="none")
    @dataclass(frozen=True)
    class Fails:
        version: ClassVar[int] = 1

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            raise error

    Fails.__qualname__ = name


@pytest.mark.parametrize("kind", [MergeboardError, OSError, RuntimeError])
def test_a_failing_method_is_a_failed_test_and_no_record(
    kind: type[Exception], project: Project, own_methods: None
) -> None:
    registered("explodes", kind("the fuse was lit"))
    words = ("--method=explodes", "--method=simple", "--heads=same", "-k", "in_domain")
    result = project.run(*words)
    result.assert_outcomes(failed=1, passed=1, deselected=22)
    assert set(project.records()) == {"in_domain/same/all/simple"}, "the session goes on"
    result.stdout.fnmatch_lines(["FAILED suites/test_emotion.py::test_in_domain[[]*explodes] - *the fuse was lit"])
    if kind is not RuntimeError:  # what mergeboard knows how to say takes one line; a bug shows where it is
        assert len([line for line in result.outlines if "the fuse was lit" in line]) == 2
        result.stdout.no_fnmatch_line("*registered*raise error*")
    project.run(*words).stdout.fnmatch_lines(["*1 failed*1 cached*"])


def test_a_merge_that_is_not_finite_is_refused(project: Project, own_methods: None) -> None:
    @register("overflows", paper="none")
    @dataclass(frozen=True)
    class Overflows:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            return {name: w / 0 if "pooler" in name else w for name, w in population.members[0].items()}

    result = project.run("--method=overflows", "--heads=same", "-k", "in_domain")
    result.assert_outcomes(failed=1, deselected=11)
    result.stdout.fnmatch_lines(["in_domain[[]*overflows]: the merge by overflows: bert.pooler.dense.* holds *"])
    assert project.records() == {}


def test_a_method_that_writes_into_members_spoils_no_checkpoint_and_no_other_cell(
    answered: Project, own_methods: None
) -> None:
    @register("aa_scribbles", paper="none")
    @dataclass(frozen=True)
    class Scribbles:
        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Any:
            for member in population.members:
                for tensor in member.values():
                    tensor.zero_()  # type: ignore[attr-defined]
            return population.members[0]

    words = ("--heads=same", "-k", "in_domain", "--method=aa_scribbles", "--method=simple", "--results=alone")
    answered.run(*words).assert_outcomes(passed=2, deselected=22)
    found, wanted = answered.records("alone"), answered.records()
    name = "in_domain/same/all/simple"
    assert outcome(found[name]) == outcome(wanted[name])


def test_an_inapplicable_method_is_skipped_with_its_reason(project: Project, own_methods: None) -> None:
    registered("picky", NotApplicable("picky wants seven members"))
    result = project.run("--method=picky", "--heads=same", "-k", "in_domain")
    result.assert_outcomes(skipped=1, deselected=11)
    result.stdout.fnmatch_lines(["SKIPPED*picky wants seven members"])
    assert project.records() == {} and result.ret == 0


def test_a_full_disk_is_one_line_and_nothing_is_lost(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = answered.records()
    for name in ("ties", "fisher"):
        (answered.path / "results" / wanted[f"in_domain/same/all/{name}"].path).unlink()
    before, move = answered.contents(), os.replace

    def full(source: Any, target: Any) -> None:
        if "ties-s1" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = answered.run(*BOTH)
    result.stdout.fnmatch_lines(["*1 failed, 1 passed*27 cached*"])
    lines = [line for line in result.outlines if line.startswith("in_domain[")]
    assert len(lines) == 1 and "No space left on device" in lines[0]
    after = answered.contents()
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1 and not list(answered.path.rglob("*.tmp"))
    answered.run(*BOTH).stdout.fnmatch_lines(["*1 passed*28 cached*"])
    assert {n: outcome(r) for n, r in answered.records().items()} == {n: outcome(r) for n, r in wanted.items()}


# -- interrupted, in parallel, twice at once -------------------------------------------------------------------------

SOME = ("simple", "ensemble", "regmean", "evolver", "ties_evolver")


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_a_killed_run_loses_at_most_the_cell_in_flight(answered: Project) -> None:
    words = ("--heads=same", "-k", "in_domain or tec+", *(f"--method={m}" for m in SOME), "--results=killed")
    process = answered.start(*words)
    try:
        wait_for(lambda: len(answered.store("killed").paths()) >= 2 or process.poll() is not None)
        process.send_signal(signal.SIGSTOP)  # what lies there now shall lie there unchanged
        before = answered.contents("killed")
    finally:
        process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL, "killed in the middle, not at the end"
    records = [name for name in before if name.startswith("emotion/") and not Path(name).name.startswith(".")]
    assert 2 <= len(records) < len(SOME) * 3
    result = answered.run(*words)
    passed = len(SOME) * 3 - len(records)
    result.stdout.fnmatch_lines([f"*{passed} passed*{len(records)} cached*"])
    after = answered.contents("killed")
    assert {name: after[name] for name in records} == {name: before[name] for name in records}
    shared = answered.records()
    for name, record in answered.records("killed").items():
        if name in shared:
            assert outcome(record) == outcome(shared[name]), name


def test_workers_give_the_same_records_and_train_each_population_once(
    answered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xdist")
    shutil.copytree(answered.zoo / "tiny", tmp_path / "zoo" / "tiny")
    pairs = ("dailydialog+tec", "dailydialog+isear", "tec+isear")  # every member is wanted by two populations
    words = ("--heads=same", "-k", " or ".join(pairs), *(f"--method={m}" for m in SOME))
    answered.run(*words, "--results=alone").assert_outcomes(passed=3 * len(SOME), deselected=9 * len(SOME))
    answered.zoo, log = tmp_path / "zoo", tmp_path / "trained.txt"
    monkeypatch.setenv("SMALL_WORLD_LOG", str(log))
    done = answered.records("alone")["pairwise/same/tec+isear/simple"]
    answered.store("workers").put(done)
    process = answered.start("-n2", "-v", *words, "--results=workers", "--junitxml=report.xml")
    assert process.wait(timeout=300) == 0
    said = (answered.path / "said").read_text(encoding="utf-8")
    turns = re.findall(r"\[(gw\d)\].* (?:PASSED|CACHED) .*\[tiny-encoder-s1-([^\]]+)-\w+\]", said)
    assert len(turns) == 3 * len(SOME), "each cell once"
    assert len(set(turns)) == 3, "and each population by one worker"
    assert log.read_text().split() == ["fine-tuned"] * 3
    assert (answered.path / "report.xml").read_text().count('name="cached" value="True"') == 1
    found, wanted = answered.records("workers"), answered.records("alone")
    assert found.keys() == wanted.keys()
    assert {n: outcome(r) for n, r in found.items()} == {n: outcome(r) for n, r in wanted.items()}
    commands = {record.environment["command"] for record in found.values() if record.method != "simple"}
    assert len(commands) == 1 and "-n2" in commands.pop(), "the command is the one that was typed"
    gold = {p.name for p in (answered.path / "workers" / "gold").iterdir()}
    assert gold == {p.name for p in (answered.path / "alone" / "gold").iterdir()}


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_two_runs_at_once_on_one_results_folder_both_end_well(answered: Project) -> None:
    words = ("--heads=same", "-k", "in_domain", *(f"--method={m}" for m in SOME), "--results=both")

    def session() -> None:
        with open(os.devnull, "w") as void, redirect_stdout(void), redirect_stderr(void):
            code = pytest.main(answered.arguments(*words))
        os._exit(code)

    running = [multiprocessing.get_context("fork").Process(target=session) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(timeout=300)
    assert [process.exitcode for process in running] == [0, 0]
    shared, found = answered.records(), answered.records("both")
    assert set(found) == {f"in_domain/same/all/{m}" for m in SOME}
    assert {n: outcome(r) for n, r in found.items()} == {n: outcome(shared[n]) for n in found}
    assert not list((answered.path / "both").rglob("*.tmp"))


def test_small_settings_are_the_sessions_and_not_the_harness_own() -> None:
    assert SMALL and synthetic.World().rows == 900
