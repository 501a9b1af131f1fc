"""Compiled loops: the same bits as the plain formulas, whatever the pieces and threads."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from methods import MergeMethod, Population, Weights
from methods.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from methods.consensus import Consensus
from methods.contract import same_bits, toy_score
from methods.dare import DareLinear, DareTies
from methods.della import Della, DellaLinear
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.loops import compiled, sweep
from methods.model_stock import ModelStock
from methods.sce import Sce
from methods.simple import Simple
from methods.task_arithmetic import TaskArithmetic
from methods.tensors.candidates import candidates_of
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from methods.tensors.scaling import scaled
from methods.tensors.task_vector import TaskVector
from methods.tensors.tensorwise import Part
from methods.tensors.trim import cut_after
from methods.ties import Ties

pytest.importorskip("numba", reason="the loops need Numba: pip install 'mergeboard[fast]'")

SHAPES = {"a": (37, 211), "b": (5003,), "one": (), "none": (0, 4), "ids": (3,)}


@pytest.fixture(params=[1, 3], ids=["1 thread", "3 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def looped(threads: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`looped(on)`: small models go through the loops from now on, or do not; in pieces of an odd size."""
    monkeypatch.setattr(sweep, "PIECE", 1021)
    return lambda on: monkeypatch.setattr(sweep, "LEAST", 0 if on else 1 << 60)


def population(members: int = 3, grain: float = 0.0, seed: int = 0) -> Population:
    """Random members around an ancestor, with Fisher information; a grain makes many changes equal in size."""
    rng = torch.Generator().manual_seed(seed)

    def drawn(name: str) -> torch.Tensor:
        return torch.arange(3) if name == "ids" else torch.randn(SHAPES[name], generator=rng)

    ancestor = {name: drawn(name) for name in SHAPES}
    if grain:  # on a grid, where sums and differences are exact: changes are equal, and votes cancel
        ancestor = {name: x if name == "ids" else (x / grain).round() * grain for name, x in ancestor.items()}

    def moved(name: str, x: torch.Tensor) -> torch.Tensor:
        change = torch.randn(x.shape, generator=rng)
        return x if name == "ids" else x + ((change / grain).round() * grain if grain else change)

    models = tuple({name: moved(name, x) for name, x in ancestor.items()} for _ in range(members))
    fishers = tuple({n: torch.rand(x.shape, generator=rng) for n, x in m.items() if n != "ids"} for m in models)
    names = tuple(f"m{i}" for i in range(members))
    return Population(models, names, ancestor, {"fisher": fishers})


class SumScore:
    """Likes large weights."""

    calls = 0

    def __call__(self, merged: Any) -> float:
        self.calls += 1
        return float(merged["b"].sum())


def merged(method: MergeMethod, given: Population) -> Weights:
    found = method.merge(given, toy_score(), torch.Generator().manual_seed(0))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "method",
    [
        *(Simple(), Simple((0.2, 0.5, 0.3)), Fisher(), Fisher(eps=0.3), Fisher(floor=0.4), Fisher(normalize="model")),
        *(Fisher(coefficients=(0.2, 0.5, 0.3)), Fisher(floor=0.4, floor_on="first"), Fisher(normalize="param")),
        *(Ties(), Ties(k=0.7, lambda_=0.3), Ties(k=1.0), Ties(k=1e-9), Ties(scope="per_tensor"), Ties(trim="official")),
        *(Ties(zero_vote="plus", k=0.9), Ties(weights=(0.5, 1.0, 2.5))),
        *(DareLinear(), DareLinear(density=(0.3, 1.0, 0.01), normalize=True), DareLinear(rescale="l1", lambda_=0.3)),
        *(DareTies(), DareTies(normalize=True, weights=(0.5, -1.0, 2.5)), DareTies(rescale="l1", density=0.9)),
        *(Consensus(), Consensus(0.4, masks="scaled", k=1), Sce(), Sce(1.0), Sce(0.4, "deltas"), Sce(0.001, "deltas")),
        *(Della(), Della(rescale="none", density=(0.3, 1.0, 0.5)), DellaLinear(rescale="l1", scope="tensor")),
        *(DellaLinear(epsilon=0.0), Breadcrumbs(scope="row", density=0.5, weights=(1.0, -1.0, 0.0))),
        *(Breadcrumbs(density=0.5, gamma=0.1), BreadcrumbsTies(density=(0.9, 1.0, 0.3), rescale="l1", normalize=True)),
        *(ModelStock(), ModelStock(clamp=False)),
        *(DareTies(trim=0.3, density=(0.7, 1.0, 0.5)), DareTies(density=1.0, rescale="none")),
    ],
    ids=repr,
)
@pytest.mark.parametrize("grain", [0.0, 0.5])
def test_loops_and_plain_formulas_give_the_same_bits(method: MergeMethod, grain: float, looped: Any) -> None:
    given = population(grain=grain)
    looped(False)
    plain = merged(method, given)
    looped(True)
    assert same_bits(merged(method, given), plain)


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize("method", [Simple(), Fisher(), Ties()], ids=repr)
def test_they_do_for_any_number_of_members(method: MergeMethod, members: int, looped: Any) -> None:
    given = population(members, grain=0.25, seed=members)
    looped(False)
    plain = merged(method, given)
    looped(True)
    assert same_bits(merged(method, given), plain)


def test_votes_that_cancel_are_decided_by_the_majority_of_the_whole_model(looped: Any) -> None:
    given = population(2, grain=1.0)
    tasks = torch.stack(
        [torch.cat([m[n].flatten() - given.ancestor[n].flatten() for n in "ab"]) for m in given.members]
    )
    conflicts = (tasks.sum(0) == 0) & (tasks != 0).any(0)
    assert conflicts.sum() > 100
    looped(True)
    found = merged(Ties(k=1.0), given)
    changes = torch.cat([found[n].flatten() - given.ancestor[n].flatten() for n in "ab"])
    majority = torch.sign(tasks.sum(0)).sum().sign()
    assert torch.equal(torch.sign(changes[conflicts]), majority.expand(int(conflicts.sum())))


@pytest.mark.parametrize("scale", [0.0, 0.3, -1.7])
def test_scaled_changes_are_the_same_bits(scale: float, looped: Any) -> None:
    given = population()
    looped(False)
    plain = scaled(given, (scale, 1.0, 2.0)).members
    looped(True)
    found = scaled(given, (scale, 1.0, 2.0)).members
    assert all(same_bits(a, b) for a, b in zip(found, plain, strict=True)) and found[1] is given.members[1]


def test_a_part_of_a_large_model_goes_through_the_loops(looped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "LEAST", 1 << 14)
    b = torch.zeros(5003)
    assert sweep.suited({"b": (b, b)}) == {}
    with sweep.part_of(1 << 14):
        assert list(sweep.suited({"b": (b, b)})) == ["b"]
    assert sweep.suited({"b": (b, b)}) == {}


@pytest.mark.parametrize("rate", [1 / 65536, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("scale", [0.5, -0.7, 0.0])
def test_children_are_the_same_bits(rate: float, scale: float, looped: Any) -> None:
    given = population().members
    children = []
    for on in (False, True):
        looped(on)
        children.append(blank_like(given[0]))
        write_child(children[-1], *given, scale, Draws(11, rate))
    assert same_bits(*children)
    if scale and rate >= 0.3:
        share = float((children[1]["b"] != given[0]["b"]).float().mean())
        assert abs(share - rate) < 0.03


def test_a_scalar_that_is_not_taken_is_the_parents_bit_for_bit(looped: Any) -> None:
    given = [{"x": torch.full((5000,), value)} for value in (-0.0, 1.0, 2.0)]
    looped(True)
    child = blank_like(given[0])
    write_child(child, *given, 0.5, Draws(3, 0.5))
    left = child["x"] == 0
    assert 2000 < left.sum() < 3000 and torch.signbit(child["x"][left]).all()


@pytest.mark.parametrize("inner", [Simple(), Fisher(), Ties()], ids=repr)
def test_evolutions_are_the_same_bits(inner: MergeMethod, looped: Any) -> None:
    runs: list[Any] = []
    for on in (False, True):
        looped(on)
        evolver = Evolver(inner=inner, generations=4)
        runs.append(evolver.merge(population(), SumScore(), torch.Generator().manual_seed(1)))
    assert runs[0].trace == runs[1].trace and runs[0].trace["lineage"]
    assert same_bits(*runs)


@pytest.mark.parametrize("inner", [Simple(), Fisher(), Ties()], ids=repr)
def test_candidates_are_the_same_bits(inner: MergeMethod, looped: Any) -> None:
    given, found = population(), []
    child = population(1, seed=5).members[0]
    for on in (False, True):
        looped(on)
        candidates: Any = candidates_of(inner, given, toy_score())
        candidates.swap(1, child)
        candidates.keep()
        found.append({name: x.clone() for name, x in candidates.swap(2, given.members[0]).items()})
    assert same_bits(*found)


@pytest.mark.parametrize(
    "method",
    [
        *(TaskArithmetic(), Consensus(), DareTies(normalize=True), Della(), DellaLinear(rescale="l1")),
        *(Breadcrumbs(density=0.5, gamma=0.1), BreadcrumbsTies(density=0.5, normalize=True)),
    ],
    ids=repr,
)
def test_what_is_added_is_kept_and_scaled_to_the_bits_of_a_merge(method: Any, looped: Any) -> None:
    given, knob = population(grain=0.5), method.strength
    whole = {"": Part(method, tuple(given.members[0]), given)}
    for on in (True, False):
        looped(on)
        steps = method.assembly(given, torch.Generator)
        for strength in (0.3, 0.7, 1.1, 0.0):
            moved = replace(method, **{knob: strength})
            found = steps.merge({"": replace(whole[""], method=moved)}, [""])
            looped(not on)
            assert same_bits({name: found[name] for name in SHAPES}, merged(moved, given))
            looped(on)
        assert steps._sums


@pytest.mark.parametrize("share", [0.001, 0.2, 0.97])
@pytest.mark.parametrize("grain", [0.0, 0.5])
def test_the_trim_is_that_of_a_stable_sort(share: float, grain: float, looped: Any) -> None:
    looped(True)
    given = population(1, grain)
    keys = ["a", "b", "one", "none"]
    task = TaskVector(given.members[0], given.ancestor, keys)
    flat = torch.cat([given.members[0][key].flatten() - given.ancestor[key].flatten() for key in keys])
    cut = cut_after(task, int(share * len(flat)))
    kept = torch.cat([cut.trim(key, start, piece.clone()) for key in keys for start, piece in task.of(key)])
    wanted = torch.zeros_like(flat)
    chosen = flat.abs().sort(descending=True, stable=True).indices[: int(share * len(flat))]
    wanted[chosen] = flat[chosen]
    assert torch.equal(kept, wanted)


def test_only_float32_and_half_precision_of_large_models_on_a_cpu_go_through_loops(looped: Any) -> None:
    x = population().members[0]["a"]
    some = {
        "full": (x,),
        "half": (x.half(),),
        "brain": (x.bfloat16(),),
        "double": (x.double(),),
        "far": (x.to("meta"),),
    }
    looped(True)
    assert set(sweep.suited(some)) == {"full", "half", "brain"} and sweep.suited({}) == {}
    looped(False)
    assert sweep.suited(some) == {}


def test_without_numba_nothing_goes_through_loops(looped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(sweep, "numba_works", sweep.numba_works.__wrapped__)
    looped(True)
    assert sweep.suited({"a": (torch.zeros(3),)}) == {}


def test_a_numba_that_cannot_be_used_is_named_and_left_alone(
    looped: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs another NumPy')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(sweep, "numba_works", sweep.numba_works.__wrapped__)
    looped(True)
    with pytest.warns(UserWarning, match="Numba needs another NumPy"):
        assert sweep.suited({"a": (torch.zeros(3),)}) == {}


@pytest.fixture
def doubling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`doubling()`: a loop that keeps what it compiles in `tmp_path`, as if in a new process."""
    file = tmp_path / "doubling.py"
    file.write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")

    def loaded() -> compiled.Loop:
        spec = importlib.util.spec_from_file_location("doubling", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "doubling", module)
        spec.loader.exec_module(module)
        return compiled.Loop(module.double)

    return loaded


@pytest.mark.parametrize("kept", ["*.nbi", "*.nbc"])
def test_a_damaged_file_of_what_is_kept_does_no_harm(kept: str, doubling: Any, tmp_path: Path) -> None:
    assert doubling()(4) == 8
    files = list(tmp_path.rglob(kept))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:10])
    assert doubling()(4) == 8


def test_a_loop_that_calls_another_is_compiled_again_when_that_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    inner, outer = tmp_path / "inner.py", tmp_path / "outer.py"
    outer.write_text("def twice(x):\n    return step(step(x))\n")

    def loaded(file: Path, **around: Any) -> Any:
        space = {"__name__": file.stem, "__file__": str(file), **around}
        exec(compile(file.read_text(), str(file), "exec"), space)
        return space

    for more in (1, 10):
        inner.write_text(f"def step(x):\n    return x + {more}\n")
        step = compiled.Loop(loaded(inner)["step"])
        assert compiled.Loop(loaded(outer, step=step)["twice"])(0) == 2 * more


def test_a_loops_own_error_is_raised(doubling: Any) -> None:
    import numba

    with pytest.raises(numba.TypingError):
        doubling()(None)


def test_threads_that_ask_at_once_get_one_compiled_function(threads: None) -> None:
    made: list[object] = []

    class Slow(compiled.Loop):
        def _jit(self) -> Any:
            time.sleep(0.02)  # so that all threads have asked before the first is answered
            made.append(object())
            return made[-1]

    one = Slow(abs)
    assert set(sweep.shared_out(lambda _: one.ready(), range(20))) == {made[0]} and len(made) == 1


@pytest.mark.parametrize(
    "method",
    [
        *(Simple(), Fisher(), Ties(), Ties(k=1.0), Ties(k=0.9, zero_vote="plus"), DareLinear(density=1.0)),
        *(DareTies(density=1.0, normalize=True), DareTies(density=1.0)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_not_repaired(method: MergeMethod, value: float, looped: Any) -> None:
    given = population(2)
    given.members[1]["b"][5:9] = value  # type: ignore[index]
    looped(False)
    plain = merged(method, given)
    looped(True)
    for name, x in merged(method, given).items():
        torch.testing.assert_close(x, plain[name], rtol=0, atol=0, equal_nan=True)
    assert not torch.isfinite(plain["b"][5:9]).any()


def test_numbers_may_be_whole(looped: Any) -> None:
    looped(True)
    given = population()
    assert same_bits(merged(Ties(weights=(1, 2.0, 0.5)), given), merged(Ties(weights=(1.0, 2.0, 0.5)), given))
    assert same_bits(
        merged(Fisher(coefficients=(1, 2.0, 0.5)), given), merged(Fisher(coefficients=(1.0, 2.0, 0.5)), given)
    )


def test_a_sweep_in_turns_does_no_more_than_is_asked_for(monkeypatch: pytest.MonkeyPatch, looped: Any) -> None:
    monkeypatch.setattr(sweep, "GROUP", 3)
    looped(True)
    begun: list[int] = []

    class Noted(compiled.Loop):
        def __call__(self, *arguments: Any) -> Any:
            begun.append(arguments[0])
            return arguments[0]

    turns = sweep.sweep_in_turns(Noted(lambda x: x), {"x": (torch.zeros(20 * sweep.PIECE),)})
    assert [next(turns)[1] for _ in range(4)] == [n * sweep.PIECE for n in range(4)]
    assert len(begun) == 6


def test_members_that_are_views_are_read_as_they_are(looped: Any) -> None:
    given = population(2)
    turned = [{**m, "a": m["a"].T.contiguous().T, "b": torch.stack([m["b"], m["b"]], 1)[:, 0]} for m in given.members]
    looped(True)
    assert same_bits(merged(Simple(), replace(given, members=tuple(turned))), merged(Simple(), given))


def test_results_come_in_the_order_of_the_jobs(threads: None) -> None:
    assert sweep.shared_out(lambda job: job * job, range(500)) == [n * n for n in range(500)]
    assert sweep.shared_out(lambda job: job, []) == []


def test_an_error_in_any_thread_is_raised(threads: None) -> None:
    def fails(job: int) -> None:
        if job == 7 or threading.current_thread() is not threading.main_thread():
            raise ValueError(f"job {job}")

    with pytest.raises(ValueError, match="job"):
        sweep.shared_out(fails, range(50))


def test_after_an_error_nobody_goes_on(threads: None) -> None:
    done: list[int] = []

    def fails_first(job: int) -> None:
        if job == 0:
            raise ValueError("the first")
        time.sleep(0.001)
        done.append(job)

    with pytest.raises(ValueError, match="the first"):
        sweep.shared_out(fails_first, range(2000))
    assert len(done) < 100


def test_work_that_shares_out_work_does_so_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        threads = sweep.shared_out(lambda _: set(sweep.shared_out(lambda _: threading.get_ident(), range(8))), range(8))
    finally:
        torch.set_num_threads(before)
    assert all(len(inner) == 1 for inner in threads)
    assert sweep.shared_out(lambda job: job, range(3)) == [0, 1, 2]


def test_tensors_trimmed_by_two_threads_are_those_of_one(looped: Any) -> None:
    looped(True)
    given, found, before = population(), [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(merged(Ties(scope="per_tensor"), given))
    torch.set_num_threads(before)
    assert same_bits(*found)
