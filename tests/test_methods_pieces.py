"""Pieces: all of a tensor, once, in order; and as many threads as pays."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from methods.tensors import pieces as cutting
from methods.tensors.pieces import Buffers, blank_like, pieces


class Clock:
    """Time that passes only when a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Two threads, pieces of ten scalars, nobody stalled so far."""
    before, clock = torch.get_num_threads(), Clock()
    monkeypatch.setattr(cutting, "time", clock)
    monkeypatch.setattr(cutting, "CHUNK", 10)
    monkeypatch.setattr(cutting, "LIGHT", 4)
    monkeypatch.setattr(cutting, "_PACE", cutting._Pace())
    torch.set_num_threads(2)
    yield clock
    torch.set_num_threads(before)


def played(clock: Clock, count: int, stalls: tuple[int, ...]) -> list[str]:
    """How each of `count` pieces was done, where some take a second and the others a millisecond: "together" as one,
    or "alone", cut so small that torch takes one thread for it."""
    done, size = [], 0
    for piece in pieces(torch.empty(10 * count)):
        if piece.start % 10 == 0:
            done.append("together" if piece.stop - piece.start == 10 else "alone")
            clock.now += 1.0 if len(done) - 1 in stalls else 1e-3
        size += piece.stop - piece.start
        assert piece.stop == size
    assert size == 10 * count
    return done


@pytest.mark.parametrize("size", [0, 1, 36, 37, 38, 1000])
def test_pieces_are_all_of_a_tensor_once_and_in_order(size: int) -> None:
    tensor = torch.arange(size)
    found = [tensor[piece] for piece in pieces(tensor, 37)]
    assert torch.equal(torch.cat([torch.empty(0, dtype=torch.long), *found]), tensor)
    assert all(0 < len(piece) <= 37 for piece in found)


TOGETHER, ALONE = "together", "alone"


def test_a_quiet_machine_uses_all_threads(clock: Clock) -> None:
    assert played(clock, 50, stalls=()) == [TOGETHER] * 50


def test_after_a_stall_one_thread_goes_on_for_a_while(clock: Clock) -> None:
    rest = cutting.REST
    assert played(clock, rest + 4, stalls=(1,)) == [*[TOGETHER] * 2, *[ALONE] * rest, *[TOGETHER] * 2]


def test_a_second_stall_is_waited_out_for_longer(clock: Clock) -> None:
    rest = cutting.REST
    found = played(clock, 3 * rest + 5, stalls=(1, rest + 2))
    longer = [*[ALONE] * 2 * rest, *[TOGETHER] * 2]
    assert found == [*[TOGETHER] * 2, *[ALONE] * rest, TOGETHER, *longer]


def test_the_number_of_threads_is_left_alone(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(threads: int) -> None:
        raise AssertionError("what holds for the whole process is not a merge's to change")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "set_num_threads", refuse)
        played(clock, 3 * cutting.REST, stalls=(1, 70))


def test_with_a_single_thread_nothing_is_cut_smaller(clock: Clock) -> None:
    torch.set_num_threads(1)
    assert played(clock, 5, stalls=(1,)) == [TOGETHER] * 5


def test_a_thread_has_buffers_of_its_own() -> None:
    buffers, others = Buffers(1), []
    thread = threading.Thread(target=lambda: others.append(buffers.like(torch.empty(5))[0]))
    thread.start()
    thread.join()
    assert others[0].data_ptr() != buffers.like(torch.empty(5))[0].data_ptr()


def test_buffers_have_the_working_type_and_are_made_once() -> None:
    buffers = Buffers(2)
    first, second = buffers.like(torch.empty(5, dtype=torch.bfloat16))
    assert first.dtype == torch.float32 and first.shape == second.shape == (5,)
    again, _ = buffers.like(torch.empty(3))
    assert again.data_ptr() == first.data_ptr() and again.shape == (3,)
    assert buffers.like(torch.empty(3, dtype=torch.float64))[0].dtype == torch.float64


def test_blank_weights_are_contiguous_and_alike() -> None:
    weights = {"w": torch.empty(4, 6).T, "n": torch.tensor(3)}
    found = blank_like(weights)
    assert found["w"].shape == (6, 4) and found["w"].is_contiguous() and found["n"].dtype == torch.long
