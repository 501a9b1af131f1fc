"""Routes in the harness: asked like any merge, in every family; and written as a plain deeper model, or why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.families import family_of
from harness.families.batches import Batches, prepare
from harness.families.decoder import Decoder, one_by_one
from harness.families.hops.built import built
from harness.families.hops.plain import plain
from harness.families.hops.view import hop_view
from harness.judging.live import LiveModel
from harness.judging.sheet import Sheet
from methods.errors import NotApplicable
from tests.small_routes import asked, back_and_forth, model_of, weights_of
from tests.test_harness_families import TASK, gpt2, llama, saved, split_of, t5, word_level


def other_than(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A member around these."""
    draw = torch.Generator().manual_seed(1)
    return {name: tensor + 0.2 * torch.randn(tensor.shape, generator=draw) for name, tensor in weights.items()}


@pytest.mark.parametrize("build", [gpt2, llama, t5])
def test_yes_and_no_are_answered_through_a_route(build: Any, tmp_path: Path) -> None:
    family: Any = family_of(saved(tmp_path, build(word_level()), word_level()))
    live = LiveModel(family, TASK, family.load(tmp_path, TASK, 0).model)
    own = {name: tensor.clone() for name, tensor in weights_of(live.model).items()}
    route = back_and_forth((own, other_than(own)), path=(1, 0, 1, 0))
    rows = prepare(family, TASK, split_of(), 64, 4096)
    found = Sheet(live, rows, 0.0).logits(route)
    live.point_at(own)
    view = hop_view(live.model, route)
    if isinstance(family, Decoder):  # the sentence that questions share is masked in every hop
        assert family.shared and any("segment" in batch.inputs for batch in rows)
        alone = [replace(b, inputs=one_by_one(b.rows, 0)) for b in rows]  # type: ignore[arg-type]
        rows = Batches(tuple(alone), rows.labels, rows.kind, rows.gold)
    torch.testing.assert_close(found, live.logits(rows, view), rtol=0, atol=1e-3 * float(found.abs().max()))
    assert not torch.allclose(found, Sheet(live, rows, 0.0).logits(own), atol=1e-2)


@pytest.mark.parametrize("name", ["BERT", "GPT-2", "Gemma2", "T5", "BART"])
def test_a_written_route_is_read_back_as_a_deeper_model_with_the_same_answers(name: str, tmp_path: Path) -> None:
    live: Any = model_of(name)
    route = back_and_forth((weights_of(live), weights_of(model_of(name, seed=1))))
    if name not in ("BERT", "BART"):
        hops = [replace(hop, scale=1.0 if i % 6 == 0 else 0.4 + 0.3 * (i % 5)) for i, hop in enumerate(route.hops)]
        route = replace(route, hops=tuple(hops))
    built(plain(live, route)).save_pretrained(tmp_path)  # type: ignore[operator]
    read = type(live).from_pretrained(tmp_path)
    with torch.inference_mode():
        wanted, found = (model(**asked(name)).logits for model in (hop_view(live, route), read))  # type: ignore[operator]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert {kind for kind in ("num_hidden_layers", "num_layers") if getattr(read.config, kind, None) == 6}


@pytest.mark.parametrize(
    ("name", "place", "scale", "line"),
    [
        (
            "GPT-2",
            2,
            "stream",
            r"^hop 3 of transformer\.h multiplies all that comes in by 0\.5, which no plain model does",
        ),
        ("GPT-2", 0, "update", r"^the first hop of transformer\.h multiplies the embeddings by 0\.5"),
        ("Mixtral", 2, "update", r"^what model\.layers\.0 adds last has no weights of its own that its scale could be"),
        ("ModernBERT", 2, "update", r"makes model\.layers\.0\.attn_norm\.weight otherwise than the route has it there"),
    ],
)
def test_what_no_plain_model_does_is_said_in_one_line(name: str, place: int, scale: Any, line: str) -> None:
    live = model_of(name)
    route = back_and_forth((weights_of(live), weights_of(model_of(name, seed=1))))
    hops = [replace(hop, scale=0.5 if i == place else 1.0) for i, hop in enumerate(route.hops)]
    with pytest.raises(NotApplicable, match=line) as error:
        built(plain(live, replace(route, hops=tuple(hops), scale=scale)))
    assert "\n" not in str(error.value)
