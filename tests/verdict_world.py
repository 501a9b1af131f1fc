"""Records of a made-up session: right and wrong answers to development and test rows, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records.bits import pack_numbers
from harness.records.record import RunRecord, Store
from tests.test_leaderboard_table import record

Right = NDArray[np.bool_]  # (rows,): whether a method is right there
MEMBERS = ("isear", "tec")


class Session:
    """One population's records in a store; of a method is known in which rows it is right."""

    def __init__(self, store: Store, dev_rows: int = 200, test_rows: int = 200, **fields: Any) -> None:
        self.store, self._fields = store, fields
        self._gold = {name: np.arange(rows) % 2 for name, rows in (("dev", dev_rows), ("test", test_rows))}
        self._names = {name: store.put_gold(gold[:, None].tolist()) for name, gold in self._gold.items()}
        self.records: list[RunRecord] = []

    def kept(self, split: str, right: Right) -> dict[str, Any]:
        """Answers as records hold them."""
        said = np.where(right, self._gold[split], 1 - self._gold[split])
        shape = {"rows": len(said), "outputs": ["no", "yes"], "metric": "accuracy", "gold": self._names[split]}
        return {**shape, "numbers": pack_numbers(said.tolist())}

    def add(
        self,
        method: str,
        dev: Right,
        test: Right | None = None,
        seed: int = 1,
        calls: int = 0,
        seconds: float = 1.0,
        models: int = 1,
        search: Mapping[str, Any] | None = None,
        said: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> RunRecord:
        """A record whose answers are right where these say; without `test`, as on development rows. `said` is what it
        tells of these instead."""
        test = dev[: len(self._gold["test"])] if test is None else test
        protocol = {"name": "quick", **({"search": search or {}} if calls else {})}
        kept = {"calls": calls, "score": float(dev.mean()), "predictions": {"tickets": self.kept("dev", dev)}}
        told = {"members": MEMBERS, "metric": "accuracy", "scores": {"tickets": float(test.mean())}}
        told["dev"] = kept if said is None else dict(said)
        told |= {"predictions": {"tickets": self.kept("test", test)}, "protocol": protocol}
        told["cost"] = {"merge_seconds": seconds, "statistics_seconds": 0.0, "inference_models": models}
        given = {"members": [f"{m}{seed}" for m in MEMBERS]} | dict(fields.pop("recipe", {}))
        made = record(method, seed, float(test.mean()), **told, **self._fields, **fields, recipe=given)
        self.records.append(made)
        return made


def right(rows: int, wrong: int, at: int = 0) -> Right:
    """Right everywhere but in so many rows from this one on."""
    found = np.ones(rows, dtype=bool)
    found[at : at + wrong] = False
    return found
