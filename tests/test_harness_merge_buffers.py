"""Buffers that a checkpoint carries among its parameters change no merge: they are the first member's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.checkpoints.buffers import is_buffer
from harness.streaming.agreed import agreed
from harness.streaming.merge import Beside, merge
from harness.streaming.shards import Shards
from methods import Population, Weights, known, resolve
from methods.contract import toy_population
from methods.tensors.tensorwise import Tensorwise

STREAMED = [name for name in known() if isinstance(resolve(name), Tensorwise) and name not in ("search", "calibrated")]
BUFFERS = {  # as old versions of transformers saved them
    "h.0.attn.bias": torch.tril(torch.ones(1, 1, 6, 6)),
    "h.0.attn.masked_bias": torch.tensor(-torch.inf),
    "layer.attention.bias": torch.tril(torch.ones(1, 1, 6, 6)).bool(),
    "layer.attention.rotary_emb.inv_freq": torch.arange(1.0, 5.0),
    "rotary.cos_cached": torch.ones(1, 1, 6, 4),
    "embeddings.position_ids": torch.arange(6)[None],
    "embed_positions.weights": torch.randn(6, 4),
    "final_logits_bias": torch.zeros(1, 9),
    "layer.relative_position_index": torch.arange(9).view(3, 3),
}


def merged(name: str, there: Path, some: Population, *own: Weights) -> Weights:
    """The merge of these members, with so much beside each of them and beside the base, from files to a file."""
    found = []
    for k, (weights, more) in enumerate(zip((*some.members, some.ancestor), own, strict=True)):
        folder = there / str(k)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        save_file({n: x.contiguous() for n, x in {**weights, **more}.items()}, folder / "model.safetensors")
        found.append(Shards(folder))
    (there / "out").mkdir()
    models = agreed(dict(zip(some.names, found, strict=False)), found[-1])
    merge(resolve(name), models, there / "out", Beside(some.statistics, some.transposed))
    return dict(load_file(there / "out" / "model.safetensors"))


def shifted(by: float) -> dict[str, Tensor]:
    """Buffers with other numbers, by which nobody may be led."""
    return {name: x + by if x.is_floating_point() else x for name, x in BUFFERS.items()}


@pytest.mark.parametrize("name", STREAMED)
def test_buffers_change_no_parameter_of_any_merge_and_are_the_first_members(name: str, tmp_path: Path) -> None:
    some = toy_population(2 if name == "slerp" else 3, torch.float32)
    bare = merged(name, tmp_path / "bare", some, *({} for _ in range(len(some) + 1)))
    others = [shifted(k) for k in range(1, len(some))]
    found = merged(name, tmp_path / "with", some, BUFFERS, *others, shifted(7))
    assert found.keys() == bare.keys() | BUFFERS.keys()
    assert all(torch.equal(x, found[key]) for key, x in bare.items())
    assert all(torch.equal(x, found[key]) for key, x in BUFFERS.items())


def test_members_of_which_only_some_carry_buffers_are_merged(tmp_path: Path) -> None:
    some = toy_population(2, torch.float32)
    assert BUFFERS.keys() <= merged("simple", tmp_path / "first", some, BUFFERS, {}, {}).keys()
    assert not BUFFERS.keys() & merged("simple", tmp_path / "second", some, {}, BUFFERS, BUFFERS).keys()


@pytest.mark.parametrize("shape", [(5,), (1, 4, 6, 6), (6, 6)], ids=str)
def test_a_parameter_that_is_named_as_a_mask_is_merged(shape: tuple[int, ...], tmp_path: Path) -> None:
    own = {"h.0.attn.bias": torch.randn(shape)}
    assert not is_buffer("h.0.attn.bias", shape)
    other = {name: x + 2 for name, x in own.items()}
    found = merged("simple", tmp_path, toy_population(2, torch.float32), own, other, own)
    assert torch.allclose(found["h.0.attn.bias"], own["h.0.attn.bias"] + 1)
