"""Models that bring a head of their own: put in the task's order by the names of its labels, or drawn anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from harness.checkpoints.folders import config_of
from harness.families import family_of
from harness.families.base import Loaded
from harness.families.head import begun, start_of
from harness.members import given
from harness.storage.zoo import Zoo
from harness.suites.emotion.labels import LABELS as EMOTIONS
from tests.small_world import alone, forget, make_lab
from tests.test_harness_given import LABELS, SIZES, TASK, WORDS, configure, named, words
from tests.test_harness_lora import take, write

TURNED = ("deep fear", "joy", "anger")
PLACES = [1, 2, 0]  # of joy, anger and deep fear among them
DISTIL = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 12, "max_position_embeddings": 40, "pad_token_id": 0}


@pytest.fixture(params=["bert", "roberta", "distilbert"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model that was fine-tuned on three labels, which it names in their order."""
    torch.manual_seed(0)
    count = {"vocab_size": 4 + len(WORDS), "num_labels": 3}
    model = {
        "bert": lambda: BertForSequenceClassification(BertConfig(**count, **SIZES)),
        "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**count, **SIZES)),
        "distilbert": lambda: DistilBertForSequenceClassification(DistilBertConfig(**count, **DISTIL)),
    }[request.param]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "model")
    words(tmp_path / "model")
    named(tmp_path / "model", *LABELS)
    return tmp_path / "model"


def loaded(folder: Path, seed: int = 1) -> Loaded:
    return begun(family_of(folder).load(folder, TASK, seed), config_of(folder), TASK, seed)


def layer(found: Loaded) -> dict[str, Tensor]:
    parameters = dict(found.model.named_parameters())
    return {name: parameters[name].detach() for name in found.output_layer}


def saved(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_head_for_these_labels_is_where_training_starts(folder: Path) -> None:
    for names in (LABELS, tuple(map(str.upper, LABELS))):
        named(folder, *names)
        found = loaded(folder)
        assert not found.fresh and not found.notes and not found.reordered and start_of(folder, TASK) == "as saved"
        assert layer(found) and all(torch.equal(t, saved(folder)[n]) for n, t in layer(found).items())


def test_a_head_whose_labels_stand_in_another_order_is_put_in_order_with_a_line(folder: Path) -> None:
    named(folder, *TURNED)
    found = loaded(folder)
    assert found.notes == ("its labels are in another order; the rows of its head were put in order",)
    assert found.reordered and not found.fresh and start_of(folder, TASK) == "put in order"
    assert all(torch.equal(t, saved(folder)[n][PLACES]) for n, t in layer(found).items())


def test_a_head_without_names_is_taken_as_listed_with_a_line(folder: Path) -> None:
    named(folder, "LABEL_0", "LABEL_1", "LABEL_2")
    found = loaded(folder)
    assert found.notes == ("its labels have no names; they are taken in the order joy, anger, deep fear",)
    assert not found.fresh and start_of(folder, TASK) == "as saved"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("entailment", "neutral", "contradiction"), "label 0 is 'entailment' there, which is none of joy, anger"),
        (("joy", "anger", "anger"), "label 2 is 'anger' there"),
        (("joy", "anger"), "it names 2 labels, mood has 3"),
    ],
    ids=["another task", "twice", "fewer"],
)
def test_a_head_for_other_labels_is_drawn_anew_from_the_seed_with_a_line(
    names: tuple[str, ...], said: str, folder: Path
) -> None:
    named(folder, *names)
    configure(folder, label2id={})
    one, again, other = loaded(folder, 1), loaded(folder, 1), loaded(folder, 2)
    (line,) = one.notes
    assert line.startswith("the head in its file is not for the mood labels (") and said in line
    assert line.endswith("so it is drawn anew") and "\n" not in line
    assert one.fresh == set(one.output_layer) and start_of(folder, TASK) == "drawn anew"
    weight = one.output_layer[0]
    assert torch.equal(layer(one)[weight], layer(again)[weight])
    assert not torch.equal(layer(one)[weight], layer(other)[weight])
    assert 0.001 < layer(one)[weight].std() < 0.1, "as the architecture draws its heads, around 0.02"
    rest = {name: p for name, p in one.model.named_parameters() if name not in one.fresh}
    assert rest and all(torch.equal(p.detach(), saved(folder)[name]) for name, p in rest.items())


def test_tables_of_labels_that_contradict_each_other_are_no_order_to_start_from(folder: Path) -> None:
    configure(folder, label2id={"joy": 1, "anger": 0, "deep fear": 2})
    (line,) = loaded(folder).notes
    assert "contradict each other" in line and start_of(folder, TASK) == "drawn anew"


def test_a_head_of_another_width_is_fresh_whatever_its_labels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "model"
    BertForSequenceClassification(BertConfig(vocab_size=4 + len(WORDS), num_labels=2, **SIZES)).save_pretrained(folder)
    words(folder)
    named(folder, "yes", "no")
    found = loaded(folder)
    assert found.fresh == set(found.output_layer) and not found.notes and start_of(folder, TASK) == "as saved"


# -- members -----------------------------------------------------------------------------------------------------------


def test_an_adapter_is_multiplied_onto_the_rows_that_it_was_trained_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "base"
    BertForSequenceClassification(
        BertConfig(vocab_size=4 + len(WORDS), num_labels=3, **SIZES | {"num_hidden_layers": 2})
    ).save_pretrained(folder)
    words(folder)
    named(folder, *TURNED)
    base = given.Base(family_of(folder), folder, Zoo(tmp_path / "zoo"))
    low = {"classifier.lora_A.weight": torch.randn(2, 8), "classifier.lora_B.weight": torch.randn(3, 2)}
    member = write(tmp_path / "adapter", low, target_modules=["classifier"], modules_to_save=None)
    taken, said = take(base, member)
    delta = 2 * low["classifier.lora_B.weight"] @ low["classifier.lora_A.weight"]
    wanted = (saved(folder)["classifier.weight"] + delta)[PLACES]
    torch.testing.assert_close(taken.weights["classifier.weight"], wanted)
    assert torch.equal(taken.weights["classifier.bias"], saved(folder)["classifier.bias"][PLACES])
    assert any("put in order" in line for line in said)


def test_a_training_that_taught_nothing_is_said(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    said: list[str] = []
    lab = make_lab(tmp_path, "train_rows=1", "epochs=1", "threshold=9.0", say=said.append)
    lab.workshop.member(alone("tec"))
    assert said[-1] == (
        "tiny-encoder learned nothing from tec: its development score stays at 0.00; look at its texts and labels, or "
        "give it more rows or epochs"
    )


def test_members_start_from_the_head_in_order_and_are_others_than_before(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    said: list[str] = []
    lab = make_lab(tmp_path, "train_rows=8", "epochs=1", "learning_rate=1e-30", say=said.append)
    task, folder = lab.rows.task("tec"), lab.subject.folder
    lab.subject.fresh(task, seed=1).model.save_pretrained(folder)  # type: ignore[operator]
    in_order = lab.identity.member(alone("tec"))
    head = {name: t for name, t in saved(folder).items() if name.startswith("classifier")}
    turned = EMOTIONS[::-1]
    configure(folder, id2label=dict(enumerate(turned)), label2id={n: i for i, n in enumerate(turned)})
    forget(lab)
    lab.subject.forget()
    assert lab.identity.member(alone("tec")) == {**in_order, "heads": ["put in order"]}
    member = lab.workshop.member(alone("tec"))
    assert all(torch.allclose(member[name], t.flip(0), atol=1e-6) for name, t in head.items())
    lines = [line for line in said if "head" in line]
    assert lines == [
        "tiny-encoder: its labels are in another order; the rows of its head were put in order",
        "tiny-encoder: its file holds a head for 16 labels, from which training starts",
    ]
    saved_as, ancestor = lab.subject.as_saved(task, 1), lab.subject.ancestor(task, 1)
    for name, tensor in head.items():
        assert torch.equal(dict(saved_as.model.named_parameters())[name], tensor)
        assert torch.equal(dict(ancestor.model.named_parameters())[name], tensor.flip(0))
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == turned[0]
