"""What can be searched: groups of layers by the names of tensors, genes by the words of a user, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from methods import MergeboardError, MergeMethod, NotApplicable, resolve
from methods.contract import toy_population
from methods.dare import DareTies
from methods.evolver import Evolver
from methods.fisher import Fisher
from methods.greedy_soup import GreedySoup
from methods.naming.names import require
from methods.optimisers.cma import Cma
from methods.optimisers.random import Random
from methods.regmean import RegMean
from methods.search import Search
from methods.searching.layers import blocks_of, groups_of
from methods.simple import Simple
from methods.ties import Ties

BERT = {
    "bert.embeddings.word_embeddings.weight": "embeddings",
    "bert.embeddings.LayerNorm.weight": "embeddings",
    "bert.encoder.layer.0.attention.self.query.weight": "block 0, attention",
    "bert.encoder.layer.0.attention.output.LayerNorm.weight": "block 0, attention",
    "bert.encoder.layer.0.intermediate.dense.weight": "block 0",
    "bert.encoder.layer.1.output.dense.weight": "block 1",
    "bert.pooler.dense.weight": "head",
    "classifier.weight": "head",
}
ROBERTA = {"roberta." + name.removeprefix("bert."): group for name, group in BERT.items() if name.startswith("bert")}
MODELS = {
    "BERT": BERT,
    "RoBERTa": {**ROBERTA, "classifier.out_proj.weight": "head"},
    "DistilBERT": {
        "distilbert.embeddings.position_embeddings.weight": "embeddings",
        "distilbert.transformer.layer.0.attention.q_lin.weight": "block 0, attention",
        "distilbert.transformer.layer.0.sa_layer_norm.weight": "block 0, attention",
        "distilbert.transformer.layer.1.ffn.lin1.weight": "block 1",
        "pre_classifier.weight": "head",
    },
    "DeBERTa": {
        "deberta.embeddings.word_embeddings.weight": "embeddings",
        "deberta.encoder.layer.0.attention.self.q_bias": "block 0, attention",
        "deberta.encoder.layer.1.output.dense.weight": "block 1",
        "deberta.encoder.rel_embeddings.weight": "embeddings",
        "deberta.encoder.LayerNorm.weight": "embeddings",
        "deberta.encoder.conv.conv.weight": "embeddings",
        "pooler.dense.weight": "head",
    },
    "GPT-2": {
        "transformer.wte.weight": "embeddings",
        "transformer.wpe.weight": "embeddings",
        "transformer.h.0.ln_1.weight": "block 0",
        "transformer.h.1.attn.c_attn.weight": "block 1, attention",
        "transformer.ln_f.weight": "head",
        "score.weight": "head",
    },
    "LLaMA": {
        "model.embed_tokens.weight": "embeddings",
        "model.layers.0.self_attn.q_proj.weight": "block 0, attention",
        "model.layers.1.mlp.up_proj.weight": "block 1",
        "model.layers.1.post_attention_layernorm.weight": "block 1",
        "model.norm.weight": "head",
        "lm_head.weight": "head",
    },
    "T5": {
        "shared.weight": "embeddings",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "encoder block 0, attention",
        "encoder.block.1.layer.1.DenseReluDense.wi.weight": "encoder block 1",
        "encoder.final_layer_norm.weight": "head",
        "decoder.block.0.layer.1.EncDecAttention.q.weight": "decoder block 0, attention",
        "decoder.block.1.layer.2.DenseReluDense.wo.weight": "decoder block 1",
        "lm_head.weight": "head",
    },
    "BART": {
        "model.shared.weight": "embeddings",
        "model.encoder.embed_positions.weight": "embeddings",
        "model.encoder.layernorm_embedding.weight": "embeddings",
        "model.encoder.layers.0.self_attn_layer_norm.weight": "encoder block 0, attention",
        "model.encoder.layers.1.final_layer_norm.weight": "encoder block 1",
        "model.decoder.layers.0.encoder_attn.k_proj.weight": "decoder block 0, attention",
        "model.decoder.layers.1.fc1.weight": "decoder block 1",
        "classification_head.dense.weight": "head",
    },
    "a net of its own": {
        "token_embedding.weight": "embeddings",
        "conv.weight": "conv",
        "conv.bias": "conv",
        "temperature": "temperature",
        "head.weight": "head",
    },
}


def weights(names: Any) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(2, 2) for name in names}


@pytest.mark.parametrize("model", MODELS)
def test_a_tensor_is_in_the_group_of_its_layer(model: str) -> None:
    names = MODELS[model]
    found = groups_of(weights(names))
    assert {name: group for group, members in found.items() for name in members} == {
        name: group.removesuffix(", attention") for name, group in names.items()
    }
    kinds = [group.split(" ")[0] for group in found]
    assert kinds[0] == "embeddings" and kinds[-1] == "head"
    assert list(found) == sorted(found, key=list(found).index)


@pytest.mark.parametrize("model", [model for model in MODELS if model != "a net of its own"])
def test_the_attention_of_a_block_can_be_a_group_of_its_own(model: str) -> None:
    for group, members in groups_of(weights(MODELS[model]), split=True).items():
        for name in members:
            block, _, attention = MODELS[model][name].partition(", ")
            word = f"{'attention' if attention else 'rest'} of {block}" if "block" in block else block
            assert group == word


def test_blocks_go_together_by_the_granularity() -> None:
    names = [f"model.layers.{i}.mlp.weight" for i in range(6)]
    assert groups_of(weights(names), 3) == {"blocks 0 to 2": tuple(names[:3]), "blocks 3 to 5": tuple(names[3:])}
    with pytest.raises(MergeboardError, match="is 4, and there are 6 blocks; give a number that divides 6"):
        groups_of(weights(names), 4)
    t5 = [f"{stack}.block.{i}.layer.0.x" for stack, n in (("encoder", 4), ("decoder", 3)) for i in range(n)]
    with pytest.raises(MergeboardError, match="there are 3 decoder blocks"):
        groups_of(weights(t5), 2)
    with pytest.raises(MergeboardError, match="about blocks, and this model has no tensors named after any"):
        groups_of(weights(["layer.weight", "head.weight"]), 2)


def test_the_blocks_of_a_model_are_named_stack_by_stack_from_the_bottom_up() -> None:
    llama = [f"model.layers.{i}.mlp.up_proj.weight" for i in (0, 10, 2)]
    assert blocks_of(weights(llama)) == ("model.layers.0", "model.layers.2", "model.layers.10")
    t5 = [
        "shared.weight",
        "decoder.block.0.layer.0.SelfAttention.q.weight",
        "decoder.block.1.layer.2.layer_norm.weight",
    ]
    found = blocks_of(weights([*t5, "encoder.block.0.layer.0.SelfAttention.q.weight", "lm_head.weight"]))
    assert found == ("encoder.block.0", "decoder.block.0", "decoder.block.1")
    with pytest.raises(MergeboardError, match="no tensors named after its blocks"):
        blocks_of(weights(["first.weight", "head.weight"]))


def test_a_tied_head_is_with_the_embeddings() -> None:
    own = weights(["model.embed_tokens.weight", "model.layers.0.mlp.weight", "model.norm.weight", "lm_head.weight"])
    assert groups_of(own)["head"] == ("model.norm.weight", "lm_head.weight")
    tied = {**own, "lm_head.weight": own["model.embed_tokens.weight"]}
    assert groups_of(tied)["embeddings"] == ("model.embed_tokens.weight", "lm_head.weight")
    assert groups_of(tied)["head"] == ("model.norm.weight",)


def space_of(method: MergeMethod, **knobs: Any) -> Any:
    return Search(method, Random(), **knobs).plan(toy_population()).space


def test_a_variable_for_every_gene_group_and_member() -> None:
    assert [v.name for v in space_of(Ties()).variables] == [
        *("weights[toy0]", "weights[toy1]", "weights[toy2]", "lambda", "k")
    ]
    layered = space_of(Ties(), layers="blocks", over=("lambda", "k"))
    assert [v.name for v in layered.variables] == [
        *(f"lambda in {group}" for group in ("embeddings", "layer", "conv", "temperature", "head")),
        "k",  # of the whole model, as long as the trim is
    ]
    assert len(space_of(Ties(scope="per_tensor"), layers="blocks", over=("k",))) == 5
    assert space_of(GreedySoup()).variables[0].name == "scale[toy0]"


def test_a_search_starts_from_what_the_method_has() -> None:
    assert space_of(Ties(k=0.3, lambda_=1.5)).start == (1.0, 1.0, 1.0, 1.5, 0.3)
    assert space_of(Simple()).start == (1 / 3, 1 / 3, 1 / 3)
    assert space_of(Simple((0.5, 0.4, 0.1))).start == (0.5, 0.4, 0.1)
    assert space_of(Ties(), over=("lambda",), start="middle").start == (1.0,)
    assert space_of(Ties(), bounds=("k:0.1:0.9",), start="middle").start == (0.505, 0.505, 0.505, 1.0, 0.5)


@pytest.mark.parametrize(
    ("method", "knobs", "line"),
    [
        (Ties(), {"over": ("weigths",)}, "no option of ties for search.over named 'weigths'. Did you mean"),
        (DareTies(), {"over": ("k",)}, "no option of dare_ties for search.over named 'k'."),
        (Ties(), {"over": ("trim",)}, "no option of ties for search.over named 'trim'."),
        (Ties(), {"over": ()}, "search.over is empty; name at least one of scale, weights, lambda, k"),
        (Ties(), {"over": ("k", "k")}, "search.over names k twice"),
        (Ties(), {"bounds": ("k:0.9:0.1",)}, "'k:0.9:0.1', which ends before it begins"),
        (Ties(), {"bounds": ("k:0.5:0.5",)}, "'k:0.5:0.5', which ends before it begins"),
        (Ties(), {"bounds": ("k:0:1",)}, "search.bounds asks for k from 0 to 1: ties.k is 0.0; it must lie above 0"),
        (Ties(), {"bounds": ("weights:-1:1",)}, "ties.weights are (-1.0,); all must be positive"),
        (Ties(), {"bounds": ("k",)}, "search.bounds has 'k'; write option:lowest:highest"),
        (Ties(), {"bounds": ("k:a:1",)}, "search.bounds has 'k:a:1'; write option:lowest:highest"),
        (Ties(), {"bounds": ("k:0.1:nan",)}, "search.bounds has 'k:0.1:nan'; write option:lowest:highest"),
        (Ties(), {"bounds": ("density:0:1",)}, "no option of ties for search.bounds named 'density'."),
        (Ties(), {"bounds": ("scale:0:1",)}, "bounds for scale, which is not searched; name it in search.over too"),
        (Ties(), {"bounds": ("k:0.1:0.5", "k:0.1:0.6")}, "search.bounds has bounds for k twice"),
        (Ties(lambda_=3.0), {}, "ties.lambda is 3, outside of 0 to 2, where it would be searched"),
        (Ties(), {"bounds": ("k:0.3:1",)}, "ties.k is 0.2, outside of 0.3 to 1, where it would be searched"),
        (Simple((2.0, -1.0)), {}, "simple.coefficients is 2, outside of 0 to 1"),
        (Ties(), {"budget": 0}, "search.budget is 0"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(method: MergeMethod, knobs: Any, line: str) -> None:
    with pytest.raises(MergeboardError) as refused:
        Search(method, Random(), **knobs)
    assert line in str(refused.value) and "\n" not in str(refused.value)


def test_a_command_line_is_refused_in_the_same_words_without_the_method() -> None:
    for knobs in (
        {"over": "weigths"},
        {"bounds": "k:0.9:0.1"},
        {"bounds": "k:0:1"},
        {"over": "scale", "bounds": "k:0:1"},
    ):
        lines = []
        for ask in (require, resolve):
            with pytest.raises(MergeboardError) as refused:
                ask("ties_random", {"search": knobs})
            lines.append(str(refused.value))
        assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("method", "members", "knobs", "line"),
    [
        (GreedySoup(), 3, {"budget": 5}, "search.budget is 5, and its start alone costs 6; give it more"),
        (Evolver(Simple()), 3, {"budget": 46}, "search.budget is 46, and its start alone costs 47; give it more"),
        (Evolver(budget=20), 3, {"budget": 20}, "search.budget is 20, and its start alone costs 21; give it more"),
        (Simple((0.5, 0.5)), 3, {}, "simple.coefficients was given 2 numbers for 3 members"),
        (Fisher(), 3, {"bounds": ("coefficients:0.4:0.9",)}, "coefficients of 3 members is 0.333333, outside of 0.4"),
    ],
)
def test_what_does_not_fit_the_members_is_known_before_they_are_trained(
    method: MergeMethod, members: int, knobs: Any, line: str
) -> None:
    with pytest.raises(MergeboardError) as refused:
        Search(method, Random(), **knobs).require_fits(members)
    assert line in str(refused.value)


def test_choices_are_refused_for_an_optimiser_of_numbers_before_anything_is_trained() -> None:
    inner = resolve("dare_ties")
    with pytest.raises(NotApplicable, match="cma searches numbers alone, and rescale is one of"):
        Search(inner, Cma(), over=("density", "rescale")).require_fits(3)
    Search(inner, Random(), over=("density", "rescale")).require_fits(3)


def test_layers_that_may_not_differ_are_refused() -> None:
    with pytest.raises(
        MergeboardError, match=r"search\.layers=blocks, but coefficients must be the same in all layers"
    ):
        space_of(Fisher(normalize="model"), layers="blocks")
    with pytest.raises(MergeboardError, match=r"search\.layers=blocks, but k must be the same"):
        space_of(Ties(), layers="blocks", over=("k",))
    assert len(space_of(Fisher(normalize="model"), layers="blocks", over=("scale",))) == 15
    assert len(space_of(RegMean(), layers="blocks")) == 15


def test_members_of_another_depth_are_refused() -> None:
    population = toy_population()
    deeper = {**population.members[1], "layer.7.weight": torch.zeros(2)}
    with pytest.raises(MergeboardError, match=r"layer\.7\.weight is in toy1 but not in toy0"):
        replace(population, members=(population.members[0], deeper, population.members[2]))
