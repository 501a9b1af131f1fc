"""Rows led through models block by block: the Gram matrices of a block, and whose seconds they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import transformers
from torch import nn

from harness.cells.lab import Lab
from harness.families.batches import Batch
from harness.families.blocks import blocks
from harness.members import gram
from harness.members.statistics import LazyStatistics
from methods import NotApplicable, Weights
from methods.contract import same_bits, toy_score
from methods.regmean import RegMean
from methods.regmean_plus_plus import RegMeanPlusPlus
from tests.emotion_cells import cell
from tests.small_models import close, of_tokens, token_batches, transformer


def t5() -> nn.Module:
    config = transformers.T5Config(
        **{"vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2},
        **{"pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
    )
    torch.manual_seed(0)
    return transformers.T5ForConditionalGeneration(config).double().eval()


def answered(model: nn.Module, batch: Batch) -> torch.Tensor:
    ids, mask = batch.inputs["ids"], batch.inputs["mask"]
    found: torch.Tensor = model(input_ids=ids, attention_mask=mask, decoder_input_ids=ids[:, :2]).logits
    return found


@pytest.mark.parametrize("kind", ["bert", "distilbert", "deberta-v2", "gpt2", "t5"])
def test_the_matrices_of_a_block_are_those_that_it_has_among_all(kind: str) -> None:
    model, logits = (t5(), answered) if kind == "t5" else (transformer(kind), of_tokens)
    rows, names = token_batches(lengths=(7, 5)), list(blocks(model))
    every, before = gram.matrices(model, logits, rows), [len(m._forward_hooks) for m in model.modules()]
    for name in names:
        own = gram.matrices(model, logits, rows, block=name)
        close(own, {n: matrix for n, matrix in every.items() if n.startswith(f"{name}.")}, rtol=1e-9)
        assert own
    assert len(names) == (4 if kind == "t5" else 1)
    assert [len(m._forward_hooks) for m in model.modules()] == before, "hooks are taken off again"


def test_what_comes_after_a_block_is_not_computed() -> None:
    model, rows = t5(), token_batches(lengths=(5,))
    calls: list[str] = []
    model.get_submodule("lm_head").register_forward_hook(lambda *_: calls.append("head"))
    gram.matrices(model, answered, rows, block="decoder.block.0")
    probes = len(calls)
    gram.matrices(model, answered, [*rows, *rows, *rows], block="decoder.block.0")
    assert len(calls) == 2 * probes, "only made-up rows, by which layouts are found, go to the end"


def test_a_members_own_blocks_have_the_matrices_of_its_statistics(lab: Lab) -> None:
    population = lab.populations.of(cell("regmean").key)
    statistics, layers = population.statistics, population.layers
    torch.manual_seed(4)
    drawn = torch.get_rng_state()
    assert isinstance(statistics, LazyStatistics) and layers is not None and statistics.read == ()
    found = {block: layers(1, block, population.members[1]) for block in layers.blocks}
    assert torch.equal(torch.get_rng_state(), drawn), "a method must not draw globally, nor what it asks"
    assert statistics.read == ("gram",) and statistics.seconds == statistics.waited > 0
    every = statistics["gram"][1]
    for block, own in found.items():
        assert own and same_bits(own, {name: x for name, x in every.items() if name.startswith(f"{block}.")})


@pytest.mark.parametrize("heads", ["same", "own"])
def test_a_real_model_is_merged_block_by_block(heads: str, lab: Lab) -> None:
    population = lab.populations.of(replace(cell("regmean").key, heads=heads))  # type: ignore[arg-type]
    assert population.layers is not None
    first, members = population.layers.blocks[0], population.members
    embedded = {name: x for name, x in members[0].items() if "embeddings" in name}
    alike = replace(population, members=tuple({**member, **embedded} for member in members))
    assert population.renew is not None
    grams = tuple(population.renew(i, member)["gram"] for i, member in enumerate(alike.members))
    plain = RegMean(0.95).merge(replace(alike, statistics={"gram": grams}), toy_score(), torch.Generator())
    found = RegMeanPlusPlus().merge(alike, toy_score(), torch.Generator())
    of_block = {block: [n for n in grams[0] if n.startswith(f"{block}.")] for block in population.layers.blocks}
    assert all(torch.allclose(found[n], plain[n], atol=1e-5) for n in of_block[first]), "the first block sees the same"
    others: list[str] = [name for block, names in of_block.items() if block != first for name in names]
    assert others and not all(torch.allclose(found[n], plain[n], atol=1e-5) for n in others)
    same = replace(population, members=(members[1],) * len(members))
    back: Weights = RegMeanPlusPlus().merge(same, toy_score(), torch.Generator())
    assert all(torch.allclose(back[name], x, atol=1e-5) for name, x in members[1].items() if "classifier" not in name)


def test_a_model_without_blocks_is_an_answer(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("methods.searching.layers._STACKS", frozenset())
    population = lab.populations.of(cell("regmean").key)
    with pytest.raises(NotApplicable, match="no tensors named after its blocks"):
        RegMeanPlusPlus().merge(population, toy_score(), torch.Generator())
