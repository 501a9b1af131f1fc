"""Models of real shapes on the disk, of made-up numbers, written tensor by tensor: no machine has to hold one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from harness.streaming.header import Form
from harness.streaming.writer import Writer

LLAMAS = 3
NOISE = (1 << 24) + 43  # numbers that are drawn once; tensors take them from different places


def robertas(there: Path, shape: str) -> list[Path]:
    """A base and five members in float32."""
    tools = import_module("suites.workbench")
    model = tools.model_of(shape)
    population = tools.population_of(model, statistics=False)
    config = json.dumps({**model.config.to_dict(), "architectures": [type(model).__name__]})
    paths = []
    for name, weights in (("base", population.ancestor), *zip(population.names, population.members, strict=True)):
        paths.append(_folder(there / name, config))
        with Writer(paths[-1], {n: Form(x.dtype, tuple(x.shape)) for n, x in weights.items()}) as writer:
            for n, x in weights.items():
                writer.write(n, x)
    return paths


def llamas(there: Path, size: Mapping[str, int]) -> list[Path]:
    """A base and three members in bfloat16."""
    config = LlamaConfig(
        vocab_size=size["vocab"],
        hidden_size=size["hidden"],
        intermediate_size=size["inner"],
        num_hidden_layers=size["blocks"],
        num_attention_heads=32 if size["hidden"] % 32 == 0 else 8,
        architectures=["LlamaForCausalLM"],
        tie_word_embeddings=False,
    )
    with torch.device("meta"):  # names and shapes alone
        model = LlamaForCausalLM(config)
    forms = {name: Form(torch.bfloat16, tuple(p.shape)) for name, p in model.named_parameters()}
    noise = torch.randn(NOISE, generator=torch.Generator().manual_seed(0)).mul_(0.02).repeat(2)
    paths = []
    for k in range(LLAMAS + 1):
        paths.append(_folder(there / ("base" if k == 0 else f"m{k}"), json.dumps(config.to_dict())))
        with Writer(paths[-1], forms) as writer:
            for i, (name, form) in enumerate(forms.items()):
                writer.write(name, _made(form, i, k, noise))
    return paths


def _folder(path: Path, config: str) -> Path:
    path.mkdir()
    (path / "config.json").write_text(config)
    return path


def _made(form: Form, tensor: int, member: int, noise: Tensor) -> Tensor:
    """The base's tensor, and of a member a step away from it."""
    made = torch.empty(form.size, dtype=form.dtype)
    bases, steps = _pieces(form, noise, 7919 * tensor), _pieces(form, noise, 104729 * (tensor + 1) * member)
    for piece, base, step in zip(made.split(NOISE), bases, steps, strict=True):
        piece.copy_(torch.add(base, step, alpha=0.1) if member else base)
    return made.reshape(form.shape)


def _pieces(form: Form, noise: Tensor, start: int) -> Iterator[Tensor]:
    """So many numbers of the noise, which is there twice over, from different places."""
    for begin in range(0, form.size, NOISE):
        first = (start + begin // NOISE * 15485863) % NOISE
        yield noise[first : first + min(NOISE, form.size - begin)]
