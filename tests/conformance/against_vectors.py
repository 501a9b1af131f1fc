"""How far our merges are from reference vectors: tests/test_golden.py, with the differences that it finds kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from unittest import mock

import pytest
from torch import Tensor

from tests.conformance.shared import Difference
from tests.golden_cases import FOLDER, Run

GOLDEN = "tests/test_golden.py"


def differences() -> Mapping[str, tuple[int, Difference]]:
    """Method -> how many of its runs were held against the vectors, and the largest difference.

    Errors: `SystemExit` where there are no vectors, and where a run is not what its vector says.
    """
    if not (FOLDER / "cases").is_dir():
        raise SystemExit(f"no reference vectors in {FOLDER}; MERGEBOARD_GOLDEN names another folder")
    found: defaultdict[str, list[tuple[str, Difference]]] = defaultdict(list)
    check = Run._require_close

    def kept(run: Run, name: str, got: Tensor, want: Tensor) -> None:
        check(run, name, got, want)
        found[run.method].append((f"{run.case_name} {run.id}", apart(got, want)))

    with mock.patch.object(Run, "_require_close", kept):
        if (code := pytest.main(["-q", "-p", "no:cacheprovider", GOLDEN])) != 0:
            raise SystemExit(f"{GOLDEN} ended with {int(code)}; mend that first")
    return {
        method: (len({run for run, _ in some}), Difference.largest(one for _, one in some))
        for method, some in sorted(found.items())
    }


def apart(got: Tensor, want: Tensor) -> Difference:
    """Of one tensor, where both have a number."""
    there = want.isfinite() & got.isfinite()
    off, size = (got.double() - want.double())[there].abs(), want.double()[there].abs()
    absolute, largest = (float(x.max()) if x.numel() else 0.0 for x in (off, size))
    return Difference(absolute, absolute / largest if largest else absolute)
