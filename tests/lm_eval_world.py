"""Tasks of lm-eval over made-up documents in a folder, and models that answer them: nothing is fetched."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

METRICS = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "answer",
    "metric_list": [*METRICS, {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 2.0},
}
WRITTEN = {
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_choice": None,
    "doc_to_target": "said",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 3},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "filter_list": [
        {"name": "first", "filter": [{"function": "regex", "regex_pattern": r"(\w+)"}, {"function": "take_first"}]},
        {"name": "whole", "filter": [{"function": "take_first"}]},
    ],
}

Document = dict[str, Any]


def documents(words: Sequence[str], rows: int, seed: int) -> list[Document]:
    """Questions of four words with three choices and a word to say."""
    draw = random.Random(seed)
    return [
        {
            "question": " ".join(draw.choices(words, k=4)),
            "choices": draw.sample(words, 3),
            "answer": draw.randrange(3),
            "said": draw.choice(words),
        }
        for _ in range(rows)
    ]


def task(folder: Path, name: str, splits: Mapping[str, Sequence[Document]], **changes: Any) -> Path:
    """Write a task and its documents; `splits`: those of train, validation and test that it has."""
    data = folder / "documents" / name
    data.mkdir(parents=True, exist_ok=True)
    files = {}
    for split, rows in splits.items():
        files[split] = str(data / f"{split}.jsonl")
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    keys = {"train": "training_split", "validation": "validation_split", "test": "test_split"}
    described = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        **{keys[split]: split for split in splits},
        **{key: value for key, value in {**CHOICE, **changes}.items() if value is not None},
    }
    (folder / "tasks").mkdir(exist_ok=True)
    path = folder / "tasks" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path
