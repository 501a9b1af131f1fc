"""The numbers that the Evolver paper reports, to stand beside ours; the doubtful ones carry their doubt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODELS = {  # the last part of a model's name, in lower case -> the paper's column
    "roberta-base": "roberta-base",
    "distilbert-base-uncased": "distilbert-base",
    "deberta-v3-large": "deberta-large",
    "gpt2": "gpt2",  # the hub calls it openai-community/gpt2
    "t5-v1_1-base": "t5-base",
}


@dataclass(frozen=True)
class Published:
    """One number of the paper."""

    value: float  # 0 to 100, as printed
    doubt: str  # why it should not be taken at face value, or ""


def published(suite: str, model: str, setting: str, heads: str, method: str) -> Published | None:
    """What the paper has for this cell, if anything.

    The paper's row "Evolver" is found under `simple_evolver`: its own ablation ends at Simple's score without
    development data, and several of its cells lie below Best, so it can only be the variant that judges the mean.
    """
    if suite != "emotion":
        return None
    cells = _cells()
    for head in ("diff",) if heads == "diff" else ("same", "none"):  # a model without fresh heads has one column
        found = cells.get((column(model), setting, head, method))
        if found:
            return found
    return None


def column(model: str) -> str:
    """The paper's name of a model: "microsoft/deberta-v3-large" -> "deberta-large"; "" if it has none."""
    name = model.rsplit("/", 1)[-1].lower()
    return "minicpm" if name.startswith("minicpm") else MODELS.get(name, "")


@cache
def _cells() -> dict[tuple[str, str, str, str], Published]:
    text = Path(__file__).with_name("paper.json").read_text(encoding="utf-8")
    return {
        (cell["model"], cell["setting"], cell["heads"], cell["method"]): Published(cell["value"], cell["doubt"])
        for cell in json.loads(text)["cells"]
    }
