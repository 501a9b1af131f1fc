"""Singular values by way of the Gram matrix: exact, a few rows at a time, and by the other way where this one fails."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError
from methods.spectral import tall
from methods.spectral.decomposition import Precision, directions, orthonormal
from methods.spectral.tall import Tall, joined, summed
from tests.matrices import NAME, change, close, drawn, low_rank, merge, moved, rotation

SINGLE, DOUBLE = Precision(NAME, 1.1920929e-07), Precision(NAME, 2.220446049250313e-16)


def fails(*_: Any, **__: Any) -> Any:
    raise torch.linalg.LinAlgError("it did not converge")  # type: ignore[attr-defined]


def spectrum(*values: float) -> Tensor:
    return rotation(20)[:, : len(values)] * torch.tensor(values, dtype=torch.float64) @ rotation(9)[:, : len(values)].T


@pytest.fixture(params=[1, 1 << 20], ids=["row by row", "at once"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tall, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
def test_a_matrix_made_a_few_rows_at_a_time_is_that_matrix() -> None:
    a, b, right = drawn(20, 9), drawn(20, 9, seed=1), drawn(9, 3, seed=2)
    assert torch.equal(Tall.of(a).whole(), a)
    assert close(Tall.of(a).gram(), a.T @ a) and close(Tall.of(a).gram(Tall.of(b).times(right)), a.T @ b @ right)
    assert close(Tall.of(a).times(right).whole(), a @ right)
    assert close(summed([Tall.of(a), Tall.of(b)]).whole(), a + b)
    assert close(joined([Tall.of(a), Tall.of(b)]).whole(), torch.cat([a, b], dim=1))
    assert Tall.of(a).length() == pytest.approx(float(a.norm()))


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
@pytest.mark.parametrize("least", [1.0, 1e-2, 1e-4, 1e-5])
def test_singular_values_down_to_a_small_share_are_exact(precision: Precision, least: float) -> None:
    values = torch.logspace(0, torch.log10(torch.tensor(least)).item(), 9, dtype=torch.float64)
    found = directions(Tall.of(spectrum(*values.tolist())), precision)
    assert torch.allclose(found.s, values, rtol=1e-5 if precision is SINGLE else 1e-9)
    left = spectrum(*values.tolist()) @ found.lift
    assert close(left.T @ left, torch.eye(9).double(), 1e-4)


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_directions_that_are_rounding_are_left_out(precision: Precision) -> None:
    noise = 0.1 * precision.eps * drawn(20, 9)
    assert len(directions(Tall.of(spectrum(3, 2, 1) + noise), precision).s) == 3
    assert len(directions(Tall.of(torch.zeros(20, 9).double()), precision).s) == 0
    assert len(directions(Tall.of(noise), precision, beside=5.0).s) == 0, "nothing, beside what it is left of"


@pytest.mark.usefixtures("block")
def test_the_nearest_orthonormal_matrix_is_the_polar_factor() -> None:
    columns = drawn(20, 5)
    u, _, vh = torch.linalg.svd(columns, full_matrices=False)
    assert close(columns @ orthonormal(Tall.of(columns), DOUBLE), u @ vh)


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_columns_that_are_there_twice_share_one_direction(precision: Precision) -> None:
    once = rotation(20)[:, :3]
    found = torch.cat([once, once], dim=1) @ orthonormal(Tall.of(torch.cat([once, once], dim=1)), precision)
    assert close(found, torch.cat([once, once], dim=1) / 2**0.5, 1e-6)


@pytest.mark.parametrize("method", ["tsv_m", "iso_c", "iso_cts", "cart", "star", "subspace_boost"])
def test_where_one_way_does_not_converge_the_other_is_taken(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [drawn(12, 9, seed=seed) for seed in range(3)]
    wanted = change(method, *parts)
    monkeypatch.setattr(torch.linalg, "eigh", fails)
    assert close(change(method, *parts), wanted, 1e-7)


@pytest.mark.parametrize("method", ["tsv_m", "iso_c", "iso_cts", "cart", "star", "subspace_boost"])
def test_where_neither_converges_one_line_names_the_tensor(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.linalg, "eigh", fails)
    monkeypatch.setattr(torch.linalg, "svd", fails)
    with pytest.raises(MergeboardError, match=rf"^no singular values of {NAME} are found, in either of two ways; .*$"):
        change(method, *[drawn(12, 9, seed=seed) for seed in range(3)])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("method", ["tsv_m", "iso_c", "iso_cts", "cart", "star", "subspace_boost"])
def test_numbers_that_are_not_finite_end_in_that_line(method: str, bad: float) -> None:
    broken = drawn(12, 9)
    broken[2, 3] = bad
    with pytest.raises(MergeboardError, match=rf"{NAME}.*not finite"):
        merge(method, moved(broken, *[drawn(12, 9, seed=seed) for seed in (1, 2)]))


@pytest.mark.parametrize("method", ["tsv_m", "iso_c", "iso_cts", "star", "subspace_boost"])
def test_the_null_space_of_members_in_float32_is_left_alone(method: str) -> None:
    """Adapters of low rank around an ancestor that is much larger: rounding fills the other directions a little."""
    origin = drawn(60, 40, seed=5).float()
    parts = [0.05 * low_rank(60, 40, 3, seed=seed).float() for seed in (1, 2)]
    found = torch.linalg.svdvals(change(method, *parts, origin=origin).double())
    assert float(found[6]) < 1e-5 * float(found[0])
