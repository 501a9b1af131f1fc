"""How unsure weights are of development rows: by whose answers, of which rows, and never by a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.cells.cell import PopulationKey
from harness.cells.lab import Lab
from harness.cells.run import merged_by
from harness.cells.unlabelled import Unlabelled
from harness.data.corpus import MASKED
from harness.export.remake import cell_of
from harness.records.record import Store
from harness.suites.emotion.labels import IN_DOMAIN
from harness.suites.glue.tasks import TASKS
from methods import NotApplicable, known, register
from methods.adamerging import AdaMerging
from methods.catalogue import METHODS
from methods.services import Draw
from tests.brought import TASKS_OF_TWO, TWO, bring, lab_of, lab_of_two_tasks, record_of, record_of_two_tasks
from tests.small_world import forget, swap

FAMILIES = ("encoder", "decoder")
ALL = Draw(seed=5, rows=1000, batches=1)


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """A registry with a method that learns as adamerging does, and is soon done."""
    known()

    @dataclass(frozen=True)
    class Learns(AdaMerging):
        steps: int = 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "entries", dict(METHODS.entries))
        register("learns", paper="none")(Learns)
        yield


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Lab]:
    root = tmp_path_factory.mktemp("unlabelled")
    return {kind: lab_of(root / kind, bring(root / kind, kind), kind) for kind in FAMILIES}


@pytest.fixture(scope="module")
def two_tasks(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return lab_of_two_tasks(tmp_path_factory.mktemp("tasks"))


def key_of(lab: Lab, **more: Any) -> PopulationKey:
    if lab.rows.corpora.keys() >= set(TASKS_OF_TWO):
        return PopulationKey(lab.subject.model, "glue", TASKS_OF_TWO, tuple(TASKS), 1, "own")
    heads: Any = "diff" if lab.subject.family.kind == "encoder" else "none"
    return PopulationKey(lab.subject.model, "emotion", TWO, IN_DOMAIN, 1, heads, **more)


def coins(logits: Tensor, asked: Tensor) -> float:
    p = logits.double().sigmoid()
    each = -(p * p.log() + (1 - p) * (1 - p).log())
    return float((each * asked).sum(1).mean())


@pytest.mark.parametrize("kind", FAMILIES)
def test_of_labels_it_is_the_coins_of_those_that_each_corpus_annotates(kind: str, labs: Mapping[str, Lab]) -> None:
    lab, wanted = labs[kind], 0.0
    weights = lab.workshop.member(key_of(lab).sources[0])
    for corpus in TWO:
        split = lab.rows.dev(corpus, 1)
        logits = lab.judges.asked(lab.rows.task(corpus), split, weights)
        wanted += coins(logits, torch.from_numpy(split.labels != MASKED))
    found = lab.entropy(key_of(lab), 0.0)
    assert found(weights, ALL)[0] == pytest.approx(wanted, rel=1e-5)
    assert found.rows == sum(len(lab.rows.dev(corpus, 1)) for corpus in TWO)
    assert found.read == {corpus: len(lab.rows.dev(corpus, 1)) for corpus in TWO}
    alone = [found(weights, replace(ALL, members=(i,)))[0] for i in (0, 1)]
    assert sum(alone) == pytest.approx(wanted, rel=1e-5)


def test_of_classes_it_is_the_softmax_under_each_task_s_own_head(two_tasks: Lab) -> None:
    lab, key, wanted = two_tasks, key_of(two_tasks), 0.0
    population, heads = lab.populations.of(key), lab.populations.heads(key)
    for corpus in TASKS_OF_TWO:
        whole = {**population.members[0], **heads[corpus]}
        logits = lab.judges.asked(lab.rows.task(corpus), lab.rows.dev(corpus, 1), whole)
        wanted += float(torch.distributions.Categorical(logits=logits.double()).entropy().mean())
    value, gradient = lab.entropy(key, 0.0)(population.members[0], ALL)
    assert value == pytest.approx(wanted, rel=1e-5) and gradient.keys() <= population.members[0].keys()


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_gradient_is_how_much_the_entropy_differs_along_a_change(kind: str, labs: Mapping[str, Lab]) -> None:
    lab = labs[kind]
    population = lab.populations.of(key_of(lab))
    entropy, weights = lab.entropy(key_of(lab), 0.0), population.members[0]
    gradient = entropy(weights, ALL)[1]
    change = {n: population.members[1][n] - x for n, x in weights.items()}
    slope = sum(float((gradient[n].double() * change[n].double()).sum()) for n in gradient)
    by = 1e-2
    ends = [entropy({n: x + s * by * change[n] for n, x in weights.items()}, ALL)[0] for s in (1, -1)]
    assert (ends[0] - ends[1]) / (2 * by) == pytest.approx(slope, rel=2e-2)


@pytest.mark.parametrize("kind", FAMILIES)
def test_no_label_of_a_development_row_changes_a_bit(kind: str, tmp_path: Path) -> None:
    lab = lab_of(tmp_path, bring(tmp_path, kind), kind)
    weights = lab.workshop.member(key_of(lab).sources[0])
    draw = Draw(seed=1, rows=4, batches=2)
    value, gradient = lab.entropy(key_of(lab), 0.0)(weights, draw)
    for corpus in TWO:
        dev = lab.rows.corpora[corpus].dev
        swap(lab, corpus, dev=dev.asked(np.where(dev.labels == MASKED, MASKED, 1 - dev.labels)))
    forget(lab)
    again, other = lab.entropy(key_of(lab), 0.0)(weights, draw)
    assert again == value and all(torch.equal(other[name], slope) for name, slope in gradient.items())


def rows_met(lab: Lab, seed: int, steps: int, rows: int = 4) -> list[tuple[int, ...]]:
    """Which rows of the first corpus each batch reads."""
    found = lab.entropy(key_of(lab), 0.0)
    own = found._of(TWO[0])
    drawn = (found._drawn(own, Draw(seed, step, steps, rows, 2)) for step in range(steps))
    return [tuple(batch) for step in drawn for batch in step]


def test_all_rows_are_read_before_any_is_read_again_in_an_order_of_the_seed(labs: Mapping[str, Lab]) -> None:
    lab = labs["encoder"]
    count = len(lab.rows.dev(TWO[0], 1))
    met = [i for batch in rows_met(lab, 1, 10) for i in batch]
    for start in range(0, len(met) - count + 1, count):
        assert sorted(met[start : start + count]) == list(range(count))
    assert met[:count] != met[count : 2 * count] != list(range(count))
    assert rows_met(lab, 1, 10) == rows_met(lab, 1, 10) != rows_met(lab, 2, 10)
    assert all(len(set(batch)) == count for batch in rows_met(lab, 1, 3, rows=10 * count)), "never more than there are"


def test_rows_that_a_search_does_not_see_are_not_read(labs: Mapping[str, Lab], tmp_path: Path) -> None:
    lab = labs["encoder"]
    weights = lab.workshop.member(key_of(lab).sources[0])
    searched = lab.entropy(key_of(lab), 0.25)
    searched(weights, ALL)
    seen = lab.developers(key_of(lab), 0.25).search.rows
    assert searched.read == dict.fromkeys(TWO, seen // 2) and seen < lab.developer(key_of(lab)).rows
    half = lab_of(tmp_path, bring(tmp_path, "encoder"), "encoder", "dev_fraction=0.5")
    found = half.entropy(key_of(half), 0.0)
    found(weights, ALL)
    assert found.read == {corpus: len(half.rows.dev(corpus, 1)) // 2 for corpus in TWO}


def test_the_corpora_that_are_chosen_on_are_read_and_no_others(labs: Mapping[str, Lab]) -> None:
    lab = labs["encoder"]
    found = lab.entropy(key_of(lab, chosen=(TWO[1],)), 0.0)
    found(lab.workshop.member(key_of(lab).sources[0]), ALL)
    assert list(found.read) == [TWO[1]]


def test_what_has_no_entropy_or_no_rows_is_refused_in_one_line(labs: Mapping[str, Lab], tmp_path: Path) -> None:
    lab = lab_of(tmp_path, bring(tmp_path, "encoder"), "encoder")
    weights = lab.workshop.member(key_of(lab).sources[0])
    swap(lab, TWO[0], dev=lab.rows.corpora[TWO[0]].dev.first(0))
    forget(lab)
    asked = lab.entropy(key_of(lab), 0.0)
    with pytest.raises(NotApplicable, match=f"^it learns from development rows, and {TWO[0]} has none$"):
        asked(weights, ALL)
    assert asked.read == {}, "nothing was read, and nothing is told of rows"
    live, split = lab.judges.live(lab.rows.task(TWO[1])), lab.rows.dev(TWO[1], 1)
    for other, what in (("regression", "a score"), ("generation", "an answer in words")):
        batches: Any = replace(lab.judges.prepared(live.task, split), kind=other)
        with pytest.raises(NotApplicable, match=f"how unsure answers are, and {what}, as of {TWO[1]}, has no entropy"):
            Unlabelled.of(live, batches, TWO[1], {})


# -- a cell ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_record_says_which_rows_were_read_and_what_that_cost(
    kind: str, labs: Mapping[str, Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, store = labs[kind], Store(tmp_path / "results")
    record = record_of(lab, store, "learns")
    rows = {corpus: len(lab.rows.dev(corpus, 1)) for corpus in TWO}
    assert record.dev["unlabelled"] == rows and record.dev["calls"] == 0
    assert record.cost["unlabelled_rows"] == sum(3 * 2 * min(16, n) for n in rows.values())
    assert "search" in record.recipe["protocol"], "what share of rows is read decides the merge"
    assert record.trace is not None and len(record.trace["entropy"]) == 3

    monkeypatch.setattr(lab.judges, "entropy", lambda *_: pytest.fail)  # nothing is read again
    again = merged_by(cell_of(record, lab.subject.model), lab, store)
    assert again.cost["unlabelled_rows"] == record.cost["unlabelled_rows"] and again.dev["unlabelled"] == rows


def test_a_method_that_reads_no_row_says_nothing_of_it(labs: Mapping[str, Lab], tmp_path: Path) -> None:
    record = record_of(labs["encoder"], Store(tmp_path / "results"), "simple")
    assert "unlabelled" not in record.dev and "unlabelled_rows" not in record.cost
    assert "search" not in record.recipe["protocol"]


def test_tasks_with_heads_of_their_own_learn_together(two_tasks: Lab, tmp_path: Path) -> None:
    record = record_of_two_tasks(two_tasks, Store(tmp_path / "results"), "learns")
    assert set(record.dev["unlabelled"]) == set(TASKS_OF_TWO) and 0 <= record.score <= 1
