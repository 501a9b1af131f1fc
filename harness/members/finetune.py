"""One member of a population: a pre-trained model fine-tuned on some rows with some seed, by transformers' Trainer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from harness import devices
from harness.families.base import Family, Row
from harness.judging.progress import Progress
from harness.members.allocator import memory_kept
from harness.members.joint import Joint, Part
from harness.protocol.parts import Training
from harness.storage.unfinished import MODEL, Checkpoints, Place
from methods.base import Weights


def finetune(
    family: Family,
    parts: Sequence[Part],
    training: Training,
    seed: int,
    dev_score: Callable[[Weights], float] | None,
    progress: Progress,
    place: Place,
) -> tuple[dict[str, Tensor], list[float]]:
    """Fine-tune on the rows of one task, or of several that share a trunk; returns the chosen weights and dev scores.

    AdamW, linear decay after a warm-up, no weight decay, gradients clipped at 1. With
    `checkpoint="best_dev"` the weights with the best dev score are kept, the first ones on a tie; without a score only
    `last` can be, and none is returned. With several tasks
    every batch mixes their rows, and the heads' names begin with their part's name and `::`. A training that was
    killed goes on from the checkpoint at its `place`, if that has one.
    """
    joint = Joint(parts)
    keep = BestCheckpoint(joint, dev_score, training, progress)
    rows = _Rows(family, parts, training.max_length)
    saved = Checkpoints(place, keep)
    with place.scratch() as scratch:
        trainer = _FamilyTrainer(
            family=family,
            saved=saved,
            parts=parts,
            head_rate=training.head_rate,
            model=joint.train(),
            args=arguments(training, seed, scratch, len(rows)),
            train_dataset=rows,
            data_collator=rows.collate,
            callbacks=[keep, saved],  # in this order: what is saved has been scored
        )
        trainer.remove_callback(_printer())
        with memory_kept():
            trainer.train(resume_from_checkpoint=saved.begin())
    joint.eval()
    return keep.weights, keep.history if dev_score is not None else []


def arguments(training: Training, seed: int, scratch: str, rows: int) -> TrainingArguments:
    """The Trainer's view of the training."""
    steps = training.steps or -(-rows // training.batch_size) * training.epochs
    found = TrainingArguments(
        output_dir=scratch,
        num_train_epochs=training.epochs,
        max_steps=training.steps or -1,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(training.warmup * steps),
        weight_decay=0.0,
        max_grad_norm=1.0,
        train_sampling_strategy="group_by_length" if training.train_batches == "by_length" else "random",
        bf16=training.train_dtype == "bf16",
        seed=seed,
        data_seed=seed,
        save_strategy="no",  # Checkpoints says when
        eval_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        use_cpu=devices.current() == devices.CPU,
    )
    # A batch is a batch on every machine: with several GPUs in sight the Trainer would give one to each of them.
    found.device  # noqa: B018  # which counts them
    found._n_gpu = min(1, found._n_gpu)
    return found


class BestCheckpoint(TrainerCallback):  # type: ignore[misc]
    """Keeps the weights with the best dev score, in memory.

    Scored after every epoch, or after every `check_every` steps.
    """

    def __init__(
        self, joint: Joint, dev_score: Callable[[Weights], float] | None, training: Training, progress: Progress
    ) -> None:
        self._joint, self._score, self._progress = joint, dev_score, progress
        self._last, self._every = training.checkpoint == "last", training.check_every
        self.history: list[float] = []
        self.weights: dict[str, Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An epoch is over."""
        if self._every is None:
            self._check(f"epoch {len(self.history) + 1} of {args.num_train_epochs:.0f}")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A step is done; the last one is always checked."""
        if self._every is not None and (state.global_step % self._every == 0 or state.global_step == state.max_steps):
            self._check(f"step {state.global_step} of {state.max_steps}")

    def _check(self, when: str) -> None:
        """Score these weights and copy them if they are to be kept."""
        weights = self._joint.weights()
        score = math.nan if self._score is None else self._score(weights)
        if self._last or not self.history or score > max(self.history):
            self.weights = {name: tensor.cpu().clone() for name, tensor in weights.items()}
        self.history.append(score)
        self._progress.tick(when if self._score is None else f"{when}, dev score {score:.4f}")


class _FamilyTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with the family's loss, and a learning rate of its own for the fresh head."""

    def __init__(
        self, family: Family, parts: Sequence[Part], head_rate: float, saved: Checkpoints, **options: Any
    ) -> None:
        super().__init__(**options)
        self._family, self._parts, self._head_rate, self._saved = family, tuple(parts), head_rate, saved

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        made = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        self._saved.keep(lambda: super(_FamilyTrainer, self)._save_checkpoint(model, trial), made)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Tensors with several names, of which a joint model is full, are written once, which safetensors refuses."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / MODEL)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        held = torch.load(Path(resume_from_checkpoint) / MODEL, map_location="cpu", weights_only=True)
        self.model.load_state_dict(held)

    def create_optimizer(self, *_: Any) -> Any:
        if getattr(self, "optimizer", None) is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            fresh = {
                id(p) for part in self._parts for n, p in part.loaded.model.named_parameters() if n in part.loaded.fresh
            }
            every = list(self.model.parameters())
            heads = [p for p in every if id(p) in fresh]
            trunk = [p for p in every if id(p) not in fresh]
            groups = [{"params": trunk}, {"params": heads, "lr": options["lr"] * self._head_rate}]
            self.optimizer = kind([g for g in groups if g["params"]], **options)
        return self.optimizer

    def compute_loss(self, model: nn.Module, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """The loss of every part's rows, weighted by their number."""
        losses, counts = [], []
        for place, batch in inputs.items():
            part = self._parts[int(place)]
            losses.append(self._family.loss(part.loaded.model, part.task, batch["inputs"], batch["labels"]))
            counts.append(len(batch["labels"]))
        loss = losses[0] if len(losses) == 1 else sum(x * n for x, n in zip(losses, counts, strict=True)) / sum(counts)
        return (loss, None) if return_outputs else loss


class _Rows(Dataset[dict[str, Any]]):
    """The encoded rows of all parts, one part after the other."""

    def __init__(self, family: Family, parts: Sequence[Part], max_length: int) -> None:
        self._family = family
        self._rows: list[tuple[int, Row, Tensor]] = []
        for place, part in enumerate(parts):
            encoded = family.encode(part.task, part.rows, max_length)
            labels = torch.from_numpy(part.rows.labels)
            self._rows += [(place, row, own) for row, own in zip(encoded, labels, strict=True)]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> dict[str, Any]:
        place, row, labels = self._rows[i]
        return {"input_ids": range(row.tokens), "part": place, "row": row, "labels": labels}  # ids: for their length

    def collate(self, examples: list[dict[str, Any]]) -> Mapping[str, Any]:
        """Part -> its rows of this batch, padded, and their labels."""
        batch = {}
        for place in sorted({e["part"] for e in examples}):
            mine = [e for e in examples if e["part"] == place]
            labels = torch.stack([e["labels"] for e in mine])
            batch[str(place)] = {"inputs": dict(self._family.collate([e["row"] for e in mine])), "labels": labels}
        return batch


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback
