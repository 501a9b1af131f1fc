"""Models of real shapes on the disk, of made-up numbers, written tensor by tensor: no machine has to hold one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from harness.streaming.header import Form
from harness.streaming.writer import Writer

LLAMAS = 3
NOISE = (1 << 24) + 43  # numbers that are drawn once; tensors take them from different places, again and again


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
    paths = []
    for k in range(LLAMAS + 1):
        paths.append(_folder(there / ("base" if k == 0 else f"m{k}"), json.dumps(config.to_dict())))
        numbers = _numbers(k)
        with Writer(paths[-1], forms) as writer:
            for i, (name, form) in enumerate(forms.items()):
                writer.write(name, _taken(form, i, numbers))
    return paths


def _folder(path: Path, config: str) -> Path:
    path.mkdir()
    (path / "config.json").write_text(config)
    return path


def _numbers(member: int) -> Tensor:
    """Numbers that a model's tensors are cut from: the base's (0), or a step away from them; twice over."""
    noise = torch.randn(NOISE, generator=torch.Generator().manual_seed(0)).mul_(0.02)
    own = noise.add(noise.roll(104729 * member), alpha=0.1) if member else noise
    return own.bfloat16().repeat(2)


def _taken(form: Form, tensor: int, numbers: Tensor) -> Tensor:
    """A tensor, from a place of its own on; one that needs more goes on at other places."""
    starts = ((7919 * tensor + k * 15485863) % NOISE for k in range(-(-form.size // NOISE)))
    pieces = [numbers[start : start + NOISE] for start in starts]
    return torch.cat(pieces)[: form.size].reshape(form.shape)
