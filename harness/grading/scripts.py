"""Languages that are told by their letters alone, since hardly any other is written in them."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from unicodedata import name

OWN = {  # language -> the first word of its letters' names in Unicode
    "el": "GREEK",
    "gu": "GUJARATI",
    "he": "HEBREW",
    "hy": "ARMENIAN",
    "ka": "GEORGIAN",
    "km": "KHMER",
    "kn": "KANNADA",
    "ko": "HANGUL",
    "lo": "LAO",
    "ml": "MALAYALAM",
    "my": "MYANMAR",
    "or": "ORIYA",
    "pa": "GURMUKHI",
    "si": "SINHALA",
    "ta": "TAMIL",
    "te": "TELUGU",
    "th": "THAI",
}
TOLD = frozenset({*OWN, "ja", "zh"})
KANA = 0.1  # the least share of kana among kana and ideographs by which these are Japanese; texts have a half or so


def shares(text: str) -> dict[str, float]:
    """The share of each of these languages among a text's letters; nothing for a text without a letter."""
    scripts = Counter(_script(sign) for sign in text if sign.isalpha())
    letters = scripts.total()
    if not letters:
        return {}
    kana, ideographs = scripts["KANA"], scripts["CJK"]
    japanese = kana >= KANA * (kana + ideographs)
    found = {language: scripts[script] for language, script in OWN.items()}
    found |= {"ja": kana + ideographs * japanese, "zh": ideographs * (not japanese)}
    others = letters - sum(found.values())
    return {**{language: count / letters for language, count in found.items() if count}, "": others / letters}


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    said = name(letter, "")
    if "HIRAGANA" in said or "KATAKANA" in said:  # also half of the usual width
        return "KANA"
    return "CJK" if "IDEOGRAPH" in said else said.removeprefix("HALFWIDTH ").partition(" ")[0]
