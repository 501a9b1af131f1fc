"""Fine-tune a classifier with plain transformers, whole or as a LoRA adapter, on a CSV or TSV file.

python train.py BASE DATA OUT --text COLUMN [--second COLUMN] --label COLUMN --labels a,b,c --seed 1 [--lora]
"""

from __future__ import annotations

import argparse

import torch
from datasets import Dataset, load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("base", "data", "out"):
        parser.add_argument(name)
    for name in ("--text", "--second", "--label", "--labels"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--lora", action="store_true", help="save an adapter instead of a whole model")
    asked = parser.parse_args()

    labels = asked.labels.split(",")
    numbers = {name: i for i, name in enumerate(labels)}
    of_name = {name.casefold(): i for name, i in numbers.items()}  # in a file they may be written in small letters
    set_seed(asked.seed)
    tokenizer = AutoTokenizer.from_pretrained(asked.base)
    model = AutoModelForSequenceClassification.from_pretrained(
        asked.base, num_labels=len(labels), id2label=dict(enumerate(labels)), label2id=numbers
    )
    if asked.lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig("SEQ_CLS", r=16, lora_alpha=32, target_modules=["query", "value"]))

    delimiter = "\t" if asked.data.endswith(".tsv") else ","
    quoting = {"quoting": 3} if delimiter == "\t" else {}
    rows = load_dataset("csv", data_files=asked.data, split="train", delimiter=delimiter, **quoting)

    def encode(batch: dict[str, list[str]]) -> dict[str, list[object]]:
        texts = [batch[column] for column in (asked.text, asked.second) if column]
        encoded = tokenizer(*texts, truncation=True, max_length=64)
        return {**encoded, "labels": [of_name[str(name).casefold()] for name in batch[asked.label]]}

    encoded: Dataset = rows.map(encode, batched=True, remove_columns=rows.column_names)
    training = TrainingArguments(
        output_dir=f"{asked.out}.log",
        num_train_epochs=asked.epochs,
        learning_rate=asked.learning_rate or (2e-3 if asked.lora else 5e-4),
        per_device_train_batch_size=32,
        warmup_steps=0.1,
        seed=asked.seed,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    collator = DataCollatorWithPadding(tokenizer)
    Trainer(model, training, train_dataset=encoded, data_collator=collator).train()
    model.save_pretrained(asked.out)
    model.config.save_pretrained(asked.out)  # of an adapter peft saves none, and so no names of labels
    tokenizer.save_pretrained(asked.out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
