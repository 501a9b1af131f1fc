"""The heart: a cell from question to record, under every protocol, with test rows that nothing but the exam sees."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.cells.lab import Lab
from harness.cells.recorded import _origin
from harness.data.corpus import MASKED, Corpus, Split
from harness.data.world import World
from harness.records.record import TRAIN_ROWS, Store
from harness.session.options import DEFAULT_METHODS
from harness.suites.emotion.labels import IN_DOMAIN, OUT_OF_DOMAIN
from tests.emotion_cells import IN, METHODS, OUT, answer, cell, name_of
from tests.small_world import HARDLY, SMALL, Project, make_lab, swap, swap_all

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


def test_answers_to_development_rows_give_the_development_score_again(answered: Project) -> None:
    from harness.judging.rowwise import whole
    from leaderboard.tables.answers import gold_of, rowwise

    gold, found = gold_of(answered.store()), answered.records()
    for record in (found[f"{setting}/same/all/{m}"] for m in METHODS for setting in ("in_domain", "out_of_domain")):
        kept = record.dev["predictions"]
        assert set(kept) == set(IN_DOMAIN) and all(told["rows"] == 20 for told in kept.values()), record.path
        scores = [whole(rowwise(told, gold(told["gold"]))) for told in kept.values()]
        assert np.mean(scores) == pytest.approx(record.dev["score"], abs=1e-6), record.path


def test_the_mean_of_the_members_keeps_what_each_of_them_answered(answered: Project) -> None:
    from harness.judging.rowwise import whole
    from leaderboard.tables.answers import gold_of, rowwise

    gold, found = gold_of(answered.store()), answered.records()
    for setting in ("in_domain", "out_of_domain"):
        record = found[f"{setting}/same/all/avg"]
        assert set(record.details["answers"]) == set(record.details["members"]) == set(IN_DOMAIN)
        for member, own in record.details["answers"].items():
            test = {c: whole(rowwise(told, gold(told["gold"]))) for c, told in own["test"].items()}
            assert test == pytest.approx(record.details["members"][member], abs=1e-6)
        best, dev = found[f"{setting}/same/all/best"], record.details["answers"]
        chosen = IN_DOMAIN[(best.trace or {})["member"]]
        assert dev[chosen]["dev"] == best.dev["predictions"], "whose weights they are"


def test_a_record_names_no_folder_of_anyone(answered: Project) -> None:
    for path in answered.store().paths():
        text = path.read_text(encoding="utf-8")
        assert str(answered.path) not in text and str(answered.zoo) not in text and str(Path.home()) not in text
    record = answered.records()["in_domain/same/all/ties"]
    assert record.environment["command"].startswith("pytest suites/ -p tests.shrunk -p no:cacheprovider --zoo=ZOO")
    assert date.fromisoformat(record.environment["date"]) <= datetime.now(UTC).date()
    assert record.environment["threads"] == 1 and "torch" in record.environment["packages"]


def test_a_record_says_on_how_many_rows_its_members_were_trained_unless_they_are_parts_or_brought() -> None:
    def told(*members: str, rows: int | None = 512, trained: bool = True) -> object:
        identity = SimpleNamespace(trains=lambda source: trained, other_config=lambda source: [])
        lab = SimpleNamespace(protocol=SimpleNamespace(train_rows=rows), identity=identity)
        lab.subject = SimpleNamespace(commit=None)
        key = SimpleNamespace(members=members, sources=members)
        return _origin(cast(Any, SimpleNamespace(key=key)), cast(Any, lab)).get(TRAIN_ROWS)

    assert told("isear", "tec") == 512 and told("isear", rows=None) == "all"
    assert told("cola#1", "cola#2") is None, "how large a part is, another choice says"
    assert told("isear", trained=False) is None


def test_records_of_a_session_say_it(answered: Project) -> None:
    assert answered.records()["in_domain/same/all/ties"].details[TRAIN_ROWS] == 80


def test_what_is_stored_says_what_it_cost(answered: Project) -> None:
    records = answered.records()
    for method in METHODS:
        cost = records[f"in_domain/same/all/{method}"].cost
        assert cost["merge_seconds"] >= 0 and cost["exam_seconds"] > 0 and cost["peak_bytes"] > 2**20, method
        assert cost["inference_models"] == (5 if method == "ensemble" else 1)
        assert cost["stored_parameters" if method == "ensemble" else "parameters"] > 0
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
    swap_all(other, poisoned(other.rows.corpora))
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
    for name, c in other.rows.corpora.items():
        swap(other, name, dev=Split(c.dev.texts, np.where(c.dev.labels == MASKED, MASKED, 1 - c.dev.labels)))
    clean = make_lab(answered.zoo)
    other.workshop.member = clean.workshop.member  # type: ignore[method-assign]  # the members stay: only the search is poisoned
    found = answer(other, Store(tmp_path), cell("simple_evolver"))
    assert found.weights_sha256 != answered.records()["in_domain/same/all/simple_evolver"].weights_sha256


# -- other protocols -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [("--protocol=official_code",), ("--set=dtype=bf16",), ("--set=head_merge=plain", "--set=fitness=pooled")],
    ids=lambda words: " ".join(words),
)
def test_other_protocols_run_whole(
    settings: tuple[str, ...], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "harness.judging.precision.measured", lambda dtype: 1.0
    )  # bf16 is used, whatever machine this is
    methods = ("ensemble", "evolver", "fisher", "regmean", "ties")
    result = project.run(*settings, *(f"--method={m}" for m in methods), "-k", "tec+isear", small=HARDLY)
    result.assert_outcomes(passed=5)
    records = project.records()
    assert len({r.weights_sha256 for r in records.values()}) == 5
    if "official_code" in settings[0]:
        assert all(r.dev["score"] == round(r.dev["score"], 5) for r in records.values())


@pytest.mark.whole
def test_different_heads_and_pairs_run_whole(project: Project) -> None:
    words = ("--method=ties", "--method=ensemble", "--method=domain_specific")
    result = project.run(*words, "-k", "(diff and in_domain) or tec+isear", small=HARDLY)
    result.assert_outcomes(passed=6)
    pair = project.records()["pairwise/same/tec+isear/ties"]
    assert set(pair.scores) == {"tec", "isear"} and pair.coverage == "5 of 5"
    assert project.records()["in_domain/diff/all/ties"].recipe["population"]["seeds"] == [1, 2, 3, 4, 5]


def test_small_settings_are_the_sessions_and_not_the_harness_own() -> None:
    assert SMALL and World().rows == 900
