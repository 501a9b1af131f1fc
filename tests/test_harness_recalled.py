"""A score that remembers: what is known of a candidate is told again, it is not made, and all is counted as before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import harness.judging.progress
from harness.cells.devrows import cut, missing
from harness.cells.recalled import Recalled
from harness.judging.progress import Progress, left
from harness.storage.journal import Journal
from methods import Ensemble, Population, Weights
from methods.asking import expect, keeps_apart, score_apart, score_at
from methods.contract import same_bits, toy_population
from methods.errors import Breach, MethodFailed
from methods.merged import models_of
from methods.optimisers.random import Random
from methods.refereeing.refereed import Refereed
from methods.search import Search
from methods.space import Gene


class Sums:
    """A development score of 10 rows: the sum of the weights."""

    def __init__(self, scale: float = 1.0) -> None:
        self.calls, self.items, self.forwards, self._scale = 0, 0, 0, scale

    def __call__(self, merged: Any) -> float:
        self.calls, self.items = self.calls + 1, self.items + 10
        self.forwards += 10 * len(models_of(merged))
        return self._scale * float(sum(x.sum() for weights in models_of(merged) for x in weights.values()))


class World:
    """One cell's score, asked by one process after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.said = folder, list[str](), list[str]()
        self.rows, self.kept = Sums(), Sums(0.5)

    def opened(self, apart: bool = True) -> Recalled:
        journal = Journal(self.folder / "k.jsonl", {"cell": "c", "seed": 1, "engine": {}}, self.said.append)
        return Recalled(self.rows, journal, self.kept if apart else None)  # type: ignore[arg-type]

    def making(self, key: str) -> Callable[[], Any]:
        """Makes the candidate of this key, a number, and notes that it did."""

        def make() -> Any:
            self.made.append(key)
            return None if key == "nan" else {"w": torch.tensor([float(key)])}

        return make


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ask(world: World, score: Any, *keys: str) -> list[float]:
    return [score_at(score, key, world.making(key)) for key in keys]


def counts(score: Recalled) -> tuple[int, int, int, float | None]:
    return score.calls, score.items, score.forwards, score.best


def test_what_is_known_by_its_key_is_not_made_again(world: World) -> None:
    with world.opened() as first:
        assert ask(world, first, "1", "3", "nan", "2") == [1, 3, -math.inf, 2]
        assert score_apart(first, "3", world.making("3")) == 1.5
    world.made.clear()
    with world.opened() as second:
        assert ask(world, second, "1", "3", "nan", "2") == [1, 3, -math.inf, 2]
        assert score_apart(second, "3", world.making("3")) == 1.5 and world.made == []
        assert counts(second) == counts(first) == (5, 40, 40, 3.0), "a candidate that is not finite asks no row"
        assert second.apart_of({"w": torch.tensor([3.0])}) == 1.5 and second.apart_of({"w": torch.ones(1)}) is None
        assert second.seconds > 0 and second.peak_bytes > 0
        assert ask(world, second, "5") == [5] and world.made == ["5"]
    assert world.rows.calls == 4 and world.kept.calls == 1


def test_plain_scores_and_candidates_with_keys_stand_in_one_journal(world: World) -> None:
    for _ in range(2):
        with world.opened() as score:
            assert ask(world, score, "1") == [1]
            assert score({"w": torch.tensor([2.0])}) == 2 and score(Ensemble(({"w": torch.ones(2)},) * 3)) == 6
            assert counts(score) == (3, 30, 50, 6.0)
    assert world.made == ["1"] and world.rows.calls == 3


def test_a_candidate_that_cannot_be_made_is_remembered_in_its_place(world: World) -> None:
    def fails() -> Any:
        world.made.append("fails")
        raise ZeroDivisionError("no such\nweights")

    for again in range(2):
        with world.opened() as score:
            assert ask(world, score, "1") == [1]
            with pytest.raises(ZeroDivisionError):
                score_at(score, "x", fails)
            assert ask(world, score, "2") == [2] and score.calls == 3
        assert world.made.count("fails") == again + 1 and world.made.count("2") == 1
    with world.opened() as score:
        ask(world, score, "1")
        with pytest.raises(MethodFailed, match="ZeroDivisionError: no such weights"):
            score_at(score, "x", world.making("7"))  # it was not so before


def test_a_search_takes_an_earlier_runs_word_that_a_candidate_could_not_be_made(world: World) -> None:
    """What a machine had no room for yesterday may be made today; the search goes on as it would have then."""

    @dataclass(frozen=True)
    class Large:
        searched: ClassVar[tuple[Gene, ...]] = (Gene("factor", 0.0, 4.0),)
        factor: float = 1.0

        def merge(self, population: Population, score: Any, rng: torch.Generator) -> Weights:
            if self.factor > 2 and not world.made:
                raise RuntimeError("cannot allocate memory")
            return {name: x * self.factor for name, x in population.members[0].items()}

    def searched() -> Any:
        with world.opened() as score:
            return Search(Large(), Random(), budget=20).merge(toy_population(), score, torch.Generator())

    wanted = searched()
    world.made.append("room")
    found = searched()
    assert None in wanted.trace["scores"] and found.trace == wanted.trace and same_bits(found, wanted)


FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
BUSY = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
THE_END = [Breach("x"), OSError("x"), MemoryError(), torch.OutOfMemoryError("x"), FULL, BUSY]


@pytest.mark.parametrize("error", THE_END, ids=repr)
def test_what_ends_a_merge_is_not_remembered(error: Exception, world: World) -> None:
    def fails() -> Any:
        raise error

    with world.opened() as score, pytest.raises(type(error)):
        score_at(score, "7", fails)
    with world.opened() as score:
        assert ask(world, score, "7") == [7]


def test_rows_are_kept_apart_only_where_there_are_some(world: World) -> None:
    for apart in (True, False):
        score = world.opened(apart)
        for asked in (score, Refereed("m", score, lambda merged: merged)):
            assert keeps_apart(asked) == apart
    assert score_apart(score, "3", world.making("3")) is None and world.made == []


# -- through the referee's hands ---------------------------------------------------------------------------------------


def refereed(score: Any) -> Refereed:
    """The score as a method gets it, for which weights of two numbers are a breach."""

    def candidate(merged: Any) -> Any:
        if len(merged["w"]) > 1:
            raise Breach("m: w is (2,), and (1,) in the members")
        return merged if bool(merged["w"].isfinite().all()) else None

    return Refereed("m", score, candidate)


def weights(*values: float) -> Callable[[], Any]:
    return lambda: {"w": torch.tensor(values)}


def test_candidates_with_keys_are_looked_at_as_all_others(world: World) -> None:
    for _ in range(2):
        with world.opened() as score:
            asked = refereed(score)
            assert score_at(asked, "a", weights(1.0)) == 1
            assert score_at(asked, "b", weights(math.nan)) == -math.inf and asked.failed is None
            assert score_at(asked, "c", weights(2.0)) == 2, "the one before has a place of its own"
            assert score_apart(asked, "c", weights(2.0)) == 1 and asked.calls == 4
    assert world.rows.calls == 2
    with world.opened() as score:
        asked = refereed(score)
        ask(world, asked, "a", "b", "c")
        score_apart(asked, "c", weights(2.0))
        with pytest.raises(Breach):
            score_at(asked, "d", weights(1.0, 2.0))
        assert isinstance(asked.failed, Breach)
        with pytest.raises(Breach):
            score_at(asked, "e", weights(1.0))


def test_that_a_candidate_cannot_be_made_is_no_breach(world: World) -> None:
    def fails() -> Any:
        raise ValueError("no")

    for score in (world.rows, world.opened()):
        asked = refereed(score)
        with pytest.raises(ValueError, match="no"):
            score_at(asked, "a", fails)
        assert asked.failed is None and asked.calls == 1 and score_at(asked, "b", weights(1.0)) == 1


def test_who_draws_from_the_global_generator_to_make_a_candidate_is_caught(world: World) -> None:
    asked = refereed(world.opened())
    with pytest.raises(Breach, match="draws from the global generator"):
        score_at(asked, "a", lambda: {"w": torch.rand(1)})
    assert asked.failed is not None


# -- progress ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which every score takes 30 seconds of."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    plain = Sums.__call__

    def slow(self: Sums, merged: Any) -> float:
        now[0] += 30
        return plain(self, merged)

    monkeypatch.setattr(Sums, "__call__", slow)
    return now


def test_a_search_says_how_far_it_is_and_how_long_it_will_take(world: World, clock: list[float]) -> None:
    score = world.opened()
    score._progress = Progress(world.said.append, "searching")
    asked = Refereed("m", score, lambda merged: merged)
    expect(asked, 10)
    expect(asked, 99)  # a search within it does not know how far it all goes
    ask(world, asked, "1", "nan", "3")
    assert world.said == [
        "searching: 1 of 10 development evaluations, the best 1.0000, about 4 minutes left",
        "searching: 3 of 10 development evaluations, the best 3.0000, about 2 minutes left",
    ]
    ask(world, asked, *"456789")
    score_apart(asked, "9", world.making("9"))
    assert world.said[-1] == "searching: 10 of 10 development evaluations, the best 9.0000, less than a minute left"
    score.__exit__(None, None, None)
    world.said.clear()
    with world.opened() as again:
        again._progress = Progress(world.said.append, "searching")
        expect(again, 12)
        ask(world, again, "1", "nan", *"3456789")
        score_apart(again, "9", world.making("9"))
        assert len(world.said) == 1 and "10 development scores of an interrupted run" in world.said[0]
        ask(world, again, "2")
        assert world.said[1:] == [
            "searching: 11 of 12 development evaluations, the best 9.0000, less than a minute left"
        ], "what was read back took no time"


def test_who_does_not_say_how_far_it_goes_tells_what_it_asked(world: World, clock: list[float]) -> None:
    score = world.opened()
    score._progress = Progress(world.said.append, "searching")
    score({"w": torch.tensor([0.25])})
    assert world.said == ["searching: 1 development score, the best 0.2500"]


def test_short_searches_say_nothing(world: World) -> None:
    score = world.opened()
    score._progress = Progress(world.said.append, "searching")
    ask(world, score, "1", "2", "3")
    assert world.said == [] and harness.judging.progress.EVERY == 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute left"), (61, "about 1 minute left"), (240, "about 4 minutes left")],
)
def test_times_are_told_in_words(seconds: float, words: str) -> None:
    assert left(seconds) == words


# -- rows kept apart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "share", "apart", "ends"),
    [
        (100, 1.0, 0.25, (75, 100)),
        (100, 1.0, 0.0, (100, 100)),
        (100, 0.5, 0.25, (50, 75)),  # a part of the rows is seen, and the part behind it is kept apart
        (100, 0.9, 0.25, (90, 100)),
        (100, 0.5, 0.0, (50, 50)),
        (2, 1.0, 0.25, (1, 2)),
        (3, 1.0, 0.9, (1, 3)),
    ],
)
def test_a_search_does_not_see_the_rows_behind_its_own(
    rows: int, share: float, apart: float, ends: tuple[int, int]
) -> None:
    assert cut({"a": rows, "b": rows}, share, apart) == ({"a": ends, "b": ends}, [])


@pytest.mark.parametrize(("rows", "share"), [(1, 1.0), (1, 0.5), (10, 0.99)])
def test_where_one_corpus_has_too_few_rows_none_are_kept_apart(rows: int, share: float) -> None:
    ends, short = cut({"a": 1000, "b": rows}, share, 0.25)
    assert short == ["b"] and ends == {"a": (round(share * 1000),) * 2, "b": (rows, rows)}


def test_rows_in_an_order_of_labels_are_told_from_rows_without_rare_ones() -> None:
    order = np.random.default_rng(1).permutation(200)
    has = np.stack([np.arange(200) < 100, np.arange(200) >= 100, np.arange(200) < 8], axis=1)
    assert missing(has, 150, 200) == [0], "the third is too rare to be sure"
    assert missing(has[order], 150, 200) == missing(has, 75, 125) == []
