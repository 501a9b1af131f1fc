"""One member of a population: a pre-trained model fine-tuned on some rows with some seed, by transformers' Trainer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from harness.batches import padded
from harness.data.corpus import Split
from harness.families.base import Family, Loaded
from harness.progress import Progress
from harness.protocols import Protocol
from methods.base import Weights

VERSION = 1  # of fine-tuning: raise it when the same recipe gives another member


def finetune(
    family: Family,
    loaded: Loaded,
    tokenizer: Any,
    train: Split,
    protocol: Protocol,
    seed: int,
    dev_score: Callable[[Weights], float],
    progress: Progress,
) -> tuple[dict[str, Tensor], list[float]]:
    """Fine-tune `loaded.model` on `train`; returns the chosen weights and the dev score after every epoch.

    AdamW, linear decay after a warm-up, no weight decay, gradients clipped at 1 (protocol 2.3). With
    `checkpoint="best_dev"` the epoch with the best dev score is kept, the first one on a tie.
    """
    keep = BestEpoch(loaded.model, dev_score, protocol, progress)
    rows = _Rows(family.encode(tokenizer, train.texts, protocol.max_length), torch.from_numpy(train.labels))
    pad = int(getattr(tokenizer, "pad_token_id", None) or 0)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = _FamilyTrainer(
            family=family,
            fresh=loaded.fresh,
            head_rate=protocol.head_rate,
            model=loaded.model.train(),
            args=arguments(protocol, seed, scratch, len(rows)),
            train_dataset=rows,
            data_collator=lambda examples: _collate(examples, pad),
            callbacks=[keep],
        )
        trainer.remove_callback(_printer())
        trainer.train()
    loaded.model.eval()
    return keep.weights, keep.history


def arguments(protocol: Protocol, seed: int, scratch: str, rows: int) -> TrainingArguments:
    """The Trainer's view of the protocol."""
    steps = -(-rows // protocol.batch_size) * protocol.epochs
    return TrainingArguments(
        output_dir=scratch,
        num_train_epochs=protocol.epochs,
        per_device_train_batch_size=protocol.batch_size,
        learning_rate=protocol.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(protocol.warmup * steps),
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=protocol.train_dtype == "bf16",
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available(),
    )


class BestEpoch(TrainerCallback):  # type: ignore[misc]
    """Keeps the weights of the epoch with the best dev score, in memory: no checkpoint is written per epoch."""

    def __init__(
        self, model: nn.Module, dev_score: Callable[[Weights], float], protocol: Protocol, progress: Progress
    ) -> None:
        self._model, self._score, self._progress = model, dev_score, progress
        self._last, self._epochs = protocol.checkpoint == "last", protocol.epochs
        self.history: list[float] = []
        self.weights: dict[str, Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Score this epoch's weights and copy them if they are to be kept."""
        weights = {name: p.detach() for name, p in self._model.named_parameters()}
        score = self._score(weights)
        if self._last or not self.history or score > max(self.history):
            self.weights = {name: tensor.cpu().clone() for name, tensor in weights.items()}
        self.history.append(score)
        self._progress.tick(f"epoch {len(self.history)} of {self._epochs}, dev score {score:.4f}")


class _FamilyTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with the family's loss, and a learning rate of its own for the fresh head."""

    def __init__(self, family: Family, fresh: frozenset[str], head_rate: float, **options: Any) -> None:
        super().__init__(**options)
        self._family, self._fresh, self._head_rate = family, fresh, head_rate

    def create_optimizer(self, *_: Any) -> Any:
        if getattr(self, "optimizer", None) is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            heads = [p for name, p in self.model.named_parameters() if name in self._fresh]
            trunk = [p for name, p in self.model.named_parameters() if name not in self._fresh]
            groups = [{"params": trunk}, {"params": heads, "lr": options["lr"] * self._head_rate}]
            self.optimizer = kind([g for g in groups if g["params"]], **options)
        return self.optimizer

    def compute_loss(self, model: nn.Module, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        loss = self._family.loss(model, inputs["ids"], inputs["mask"], inputs["labels"])
        return (loss, None) if return_outputs else loss


class _Rows(Dataset[dict[str, Any]]):
    def __init__(self, ids: list[list[int]], labels: Tensor) -> None:
        self._ids, self._labels = ids, labels

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"ids": self._ids[i], "labels": self._labels[i]}


def _collate(examples: list[dict[str, Any]], pad: int) -> dict[str, Tensor]:
    batch = padded([e["ids"] for e in examples], range(len(examples)), pad)
    return {"ids": batch.ids, "mask": batch.mask, "labels": torch.stack([e["labels"] for e in examples])}


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback
