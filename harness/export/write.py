"""One model in transformers' layout: weights in shards, configuration with label names, tokenizer, generation config.

    model = Blank.of(lab, task)           # before anything is merged: a model without weights
    digest = model.write(weights, folder) # lets go of the weights tensor by tensor where their dtype changes
    read_back(model, folder, digest)      # what from_pretrained finds there is what was written

Of the weights no second copy is made: transformers hands their addresses to safetensors.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from harness.cells.lab import Lab
from harness.cells.recorded import weights_sha256
from harness.data.task import Task
from harness.errors import BadWeights
from harness.judging.live import SCOPE
from methods import Weights

SHARD = "5GB"  # the largest file of weights, as models on the hub have them


@dataclass(frozen=True, eq=False)
class Blank:
    """A model of one task that waits for its weights."""

    model: Any  # of transformers; its parameters are empty
    tokenizer: Any
    names: tuple[str, ...]

    @staticmethod
    def of(lab: Lab, task: Task) -> Blank:
        """The model's class, configuration and buffers; for a moment with the weights that it was published with."""
        model: Any = lab.subject.fresh(task, seed=1).model
        names = tuple(name for name, _ in model.named_parameters())
        _empty(model)
        tokenizer = copy.deepcopy(lab.subject.family.tokenizer)
        if tokenizer.is_fast:  # one that has cut and padded texts would be saved with where it cut them
            tokenizer.backend_tokenizer.no_truncation()
            tokenizer.backend_tokenizer.no_padding()
        return Blank(model, tokenizer, names)

    def write(self, weights: Weights, folder: Path, dtype: torch.dtype, shard: str = SHARD) -> str:
        """Write everything into this folder; returns the hash of the weights that were written, read as float32.

        Errors: `OSError` where the disk does not take them.
        """
        try:
            for name, parameter in self.model.named_parameters():
                parameter.data = as_written(weights[name], dtype)
            digest = weights_sha256(_read_as({n: p.detach() for n, p in self.model.named_parameters()}))
            self.model.save_pretrained(folder, max_shard_size=shard)
            self.tokenizer.save_pretrained(folder)
        except SafetensorError as error:  # a full disk, above all
            raise OSError(str(error)) from None
        finally:
            _empty(self.model)
        return digest


def weights_of(blank: Blank, merged: Weights, head: Weights, scope: str) -> dict[str, Tensor]:
    """The parameters of one task's model: a head of its own comes before the merged one, as when it was scored."""
    whole = {**merged, **head}
    return {name: whole.get(f"{scope}{SCOPE}{name}", whole.get(name)) for name in blank.names}  # type: ignore[misc]


def read_back(blank: Blank, folder: Path, digest: str) -> Weights:
    """What from_pretrained finds in the folder, in float32. Errors: `BadWeights` if it is not what was written."""
    model = type(blank.model).from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    found = {name: parameter.detach() for name, parameter in model.named_parameters()}
    if weights_sha256(found) != digest:
        raise BadWeights(f"{folder}: what was written is read back with other values; is the disk damaged?")
    return found


def as_written(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in the dtype that the members had; numbers that are no floats stay."""
    return tensor.detach().to(dtype) if tensor.is_floating_point() else tensor.detach()


class _read_as(Mapping[str, Tensor]):
    """Weights as a reader in float32 has them, one tensor at a time."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def __getitem__(self, name: str) -> Tensor:
        return as_written(self._weights[name], torch.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def _empty(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.data = torch.empty(0, dtype=parameter.dtype)
