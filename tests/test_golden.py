"""Every method against reference vectors made with its authors' code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Population, Weights
from methods.base import Ensemble
from methods.dare import DareLinear, DareTies
from methods.ensemble import LogitEnsemble, combine, vote
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.loops import sweep
from methods.model_stock import ModelStock
from methods.regmean import RegMean
from methods.simple import Simple
from methods.spherical import Slerp
from methods.task_arithmetic import TaskArithmetic
from methods.tensors import pieces
from methods.tensors.child import write_child
from methods.tensors.draws import Crossover
from methods.tensors.pieces import blank_like
from methods.ties import Ties
from tests.golden_cases import Case, Run, runs


@dataclass
class Scored:
    """A development score for tests: any function of the weights, and a count of its calls."""

    function: Callable[[Weights], float]
    calls: int = 0

    def __call__(self, merged: Any) -> float:
        self.calls += 1
        return self.function(merged)


def refuse(merged: Any) -> float:
    raise AssertionError("this method has no business asking for a score")


NEVER = Scored(refuse)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def annotations(labels: Sequence[Sequence[int]], outputs: int) -> Tensor:
    return torch.tensor([[output in own for output in range(outputs)] for own in labels])


def closeness(case: Case) -> Callable[[Weights], float]:
    target = case.inputs["target"]

    def score(weights: Weights) -> float:
        squares = torch.cat([(weights[name].double() - goal.double()).flatten() ** 2 for name, goal in target.items()])
        return float(1 / (1 + 10 * squares.mean()))

    return score


@pytest.fixture(params=["plain", "loops"])
def formulas(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The formulas in torch's words, and the compiled loops."""
    if request.param == "loops":
        pytest.importorskip("numba", reason="the loops need Numba: pip install 'mergeboard[fast]'")
        monkeypatch.setattr(sweep, "LEAST", 0)


@pytest.mark.usefixtures("formulas")
@pytest.mark.parametrize("run", runs("simple_average"))
def test_simple_average_is_the_reference(run: Run) -> None:
    population = run.case.population()
    if "label_aware" in run.knobs:
        head = "classifier.out_proj"
        layer = (f"{head}.weight",) if run.knobs["label_aware"] == "weight" else (f"{head}.weight", f"{head}.bias")
        annotated = annotations(run.case.spec["member_labels"], len(population.members[0][f"{head}.bias"]))
        population = run.case.population(output_layer=layer, annotated=annotated)
    merged = Simple(_tuple(run.knobs.get("coefficients"))).merge(population, NEVER, rng())
    for name, tensor in merged.items():
        assert tensor.dtype == population.members[0][name].dtype
    run.require({name: tensor for name, tensor in merged.items() if not _excluded(name, run.knobs.get("exclude", ()))})


@pytest.mark.usefixtures("formulas")
@pytest.mark.parametrize("run", runs("task_arithmetic"))
def test_task_arithmetic_is_the_reference(run: Run) -> None:
    scale = run.knobs["lambda"]
    several = isinstance(scale, list)
    method = TaskArithmetic(1.0, tuple(scale)) if several else TaskArithmetic(scale)
    run.require(method.merge(run.case.population(), NEVER, rng()))


@pytest.mark.parametrize("run", runs("slerp"))
def test_slerp_is_the_reference(run: Run) -> None:
    run.require(Slerp(run.knobs["t"]).merge(run.case.population(), NEVER, rng()))


@pytest.mark.parametrize("run", runs("model_stock"))
def test_model_stock_is_the_reference_which_does_not_clamp(run: Run) -> None:
    method = ModelStock(run.knobs["filter_wise"], clamp=False)
    run.require(method.merge(run.case.population(), NEVER, rng()))


@pytest.mark.usefixtures("formulas")
@pytest.mark.parametrize("chunk", [None, 13], ids=["whole", "streamed"])
@pytest.mark.parametrize("run", runs("ties", "ties_per_tensor"))
def test_ties_is_the_reference(run: Run, chunk: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if chunk and run.case.spec.get("architecture"):
        chunk = 100 * chunk  # the larger models in fewer pieces
    monkeypatch.setattr(pieces, "CHUNK", chunk or pieces.CHUNK)
    monkeypatch.setattr(sweep, "PIECE", chunk or sweep.PIECE)
    per_tensor = run.knobs["scope"] == "per_tensor"
    exact = per_tensor or run.spec["convention"] == "exact_topk"
    method = Ties(
        k=run.knobs["k"],
        lambda_=run.knobs["lambda"],
        trim="exact_topk" if exact else "official",
        scope=run.knobs["scope"],
        zero_vote="plus" if per_tensor else "majority",
        weights=_tuple(run.knobs.get("weights")),
    )
    run.require(method.merge(run.case.population(raised=run.id.endswith("_f32")), NEVER, rng()))


@dataclass
class Given:
    """A crossover whose masks are read instead of drawn."""

    masks: Mapping[str, Tensor]

    def __call__(self, name: str, start: int, out: Tensor) -> None:
        out.copy_(-self.masks[name].flatten()[start : start + out.numel()].to(torch.int32))


RESCALE = {"1/(1-p)": "inverse", "l1 norm per tensor": "l1", "none": "none"}


@pytest.mark.parametrize("chunk", [None, 100], ids=["whole", "streamed"])
@pytest.mark.parametrize("run", runs("dare"))
def test_dare_is_the_reference(run: Run, chunk: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "CHUNK", chunk or pieces.CHUNK)
    population = run.case.population(raised=run.id.endswith("_f32"))
    who = tuple(range(len(population))) if "member" not in run.knobs else (run.knobs["member"],)
    knobs = {
        "density": 1 - run.knobs["p"],
        "weights": tuple(run.knobs.get("weights", (1.0,) * len(who))),
        "rescale": RESCALE[run.knobs["rescale"]],
        "normalize": "mean" in run.knobs.get("aggregate", "sum"),
        "lambda_": run.knobs.get("lambda", 1.0),
    }
    method = DareTies(**knobs) if run.knobs.get("elect") else DareLinear(**knobs)
    masks = [Given(run.case.inputs[f"keep{i}"]) for i in who]
    run.require(method.merge_kept(population.subset(who), masks))


@pytest.mark.usefixtures("formulas")
@pytest.mark.parametrize("run", runs("fisher"))
def test_fisher_is_the_reference(run: Run) -> None:
    population = run.case.population(raised=run.id.endswith("_f32"), statistics={"fisher": run.case.numbered("fisher")})
    if run.spec["convention"] == "mmatena":
        method = Fisher(
            floor=run.knobs["floor"],
            floor_on="first" if run.knobs["floor_on"] == "member 0 only" else "all",
            normalize="model" if run.knobs["normalize"] else "none",
            coefficients=_tuple(run.knobs["coefficients"]),
        )
    else:
        method = Fisher(run.knobs["eps"], run.knobs["normalize"] or "none", _tuple(run.knobs["coefficients"]))
    run.require(method.merge(population, NEVER, rng()))


@pytest.mark.parametrize("run", runs("regmean"))
def test_regmean_is_the_reference(run: Run) -> None:
    grams = tuple({f"{module}.weight": g for module, g in gram.items()} for gram in run.case.numbered("gram"))
    transposed = frozenset(f"{module}.weight" for module in run.case.spec["conv1d_modules"])
    population = run.case.population(statistics={"gram": grams}, transposed=transposed)
    method = RegMean(alpha=run.knobs["alpha"], coefficients=_tuple(run.knobs["coefficients"]))
    run.require(method.merge(population, NEVER, rng()))


@pytest.mark.parametrize("run", runs("greedy_soup"))
def test_greedy_soup_takes_the_steps_of_the_reference(run: Run) -> None:
    table = run.case.spec.get("score_table")

    def look_up(weights: Weights) -> float:
        present = weights["ingredient_marker"].nonzero().flatten().tolist()
        return float(table["+".join(map(str, present))])

    score = Scored(look_up if table else closeness(run.case))
    population = run.case.population()
    merged = GreedySoup().merge(population, score, rng())
    run.require(merged)
    assert merged.trace["order"] == run.spec["order"]
    assert merged.trace["ingredients"] == run.spec["ingredients"]
    for got, want in zip(merged.trace["steps"], run.spec["steps"], strict=True):
        assert (got["member"], got["accepted"]) == (want["candidate"], want["accepted"])
        assert got["score"] == pytest.approx(want["score"], abs=1e-6)
    assert score.calls == 2 * len(population) - 1
    run.require(GreedySoup().replay(population, merged.trace, NEVER, rng()))


@pytest.mark.parametrize("run", runs("ensemble"))
def test_ensemble_is_the_reference(run: Run) -> None:
    if run.id == "vote":
        run.require({"votes": vote(torch.stack([votes[""] for votes in run.case.numbered("votes")]))})
        return
    logits = torch.stack([member[""] for member in run.case.numbered("logits")])
    annotated = annotations(run.case.spec["member_labels"], logits.shape[-1])
    run.require({"logits": combine(logits, annotated if run.id == "label_aware" else None)})


def child_of(case: Case, knobs: Mapping[str, Any], masks: Mapping[str, Tensor], chunk: int) -> Weights:
    members = case.population().members
    child = blank_like(members[0])
    mates = (members[knobs["r"]], None) if "r" in knobs else (members[knobs["r1"]], members[knobs["r2"]])
    write_child(child, members[knobs["i"]], *mates, knobs["F"], Given(masks), chunk)
    return child


CHILDREN = [param for param in runs("evolver") if param.id == "absent" or "-trace_" not in str(param.id)]
TRACES = [param for param in runs("evolver") if param.id == "absent" or "-trace_" in str(param.id)]


@pytest.mark.parametrize("run", CHILDREN)
def test_child_is_the_reference_and_untaken_scalars_are_the_parents_bits(run: Run) -> None:
    masks = {name: draw < run.knobs["Cr"] for name, draw in run.case.inputs["u"].items()}
    child = child_of(run.case, run.knobs, masks, chunk=7)
    run.require(child)
    parent = run.case.population().members[run.knobs["i"]]
    for name, mask in masks.items():
        assert torch.equal(child[name].view(torch.int32)[~mask], parent[name].view(torch.int32)[~mask])


@dataclass
class Scripted:
    """The chance of a trace: who breeds with whom, and which scalars mutate, all as written down."""

    case: Case
    steps: Sequence[Mapping[str, Any]]
    told: list[float] = field(default_factory=list)

    def order(self, generation: int, n: int) -> Sequence[int]:
        return [step["i"] for step in self.steps if step["generation"] == generation]

    def mates(self, generation: int, i: int, choices: Sequence[int], count: int) -> list[int]:
        step = self.steps[self.seed(generation, i)]
        mates = [step["r"]] if "r" in step else [step["r1"], step["r2"]]
        assert set(mates) <= set(choices) and len(mates) == count
        return mates

    def share(self, generation: int, i: int) -> float:
        raise AssertionError("the traces choose their reference uniformly")

    def draw(self, purpose: str, generation: int, i: int) -> float:
        raise AssertionError("the traces adapt nothing")

    def seed(self, generation: int, i: int) -> int:
        (k,) = (k for k, step in enumerate(self.steps) if (step["generation"], step["i"]) == (generation, i))
        return k

    def crossover(self, seed: int, rate: float) -> Crossover:
        return Given(self.case.inputs[f"mask{seed}"])


@pytest.mark.parametrize("run", TRACES)
def test_evolver_takes_the_steps_of_the_reference(run: Run) -> None:
    joint = run.id.startswith("merged")
    method = Evolver(
        inner=Simple() if joint else None,
        F=run.knobs["F"],
        Cr=run.knobs["Cr"],
        generations=run.case.spec["generations"],
        mutation="to_reference" if run.knobs["rule"] == "reference" else "rand_diff",
    )
    told: list[float] = []
    fitness = closeness(run.case)
    score = Scored(lambda weights: told.append(fitness(weights)) or told[-1])
    population = run.case.population()
    steps = run.spec["steps"]
    merged = method.evolve(population, score, Scripted(run.case, steps))
    assert told[-len(steps) :] == pytest.approx([step["score"] for step in steps], abs=1e-6)
    accepted = [(step["generation"], step["i"]) for step in steps if step["accepted"]]
    assert [(birth["generation"], birth["i"]) for birth in merged.trace["lineage"]] == accepted
    final = run.spec["final_score"] if joint else max(run.spec["final_score"])
    assert merged.trace["final"] == pytest.approx(final, abs=1e-6)
    assert merged.trace["winner"] == run.spec.get("best_index")
    evolved = dict(grown(run.case, population, merged.trace["lineage"], steps, run.knobs["F"]))
    run.require(evolved | {f"{'merged' if joint else 'best'}/{name}": tensor for name, tensor in merged.items()})


def grown(
    case: Case, population: Population, lineage: Sequence[Any], steps: Sequence[Any], scale: float
) -> Iterator[tuple[str, Tensor]]:
    """The population that a lineage leads to, grown here step by step, as the trace cases name its tensors."""
    members = list(population.members)
    for birth in lineage:
        child = blank_like(members[0])
        plus, minus = members[birth["mates"][0]], members[birth["mates"][1]] if len(birth["mates"]) > 1 else None
        write_child(child, members[birth["i"]], plus, minus, scale, Given(case.inputs[f"mask{birth['seed']}"]))
        members[birth["i"]] = child
    for i, member in enumerate(members):
        yield from ((f"pop{i}/{name}", tensor) for name, tensor in member.items())


def test_an_ensemble_keeps_its_members_and_their_annotations() -> None:
    members = tuple({"w": torch.full((2,), float(i))} for i in range(3))
    annotated = torch.ones(3, 2, dtype=torch.bool)
    merged = LogitEnsemble().merge(Population(members, ("a", "b", "c"), {}, annotated=annotated), NEVER, rng())
    assert isinstance(merged, Ensemble)
    assert merged.members == members and merged.annotated is annotated


def _tuple(numbers: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if numbers is None else tuple(numbers)


def _excluded(name: str, patterns: Sequence[str]) -> bool:
    return any(re.match(pattern, name) for pattern in patterns)
