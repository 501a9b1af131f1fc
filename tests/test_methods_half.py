"""Half precision through compiled loops: the bits of the plain formulas, over every kind of number and layout.

All loops are compiled for bfloat16. For float16, which differs in how a scalar is read and written, and in nothing
else, some are: to compile them takes longer than all that is tested. `suites/test_speed_half.py` compares all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from methods import MergeMethod, Population, Weights
from methods.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from methods.consensus import Consensus
from methods.contract import toy_score
from methods.dare import DareLinear, DareTies
from methods.della import Della, DellaLinear
from methods.fisher import Fisher
from methods.loops import half, sweep
from methods.loops.compiled import ByKind, Loop
from methods.loops.half import raised, rounded
from methods.loops.operands import array_of
from methods.model_stock import ModelStock
from methods.sce import Sce
from methods.simple import Simple
from methods.tensors import trim
from methods.tensors.candidates import candidates_of
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from methods.tensors.scaling import scaled
from methods.ties import Ties

pytest.importorskip("numba", reason="the loops need Numba: pip install 'mergeboard[fast]'")

HALVES = (torch.bfloat16, torch.float16)
SHAPES = {"a": (37, 71), "b": (2503,), "one": (), "none": (0, 4), "ids": (3,)}


# How a processor without instructions for float16 reads and writes it.
raised_anywhere = ByKind({}, int16=half.from_float16)
rounded_anywhere = ByKind({}, int16=half.to_float16)


@Loop
def raise_all(out: Any, x: Any) -> None:
    for j in range(len(x)):
        out[j] = raised(x[j])


@Loop
def raise_all_anywhere(out: Any, x: Any) -> None:
    for j in range(len(x)):
        out[j] = raised_anywhere(x[j])


@Loop
def round_all(out: Any, x: Any) -> None:
    for j in range(len(x)):
        out[j] = rounded(x[j], out)


@Loop
def round_all_anywhere(out: Any, x: Any) -> None:
    for j in range(len(x)):
        out[j] = rounded_anywhere(x[j], out)


BY_ANY_PROCESSOR = [(torch.bfloat16, raise_all, round_all), (torch.float16, raise_all, round_all)]
BY_ANY_PROCESSOR += [(torch.float16, raise_all_anywhere, round_all_anywhere)]


@pytest.fixture
def looped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`looped(on)`: small models go through the loops from now on, or do not; in pieces of an odd size."""
    monkeypatch.setattr(sweep, "PIECE", 1021)
    monkeypatch.setattr(trim, "FEW", 512)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield lambda on: monkeypatch.setattr(sweep, "LEAST", 0 if on else 1 << 60)
    torch.set_num_threads(before)


def every_number(dtype: torch.dtype) -> Tensor:
    """(65536,): all that a type of 16 bits can hold."""
    return torch.arange(1 << 16).to(torch.int16).view(dtype)


def of_every_kind(shape: tuple[int, ...], rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Ordinary numbers, subnormals, zeros of both signs and large numbers, all finite."""
    info = torch.finfo(dtype)
    sizes = torch.tensor([1.0, 1.0, 0.02, 0.0, info.tiny / 4, info.tiny, 100.0])
    kind = torch.randint(len(sizes), shape, generator=rng)
    return (torch.randn(shape, generator=rng) * sizes[kind]).to(dtype)


def population(dtype: torch.dtype, origin: torch.dtype | None = None, members: int = 3) -> Population:
    """Random members around an ancestor; of "a" they hold views of others' memory, of which one is transposed."""
    rng = torch.Generator().manual_seed(7)

    def drawn(name: str) -> Tensor:
        return torch.arange(3) if name == "ids" else of_every_kind(SHAPES[name], rng, dtype)

    ancestor = {name: drawn(name) for name in SHAPES}

    def moved(x: Tensor) -> Tensor:
        changed = torch.rand(x.shape, generator=rng) < 0.7
        return torch.where(changed, x.float() + 0.1 * drawn_like(x), x.float()).to(dtype)

    def drawn_like(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=rng)

    models = [{name: x if name == "ids" else moved(x) for name, x in ancestor.items()} for _ in range(members)]
    for i, model in enumerate(models):
        a = model["a"]
        model["a"] = a.T.contiguous().T if i == 0 else torch.stack([a, -a], 2)[..., 0]
    fishers = tuple({n: torch.rand(x.shape, generator=rng) for n, x in m.items() if n != "ids"} for m in models)
    if origin is not None:
        ancestor = {name: x if name == "ids" else x.to(origin) for name, x in ancestor.items()}
    return Population(tuple(models), tuple(f"m{i}" for i in range(members)), ancestor, {"fisher": fishers})


def with_others(given: Population) -> Population:
    """The population with infinities and what is no number in members and ancestor."""
    values = (float("nan"), float("inf"), -float("inf"))

    def spoiled(model: Weights, first: int) -> Weights:
        b = model["b"].clone()
        for i, value in enumerate(values):
            b[first + 100 * i : first + 100 * i + 7] = value
        return {**model, "b": b}

    models = tuple(spoiled(member, 200 + 3 * i) for i, member in enumerate(given.members))
    return replace(given, members=models, ancestor=spoiled(given.ancestor, 1500))


def require_same(found: Weights, wanted: Weights) -> None:
    """The same bits, but that any bits may say that it is no number."""
    assert found.keys() == wanted.keys()
    for name, x in found.items():
        other = wanted[name]
        assert x.dtype == other.dtype and x.shape == other.shape and x.is_contiguous()
        if x.is_floating_point():
            nan = other.isnan()
            assert torch.equal(x.isnan(), nan), name
            bits = torch.int32 if x.element_size() == 4 else torch.int16
            assert torch.equal(x.view(bits)[~nan], other.view(bits)[~nan]), name
        else:
            assert torch.equal(x, other)


def merged(method: MergeMethod, given: Population) -> Weights:
    found = method.merge(given, toy_score(), torch.Generator().manual_seed(0))
    assert isinstance(found, dict)
    return found


def both_ways(looped: Any, work: Any) -> tuple[Any, Any]:
    """What `work` makes with loops and without."""
    looped(False)
    plain = work()
    looped(True)
    return work(), plain


@pytest.mark.parametrize(("dtype", "raise_them", "_round_them"), BY_ANY_PROCESSOR)
def test_every_number_of_half_precision_is_raised_as_torch_does(
    dtype: torch.dtype, raise_them: Loop, _round_them: Loop
) -> None:
    given = every_number(dtype)
    found = torch.empty(len(given))
    raise_them(found.numpy(), array_of(given))
    require_same({"": found}, {"": given.float()})


@pytest.mark.parametrize(("dtype", "_raise_them", "round_them"), BY_ANY_PROCESSOR)
def test_rounding_is_torchs_to_nearest_even(dtype: torch.dtype, _raise_them: Loop, round_them: Loop) -> None:
    held = every_number(dtype).float()
    held = held[held.isfinite()].sort().values
    between = ((held[1:].double() + held[:-1].double()) / 2).float()
    around = [torch.nextafter(x, to) for x in (held, between) for to in torch.tensor([torch.inf, -torch.inf])]
    bits = np.random.default_rng(0).integers(0, 1 << 32, 1 << 17, dtype=np.uint32)
    given = torch.cat([held, between, *around, torch.from_numpy(bits.view(np.float32))])
    found = torch.empty(len(given), dtype=dtype)
    round_them(array_of(found), given.numpy())
    require_same({"": found}, {"": given.to(dtype)})


METHODS = [
    *(Simple(), Simple((0.2, 0.5, 0.3)), Fisher(eps=0.3), Fisher(floor=0.4), Ties(), Ties(k=0.7, lambda_=0.3)),
    *(Ties(scope="per_tensor"), Ties(weights=(0.5, 1.0, 2.5), zero_vote="plus"), Consensus(), Consensus(k=1)),
    *(DareLinear(rescale="l1"), DareTies(normalize=True, weights=(0.5, -1.0, 2.5)), DareTies(trim=0.3, density=0.7)),
    *(Breadcrumbs(density=0.5, gamma=0.1), BreadcrumbsTies(density=(0.9, 1.0, 0.3), rescale="l1", normalize=True)),
    *(Della(), DellaLinear(rescale="l1", scope="tensor"), ModelStock(), Sce(), Sce(1.0), Sce(0.4, "deltas")),
]
IN_FLOAT16 = [Simple(), Fisher(eps=0.3), Consensus()]


@pytest.mark.parametrize(
    ("method", "dtype"),
    [*((method, torch.bfloat16) for method in METHODS), *((method, torch.float16) for method in IN_FLOAT16)],
    ids=str,
)
def test_loops_and_plain_formulas_give_the_same_bits_in_half_precision(
    method: MergeMethod, dtype: torch.dtype, looped: Any
) -> None:
    given = population(dtype)
    require_same(*both_ways(looped, lambda: merged(method, given)))
    spoiled = with_others(given)
    require_same(*both_ways(looped, lambda: merged(method, spoiled)))


def test_an_ancestor_of_another_type_changes_no_bit(looped: Any) -> None:
    given = population(torch.bfloat16, origin=torch.float32)
    require_same(*both_ways(looped, lambda: merged(Consensus(), given)))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_children_in_half_precision_are_the_same_bits(dtype: torch.dtype, looped: Any) -> None:
    given = with_others(population(dtype)).members

    def bred() -> Weights:
        child = blank_like(given[0])
        write_child(child, *given, 0.7, Draws(11, 0.3))
        return child

    child, plain = both_ways(looped, bred)
    require_same(child, plain)
    assert 0.1 < float((child["b"] != given[0]["b"]).float().mean()) < 0.4


def test_scaled_changes_in_half_precision_are_the_same_bits(looped: Any) -> None:
    given = with_others(population(torch.bfloat16))
    for found, plain in zip(*both_ways(looped, lambda: scaled(given, (0.3, 1.0, -1.7)).members), strict=True):
        require_same({n: x.contiguous() for n, x in found.items()}, plain)


@pytest.mark.parametrize("inner", [Simple(), Fisher(), ModelStock()], ids=repr)
def test_candidates_in_half_precision_are_the_same_bits(inner: MergeMethod, looped: Any) -> None:
    given = population(torch.bfloat16)

    def swapped() -> Weights:
        candidates: Any = candidates_of(inner, given, toy_score())
        candidates.swap(1, given.members[2])
        candidates.keep()
        return {name: x.clone() for name, x in candidates.swap(2, given.members[0]).items()}

    require_same(*both_ways(looped, swapped))


def test_members_of_several_types_are_left_to_the_plain_formulas(looped: Any) -> None:
    looped(True)
    out, half = torch.empty(3), torch.zeros(3, dtype=torch.bfloat16)
    assert sweep.suited({"mixed": (out, (half, out)), "halves": (out, (half, half))}).keys() == {"halves"}


def test_a_member_may_be_a_view_where_another_is_none(looped: Any) -> None:
    given = population(torch.float32)
    require_same(*both_ways(looped, lambda: merged(Simple(), given)))
