"""What the measurements of speed and memory work on: models, populations and rows of a stated shape, and the tools.

It needs torch, so the tests get it as a fixture: a listing of the suites imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification

from harness.data.corpus import Split
from harness.families.batches import Batch, Batches, prepare
from harness.families.encoder import Encoder
from harness.judging.live import LiveModel
from harness.judging.meter import Meter
from harness.judging.scoring import DevScorer
from harness.judging.sheet import Sheet
from harness.judging.yardsticks import Copies, Neighbour, Predictor, read_all_write_one, triad
from harness.members import fisher, gram
from harness.members.allocator import memory_kept
from harness.members.placed import Place
from harness.suites.emotion import labels as emotion
from methods import Merged, Population
from methods.contract import same_bits
from methods.evolver import Evolver
from methods.loops import sweep
from methods.regmean import RegMean
from methods.tensors.candidates import candidates_of
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from methods.tensors.tensorwise import Part

MEMBERS, ROWS = 5, 128
SHAPES: Mapping[str, Mapping[str, int]] = {
    "small": {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"intermediate_size": 256},
    "roberta-base": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
}

__all__ = [
    "MEMBERS",
    "ROWS",
    "SHAPES",
    "Batch",
    "Copies",
    "CountingScore",
    "DevScorer",
    "Draws",
    "Evolver",
    "LiveModel",
    "Meter",
    "Neighbour",
    "Part",
    "Population",
    "Predictor",
    "RegMean",
    "RobertaForSequenceClassification",
    "Sheet",
    "blank_like",
    "candidates_of",
    "emotion",
    "fisher",
    "gram",
    "memory_kept",
    "on_gpu",
    "read_all_write_one",
    "replace",
    "same_bits",
    "sweep",
    "torch",
    "triad",
    "write_child",
]


class CountingScore:
    """A dev score that costs nothing and likes every candidate better than the last, so that children are accepted."""

    calls = 0

    def __call__(self, merged: Merged) -> float:
        self.calls += 1
        return self.calls / 1000


def model_of(shape_name: str) -> RobertaForSequenceClassification:
    """One random model of the shape."""
    torch.manual_seed(0)
    shape = SHAPES.get(shape_name, SHAPES["small"])
    torch.set_num_threads(1 if shape is SHAPES["small"] else torch.get_num_threads())
    return RobertaForSequenceClassification(RobertaConfig(**shape, num_labels=len(emotion.LABELS))).eval()


def population_of(model: RobertaForSequenceClassification, statistics: bool = True) -> Population:
    """Five random members around one ancestor, with random statistics of the right shapes if they are wanted."""
    rng = torch.Generator().manual_seed(0)
    ancestor = {name: p.detach() for name, p in model.named_parameters()}
    members = tuple(
        {name: p + 0.01 * torch.randn(p.shape, generator=rng) for name, p in ancestor.items()} for _ in range(MEMBERS)
    )
    names = tuple(f"m{i}" for i in range(MEMBERS))
    if not statistics:
        return Population(members, names, ancestor)

    def made_up(width: int) -> Tensor:
        rows = torch.randn(2 * width, width, generator=rng)
        return rows.T @ rows / (2 * width)

    shared = {width: made_up(width) for width in {ancestor[n].shape[1] for n in gram.linear_modules(model)}}
    made: Mapping[str, Any] = {
        "fisher": tuple({n: p.square() for n, p in m.items()} for m in members),
        "gram": tuple({n: shared[ancestor[n].shape[1]] for n in gram.linear_modules(model)} for _ in members),
    }
    return Population(members, names, ancestor, made)


def half_population_of(model: RobertaForSequenceClassification, dtype: torch.dtype) -> Population:
    """Five random members around one ancestor in 16 bits, with one Fisher information for all, in float32."""
    rng = torch.Generator().manual_seed(0)
    start = {name: p.detach() for name, p in model.named_parameters()}
    members = tuple(
        {name: (p + 0.01 * torch.randn(p.shape, generator=rng)).to(dtype) for name, p in start.items()}
        for _ in range(MEMBERS)
    )
    fisher = {name: p.square() for name, p in start.items()}
    ancestor = {name: p.to(dtype) for name, p in start.items()}
    return Population(members, tuple(f"m{i}" for i in range(MEMBERS)), ancestor, {"fisher": (fisher,) * MEMBERS})


def on_gpu(population: Population) -> Population:
    """The same members and ancestor there."""
    place = Place("cuda")
    return replace(
        population, members=tuple(map(place.bring, population.members)), ancestor=place.bring(population.ancestor)
    )


def made_up_rows() -> Batches:
    """Made-up texts of a few to fifty words, as short messages are, with made-up labels."""
    words = ["<pad>", "<unk>", *(f"w{i}" for i in range(900))]
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>")
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(2.7, 0.6, size=ROWS), 3, 50).astype(int)
    texts = tuple(" ".join(rng.choice(words[2:], size=n)) for n in lengths)
    labels = rng.integers(0, 2, size=(ROWS, len(emotion.LABELS)))
    return prepare(Encoder(tokenizer), emotion.TASK, Split(texts, labels), max_length=64, batch_tokens=4096)


def of(model: torch.nn.Module, batch: Batch) -> Tensor:
    """(rows, outputs) logits of a batch."""
    return batch.family.logits(model, emotion.TASK, batch.inputs)


def model_bytes(population: Population) -> int:
    """Size of one model."""
    return sum(p.numel() * p.element_size() for p in population.ancestor.values())
