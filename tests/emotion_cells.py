"""Cells of the emotion suite on the small world, and a session's answers to them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cells.cell import Cell, PopulationKey
from harness.cells.lab import Lab
from harness.cells.rows import ROWS
from harness.cells.run import run
from harness.records.record import RunRecord, Store
from harness.session.options import DEFAULT_METHODS
from harness.suites.emotion.labels import IN_DOMAIN, OUT_OF_DOMAIN
from harness.suites.setting import Heads, Setting
from tests.small_world import TINY

IN = Setting("emotion", "in_domain", IN_DOMAIN, "all")
OUT = Setting("emotion", "out_of_domain", IN_DOMAIN, "all", examined=OUT_OF_DOMAIN)
PAIR = Setting("emotion", "pairwise", IN_DOMAIN, "pairs", heads=("same",))
METHODS = tuple(m for m in DEFAULT_METHODS if m not in ROWS)
SEARCHES = ("best", "greedy_soup", *(m for m in METHODS if m.endswith("evolver")))  # what leaves a trace
BOTH = ("--heads=same", "-k", "in_domain or out_of_domain")


def cell(method: str, setting: Setting = IN, heads: Heads = "same", members: tuple[str, ...] = IN_DOMAIN) -> Cell:
    return Cell(setting, PopulationKey(TINY, "emotion", members, IN_DOMAIN, 1, heads), method)


def answer(lab: Lab, store: Store, asked: Cell) -> RunRecord:
    """Run one cell and keep its record, as a session does."""
    record = run(asked, lab, store)
    store.put(record)
    key = asked.key
    found = store.find(asked.setting.suite, asked.setting.name, key.model.display, asked.method, key.seed, record.key)
    assert found is not None
    return found


def name_of(record: RunRecord) -> str:
    return f"{record.setting}/{record.heads}/{record.population}/{record.method}"


def forbid(monkeypatch: pytest.MonkeyPatch, *what: tuple[Any, str]) -> None:
    """Make everything that is named fail."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing of this should be needed again")

    for owner, name in what:
        monkeypatch.setattr(owner, name, refuse)
