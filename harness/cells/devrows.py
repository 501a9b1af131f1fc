"""How many of a corpus' development rows a search sees, and how many are kept apart for its best few."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

SURE = 10  # rows that chance would leave without one of a label once in 22,000 times


def cut(rows: Mapping[str, int], share: float, apart: float) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Corpus -> where the rows that the search sees end, and where those kept apart behind them do.

    Args:
        rows: of each corpus, in its fixed shuffle; at least one.
        share: of them that candidates are scored on (D28); where it is all, what is kept apart is taken from it.
        apart: the share that is kept apart; each corpus gives at least one row.

    Returns:
        The ends, and the corpora that have too few rows: then none of any corpus are kept apart.
    """
    ends = {corpus: _ends(count, share, apart) for corpus, count in rows.items()}
    short = [corpus for corpus, (seen, whole) in ends.items() if apart and seen == whole]
    return ({corpus: _ends(count, share, 0.0) for corpus, count in rows.items()} if short else ends), short


def share_within(rows: Mapping[str, int], ends: Mapping[str, int]) -> float:
    """The share of each corpus' rows, the first ones, that holds all rows before these ends, rounded or not."""
    return max((ends[corpus] / count for corpus, count in rows.items()), default=0.0)


def missing(labels: npt.NDArray[np.bool_], begin: int, end: int) -> list[int]:
    """Which labels, of (rows, labels), no row from `begin` to `end` has, though of rows in random order some would."""
    expected = labels.mean(axis=0) * (end - begin)
    return np.flatnonzero((expected >= SURE) & ~labels[begin:end].any(axis=0)).tolist()


def _ends(rows: int, share: float, apart: float) -> tuple[int, int]:
    seen, kept = max(1, round(share * rows)), max(1, round(apart * rows)) if apart else 0
    if share == 1:
        seen = max(1, rows - kept)
    return seen, min(rows, seen + kept)
