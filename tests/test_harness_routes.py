"""A route as a model: what it computes, what it remembers while it writes, what it shares, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.families.blocks import stacks
from harness.families.hops.slots import number
from harness.families.hops.view import hop_view
from methods.merged import Hop, Route, Weights
from tests.small_routes import ALL, ENCODER_DECODERS, WRITERS, asked, back_and_forth, model_of, own_path, weights_of

POST_NORM = {"BERT", "RoBERTa", "DistilBERT", "MPNet", "ELECTRA", "DeBERTa-v2", "BART"}


def logits(model: Any, name: str) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(**asked(name)).logits
    return found


def pair(name: str) -> tuple[nn.Module, Weights, Weights]:
    """A live module, the weights that it is pointed at, and another member's."""
    live = model_of(name)
    return live, weights_of(live), weights_of(model_of(name, seed=1))


def scaled(route: Route, *scales: float, scale: Any = "update") -> Route:
    """The same hops with these scales, over and over."""
    hops = [replace(hop, scale=scales[i % len(scales)]) for i, hop in enumerate(route.hops)]
    return replace(route, hops=tuple(hops), scale=scale)


@pytest.mark.parametrize("name", ALL)
def test_the_first_members_own_path_is_the_first_member_bit_for_bit(name: str) -> None:
    live, own, other = pair(name)
    view = hop_view(live, Route((own, other), own_path(own)))
    assert torch.equal(logits(view, name), logits(live, name))
    elsewhere = Route((own, other), tuple(Hop(1, hop.block) for hop in own_path(own)))
    assert not torch.allclose(logits(hop_view(live, elsewhere), name), logits(live, name), atol=1e-3)


def written(model: Any, name: str) -> tuple[Tensor, Tensor]:
    """What the model writes, greedily and with its cache, after its first row; and the logits of each word."""
    given = {key: tensor[:1] for key, tensor in asked(name).items() if key != "decoder_input_ids"}
    told = {"do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    said = model.generate(**given, max_new_tokens=6, min_new_tokens=6, use_cache=True, **told)
    return said.sequences, torch.stack(said.logits, dim=1)


def recomputed(model: Any, name: str, said: Tensor) -> Tensor:
    """The logits of each written word, all words before it read anew."""
    given = {key: tensor[:1] for key, tensor in asked(name).items()}
    words = {**given, "decoder_input_ids": said} if name in ENCODER_DECODERS else {"input_ids": said}
    with torch.inference_mode():
        found: Tensor = model(**words, use_cache=False).logits[:, -7:-1]
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_a_route_that_visits_a_block_twice_writes_with_its_cache_what_it_writes_without(name: str) -> None:
    live, *members = pair(name)
    route = scaled(back_and_forth(tuple(members)), 0.8, 1.3, 1.0, scale="stream" if name in POST_NORM else "update")
    view = hop_view(live, route)
    said, found = written(view, name)
    torch.testing.assert_close(found, recomputed(view, name, said), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["GPT-2", "Llama"])
def test_with_one_slot_for_two_visits_a_route_would_silently_write_otherwise(name: str) -> None:
    live, *members = pair(name)
    view = hop_view(live, back_and_forth(tuple(members)))
    _, found = written(view, name)
    (hops,) = (view.get_submodule(stack) for stack in stacks(view))
    for place, hop in enumerate(hops.children()):
        number(hop, min(place, 3), frozenset({"layer_idx"}))  # the last three hops share a slot
    said, shared = written(view, name)
    assert not torch.allclose(shared, found, atol=1e-2)
    assert not torch.allclose(shared, recomputed(view, name, said), atol=1e-2)


@pytest.mark.parametrize("name", ["GPT-2", "Llama", "T5", "BART"])
def test_the_own_path_writes_what_the_member_writes(name: str) -> None:
    live, own, other = pair(name)
    said, found = written(hop_view(live, Route((own, other), own_path(own))), name)
    wanted, exactly = written(live, name)
    assert torch.equal(said, wanted) and torch.equal(found, exactly)
