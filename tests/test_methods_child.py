"""One Evolver child: a pure function of its parents and seed, whatever the machine does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import Weights
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like

SHAPES = {"wide": (123, 41), "thin": (3,), "scalar": (), "none": (0, 4)}


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def model(seed: int, dtype: torch.dtype = torch.float32) -> Weights:
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=rng).to(dtype) for name, shape in SHAPES.items()}


def child(scale: float = 0.5, rate: float = 0.5, seed: int = 9, toward: bool = False, **more: Any) -> Weights:
    dtype = more.pop("dtype", torch.float32)
    a, b, c = (model(i, dtype) for i in range(3))
    out = blank_like(a)
    write_child(out, a, b, None if toward else c, scale, Draws(seed, rate), **more)
    return out


def equal(a: Weights, b: Weights) -> bool:
    return all(torch.equal(a[name], b[name]) for name in SHAPES)


def crossover_mask(seed: int, name: str, size: int, rate: float) -> Tensor:
    """Which of the `size` scalars of parameter `name` take the mutant, as bool."""
    out = torch.empty(size, dtype=torch.int32)
    Draws(seed, rate)(name, 0, out)
    return out != 0


def splitmix64(state: int) -> int:
    """The published algorithm, one number at a time: state is the counter's start, the next output is returned."""
    z = (state + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_lanes_are_splitmix64_compared_with_the_rate() -> None:
    # Seed 0 of splitmix64 starts with this number in every published test vector.
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    stream = int.from_bytes(hashlib.sha256(b"9:wide").digest()[:8], "little")
    lanes = []
    for counter in range(30):
        word = splitmix64((stream + counter * 0x9E3779B97F4A7C15) % 2**64)
        lanes += [(word >> (16 * lane)) & 0xFFFF for lane in range(4)]
    want = torch.tensor([lane < round(0.3 * 65536) for lane in lanes[:118]])
    assert torch.equal(crossover_mask(9, "wide", 118, 0.3), want)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_share_of_scalars_that_mutate_is_the_rate(rate: float) -> None:
    size = 400_000
    share = crossover_mask(1, "w", size, rate).double().mean().item()
    assert share == pytest.approx(rate, abs=4 * (rate * (1 - rate) / size) ** 0.5 + 1e-5)


def test_names_seeds_and_neighbours_draw_independently() -> None:
    size = 200_000
    a = crossover_mask(1, "w", size, 0.5)
    for b in (crossover_mask(2, "w", size, 0.5), crossover_mask(1, "v", size, 0.5), *(a.roll(i) for i in range(1, 6))):
        assert (a == b).double().mean().item() == pytest.approx(0.5, abs=0.006)


@pytest.mark.parametrize("chunk", [1, 3, 4, 64, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_child_does_not_depend_on_the_chunk_size(chunk: int, dtype: torch.dtype) -> None:
    assert equal(child(chunk=chunk, dtype=dtype), child(dtype=dtype))


def test_a_child_does_not_depend_on_the_number_of_threads(threads: None) -> None:
    a = {"w": torch.randn(300_000, generator=torch.Generator().manual_seed(0))}
    b = {"w": a["w"].flip(0)}
    made = []
    for count in (1, 2):
        torch.set_num_threads(count)
        made.append(blank_like(a))
        write_child(made[-1], a, b, None, 0.3, Draws(5, 0.5))
    assert torch.equal(made[0]["w"], made[1]["w"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("toward", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_child_does_not_depend_on_the_device(toward: bool, dtype: torch.dtype) -> None:
    a, b, c = ({name: tensor.cuda() for name, tensor in model(i, dtype).items()} for i in range(3))
    out = blank_like(a)
    write_child(out, a, b, None if toward else c, 0.3, Draws(9, 0.5))
    assert equal({name: tensor.cpu() for name, tensor in out.items()}, child(0.3, 0.5, toward=toward, dtype=dtype))


@pytest.mark.parametrize("toward", [False, True])
@pytest.mark.parametrize(("scale", "rate"), [(0.0, 0.5), (0.5, 0.0)])
def test_without_mutation_or_crossover_the_child_is_its_parent(toward: bool, scale: float, rate: float) -> None:
    assert equal(child(scale, rate, toward=toward), model(0))


def test_full_mutation_towards_a_reference_is_the_reference() -> None:
    assert equal(child(1.0, 1.0, toward=True), model(1))


def test_the_mutant_is_the_papers_formula() -> None:
    a, b, c = (model(i) for i in range(3))
    made = child(0.7, 1.0)
    for name in SHAPES:
        torch.testing.assert_close(made[name], a[name] + 0.7 * (b[name] - c[name]))


def test_untaken_scalars_keep_their_bits_even_where_arithmetic_would_not() -> None:
    odd = torch.tensor([-0.0, float("nan"), float("inf"), 1e-42] * 500)
    parent = {"w": odd}
    out = blank_like(parent)
    write_child(out, parent, {"w": torch.ones(2000)}, None, 0.5, Draws(3, 0.5))
    mask = crossover_mask(3, "w", 2000, 0.5)
    assert 800 < mask.sum() < 1200
    assert torch.equal(out["w"].view(torch.int32)[~mask], odd.view(torch.int32)[~mask])
    assert torch.equal(out["w"][mask & (odd == 0)], torch.full_like(out["w"][mask & (odd == 0)], 0.5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype: torch.dtype) -> None:
    a, b, c = (model(i, dtype)["wide"].float() for i in range(3))
    assert torch.equal(child(0.3, 1.0, dtype=dtype)["wide"], ((b - c) * 0.3 + a).to(dtype))


def test_float64_stays_float64() -> None:
    a, b, c = (model(i, torch.float64)["wide"] for i in range(3))
    assert torch.equal(child(0.3, 1.0, dtype=torch.float64)["wide"], (b - c) * 0.3 + a)


def test_tensors_that_are_not_floating_are_the_parents() -> None:
    parent: dict[str, Tensor] = {"count": torch.tensor([3]), "flag": torch.tensor(True)}
    mate = {"count": torch.tensor([8]), "flag": torch.tensor(False)}
    out = blank_like(parent)
    write_child(out, parent, mate, None, 1.0, Draws(1, 1.0))
    assert out["count"].item() == 3 and out["flag"].item() is True
