"""What speed is measured against: plain loops over the same bytes, and a plain Trainer over the same rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from harness import devices
from harness.families.batches import Batches
from methods.base import Weights
from methods.loops.sweep import shared_out
from methods.tensors.pieces import blank_like, pieces


def triad(out: Weights, x: Weights, a: Weights, b: Weights, scale: float = 0.5) -> None:
    """out = x + F (a - b), written where memory already is: three reads and one write of every scalar."""
    for name, target in out.items():
        torch.sub(a[name], b[name], out=target)
        torch.add(x[name], target, alpha=scale, out=target)


def read_all_write_one(operands: Sequence[Weights]) -> Weights:
    """The sum of the operands, piece by piece, as a new model: what any merge of them has to read and write."""
    out = blank_like(operands[0])
    for name, target in out.items():
        flat, written = [operand[name].reshape(-1) for operand in operands], target.view(-1)
        for piece in pieces(written):
            total = written[piece].copy_(flat[0][piece])
            for x in flat[1:]:
                total.add_(x[piece])
    return out


class Copies:
    """Plain copies of as many bytes as are read and written, by as many threads as torch may use."""

    def __init__(self, traffic: int) -> None:
        self._left = traffic // 2  # a copy reads and writes
        size = min(self._left, 1 << 28)
        self._source, self._target = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        self._source += 1  # zeros of a new array are one page for all
        self._target += 1

    def __call__(self) -> None:
        """Copy them."""
        size, step = len(self._source), 1 << 19
        jobs = [slice(start % size, min(start % size + step, size)) for start in range(0, self._left, step)]
        shared_out(lambda piece: np.copyto(self._target[piece], self._source[piece]), jobs)


class Predictor:
    """`Trainer.predict` over rows in their own order, padded to the longest of each batch."""

    def __init__(self, model: nn.Module, rows: Batches, batch_size: int = 16) -> None:
        encoded = {int(i): row for batch in rows for i, row in zip(batch.index, batch.rows, strict=True)}
        family = next(iter(rows)).family
        self._rows: Any = [encoded[i] for i in range(len(encoded))]
        self._scratch = tempfile.TemporaryDirectory()

        def collate(some: list[Any]) -> dict[str, Tensor]:
            inputs = family.collate(some)
            return {"input_ids": inputs["ids"], "attention_mask": inputs["mask"]}

        arguments = TrainingArguments(
            output_dir=self._scratch.name,
            per_device_eval_batch_size=batch_size,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            report_to=[],
            use_cpu=devices.current() == devices.CPU,
        )
        self._trainer = Trainer(model, arguments, collate)

    def __call__(self) -> Tensor:
        """(rows, outputs)."""
        return torch.from_numpy(self._trainer.predict(self._rows).predictions)


class Neighbour:
    """Another process that keeps one core busy whenever it is let."""

    def __enter__(self) -> Neighbour:
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        self.rest()
        return self

    def rest(self) -> None:
        """Leave the machine alone."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def work(self) -> None:
        """Keep a core busy."""
        os.kill(self._process.pid, signal.SIGCONT)

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
