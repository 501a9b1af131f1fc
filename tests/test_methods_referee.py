"""The referee of a merge: every kind of breach is named in one line, and what is no breach passes."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.cells.referee import digest
from methods import (
    Ensemble,
    MergeboardError,
    Misfit,
    NotApplicable,
    Population,
    Traced,
    resolve,
)
from methods.contract import same_bits, toy_population, toy_score
from methods.errors import Breach, MethodFailed
from methods.refereeing.referee import Referee
from methods.refereeing.surroundings import settings
from tests.toys import OF_TENSORS, QUICK

Act = Callable[[Population, Any], Any]


class Does:
    """A method that does just this."""

    def __init__(self, act: Act) -> None:
        self.merge = lambda population, score, rng: act(population, score)


def mean(population: Population) -> dict[str, Tensor]:
    return {name: torch.stack([m[name] for m in population.members]).mean(0) for name in population.members[0]}


def annotated_population() -> Population:
    population = toy_population(3)
    return replace(population, annotated=torch.ones(3, 4, dtype=torch.bool), output_layer=("head.weight", "head.bias"))


def judged(act: Act, told: Any = digest, score: Any = None, population: Population | None = None) -> Any:
    """What the referee gives for a method that does this."""
    given = population or annotated_population()
    referee = Referee("evil", Does(act), given, score or toy_score(), told)  # type: ignore[arg-type]
    return referee.settle(referee.merge(torch.Generator()))


def one_line(error: Any) -> str:
    text = str(error.value)
    assert "\n" not in text and "evil" in text
    return text


# -- what it was given -----------------------------------------------------------------------------------------------

WHAT: Mapping[str, Callable[[Population], Tensor]] = {
    "the ancestor": lambda p: p.ancestor["layer.bias"],
    "a 0-d tensor of the ancestor": lambda p: p.ancestor["temperature"],
    "a member": lambda p: p.members[2]["layer.weight"],
    "the fisher statistics": lambda p: p.statistics["fisher"][1]["layer.bias"],
    "statistics of some": lambda p: p.subset((0, 2)).statistics["gram"][1]["layer.weight"],
    "annotations": lambda p: p.annotated if p.annotated is not None else torch.empty(0),
}


def by_view(x: Tensor) -> None:
    x.view(-1)[-1:].logical_not_() if x.dtype == torch.bool else x.view(-1)[-1:].add_(1)


def by_out(x: Tensor) -> None:
    torch.logical_not(x, out=x) if x.dtype == torch.bool else torch.add(x, 1, out=x)


SEEN_BY_VERSION = {
    "in place": lambda x: x.zero_(),
    "a view": by_view,
    "out": by_out,
    "an index": lambda x: x.__setitem__(..., 0),
    "an alias": lambda x: x.detach().zero_(),
    "resized": lambda x: x.resize_(1),
    "made a leaf": lambda x: x.requires_grad_() if x.is_floating_point() else x.zero_(),
}
SEEN_BY_CONTENT = {
    "data": lambda x: x.data.zero_(),
    "numpy": lambda x: x.numpy().__setitem__(..., 0),
    "one scalar by numpy": lambda x: x.numpy().reshape(-1).__setitem__(0, x.reshape(-1)[0].logical_not().item()),
}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("how", [*SEEN_BY_VERSION, *SEEN_BY_CONTENT])
def test_what_a_method_was_given_is_not_written_to(what: str, how: str) -> None:
    def act(population: Population, score: Any) -> Any:
        write: Any = {**SEEN_BY_VERSION, **SEEN_BY_CONTENT}[how]
        write(WHAT[what](population))
        return mean(toy_population(3))

    for told in (digest, None) if how in SEEN_BY_VERSION else (digest,):
        with pytest.raises(Breach, match=r"evil writes into the members: .* of ") as error:
            judged(act, told)
        assert "must make new tensors" in one_line(error)


@pytest.mark.parametrize("raised", [KeyError("x"), NotApplicable("not today"), OSError("full")], ids=repr)
def test_who_writes_and_then_raises_wrote(raised: Exception) -> None:
    def act(population: Population, score: Any) -> Any:
        population.ancestor["layer.bias"].zero_()
        raise raised

    with pytest.raises(Breach, match=r"writes into the members: layer\.bias of the ancestor"):
        judged(act)


@pytest.mark.parametrize(
    "exchange",
    [
        lambda p: p.ancestor.__setitem__("layer.bias", torch.zeros(8)),
        lambda p: p.ancestor.pop("layer.bias"),
        lambda p: p.members[1].update(more=torch.zeros(1)),
        lambda p: p.statistics["gram"][0].clear(),
    ],
    ids=["replaced", "removed", "added", "emptied"],
)
def test_nor_is_anything_exchanged(exchange: Any) -> None:
    def act(population: Population, score: Any) -> Any:
        exchange(population)
        return mean(toy_population(3))

    with pytest.raises(Breach, match=r"evil writes into the members: .*, whose .* was exchanged"):
        judged(act)


def test_statistics_that_are_not_read_are_not_computed() -> None:
    class Lazy(Mapping[str, Any]):
        def __getitem__(self, kind: str) -> Any:
            if kind == "gram":
                raise AssertionError("nobody read these")
            return toy_population(3).statistics[kind]

        def __iter__(self) -> Iterator[str]:
            return iter(("fisher", "gram"))

        def __len__(self) -> int:
            return 2

    population = replace(toy_population(3), statistics=Lazy())
    referee = Referee("fisher", resolve("fisher"), population, toy_score(), digest)
    referee.settle(referee.merge(torch.Generator()))


# -- what it gives back ----------------------------------------------------------------------------------------------


def with_one(name: str, change: Callable[[Tensor], Any]) -> Act:
    return lambda population, score: {n: change(x) if n == name else x for n, x in mean(population).items()}


def without_one(population: Population, score: Any) -> Any:
    return {name: x for name, x in mean(population).items() if name != "head.bias"}


MALFORMED: Mapping[str, tuple[Act, str]] = {
    "forgotten": (without_one, "the merge by evil has no head.bias"),
    "invented": (lambda p, s: mean(p) | {"forgotten": torch.zeros(3)}, "has forgotten, which the members do not have"),
    "turned": (with_one("layer.weight", lambda x: x.T), r"layer.weight is \(6, 8\), and \(8, 6\) in the members"),
    "flattened": (with_one("temperature", lambda x: x.reshape(1)), r"temperature is \(1,\), and \(\) in the members"),
    "widened": (with_one("layer.bias", lambda x: x.double()), "layer.bias is torch.float64, and torch.float32"),
    "elsewhere": (with_one("layer.bias", lambda x: x.to("meta")), "layer.bias is meta, and cpu in the members"),
    "sparse": (with_one("layer.weight", lambda x: x.to_sparse()), "layer.weight is torch.sparse_coo, and torch.stri"),
    "numpy": (with_one("layer.bias", lambda x: x.numpy()), "layer.bias is a ndarray; it must be a tensor"),
    "NaN": (with_one("layer.bias", lambda x: x * torch.nan), "layer.bias holds NaN"),
    "infinite": (with_one("layer.bias", lambda x: x / 0), "layer.bias holds an infinite value"),
    "nothing": (lambda p, s: None, "the merge by evil is a NoneType; it must map the members' parameter names"),
    "a list": (lambda p, s: list(mean(p).values()), "is a list"),
    "no parameter": (lambda p, s: {}, "has no embedding.weight"),
    "nobody": (lambda p, s: Ensemble(()), "an ensemble of nobody"),
    "a part": (lambda p, s: Ensemble((p.members[0], {})), "part 1 has no embedding.weight"),
    "no such voters": (lambda p, s: Ensemble(p.members, torch.ones(2, 4)), "a tensor of 3 rows, or as None"),
    "no trace": (lambda p, s: type("T", (dict,), {"trace": 3})(mean(p)), "has a int for a trace"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_merge_that_is_none_of_its_members_is_named(kind: str) -> None:
    act, complaint = MALFORMED[kind]
    with pytest.raises(Misfit, match=complaint) as error:
        judged(act)
    one_line(error)


@pytest.mark.parametrize("kind", [k for k in MALFORMED if k not in ("NaN", "infinite", "no trace")])
def test_so_is_a_candidate_also_if_the_method_catches_the_error(kind: str) -> None:
    act, complaint = MALFORMED[kind]

    def searches(population: Population, score: Any) -> Any:
        with suppress(Exception):
            score(act(population, score))
        return mean(population)

    with pytest.raises(Misfit, match=complaint.replace("the merge by", "a candidate of")) as error:
        judged(searches)
    one_line(error)


@pytest.mark.parametrize("kind", ["NaN", "infinite"])
def test_a_candidate_that_is_not_finite_loses_without_a_row_being_asked(kind: str) -> None:
    score, found = toy_score(), []

    def searches(population: Population, score: Any) -> Any:
        found.append(score(MALFORMED[kind][0](population, score)))
        return mean(population)

    judged(searches, score=score)
    assert found == [float("-inf")] and score.calls == 0


def test_a_half_precision_child_that_overflows_loses_and_the_search_goes_on() -> None:
    large = {"w": torch.full((8,), 6e4, dtype=torch.float16)}
    small = {"w": torch.full((8,), -6e4, dtype=torch.float16)}
    population = Population((large, small), ("a", "b"), {"w": torch.zeros(8, dtype=torch.float16)})
    method = resolve("evolver", {"evolver": {"generations": 3, "F": 2.0, "Cr": 1.0}})

    class Largest:
        calls = 0

        def __call__(self, merged: Any) -> float:
            self.calls += 1
            return float(merged["w"].float().abs().sum())

    referee = Referee("evolver", method, population, Largest())
    merged: Any = referee.settle(referee.merge(torch.Generator().manual_seed(0)))
    assert merged["w"].isfinite().all() and merged.trace["calls"] == referee.score.calls == 2 + 3 * 2


def test_a_score_that_fails_is_not_the_methods_doing() -> None:
    class Fails:
        calls = 0

        def __call__(self, merged: Any) -> float:
            raise MergeboardError("macro_f1 of the development rows of x is nan")

    def catches(population: Population, score: Any) -> Any:
        try:
            score(population.members[0])
        except MergeboardError:
            return mean(population)

    with pytest.raises(MergeboardError, match="of the development rows of x is nan"):
        judged(catches, score=Fails())


class Deferred(Mapping[str, Tensor]):
    """Weights that are worked out when they are looked at, and write to the ancestor then."""

    def __init__(self, population: Population) -> None:
        self.population = population

    def __getitem__(self, name: str) -> Tensor:
        self.population.ancestor["layer.bias"].zero_()
        return mean(self.population)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.population.members[0])

    def __len__(self) -> int:
        return len(self.population.members[0])


def test_what_is_put_off_is_done_under_the_referees_eyes() -> None:
    with pytest.raises(Breach, match=r"writes into the members: layer\.bias of the ancestor"):
        judged(lambda population, score: Deferred(population))


# -- everything else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyError("head.bias"), "KeyError in HERE: 'head.bias'"),
        (RuntimeError("mat1 and mat2\n  do not fit"), "RuntimeError in HERE: mat1 and mat2 do not fit"),
        (AssertionError(), "AssertionError in HERE"),
    ],
    ids=repr,
)
def test_what_a_method_raises_is_one_line_that_says_where(raised: Exception, said: str) -> None:
    def act(population: Population, score: Any) -> Any:
        raise raised

    with pytest.raises(MethodFailed) as error:
        judged(act)
    assert re.sub("test_methods_referee.py, line [0-9]+", "HERE", one_line(error)) == f"evil raised {said}"
    assert error.value.__cause__ is raised


def test_a_method_that_ends_the_process_fails_alone() -> None:
    with pytest.raises(MethodFailed, match=r"evil raised SystemExit in test_methods_referee\.py, line \d+: 0"):
        judged(lambda population, score: sys.exit(0))


def test_what_torch_raises_is_placed_in_the_methods_own_line() -> None:
    with pytest.raises(MethodFailed, match=r"RuntimeError in test_methods_referee\.py, line"):
        judged(lambda population, score: torch.nn.functional.linear(torch.zeros(2, 3), torch.zeros(2, 4)))


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.rand(1), random.random, np.random.rand, lambda: torch.manual_seed(3)],
    ids=["torch", "python", "numpy", "a seed"],
)
def test_chance_comes_from_rng_alone(draw: Callable[[], Any]) -> None:
    def act(population: Population, score: Any) -> Any:
        draw()
        return mean(population)

    with pytest.raises(Breach, match="evil draws from the global generator"):
        judged(act)


def test_who_computes_scores_and_statistics_may_draw() -> None:
    @dataclass
    class Draws:
        calls: int = 0

        def __call__(self, merged: Any) -> float:
            return random.random() + float(torch.rand(()))

    judged(lambda population, score: score(population.members[0]) and mean(population), score=Draws())


def opened(scope: Any) -> None:
    LEFT_OPEN.append(scope)
    scope.__enter__()


LEFT_OPEN: list[Any] = []  # by a method
SETS: dict[str, Callable[[], Any]] = {  # what a method may set for the whole process
    "default dtype": lambda: torch.set_default_dtype(torch.bfloat16),
    "default device": lambda: torch.set_default_device("meta"),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "gradients": lambda: torch.set_grad_enabled(not torch.is_grad_enabled()),
    "products": lambda: torch.set_float32_matmul_precision("medium"),
    "autocast": lambda: opened(torch.autocast("cpu", dtype=torch.bfloat16)),
    "inference": lambda: opened(torch.inference_mode()),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "mkldnn": lambda: setattr(torch.backends.mkldnn, "enabled", not torch.backends.mkldnn.enabled),
    "numpy": lambda: np.seterr(all="raise"),
}


def set_now() -> Any:
    """All of them, and what they do."""
    ones = torch.ones(2, 2, requires_grad=True)
    product = ones @ ones
    return settings(), product.dtype, product.device, product.requires_grad, torch.is_inference_mode_enabled()


@pytest.mark.parametrize("what", SETS)
def test_settings_of_the_process_are_put_back_and_hold_for_nobody_but_the_method(what: str) -> None:
    """Not for who scores or computes statistics meanwhile, whose numbers others would be shown."""
    before, met = set_now(), list[Any]()

    @dataclass
    class Looks:
        calls: int = 0

        def __call__(self, merged: Any) -> float:
            met.append(set_now())
            return 1.0

    class Statistics(dict[str, Any]):
        def __getitem__(self, kind: str) -> Any:
            met.append(set_now())
            return super().__getitem__(kind)

    def act(population: Population, score: Any) -> Any:
        plain = mean(population)
        SETS[what]()
        own = set_now() if what != "numpy" else settings()
        score(plain)
        score.at("key", lambda: plain)
        assert len(population.statistics["fisher"]) == 3
        assert own == (set_now() if what != "numpy" else settings()), "as the method has set it"
        return plain

    population = annotated_population()
    population = replace(population, statistics=Statistics(fisher=({}, {}, {})))
    judged(act, score=Looks(), population=population)
    assert met == [before] * 3 and set_now() == before
    LEFT_OPEN.clear()
    assert set_now() == before


@pytest.mark.parametrize("members", [({}, {}), ({"ids": torch.tensor([1, 2])},) * 2], ids=["empty", "no numbers"])
def test_where_nothing_is_left_to_merge_there_is_no_population(members: Any) -> None:
    with pytest.raises(Misfit, match="a has no parameter that can be merged"):
        Population(members, ("a", "b"), {})


@pytest.mark.parametrize("name", [*OF_TENSORS, "ties_evolver", "best_evolver"])
def test_every_method_of_this_package_passes_and_its_merge_is_what_it_was(name: str) -> None:
    method = resolve(name, {**QUICK, "evolver": {"generations": 2}})
    population = annotated_population()
    population = population.subset((0, 1)) if name == "slerp" else population  # which takes two
    referee = Referee(name, method, population, toy_score(), digest)
    found: Any = referee.settle(referee.merge(torch.Generator().manual_seed(0)))
    plain: Any = method.merge(population, toy_score(), torch.Generator().manual_seed(0))
    assert same_bits(found, plain) and getattr(found, "trace", None) == getattr(plain, "trace", None)
    if isinstance(found, Traced) and name != "regmean":
        assert same_bits(referee.settle(referee.replay(found.trace, torch.Generator())), plain)
