"""Ask an exported model a file of test rows with plain transformers, and count answers that differ from a record's.

python same_answers.py FOLDER RECORD CORPUS FILE COLUMN [COLUMN]
"""

from __future__ import annotations

import csv
import json
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def main(folder: str, record: str, corpus: str, file: str, *columns: str) -> None:
    """Prints how many rows there are, and how many answers are others."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with open(f"{folder}/mergeboard.json", encoding="utf-8") as lines:
        longest = json.load(lines)["reading"]["max_length"]
    with open(record, encoding="utf-8") as lines:
        wanted = json.load(lines)["predictions"][corpus]["classes"]
    style = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if file.endswith(".tsv") else {}
    with open(file, encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, **style))
    said = ""
    for row in rows:
        texts = [row[column] for column in columns]
        inputs = tokenizer(*texts, truncation=True, max_length=longest, return_tensors="pt")
        with torch.no_grad():
            said += str(int(model(**inputs).logits.argmax()))
    others = sum(one != other for one, other in zip(said, wanted, strict=True))
    print(f"{corpus}: {len(rows)} rows, {others} answers differ")


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
