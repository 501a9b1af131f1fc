"""What a record says of its question: in the words of the suite where it is at hand, else in those that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from harness.records.record import RunRecord
from harness.suites import words
from harness.suites.paper import Published, published
from harness.suites.registry import SUITES
from harness.suites.setting import Role


class Said(NamedTuple):
    """Words about one setting."""

    suite: str  # "Four feelings": its title
    title: str  # "in-domain"
    caption: str  # a sentence
    order: int  # its place among the settings of its suite
    metric: str  # "macro-F1"
    role: Role = ""  # off_target: what it costs elsewhere


def said(record: RunRecord) -> Said:
    """The words about a record's setting."""
    found = _at_hand(record.suite, record.setting, record.metric)
    told = record.says if found is None else found
    return Said(
        suite=told.get("suite_title", record.suite),
        title=told.get("title", words.plain(record.setting)),
        caption=told.get("caption", words.GENERIC),
        order=told.get("order", 1000),
        metric=told.get("metric", record.metric),
        role=told.get("role", ""),
    )


def told_of(record: RunRecord) -> Mapping[str, Any]:
    """What a record says; of one that was written before records said anything, what its suite says where it is at
    hand."""
    known = words.at_hand(record.suite, record.setting)
    if record.says or known is None:
        return record.says
    model = record.recipe.get("model")
    made_up = isinstance(model, Mapping) and model.get("synthetic") is True
    return words.says(known, record.metric, made_up, record.model, record.heads, record.method)


def number_of(record: RunRecord) -> Published | None:
    """What the paper printed for a record's cell, if anything."""
    suite = SUITES.near(record.suite)
    if suite is not None:
        return published(suite.paper, record.model, record.setting, record.heads, record.method)
    told = record.says.get("published")
    return Published(**told) if told else None


def unshowable(told: Mapping[str, Any], longest: int) -> str:
    """What in the words of a record nobody could show; empty where all is well."""
    number = told.get("published", {"value": 0.0, "doubt": ""})
    if not isinstance(number, Mapping) or set(number) != {"value", "doubt"}:
        return "published"
    if told.get("role", "") not in get_args(Role):
        return "role"
    texts = {n: told.get(n, "") for n in ("suite_title", "title", "caption", "metric")} | {"doubt": number["doubt"]}
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > (10 * longest if name in ("caption", "doubt") else longest):
            return name
    if type(told.get("order", 0)) is not int or isinstance(number["value"], bool):
        return "order" if type(told.get("order", 0)) is not int else "published"
    return "" if isinstance(number["value"], int | float) else "published"


@lru_cache(maxsize=256)
def _at_hand(suite: str, setting: str, metric: str) -> Mapping[str, Any] | None:
    known = words.at_hand(suite, setting)
    return None if known is None else words.words_of(known, metric)
