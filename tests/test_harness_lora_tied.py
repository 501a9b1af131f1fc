"""Adapters of a tensor that a model has in several places: the model that was trained, or a line about it.

Sessions expand an adapter over a model that is loaded, `harness merge` over files; both are held against PEFT, whose
model before merging is what was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.checkpoints import adapters
from harness.members.laid import changes_of
from harness.members.lora import ChangedWeights
from harness.members.places import Places
from harness.merging.deliver import deliver
from harness.merging.words import asked
from methods.errors import Misfit
from tests.test_harness_given import TASK
from tests.test_harness_lora import base_in, draw, make, take, write

WORDS = 20
LLAMA = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
T5 = {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
SIDES = ("layers", "attention_heads", "ffn_dim")
BART = {f"{part}_{side}": 2 for part in ("encoder", "decoder") for side in SIDES} | {"decoder_start_token_id": 0}
KINDS: Mapping[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {  # class, sizes, a layer, places of the table
    "llama": ("LlamaForCausalLM", LLAMA, "q_proj", ("embed_tokens", "lm_head")),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 8, "n_layer": 1, "n_head": 2}, "c_attn", ("wte", "lm_head")),
    "t5": ("T5ForConditionalGeneration", T5, "q", ("shared", "embed_tokens", "lm_head", "encoder.embed_tokens")),
    "bart": ("BartForConditionalGeneration", {"d_model": 8, **BART}, "q_proj", ("shared", "embed_tokens", "lm_head")),
    "bert": ("BertForMaskedLM", LLAMA, "query", ("word_embeddings", "decoder")),
}
EVERY = [*((kind, True) for kind in KINDS), ("llama", False), ("bart", False)]


class World:
    """A model in `base`, and adapters of it in folders beside."""

    def __init__(self, here: Path, kind: str, ties: bool = True) -> None:
        self.peft = pytest.importorskip("peft", reason="adapters are made by PEFT, which is not installed")
        name, sizes, self.layer, self.places = KINDS[kind]
        self.kind, self.here = getattr(transformers, name), here
        torch.manual_seed(0)
        config = self.kind.config_class(vocab_size=WORDS, **sizes, tie_word_embeddings=ties)
        self.kind(config).save_pretrained(here / "base")

    def load(self, name: str = "base") -> Any:
        return self.kind.from_pretrained(self.here / name).eval()

    def train(self, name: str, by: float = 0.1, **config: Any) -> Any:
        """An adapter; returns the model that was trained. `by`: how far what is no factor moves."""
        targets = [self.layer, *config.pop("targets", ())]
        found = self.peft.get_peft_model(self.load(), self.peft.LoraConfig(r=2, target_modules=targets, **config))
        for k, (called, parameter) in enumerate(found.named_parameters()):
            if parameter.requires_grad:
                parameter.data += (0.1 if "lora_" in called else by) * draw(*parameter.shape, seed=k)
        found.save_pretrained(self.here / name)
        return found.eval()

    def in_a_session(self, name: str) -> tuple[Any, str]:
        """The model with the adapter, and what is said of it."""
        model = self.load()
        own = {n: p.detach() for n, p in model.named_parameters()}
        changes = changes_of(adapters.read(self.here / name), model, own.__getitem__)
        weights = {n: tensor.clone() for n, tensor in ChangedWeights(own, changes).items()}
        for n, parameter in model.named_parameters():
            parameter.data = weights[n]
        return model, Places(model).line(changes)

    def in_a_merge(self, name: str) -> tuple[Any, str]:
        said: list[str] = []
        given = ("--base", str(self.here / "base"), "--member", str(self.here / name))
        order = ["simple", *given, "--out", f"{name}-out"]
        deliver(asked(order, self.here), said.append)
        front = f"--member {name}: it adds to "
        lines = [line.removeprefix(f"--member {name}: ") for line in said if line.startswith(front)]
        return self.load(f"{name}-out"), "".join(lines)


def answers(model: Any) -> Tensor:
    ids = torch.tensor([[3, 5, 7, 9, 11, 1]])
    more = {"decoder_input_ids": ids[:, :4]} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        found: Tensor = model(input_ids=ids, **more).logits
    return found


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(("kind", "ties"), EVERY)
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_a_table_is_what_was_trained_or_is_told_or_is_refused(
    kind: str, ties: bool, tmp_path: Path
) -> None:
    world = World(tmp_path, kind, ties)
    trained = {}
    for k, place in enumerate(world.places):
        trained[f"copy{k}"] = world.train(f"copy{k}", modules_to_save=[place])
        trained[f"sum{k}"] = world.train(f"sum{k}", targets=[place])
    outcomes = {"kept": 0, "told": 0, "refused": 0}
    for name, model in trained.items():
        wanted = answers(model)
        try:
            found, line = world.in_a_session(name)
        except Misfit as error:
            with pytest.raises(Misfit) as again:
                world.in_a_merge(name)
            assert str(error) == str(again.value) and " apart from " in str(error) and "\n" not in str(error)
            outcomes["refused"] += 1
            continue
        merged, said = world.in_a_merge(name)
        assert line == said and same(answers(found), answers(merged)), "one model, whichever way"
        if line:
            wanted = answers(model.merge_and_unload())
        assert same(answers(found), wanted), (name, line)
        outcomes["told" if line else "kept"] += 1
    if ties:
        assert outcomes["told"] == 1 and outcomes["refused"] == len(trained) - 1, "the first place alone is added to"
    else:
        assert outcomes["kept"] == len(trained), "nothing is refused of tables that are two"


@pytest.mark.parametrize("kind", ["llama", "t5"])
@pytest.mark.filterwarnings("ignore")
def test_a_copy_that_was_not_trained_changes_nothing_also_in_half_precision(kind: str, tmp_path: Path) -> None:
    world = World(tmp_path, kind)
    for place in world.places:
        wanted = answers(world.train("untouched", by=0.0, modules_to_save=[place]))
        for found, line in (world.in_a_session("untouched"), world.in_a_merge("untouched")):
            assert same(answers(found), wanted) and not line
        file = tmp_path / "untouched" / "adapter_model.safetensors"
        save_file({name: tensor.bfloat16() for name, tensor in load_file(file).items()}, file)
        assert world.in_a_session("untouched")[1] == ""
        (tmp_path / "untouched-out").rename(tmp_path / f"out-{place}")


@pytest.mark.parametrize("kind", ["llama", "t5", "bert"])
@pytest.mark.filterwarnings("ignore")
def test_what_is_trained_in_place_is_trained_in_every_place(kind: str, tmp_path: Path) -> None:
    """Biases of all layers, of which a BERT has one in two places; and PEFT's own choice to save embeddings."""
    world = World(tmp_path, kind)
    model = world.train("biases", bias="all")
    for found, line in (world.in_a_session("biases"), world.in_a_merge("biases")):
        assert same(answers(found), answers(model)) and not line
    table = model.get_base_model().get_input_embeddings()
    table.weight.data += 1
    model.save_pretrained(tmp_path / "tables", save_embedding_layers=True)
    for found, line in (world.in_a_session("tables"), world.in_a_merge("tables")):
        assert same(answers(found), answers(model)) and not line


@pytest.mark.filterwarnings("ignore")
def test_the_bias_of_a_sum_is_added_by_whichever_of_its_names_it_was_saved(tmp_path: Path) -> None:
    world = World(tmp_path, "bert", ties=False)
    model = world.load()
    model.cls.predictions.decoder.bias = model.cls.predictions.bias  # as BERT's are where tables are tied
    world.train("summed", targets=["decoder"], lora_bias=True)
    changes = changes_of(adapters.read(tmp_path / "summed"), model, model.get_parameter)
    assert "cls.predictions.bias" in changes and changes.keys() <= dict(model.named_parameters()).keys()


@pytest.mark.filterwarnings("ignore")
def test_an_output_layer_that_a_t5_has_in_its_file_is_not_tied(tmp_path: Path) -> None:
    """As those of version 1.1: no configuration of a T5 says so."""
    world = World(tmp_path, "t5")
    model = world.load()
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + draw(WORDS, 8))
    model.save_pretrained(tmp_path / "base")
    trained = world.train("copy", modules_to_save=["lm_head"])
    for found, line in (world.in_a_session("copy"), world.in_a_merge("copy")):
        assert same(answers(found), answers(trained)) and not line
    trained = world.train("sum", targets=["shared"]).merge_and_unload()
    for found, line in (world.in_a_session("sum"), world.in_a_merge("sum")):
        assert same(answers(found), answers(trained)) and "lm_head" not in line


def test_a_session_says_what_a_sum_on_a_tied_table_is(tmp_path: Path) -> None:
    base = base_in(make("gpt2", tmp_path / "base"))
    words = len(base.load(TASK).model.get_parameter("transformer.wte.weight"))
    factors = {"transformer.wte.lora_embedding_A": draw(2, words), "transformer.wte.lora_embedding_B": draw(8, 2)}
    folder = write(tmp_path / "adapter", factors, target_modules=["wte"], modules_to_save=None)
    (line,) = take(base, folder)[1]
    assert line == (
        "--member tec: it adds to transformer.wte.weight, which is lm_head.weight too: they change together, as by "
        "peft's merge_and_unload(); in training transformer.wte.weight alone did, so it may answer otherwise now"
    )


@pytest.mark.filterwarnings("ignore")
def test_the_model_that_a_refusal_asks_for_takes_the_adapter(tmp_path: Path) -> None:
    """By the words of docs/usage.md: a table for each place, and the adapter's base is that model."""
    world = World(tmp_path, "llama")
    trained = world.train("copy", modules_to_save=["embed_tokens"])
    model = world.load()
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.config.tie_word_embeddings = False
    model.save_pretrained(tmp_path / "base")
    path = tmp_path / "copy" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": str(tmp_path / "base")}))
    for found, line in (world.in_a_session("copy"), world.in_a_merge("copy")):
        assert same(answers(found), answers(trained)) and not line
