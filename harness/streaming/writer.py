"""Writes a model's tensors as they come, in shards with an index, hashed and looked through in the same pass.

    with Writer(folder, forms) as writer:     # forms: name -> dtype and shape, in the order in which they lie in files
        writer.write(name, tensor)            # handed to a thread of its own, so that merging goes on meanwhile
    writer.hashes                             # file -> sha256, as `sha256sum` says it

A tensor that comes before its turn waits in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import torch
from torch import Tensor

from harness.checkpoints.buffers import is_buffer
from harness.checkpoints.checkpoint import INDEX, SAFE
from harness.errors import BadWeights
from harness.streaming import header
from harness.streaming.header import Form
from methods.base import tensor_is_finite

SHARD = 5_000_000_000  # bytes of the largest file of several tensors, as models on the hub have them
WAITING = 4  # tensors that may wait for the disk


class Writer:
    """Files of weights in a folder. Errors: `OSError` where the disk does not take them."""

    def __init__(self, folder: Path, forms: Mapping[str, Form], shard: int = SHARD) -> None:
        self._folder, self._forms = folder, forms
        self._files = _shared_out(forms, shard)
        self._turns = deque(forms)
        self._early: dict[str, Tensor] = {}
        self._thread = ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()
        self._file: BinaryIO | None = None
        self._name = ""
        self._begun = hashlib.sha256()
        self._starts = {next(iter(own)): name for name, own in self._files.items() if own}
        self.hashes: dict[str, str] = {}

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, _t: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None) -> None:
        try:
            while self._pending:
                future = self._pending.popleft()
                if error is None:
                    future.result()
        finally:
            self._thread.shutdown(cancel_futures=True)
            self._end()
        if error is None:
            assert not self._turns and not self._early, "a tensor is missing"
            self._index()

    def write(self, name: str, tensor: Tensor) -> None:
        """Take a tensor, which must not be written to any more.

        Errors: `BadWeights` for an earlier one that is not finite, `OSError` for one that the disk did not take.
        """
        self._early[name] = tensor
        while self._turns and self._turns[0] in self._early:
            name = self._turns.popleft()
            while len(self._pending) >= WAITING:
                self._pending.popleft().result()
            self._pending.append(self._thread.submit(self._take, name, self._early.pop(name)))

    def _take(self, name: str, tensor: Tensor) -> None:
        form = self._forms[name]
        assert (tensor.dtype, tuple(tensor.shape)) == (form.dtype, form.shape)
        if not tensor_is_finite(tensor) and not is_buffer(name, form.shape):  # a mask may be of infinities
            raise BadWeights(f"the merge of {name} is not finite; look at the members and at the method's numbers")
        if name in self._starts:
            self._end()
            self._name = self._starts[name]
            self._file, self._begun = (self._folder / self._name).open("wb"), hashlib.sha256()
            self._put(header.written(list(self._files[self._name].items())))
        if tensor.numel():
            self._put(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)

    def _put(self, content: bytes | memoryview) -> None:
        assert self._file is not None
        self._begun.update(content)
        self._file.write(content)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self.hashes[self._name] = self._begun.hexdigest()
            self._file = None

    def _index(self) -> None:
        """Which file holds which tensor, where there are several."""
        if len(self._files) == 1:
            return
        told = {
            "metadata": {"total_size": sum(form.bytes for form in self._forms.values())},
            "weight_map": {name: file for file, own in self._files.items() for name in own},
        }
        text = json.dumps(told, indent=2, sort_keys=True) + "\n"
        (self._folder / f"{SAFE}{INDEX}").write_text(text, encoding="utf-8")


def size_of(forms: Mapping[str, Form]) -> int:
    """Bytes that these tensors take on the disk, but for some thousands of headers."""
    return sum(form.bytes for form in forms.values())


def _shared_out(forms: Mapping[str, Form], most: int) -> dict[str, dict[str, Form]]:
    """File -> its tensors, in their order."""
    parts: list[dict[str, Form]] = [{}]
    held = 0
    for name, form in forms.items():
        if parts[-1] and held + form.bytes > most:
            parts.append({})
            held = 0
        parts[-1][name] = form
        held += form.bytes
    if len(parts) == 1:
        return {SAFE: parts[0]}
    stem, _, end = SAFE.partition(".")
    return {f"{stem}-{k:05d}-of-{len(parts):05d}.{end}": part for k, part in enumerate(parts, 1)}
