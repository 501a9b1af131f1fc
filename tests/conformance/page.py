"""The page of all comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.conformance.shared import SEEDS, Difference, Row

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

HEAD = """# Conformance

Do methods here do what others do by the same name? This page holds them against mergekit, against peft's merges of
adapters and against reference vectors that were made with the authors' code. What stands in no table is held to worked
examples and properties by its own tests alone. The page was written by

```bash
python -m tests.conformance
```

which needs mergekit {mergekit}, peft {peft} and the reference vectors. `tests/test_conformance.py` measures the first
two tables again wherever mergekit and peft are installed, as in CI, and fails where a number is no longer the same
within rounding. The vectors themselves are asked by `tests/test_golden.py`.

*Absolute* is the scalar in which two merges are furthest apart, *relative* |ours - theirs| / |theirs - ancestor| over
all tensors, so 1 is as far apart as their merge is from the ancestor. Each is the largest over {seeds} random
populations in float32, of weights of size 1. Where no cause stands the difference is rounding.
"""

MERGEKIT = """
## mergekit {mergekit}

Options are set so that both mean the same, where they can; `weight=1` is each member's. *Changes* is the standard
deviation of what members changed, in three matrices, a vector and a kernel unless others are named. Where mergekit
draws, it is given our draws.

"""

ALONE = """
Of mergekit's methods {theirs} are held against nothing here;
[examples/mergeboard-mergekit](../examples/mergeboard-mergekit) offers them all. Two things that no number shows:
mergekit's `della` and `della_linear` end with an error at a tensor whose rows have one scalar, which ours keep by the
density; so does its `multislerp` at a tensor without scalars.
"""

PEFT = """
## peft {peft}

Two random adapters of rank 4, scale 2, on one matrix of 24 x 16, combined by `add_weighted_adapter` with weights 1 and
1. *Ours* is the merge of the two full models that they stand for. Relative is to the length of ours: 1 is an error as
large as the merge itself. `task_arithmetic` with `lambda=1` is the true sum. Where peft draws, it is given our draws.

"""

VECTORS = """
## Reference vectors

Made with the code that the methods' authors or others published, or, where there is none, by the formula in float64.
They are not part of this repository; `MERGEBOARD_GOLDEN` names their folder. All runs are within the tolerance that
their vectors state. Relative is to the largest scalar of the tensor.

"""


def page(
    mergekit: Iterable[Row],
    alone: Sequence[str],
    peft: Iterable[Row],
    vectors: Mapping[str, tuple[int, Difference]],
) -> str:
    """All of it, as Markdown."""
    versions = {name: version(name) for name in ("mergekit", "peft")}
    runs = [(linked(f"`{method}`"), str(count), *_numbers(found)) for method, (count, found) in vectors.items()]
    return "".join(
        (
            HEAD.format(**versions, seeds=len(SEEDS)),
            MERGEKIT.format(**versions),
            table(("ours", "mergekit's", "members", "changes", "absolute", "relative", "cause"), map(cells, mergekit)),
            ALONE.format(theirs=", ".join(f"`{name}`" for name in alone)),
            PEFT.format(**versions),
            table(("ours", "peft's", "absolute", "relative", "cause"), map(cells, peft)),
            VECTORS,
            table(("vectors of", "runs", "absolute", "relative"), runs),
        )
    )


def cells(row: Row) -> tuple[str, ...]:
    """A row as it stands in its table."""
    return (linked(row.ours), row.theirs, *row.setting, *_numbers(row.difference), row.cause)


def linked(told: str) -> str:
    """A method and its knobs, the method with a link to its page, if it has one."""
    name = told.split("`")[1]
    has_page = (PAGE.parent / "methods" / f"{name}.md").is_file()
    return told.replace(f"`{name}`", f"[`{name}`](methods/{name}.md)", 1) if has_page else told


def table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (titles, ["---"] * len(titles), *lines))


def _numbers(found: Difference) -> tuple[str, str]:
    told = _bound if found.is_rounding else "{:.2g}".format
    return told(found.absolute), told(found.relative)


def _bound(x: float) -> str:
    """The next power of ten: another machine rounds otherwise."""
    return f"< 1e{math.ceil(math.log10(x))}" if x else "0"
