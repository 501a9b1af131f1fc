"""Settings and cells: who is trained with which seed, how much of a question was asked, and names that -k takes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cells.cell import Cell, PopulationKey, Source, identity, seed_from
from harness.checkpoints.names import ModelName
from harness.suites.emotion.labels import IN_DOMAIN, OUT_OF_DOMAIN
from harness.suites.setting import Heads, Setting, corpus_of, member_seeds

ALL = Setting("emotion", "in_domain", IN_DOMAIN, "all")
PAIRS = Setting("emotion", "pairwise", IN_DOMAIN, "pairs", heads=("same",))
UNSEEN = Setting("emotion", "out_of_domain", IN_DOMAIN, "all", examined=OUT_OF_DOMAIN)
TASKS = ("cola", "rte", "mrpc")
HALVES = Setting("glue", "non_iid", TASKS, "halves")
LISTED = Setting("glue", "cross_task", TASKS, (("rte", "cola"), ("mrpc", "rte")), heads=("own",))
THREE = ("dailydialog", "crowdflower", "isear")


def key(
    members: tuple[str, ...] = IN_DOMAIN, seed: int = 1, heads: Heads = "same", model: str = "roberta-base"
) -> PopulationKey:
    return PopulationKey(ModelName(model, "somewhere"), "emotion", members, IN_DOMAIN, seed, heads)


def half(seed: int, heads: Heads) -> PopulationKey:
    """The two partitions of one task."""
    halves = ("cola#1", "cola#2")
    return PopulationKey(ModelName("m", "m"), "glue", halves, HALVES.places(halves), seed, heads)


# -- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "seeds"),
    [
        (1, (1, 2, 3, 4, 5)),
        (2, (2, 3, 4, 5, 1)),
        (3, (3, 4, 5, 1, 2)),
        (4, (4, 5, 1, 2, 3)),
        (5, (5, 1, 2, 3, 4)),
        (6, (6, 7, 8, 9, 10)),
        (10, (10, 6, 7, 8, 9)),
    ],
)
def test_different_heads_deal_the_seeds_as_published(seed: int, seeds: tuple[int, ...]) -> None:
    assert member_seeds(IN_DOMAIN, IN_DOMAIN, seed, "diff") == seeds
    if seed <= 5:  # the rule of `member_seeds`, for k = 1..5
        assert seeds == tuple((seed + k - 2) % 5 + 1 for k in range(1, 6))


@pytest.mark.parametrize("heads", ["same", "own", "none"])
def test_same_heads_have_one_seed(heads: Heads) -> None:
    assert member_seeds(IN_DOMAIN, IN_DOMAIN, 3, heads) == (3,) * 5


def test_five_runs_with_different_heads_use_every_member_and_seed_once() -> None:
    dealt = [(m, s) for seed in range(1, 6) for m, s in zip(IN_DOMAIN, key(seed=seed, heads="diff").seeds, strict=True)]
    assert sorted(dealt) == sorted(itertools.product(IN_DOMAIN, range(1, 6)))


def test_a_member_keeps_its_seed_when_others_are_missing() -> None:
    assert member_seeds(IN_DOMAIN, ("crowdflower", "isear"), 2, "diff") == (3, 1)
    assert key(("crowdflower", "isear"), 2, "diff").seeds == (3, 1)


def test_a_seed_depends_on_every_name_and_fits_a_generator() -> None:
    names = [("a",), ("b",), ("a", "b"), ("b", "a"), (1, "a"), ("1", "b")]
    assert len({seed_from(*n) for n in names}) == len(names)
    assert seed_from("a", 1) == seed_from("a", 1) == seed_from("a", "1")
    assert all(0 <= seed_from(i) < 2**63 for i in range(200))


# -- settings --------------------------------------------------------------------------------------------------------


def test_five_corpora_make_one_population_or_ten_pairs() -> None:
    assert ALL.populations(IN_DOMAIN) == [IN_DOMAIN]
    pairs = PAIRS.populations(IN_DOMAIN)
    assert len(pairs) == len(set(pairs)) == 10
    assert pairs[0] == ("dailydialog", "crowdflower") and pairs[-1] == ("tales-emotion", "isear")


def test_missing_corpora_shrink_the_question() -> None:
    assert ALL.populations(THREE) == [THREE]
    assert PAIRS.populations(THREE) == list(itertools.combinations(THREE, 2))
    assert ALL.populations(["isear"]) == PAIRS.populations(["isear"]) == ALL.populations([]) == []
    assert UNSEEN.populations([*THREE, "ssec"]) == [THREE]


def test_members_stand_in_the_papers_order_whatever_the_order_at_hand() -> None:
    assert ALL.populations(tuple(reversed(THREE))) == [THREE]
    assert UNSEEN.exam(THREE, ("affectivetext", "emoint")) == ("emoint", "affectivetext")


def test_an_exam_is_on_the_members_own_corpora_or_on_the_named_ones() -> None:
    assert ALL.exam(THREE, (*THREE, "ssec")) == THREE
    assert PAIRS.exam(("tec", "isear"), IN_DOMAIN) == ("tec", "isear")
    assert UNSEEN.exam(THREE, (*THREE, "ssec")) == ("ssec",)
    assert UNSEEN.exam(IN_DOMAIN, (*IN_DOMAIN, *OUT_OF_DOMAIN)) == OUT_OF_DOMAIN


def test_coverage_says_how_much_could_be_asked() -> None:
    everything = (*IN_DOMAIN, *OUT_OF_DOMAIN)
    assert ALL.coverage(everything) == "5 of 5"
    assert ALL.coverage((*THREE, "ssec", "affectivetext")) == "3 of 5"
    assert PAIRS.coverage(THREE) == "3 of 5"
    assert UNSEEN.coverage((*THREE, "ssec", "affectivetext")) == "3 of 5 members, 2 of 5 corpora"
    assert UNSEEN.coverage(everything) == "5 of 5 members, 5 of 5 corpora"
    assert HALVES.coverage(("cola", "rte", "isear")) == "2 of 3"
    assert LISTED.coverage(("cola", "rte")) == "1 of 2 pairs"


# -- partitions of one task, and pairs that are listed ---------------------------------------------------------------


def test_every_task_makes_a_population_of_its_two_halves() -> None:
    assert HALVES.populations(TASKS) == [("cola#1", "cola#2"), ("rte#1", "rte#2"), ("mrpc#1", "mrpc#2")]
    assert HALVES.populations(("rte",)) == [("rte#1", "rte#2")], "one task is enough"
    assert HALVES.exam(("cola#1", "cola#2"), TASKS) == ("cola",)
    assert corpus_of("cola#2") == corpus_of("cola") == "cola"


def test_listed_pairs_are_merged_in_the_order_of_the_list() -> None:
    assert LISTED.populations(TASKS) == [("rte", "cola"), ("mrpc", "rte")]
    assert LISTED.populations(("cola", "rte")) == [("rte", "cola")]
    assert LISTED.exam(("rte", "cola"), TASKS) == ("rte", "cola")


def test_what_cannot_be_merged_is_listed_with_what_it_lacks() -> None:
    assert LISTED.impossible(TASKS) == HALVES.impossible(TASKS) == []
    assert LISTED.impossible(("cola", "mrpc")) == [(("rte", "cola"), ("rte",)), (("mrpc", "rte"), ("rte",))]
    assert LISTED.impossible(("cola",)) == [(("rte", "cola"), ("rte",)), (("mrpc", "rte"), ("mrpc", "rte"))]
    assert HALVES.impossible(("cola", "rte")) == [(("mrpc#1", "mrpc#2"), ("mrpc",))], "a task is named once"
    assert ALL.impossible(THREE) == PAIRS.impossible(THREE) == [], "these are made of what is there"


def test_the_halves_of_a_task_are_dealt_the_seeds_of_a_list_of_two() -> None:
    halves = ("cola#1", "cola#2")
    assert HALVES.places(halves) == halves and LISTED.places(("rte", "cola")) == TASKS
    dealt = [half(seed, "diff").seeds for seed in (1, 2, 3, 4)]
    assert dealt == [(1, 2), (2, 1), (3, 4), (4, 3)]
    assert half(3, "same").seeds == (3, 3)


def test_a_partition_is_drawn_by_the_seed_of_the_run_whatever_the_heads() -> None:
    assert half(2, "diff").sources == (Source(("cola#1",), 2, 2), Source(("cola#2",), 1, 2))
    assert half(2, "diff").together == Source(("cola#1", "cola#2"), 2, 2)
    assert half(2, "diff").corpora == ("cola",) and half(2, "diff").population == "cola"


def test_own_heads_have_one_seed() -> None:
    pair = PopulationKey(ModelName("m", "m"), "glue", ("rte", "cola"), TASKS, 3, "own")
    assert pair.seeds == (3, 3) and pair.corpora == ("rte", "cola") and pair.population == "rte+cola"
    assert str(pair) == "m-s3-rte+cola" and str(half(3, "diff")) == "m-s3-diff-cola"


# -- names -----------------------------------------------------------------------------------------------------------


def test_a_population_is_called_all_or_by_its_pair() -> None:
    assert str(key()) == "roberta-base-s1"
    assert str(key(heads="diff", seed=3)) == "roberta-base-s3-diff"
    assert str(key(("dailydialog", "isear"))) == "roberta-base-s1-dailydialog+isear"
    assert str(Cell(ALL, key(), "ties_evolver")) == "in_domain[roberta-base-s1-ties_evolver]"
    assert identity(key(THREE, 1, "diff")) == {"members": list(THREE), "seeds": [1, 2, 5], "heads": "diff"}


@pytest.mark.parametrize("model", ["microsoft/deberta-v3-large", "my model (v2), k=3", "a[0]", "modèle", "x|y&z"])
def test_a_name_holds_no_character_that_k_cannot_take(model: str, pytester: pytest.Pytester) -> None:
    name = f"{key(('dailydialog', 'tales-emotion'), heads='diff', model=model)}-ties_evolver"
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.parametrize('cell', [0, 1], ids=[{name!r}, 'other'])\ndef test_it(cell): pass"
    )
    pytester.runpytest("-k", name).assert_outcomes(passed=1, deselected=1)


def test_equal_keys_are_one_population() -> None:
    assert key() == key() and hash(key()) == hash(key())
    others = [key(seed=2), key(heads="diff"), key(THREE), key(model="other")]
    assert len({key(), *others}) == 5


# -- a fresh interpreter ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["records.record", "records.bits", "suites.setting", "cells.cell"])
def test_words_and_records_are_read_where_no_torch_is_installed(module: str) -> None:
    look = f"import sys, harness.{module}; print(*sorted({{'torch', 'transformers', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
