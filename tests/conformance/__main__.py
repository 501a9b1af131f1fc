"""`python -m tests.conformance` writes docs/conformance.md."""

from __future__ import annotations

from importlib.util import find_spec

from tests.conformance import against_mergekit, against_peft, against_vectors
from tests.conformance.page import PAGE, page

if __name__ == "__main__":
    for package in ("mergekit", "peft"):
        if find_spec(package) is None:
            raise SystemExit(f"{package} is not installed: pip install -e '.[dev]' brings it")
    vectors = against_vectors.differences()
    written = page(against_mergekit.rows(), against_mergekit.alone(), against_peft.rows(), vectors)
    PAGE.write_text(written, encoding="utf-8")
    print(f"wrote {PAGE}")
