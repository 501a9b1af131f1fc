"""Records of made-up searches, as a session writes them: a trace of every evaluation, rows kept apart, what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.records.record import RunRecord
from leaderboard import audit, words
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import Group, groups
from leaderboard.tables.searches import course
from tests.test_leaderboard_table import method_part
from tests.verdict_world import Right, Session

APART = 0.25  # of the development rows, as a search has it
VARIABLES = 4


def climbing(budget: int, low: float = 0.5, high: float = 0.8, seed: int = 1) -> list[float | None]:
    """A score for each evaluation: the start first, one that failed, and some that are better."""
    rng = np.random.default_rng(seed)
    found: list[float | None] = [low, *(round(float(v), 3) for v in rng.uniform(low - 0.1, high, budget - 2))]
    return [*found, None]


def search(
    session: Session,
    method: str,
    dev: Right,
    test: Right | None = None,
    seed: int = 1,
    budget: int = 20,
    scores: Sequence[float | None] | None = None,
    apart: float = APART,
    knobs: dict[str, Any] | None = None,
    inner: dict[str, Any] | None = None,
    fraction: float = 1.0,
    **fields: Any,
) -> RunRecord:
    """A record of `<method>_<optimiser>`; `knobs` and `inner`: what the search and the method inside it were given."""
    again = (
        []
        if not apart
        else [{"candidate": 2, "score": 0.7, "apart": 0.68}, {"candidate": 5, "score": 0.66, "apart": 0.6}]
    )
    asked = list(climbing(budget - len(again), seed=seed)) if scores is None else list(scores)
    history, rows = [score for score in course(asked) if score is not None], len(dev)
    told = method_part(method)
    told["knobs"] |= {"budget": budget, **(knobs or {}), **({} if apart == APART else {"apart": apart})}
    told["knobs"]["inner"] = {
        **told["knobs"]["inner"],
        "knobs": {**told["knobs"]["inner"].get("knobs", {}), **(inner or {})},
    }
    part = (1 - apart if fraction == 1 else fraction) * rows
    evaluations = len(asked) + len(again)
    items = round(part) * len(asked) + round(apart * rows) * len(again)
    best = max(range(len(asked)), key=lambda k: -math.inf if asked[k] is None else asked[k] or 0.0)
    trace = {
        **{"point": [(0.5).hex()] * VARIABLES, "space": "0" * 16, "variables": VARIABLES, "budget": budget},
        **{"optimiser": method.removeprefix(f"{words.base_of(method)}_"), "scores": asked, "history": course(asked)},
        **{"winner": "candidate 2" if again else f"candidate {best}", "evaluations": evaluations, "again": again},
        "calls": evaluations,
    }
    kept = {"calls": evaluations, "items": items, "forwards": items, "history": history, "score": float(dev.mean())}
    kept |= {"predictions": {"tickets": session.kept("dev", dev)}, "best": max(history)}
    kept |= {"seen": min(1.0, (1 - apart if fraction == 1 else fraction) + apart), "apart": 0.68 if again else None}
    given = {"recipe": {"method": told}, "trace": trace, "said": kept, "calls": evaluations, "seed": seed, **fields}
    given["knobs"] = {"budget": budget, **(knobs or {}), **(inner or {})}
    return session.add(method, dev, test, search={} if fraction == 1 else {"dev_fraction": fraction}, **given)


def group_of(session: Session) -> Group:
    """The only group of its records, as it is read from the store."""
    for made in session.records:
        session.store.put(made)
    found = audit.load(session.store)
    assert found.damaged == []
    (group,) = groups(found.records, gold_of(session.store))
    return group
