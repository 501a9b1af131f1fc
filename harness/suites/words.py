"""The words in which a record says what it answers: titles, a caption, an order, the number that the paper has.

A reader shows these words and needs to know no suite. Where a suite is at hand its own words count, so that one setting
is called the same everywhere, in records of before this was written too.
"""

from __future__ import annotations

from typing import Any

from harness.suites.paper import published
from harness.suites.registry import SUITES
from harness.suites.setting import Setting

METRICS = {
    "macro_f1": "macro-F1",
    "matthews": "Matthews' correlation",
    "pearson": "Pearson's correlation",
    "mean_mark": "mean mark",
}
GENERIC = "The score is the mean over all data sets that this setting tests on."


def words_of(setting: Setting, metric: str) -> dict[str, Any]:
    """What is said of a setting, whatever the model."""
    suite = SUITES.near(setting.suite)
    names = [] if suite is None else [known.name for known in suite.settings]
    return {
        "suite_title": setting.suite if suite is None else suite.called,
        "title": setting.title or plain(setting.name),
        "caption": setting.caption or GENERIC,
        "order": names.index(setting.name) if setting.name in names else len(names),
        "metric": "+".join(METRICS.get(name, plain(name)) for name in metric.split("+")),
        **({"role": setting.role} if setting.role else {}),
    }


def says(setting: Setting, metric: str, synthetic: bool, model: str, heads: str, method: str) -> dict[str, Any]:
    """What the record of a cell says; `published` only where the paper has a number for it."""
    suite = SUITES.near(setting.suite)
    number = published(None if suite is None else suite.paper, model, setting.name, heads, method)
    told = {} if number is None else {"published": {"value": number.value, "doubt": number.doubt}}
    return {**words_of(setting, metric), "synthetic": synthetic, **told}


def at_hand(suite: str, setting: str) -> Setting | None:
    """The setting of this name, of a suite that is built in or was registered."""
    known = SUITES.near(suite)
    return next((s for s in known.settings if s.name == setting), None) if known is not None else None


def plain(name: str) -> str:
    """`without_tec` -> `without tec`."""
    return name.replace("_", " ")
