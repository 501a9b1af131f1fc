"""Reads exported models as anybody would: transformers alone, one row at a time. Run as a script, in a fresh process.

    python plain_reader.py QUESTIONS

QUESTIONS is a JSON file: [{"kind", "folder", "texts", "outputs", "statements", "questions", "threshold", "yes", "no"},
...]. The answers, (rows, outputs) of 0 and 1 for each, are printed as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
import transformers


def answers(asked: dict[str, Any]) -> list[list[int]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(asked["folder"])
    kind = {"encoder": "SequenceClassification", "decoder": "CausalLM", "encoder_decoder": "Seq2SeqLM"}[asked["kind"]]
    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(asked["folder"], dtype=torch.float32).eval()
    ask = {"encoder": labels, "decoder": statements, "encoder_decoder": questions}[asked["kind"]]
    with torch.no_grad():
        return [ask(model, tokenizer, text, asked) for text in asked["texts"]]


def labels(model: Any, tokenizer: Any, text: str, asked: dict[str, Any]) -> list[int]:
    logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
    places = [model.config.label2id[name] for name in asked["outputs"]]
    return [int(logits[k] >= asked["threshold"]) for k in places]


def statements(model: Any, tokenizer: Any, text: str, asked: dict[str, Any]) -> list[int]:
    found = []
    for statement in asked["statements"]:
        logits = model(**tokenizer(f"{text} {statement}", return_tensors="pt")).logits[0, -1]
        found.append(int(logits[asked["yes"]] >= logits[asked["no"]]))
    return found


def questions(model: Any, tokenizer: Any, text: str, asked: dict[str, Any]) -> list[int]:
    start = [model.config.decoder_start_token_id, tokenizer.convert_tokens_to_ids("<extra_id_0>")]
    found = []
    for question in asked["questions"]:
        inputs = tokenizer(f"{question} <extra_id_0> {text}", return_tensors="pt")
        logits = model(**inputs, decoder_input_ids=torch.tensor([start])).logits[0, -1]
        found.append(int(logits[asked["yes"]] >= logits[asked["no"]]))
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps([answers(asked) for asked in json.load(file)]))
