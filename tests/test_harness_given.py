"""Members that a user brings: held against their model field by field, word by word and label by label."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, normalizers
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from harness.data.task import Task
from harness.errors import BadModel, BadWeights
from harness.families import family_of, likeness, limit_of, trial
from harness.members import given
from harness.storage.zoo import Zoo
from methods.errors import MergeboardError, Misfit

LABELS = ("joy", "anger", "deep fear")
TASK = Task("mood", "classification", LABELS, "accuracy", ("joy",) * 3, ("joy?",) * 3)
PAIR = Task("same", "classification", ("no", "yes"), "accuracy", ("", "same"), ("", "same?"), pair=True)
WORDS = [
    *("a", "good", "day", "the", "sun", "is", "out", "and", "this", "very", "for", "walk"),
    *("joy", "plain", "words", "yes", "no", "more", "caps", "Good"),
]
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
SIZES |= {"max_position_embeddings": 40, "pad_token_id": 0}


def words(folder: Path, lower: bool = False, types: bool = False) -> None:
    vocabulary = {w: i for i, w in enumerate(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]))}
    core = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    core.pre_tokenizer = Whitespace()
    if lower:
        core.normalizer = normalizers.Lowercase()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    core.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", marks)
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=core, model_input_names=inputs, **named).save_pretrained(folder)


@pytest.fixture
def base(tmp_path: Path) -> given.Base:
    """A tiny BERT, as it is published, and a member of it in `member`."""
    torch.manual_seed(0)
    config = BertConfig(vocab_size=4 + len(WORDS), **SIZES)
    BertForMaskedLM(config).save_pretrained(tmp_path / "base")
    config.id2label, config.label2id = dict(enumerate(LABELS)), {n: i for i, n in enumerate(LABELS)}
    BertForSequenceClassification(config).save_pretrained(tmp_path / "member")
    for name in ("base", "member"):
        words(tmp_path / name)
    return given.Base(family_of(tmp_path / "base"), tmp_path / "base", Zoo(tmp_path / "zoo"))


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def named(folder: Path, *labels: str) -> None:
    configure(folder, id2label={str(i): n for i, n in enumerate(labels)}, label2id={n: i for i, n in enumerate(labels)})


def take(base: given.Base, member: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    said: list[str] = []
    given.require_akin(base, TASK, "tec", member)
    return dict(given.take(base, TASK, "tec", member, said.append).weights), said


def refusal(base: given.Base, member: Path) -> str:
    with pytest.raises(MergeboardError) as error:
        take(base, member)
    assert str(error.value).startswith("--member tec: ") and "\n" not in str(error.value)
    return str(error.value)


def test_an_honest_member_is_taken_as_it_is(base: given.Base, tmp_path: Path) -> None:
    found, said = take(base, tmp_path / "member")
    saved = load_file(tmp_path / "member" / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in found.items()) and not said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_attention_heads", 4),
        ("hidden_act", "relu"),
        ("layer_norm_eps", 1e-3),
        ("max_position_embeddings", 39),
        ("type_vocab_size", 3),
        ("pad_token_id", 1),
        ("is_decoder", True),
        ("something_of_its_own", 3),
        ("token_dropout", True),
        ("moe_token_dropout", 0.2),
    ],
)
def test_a_config_that_differs_is_refused_unless_told_otherwise(
    field: str, value: Any, base: given.Base, tmp_path: Path
) -> None:
    configure(tmp_path / "member", **{field: value})
    said = refusal(base, tmp_path / "member")
    assert f"its config.json has {field} {value!r}" in said and "--trust-configs" in said
    given.require_akin(replace(base, any_config=True), TASK, "tec", tmp_path / "member")


@pytest.mark.parametrize(
    "field",
    [
        *({"_name_or_path": "x"}, {"hidden_dropout_prob": 0.3}, {"use_cache": False}, {"transformers_version": "4"}),
        *({"problem_type": "regression"}, {"torch_dtype": "float16"}, {"classifier_dropout": 0.2}, {"num_beams": 4}),
        *({"initializer_range": 0.5}, {"finetuning_task": "tec"}, {"architectures": None}, {"eos_token_id": 3}),
    ],
)
def test_what_cannot_matter_may_differ(field: dict[str, Any], base: given.Base, tmp_path: Path) -> None:
    configure(tmp_path / "member", **field)
    take(base, tmp_path / "member")


@pytest.mark.parametrize(("architecture", "matters"), [("Sequence", True), ("Conditional", False)])
def test_the_end_of_a_text_matters_where_a_text_is_classified_by_it(
    architecture: str, matters: bool, tmp_path: Path
) -> None:
    kind = "BartForSequenceClassification" if architecture == "Sequence" else "BartForConditionalGeneration"
    for name, end in (("a", 2), ("b", 3)):
        BartConfig(eos_token_id=end, architectures=[kind]).save_pretrained(tmp_path / name)
    found = likeness.other_fields("encoder_decoder", tmp_path / "a", tmp_path / "b", ())
    assert ("eos_token_id" in found) == matters


def test_a_configuration_that_cannot_be_understood_is_named_and_not_the_tokenizer(
    base: given.Base, tmp_path: Path
) -> None:
    member = tmp_path / "member"
    configure(member, problem_type="single_label_classification", id2label={"0": "joy"}, label2id={"joy": 0})
    with pytest.raises(Misfit, match=r"its config\.json cannot be understood \(.*num_labels > 1"):
        likeness.require_same_words(base.family.tokenizer, member, TASK, False, False)
    words(member)
    named(member, *LABELS)
    configure(member, problem_type=None)
    (member / "tokenizer.json").write_text("{}")
    with pytest.raises(Misfit, match="its tokenizer cannot be loaded"):
        likeness.require_same_words(base.family.tokenizer, member, TASK, False, False)


def test_a_tokenizer_that_reads_the_same_words_otherwise_is_refused(base: given.Base, tmp_path: Path) -> None:
    words(tmp_path / "member", lower=True)
    assert "reads 'CAPITALS, Titled Words and mIxEd' otherwise than the model's: 'words' where that has '[UNK]'" in (
        refusal(base, tmp_path / "member")
    )
    words(tmp_path / "member")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "member", truncation_side="left")
    tokenizer.save_pretrained(tmp_path / "member")
    assert "reads 'a text that is cut' otherwise" in refusal(base, tmp_path / "member")
    for path in tmp_path.glob("member/tokenizer*"):
        path.unlink()
    take(base, tmp_path / "member")


@pytest.mark.parametrize("change", ["accents", "capitals", "side"])
def test_tokenizers_are_compared_by_words_that_they_know(change: str, base: given.Base, tmp_path: Path) -> None:
    if change == "side":
        path = tmp_path / "member" / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "truncation_side": "left"}))
    else:
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "member")
        folds = normalizers.StripAccents() if change == "accents" else normalizers.Replace("DAY", "day")
        tokenizer.backend_tokenizer.normalizer = folds
        tokenizer.save_pretrained(tmp_path / "member")
    assert "otherwise than the model's" in refusal(base, tmp_path / "member")


def test_labels_match_without_case_and_in_any_order(base: given.Base, tmp_path: Path) -> None:
    plain, _ = take(base, tmp_path / "member")
    named(tmp_path / "member", "JOY", "Anger", "Deep Fear")
    shouted, said = take(base, tmp_path / "member")
    assert all(torch.equal(tensor, plain[name]) for name, tensor in shouted.items()) and not said
    named(tmp_path / "member", "deep fear", "joy", "anger")
    turned, (line,) = take(base, tmp_path / "member")
    assert "the rows of its head were put in order" in line
    for name, tensor in turned.items():
        wanted = plain[name][[1, 2, 0]] if name.startswith("classifier") else plain[name]
        assert torch.equal(tensor, wanted), name


def test_labels_without_names_are_said(base: given.Base, tmp_path: Path) -> None:
    named(tmp_path / "member", "LABEL_0", "LABEL_1", "LABEL_2")
    _, (line,) = take(base, tmp_path / "member")
    assert line == "--member tec: its labels have no names; they are taken in the order joy, anger, deep fear"


def test_other_labels_are_refused(base: given.Base, tmp_path: Path) -> None:
    member = tmp_path / "member"
    named(member, "joy", "anger", "grief")
    assert "label 2 is 'grief' there, which is none of joy, anger, deep fear" in refusal(base, member)
    named(member, "joy", "anger")
    assert "it names 2 labels, mood has 3" in refusal(base, member)
    for twice in ("joy", "Joy", " JOY "):
        named(member, "joy", twice, "deep fear")
        configure(member, label2id={})
        assert f"label 1 is {twice!r} there, which is none of joy, anger, deep fear, or named twice" in refusal(
            base, member
        )
    named(member, *LABELS)
    configure(member, label2id={"joy": 1, "anger": 0, "deep fear": 2})
    assert "contradict each other" in refusal(base, member)
    named(member, *LABELS)
    configure(member, architectures=["BertForTokenClassification"])
    assert "it was saved as a BertForTokenClassification" in refusal(base, member)


def test_every_parameter_of_a_member_is_needed(base: given.Base, tmp_path: Path) -> None:
    path = tmp_path / "member" / "model.safetensors"
    whole = {name: tensor.clone() for name, tensor in load_file(path).items()}
    for name in whole:
        save_file({n: t for n, t in whole.items() if n != name}, path, {"format": "pt"})
        assert name in refusal(base, tmp_path / "member")
    save_file({**whole, "classifier.dense.weight": torch.ones(2)}, path, {"format": "pt"})
    assert "was trained with classifier.dense.weight, which is left out" in refusal(base, tmp_path / "member")


def test_a_members_code_does_not_run_because_the_model_is_trusted(base: given.Base, tmp_path: Path) -> None:
    (tmp_path / "member" / "mine.py").write_text("raise SystemExit('it ran')")
    configure(tmp_path / "member", model_type="mine", auto_map={"AutoConfig": "mine.Mine"})
    trusting = replace(base, trusted={base.folder})
    assert f"add --trust-remote-code={tmp_path / 'member'}" in refusal(trusting, tmp_path / "member")


# -- the trial --------------------------------------------------------------------------------------------------------


def tried(folder: Path, task: Task = TASK, max_length: int = 20) -> None:
    family = family_of(folder)
    trial.run("mine", family, family.load(folder, task, 1).model, task, max_length)


def test_a_sound_model_passes_its_trial(base: given.Base, tmp_path: Path) -> None:
    tried(tmp_path / "base")
    tried(tmp_path / "base", PAIR)


def test_texts_are_cut_where_the_table_of_positions_ends(base: given.Base, tmp_path: Path) -> None:
    said: list[str] = []
    trial.lengths("mine", base.family, 128, said.append)
    trial.lengths("mine", base.family, 40, said.append)
    assert said == ["mine: it has positions for 40 tokens, so max_length=128 is 40 here"]
    tried(tmp_path / "base", max_length=128)
    config = RobertaConfig(vocab_size=4 + len(WORDS), **SIZES | {"pad_token_id": 0})
    RobertaForSequenceClassification(config).save_pretrained(tmp_path / "roberta")
    words(tmp_path / "roberta")
    assert limit_of(json.loads((tmp_path / "roberta" / "config.json").read_text())) == 39
    tried(tmp_path / "roberta", max_length=128)


def test_a_limit_that_leaves_no_room_for_a_text_is_one_line(base: given.Base, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"^mine: 2 tokens leave no room for a text beside what is asked about it"):
        tried(tmp_path / "base", max_length=2)


def test_a_tokenizer_with_more_words_than_the_table_is_one_line(base: given.Base, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.add_tokens(["newly"])
    tokenizer.save_pretrained(tmp_path / "base")
    with pytest.raises(
        BadModel, match=r"^mine: its tokenizer numbers 'newly' \d+, and its table of words has \d+ rows"
    ):
        tried(tmp_path / "base")


def test_token_types_that_the_model_does_not_know_are_one_line(base: given.Base, tmp_path: Path) -> None:
    config = BertConfig(vocab_size=4 + len(WORDS), **SIZES, type_vocab_size=1)
    BertForMaskedLM(config).save_pretrained(tmp_path / "base")
    words(tmp_path / "base", types=True)
    tried(tmp_path / "base")
    with pytest.raises(BadModel, match=r"mine cannot be asked a pair: .* gives the second text of a pair type 1"):
        tried(tmp_path / "base", PAIR)


def test_whatever_a_model_raises_is_one_line(base: given.Base, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def short(model: Any, task: Task, inputs: Any) -> torch.Tensor:
        if inputs["ids"].shape[1] > 11:
            raise RuntimeError("sizes do\nnot match")
        return torch.zeros(len(inputs["ids"]), 3)

    monkeypatch.setattr(base.family, "logits", short)
    model = base.family.load(base.folder, TASK, 1).model
    with pytest.raises(BadModel, match=r"11 tokens are its longest text .*sizes do not match.*--set max_length=11$"):
        trial.run("mine", base.family, model, TASK, 20)


def test_answers_that_depend_on_padding_are_refused(base: given.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    def padded(model: Any, task: Task, inputs: Any) -> torch.Tensor:
        return inputs["ids"].shape[1] * torch.tensor([[1.0, 2.0, 3.0]]).expand(len(inputs["ids"]), 3)

    monkeypatch.setattr(base.family, "logits", padded)
    with pytest.raises(BadModel, match="answers a text otherwise when it is padded"):
        trial.run("mine", base.family, base.family.load(base.folder, TASK, 1).model, TASK, 20)


def test_errors_of_members_keep_their_kind(base: given.Base, tmp_path: Path) -> None:
    (tmp_path / "member" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadWeights, match="damaged or cut short"):
        given.take(base, TASK, "tec", tmp_path / "member")
    with pytest.raises(Misfit, match="its architecture is roberta, the model's is bert"):
        configure(tmp_path / "member", model_type="roberta")
        given.require_akin(base, TASK, "tec", tmp_path / "member")


def test_a_member_of_another_ancestor_is_told_and_a_fine_tuned_one_is_not(base: given.Base, tmp_path: Path) -> None:
    def model(seed: int) -> BertForMaskedLM:
        torch.manual_seed(seed)
        return BertForMaskedLM(BertConfig(vocab_size=4 + len(WORDS), **SIZES))

    own, other = model(0), model(1)
    said = given.strange_to(own, dict(other.named_parameters()))
    assert "1.4 times the base's own length" in said and "does it descend from this base?" in said
    tuned = {name: p + 0.1 * p.std() * torch.randn(p.shape) for name, p in own.named_parameters()}
    assert not given.strange_to(own, tuned)


# -- what no merge changes ---------------------------------------------------------------------------------------------

WRITTEN = Task("sums", "generation", ("mark",), "mean_mark", ("",), ("",), prompt="{text}", tokens=4)


@pytest.fixture
def writing(tmp_path: Path) -> given.Base:
    """A tiny Llama, and a member of it in `member`."""
    torch.manual_seed(0)
    sizes = {**SIZES, "vocab_size": 4 + len(WORDS), "num_key_value_heads": 2, "eos_token_id": 3, "bos_token_id": 2}
    for name in ("base", "member"):
        LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(tmp_path / name)
        words(tmp_path / name)
    return given.Base(family_of(tmp_path / "base"), tmp_path / "base", Zoo(tmp_path / "zoo"))


def ends(folder: Path, told: object, name: str = "generation_config.json") -> None:
    path = folder / name
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.is_file() else {}), "eos_token_id": told}))


@pytest.mark.parametrize("told", [[3, 7], 7, [7]])
@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
def test_a_member_that_ends_its_answers_elsewhere_is_refused(
    told: object, name: str, writing: given.Base, tmp_path: Path
) -> None:
    """It would write on where it was taught to stop: chat models end turns at a token of their own."""
    member = tmp_path / "member"
    if name == "config.json":
        (member / "generation_config.json").unlink()
    ends(member, told, name)
    word = writing.family.tokenizer.convert_ids_to_tokens(7)
    with pytest.raises(
        Misfit, match=f"--member m: it ends its answers at '{word}', where the model goes on; name that"
    ):
        given.require_akin(writing, WRITTEN, "m", member)
    given.require_akin(writing, replace(WRITTEN, stop=(word,)), "m", member)  # as the line says
    ends(tmp_path / "base", [3, 7])
    given.require_akin(writing, WRITTEN, "m", member)


def test_an_encoder_is_asked_for_no_end_of_answers_as_it_writes_none(base: given.Base, tmp_path: Path) -> None:
    """Its cells are skipped and say why."""
    ends(tmp_path / "member", 7)
    given.require_akin(base, WRITTEN, "m", tmp_path / "member")


def test_ends_that_the_model_has_too_may_be_missing_and_other_tasks_ask_for_none(
    writing: given.Base, tmp_path: Path
) -> None:
    member = tmp_path / "member"
    for told in (3, [3], None, 10**6):  # the last is no token at all
        ends(member, told)
        given.require_akin(writing, WRITTEN, "m", member)
    ends(member, 7)
    given.require_akin(writing, TASK, "m", member)  # a class that is asked for in words ends nowhere
    (member / "generation_config.json").write_text("{")
    with pytest.raises(Misfit, match=r"generation_config\.json cannot be read"):
        given.require_akin(writing, WRITTEN, "m", member)


def bart(folder: Path, bias: float, half: bool = False) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "max_position_embeddings": 40}
    sizes |= {
        f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in (("attention_heads", 2), ("ffn_dim", 8))
    }
    ids = {
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "decoder_start_token_id": 3,
        "forced_eos_token_id": None,
    }
    made = BartForConditionalGeneration(BartConfig(vocab_size=4 + len(WORDS), **sizes, **ids))
    made.final_logits_bias[0, 5] = bias
    (made.to(torch.bfloat16) if half else made).save_pretrained(folder)
    words(folder)


@pytest.mark.parametrize(
    "own, its, half, fits", [(0, 0, False, True), (1.2345, 1.2345, True, True), (0, 2, False, False)]
)
def test_a_saved_tensor_that_is_no_parameter_must_be_the_models(
    own: float, its: float, half: bool, fits: bool, tmp_path: Path
) -> None:
    """A session merges parameters: the member would answer with the model's, and score as nobody's model does."""
    bart(tmp_path / "base", own)
    bart(tmp_path / "member", its, half)
    base = given.Base(family_of(tmp_path / "base"), tmp_path / "base", Zoo(tmp_path / "zoo"))
    if fits:
        assert given.take(base, TASK, "m", tmp_path / "member").weights
        return
    with pytest.raises(Misfit, match="--member m: its final_logits_bias is not the model's, and is no parameter"):
        given.take(base, TASK, "m", tmp_path / "member")
