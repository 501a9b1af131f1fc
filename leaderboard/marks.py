"""The metrics again, in plain Python: a record is checked by other code than the code that scored it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

UNANNOTATED = -100


def macro_f1(gold: Sequence[Sequence[int]], said: Sequence[Sequence[int]]) -> float:
    """Mean of the binary F1 of every output with at least one annotated row; an undefined F1 counts 0.

    gold and said are rows x outputs; gold is -100 where an output is not annotated.
    """
    scores = []
    for column in zip(*(zip(g, s, strict=True) for g, s in zip(gold, said, strict=True)), strict=True):
        pairs = [(g, s) for g, s in column if g != UNANNOTATED]
        if not pairs:
            continue
        hits = sum(g == 1 and s == 1 for g, s in pairs)
        errors = sum(g != s for g, s in pairs)
        scores.append(2 * hits / (2 * hits + errors) if hits else 0.0)
    return math.fsum(scores) / len(scores) if scores else 0.0


def accuracy(gold: Sequence[float], said: Sequence[float]) -> float:
    """Share of the rows whose class was met."""
    return sum(g == s for g, s in zip(gold, said, strict=True)) / len(gold)


def pearson(gold: Sequence[float], said: Sequence[float]) -> float:
    """Pearson's correlation; 0 where one side is constant or not finite."""
    pairs = list(zip(gold, said, strict=True))
    if not all(map(math.isfinite, (*gold, *said))) or min(gold) == max(gold) or min(said) == max(said):
        return 0.0
    means = math.fsum(gold) / len(gold), math.fsum(said) / len(said)
    across = math.fsum((g - means[0]) * (s - means[1]) for g, s in pairs)
    along = math.fsum((g - means[0]) ** 2 for g in gold) * math.fsum((s - means[1]) ** 2 for s in said)
    return across / math.sqrt(along)


OF_ROWS: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {  # one answer per row
    "accuracy": accuracy,
    "matthews": pearson,  # of two classes the two are the same number
    "pearson": pearson,
}
