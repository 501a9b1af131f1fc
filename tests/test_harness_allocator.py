"""Memory that is kept, and given back."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.members import allocator
from harness.members.allocator import memory_kept

ROOT = Path(__file__).parent.parent
SIZE = 10_000_000  # float32 scalars: 40 MB, more than glibc ever keeps by itself


def new_pages(size: int) -> int:
    """How many pages of memory the system had to give for a tensor of this size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


needs_glibc = pytest.mark.skipif(allocator._glibc() is None, reason="another C library than glibc")


def once_and_then_given_back() -> None:
    before = resident()
    with memory_kept():
        torch.ones(2 * SIZE)
        assert new_pages(SIZE) < 100
        assert resident() - before > 7 * SIZE
    assert resident() - before < SIZE


def one_within_another_gives_nothing_back() -> None:
    before = resident()
    with memory_kept():
        with memory_kept():
            torch.ones(2 * SIZE)
        assert resident() - before > 7 * SIZE
    assert resident() - before < SIZE


def an_error_within_gives_memory_back() -> None:
    before = resident()
    with pytest.raises(ValueError, match="inside"), memory_kept():
        torch.ones(SIZE)
        raise ValueError("inside")
    assert resident() - before < SIZE and allocator._depth == 0


def all_of_it() -> None:
    once_and_then_given_back()
    one_within_another_gives_nothing_back()
    an_error_within_gives_memory_back()


@needs_glibc
def test_within_it_memory_is_asked_for_once_and_then_given_back() -> None:
    """In a young process: in one that has run many tests, other memory stands in the way of the heap."""
    code = "from tests.test_harness_allocator import all_of_it; all_of_it()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    with memory_kept():
        assert torch.ones(3).sum() == 3
