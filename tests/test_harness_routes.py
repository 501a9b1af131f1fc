"""A route as a model: what it computes, what it remembers while it writes, what it shares, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.families.blocks import stacks
from harness.families.hops.plain import plain
from harness.families.hops.slots import number
from harness.families.hops.view import hop_view
from harness.families.hops.walk import require_walked
from methods.errors import Misfit, NotApplicable
from methods.merged import Hop, Route, Weights
from methods.searching.layers import blocks_of
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


LAST = {  # the weights of what a block adds last, by hand
    **dict.fromkeys(("Llama", "Mistral", "Qwen2", "Qwen3", "Granite"), "mlp.down_proj"),
    **{"GPT-2": "mlp.c_proj", "Gemma2": "post_feedforward_layernorm", "GPT-NeoX": "mlp.dense_4h_to_h", "OPT": "fc2"},
    **{"Phi": "mlp.fc2", "Falcon": "mlp.dense_4h_to_h", "ModernBERT": "mlp.Wo"},
    **dict.fromkeys(("T5", "mT5"), "DenseReluDense.wo"),
}


@pytest.mark.parametrize("name", LAST)
def test_an_updates_scale_of_nought_is_a_block_before_without_its_last_product(name: str) -> None:
    live, own, other = pair(name)
    none = -1 if name == "Gemma2" else 0  # its norm multiplies by one plus its weight
    without = {n: torch.full_like(t, none) if LAST[name] in n else t for n, t in other.items()}
    route = back_and_forth((own, other, without))
    hops = list(route.hops)
    starts = range(0, len(hops), 6)  # of each stack
    for start in starts:
        hops[start + 1] = replace(hops[start + 1], source=2)  # the block before the third hop
    cut = hop_view(live, replace(route, hops=tuple(hops)))
    nought = [replace(hop, scale=0.0 if i - 2 in starts else 1.0) for i, hop in enumerate(route.hops)]
    found = logits(hop_view(live, replace(route, hops=tuple(nought))), name)
    torch.testing.assert_close(found, logits(cut, name), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, logits(hop_view(live, route), name), atol=1e-3)


@pytest.mark.parametrize("kind", ["update", "stream"])
def test_scales_multiply_as_the_released_code_does_or_as_it_is_told(kind: Any) -> None:
    live, own, other = pair("GPT-2")
    models: list[Any] = [live, model_of("GPT-2", seed=1)]
    route = scaled(back_and_forth((own, other)), 0.9, 0.4, 1.0, 1.6, scale=kind)
    ids = asked("GPT-2")["input_ids"][:1]
    with torch.inference_mode():
        added = models[0].transformer.wte(ids) + models[0].transformer.wpe(torch.arange(ids.shape[1]))
        rest = torch.zeros_like(added)
        for hop in route.hops:
            block = models[hop.source].get_submodule(hop.block)
            stream = rest + hop.scale * added if kind == "update" else hop.scale * (rest + added)
            rest = stream + block.attn(block.ln_1(stream))[0]
            added = block.mlp(block.ln_2(rest))
        wanted = models[0].lm_head(models[0].transformer.ln_f(rest + added))
        found = hop_view(live, route)(input_ids=ids).logits  # type: ignore[operator]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["GPT-2", "T5"])
def test_an_update_is_no_stream_but_at_scale_one_where_both_are_plain_stacking(name: str) -> None:
    live, *members = pair(name)
    route = back_and_forth(tuple(members))
    update, stream, once = (scaled(route, *s, scale=k) for *s, k in ((0.7, "update"), (0.7, "stream"), (1.0, "stream")))
    assert not torch.allclose(*(logits(hop_view(live, way), name) for way in (update, stream)), atol=1e-2)
    view = hop_view(live, once)
    assert torch.equal(logits(view, name), logits(hop_view(live, route), name))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in view.modules())  # it costs nothing


@pytest.mark.parametrize("name", ["BERT", "DistilBERT", "DeBERTa-v2", "BART"])
def test_a_block_that_normalises_last_has_no_update_to_scale(name: str) -> None:
    live, *members = pair(name)
    route = scaled(back_and_forth(tuple(members)), 0.5)
    with pytest.raises(NotApplicable, match=r"add nothing after their last norm; take the scale 'stream'"):
        hop_view(live, route)
    assert torch.isfinite(logits(hop_view(live, replace(route, scale="stream")), name)).all()


@pytest.mark.parametrize("name", ["T5"])
def test_positions_are_the_first_members_wherever_a_route_begins(name: str) -> None:
    live, own, other = pair(name)
    table = "relative_attention_bias"
    moved = {n: t + torch.linspace(0, 3, len(t))[:, None] if table in n else t for n, t in other.items()}
    route = back_and_forth((own, other))  # begins at block 1, and visits block 0 later, of the other member
    found = logits(hop_view(live, route), name)
    assert torch.equal(found, logits(hop_view(live, replace(route, members=(own, moved))), name))
    encoder: Any = hop_view(live, route).encoder
    with torch.inference_mode():
        row = asked(name)["input_ids"][:1]
        stream, first = live.encoder.embed_tokens(row), live.encoder.block[0].layer[0].SelfAttention
        bias = first.compute_bias(row.shape[1], row.shape[1])
        for i, block in enumerate((1, 0, 1, 2, 2, 0)):
            by_hand = (live, model_of(name, seed=1))[i % 2].encoder.block[block]
            stream = by_hand(stream, None, bias)[0]
        wanted = live.encoder.final_layer_norm(stream)
        torch.testing.assert_close(encoder(input_ids=row).last_hidden_state, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_a_view_shares_every_tensor(name: str) -> None:
    live, own, other = pair(name)
    view = hop_view(live, back_and_forth((own, other)))
    there = {t.data_ptr() for t in (*own.values(), *other.values(), *live.buffers())}
    assert {t.data_ptr() for t in (*view.parameters(), *view.buffers())} <= there


def test_weights_of_another_dtype_are_brought_over_once() -> None:
    live, own, other = pair("Llama")
    narrow = {name: tensor.bfloat16() for name, tensor in other.items()}
    view = hop_view(live, back_and_forth((own, narrow)))
    assert {p.dtype for p in view.parameters()} == {torch.float32}
    exact = {name: tensor.float() for name, tensor in narrow.items()}
    assert torch.equal(logits(view, "Llama"), logits(hop_view(live, back_and_forth((own, exact))), "Llama"))


def test_each_hop_has_the_window_of_its_block() -> None:
    live, own, other = pair("Gemma2")
    view: Any = hop_view(live, back_and_forth((own, other)))
    near, far = "sliding_attention", "full_attention"
    assert view.config.layer_types == [far, near, far, near, near, near] and view.config.num_hidden_layers == 6
    assert [hop.self_attn.layer_idx for hop in view.model.layers] == list(range(6))
    assert live.config.num_hidden_layers == 3 and len(live.model.layers) == 3  # type: ignore[union-attr, arg-type]


def test_a_stack_without_hops_keeps_the_first_members_own() -> None:
    live, own, other = pair("BART")
    hops = [Hop(1, block) for block in blocks_of(own) if "decoder" in block]
    view: Any = hop_view(live, Route((own, other), tuple(hops)))
    assert torch.equal(
        view.model.encoder(asked("BART")["input_ids"])[0], live.model.encoder(asked("BART")["input_ids"])[0]
    )
    assert view.config.encoder_layers == view.config.decoder_layers == 3


@pytest.mark.parametrize(
    ("source", "block", "line"),
    [
        (0, "model.layers.3", r"model.layers.3 of member 1, and there are 4 members with the blocks model.layers.0 to"),
        (4, "model.layers.0", "member 5, and there are 4 members"),
        (1, "model.layers.0", r"of \(16, 16\), and member 2 has one of \(4, 16\); take members of one width"),
        (2, "model.layers.0", "member 3 has no such tensor"),
    ],
)
def test_a_hop_that_leads_nowhere_is_refused_in_one_line(source: int, block: str, line: str) -> None:
    live, own, other = pair("Llama")
    narrow = {name: tensor[:4] for name, tensor in other.items()}
    with pytest.raises(Misfit, match=line) as error:
        hop_view(live, Route((own, narrow, {}, other), (Hop(source, block),)))
    assert "\n" not in str(error.value)


def test_a_model_that_skips_blocks_is_found_out() -> None:
    live, own, _ = pair("Llama")
    view: Any = hop_view(live, Route((own,), own_path(own)))
    view.config.num_hidden_layers = 2
    with pytest.raises(NotApplicable, match=r"does not go through the blocks of model\.layers one after the other"):
        require_walked(live, view, ["model.layers"])


@pytest.mark.parametrize("name", LAST)
def test_a_route_is_a_plain_deeper_model_where_its_scales_can_be_folded_in(name: str) -> None:
    live, *members = pair(name)
    route = back_and_forth(tuple(members))
    hops = [replace(hop, scale=1.0 if i % 6 == 0 else 0.4 + 0.3 * (i % 5)) for i, hop in enumerate(route.hops)]
    route = replace(route, hops=tuple(hops))
    deeper = plain(live, route)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in deeper.modules())
    torch.testing.assert_close(logits(deeper, name), logits(hop_view(live, route), name), rtol=1e-4, atol=1e-4)
