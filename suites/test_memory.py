"""What a merge of memory-mapped checkpoints, or a route through their blocks, holds in memory at its peak, in sizes of
one model.

Three members of a Llama's shape in bf16, random weights, written as safetensors and mapped as a cell maps them.
`--speed-shape=llama-1.1b` takes TinyLlama's shape (1.1 billion parameters, 9 GB of disk, minutes), `llama-31m` a small
one of seconds; without either this is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.judging.meter import Meter

pytestmark = pytest.mark.measures
MEMBERS = 3
SLACK = 0.25  # of a model, for the buffers that a merge works in; and a fixed part, for what is smaller than a buffer
FIXED = 64 * 2**20
SHAPES: Mapping[str, Mapping[str, int]] = {
    "llama-31m": {"vocab_size": 8000, "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8}
    | {"num_attention_heads": 8, "num_key_value_heads": 2},
    "llama-1.1b": {"vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22}
    | {"num_attention_heads": 32, "num_key_value_heads": 4},
}


@pytest.fixture(scope="module")
def checkpoints(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An ancestor and members around it, in files; only one of them is in memory at a time."""
    shape = request.config.getoption("--speed-shape")
    if shape not in SHAPES:
        pytest.skip(f"give --speed-shape={' or '.join(SHAPES)}")
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.storage.zoo import save_weights

    with torch.device("meta"):  # names and shapes alone
        model = LlamaForCausalLM(LlamaConfig(**SHAPES[shape]))
    folder, paths = tmp_path_factory.mktemp("checkpoints"), []
    for k in range(MEMBERS + 1):
        rng = torch.Generator().manual_seed(0)  # the same ancestor again, and a step away from it
        weights: dict[str, torch.Tensor] = {}
        for name, parameter in model.named_parameters():
            weights[name] = torch.randn(parameter.shape, generator=rng, dtype=torch.float32).mul_(0.02).bfloat16()
            if k:
                away = torch.Generator().manual_seed(k)
                weights[name] += torch.randn(parameter.shape, generator=away).mul_(0.002).bfloat16()
        paths.append(folder / f"{k}.safetensors")
        save_weights(weights, paths[-1])
    return paths


@pytest.mark.parametrize("method", ["simple", "ties"])
def test_merge_holds_no_more_than_its_members_and_two(
    method: str, checkpoints: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Members, ancestor and result: N + 2 models, and nothing besides but buffers."""
    import torch

    from harness.storage.zoo import load_weights
    from methods import Population, resolve

    torch.set_num_threads(1)
    ancestor, *members = map(load_weights, checkpoints)
    population = Population(tuple(members), tuple(f"m{k}" for k in range(MEMBERS)), ancestor)
    with Meter() as before:
        pass
    with Meter() as meter:
        merged = resolve(method).merge(population, _never, torch.Generator().manual_seed(0))
    one = sum(p.numel() * p.element_size() for p in ancestor.values())
    held = meter.peak_bytes - before.peak_bytes
    count = sum(p.numel() for p in ancestor.values())
    with capsys.disabled():
        print(
            f"\n  {method}: {MEMBERS} members of {count / 1e6:.0f} million parameters in {meter.seconds:.1f} s, "
            f"{held / one:.2f} models in memory at the peak",
            end="",
        )
    assert isinstance(merged, Mapping) and set(merged) == set(ancestor)
    assert held <= (MEMBERS + 2 + SLACK) * one + FIXED


def test_a_route_candidate_copies_no_weights(
    checkpoints: list[Path], request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten routes, each three times as deep as a model: the members that they lead through, and besides activations."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.families.hops.view import hop_view
    from harness.storage.zoo import load_weights
    from methods.merged import Hop, Route
    from methods.searching.layers import blocks_of

    torch.set_num_threads(1)
    config = LlamaConfig(**SHAPES[request.config.getoption("--speed-shape")])
    model = LlamaForCausalLM._from_config(config, dtype=torch.bfloat16).eval()
    members = tuple(map(load_weights, checkpoints[1:3]))
    for name, parameter in model.named_parameters():
        parameter.data = members[0][name]
    blocks, ids = blocks_of(members[0]), torch.arange(1, 33)[None]
    with Meter() as before:
        pass
    with Meter() as meter, torch.inference_mode():
        for k in range(10):
            hops = [Hop((i + k) % 2, block, 1 + 0.01 * (k + i)) for i, block in enumerate(blocks * 3)]
            hop_view(model, Route(members, tuple(hops)))(input_ids=ids, use_cache=False)
    one = sum(p.numel() * p.element_size() for p in members[0].values())
    held = meter.peak_bytes - before.peak_bytes
    with capsys.disabled():
        print(f"\n  ten routes in {meter.seconds:.1f} s, {held / one:.2f} models in memory at the peak", end="")
    assert held <= (2 + SLACK) * one + FIXED


class _Never:
    """These methods do not ask for scores."""

    calls = 0

    def __call__(self, merged: object) -> float:
        raise AssertionError("a score was asked for")


_never = _Never()
