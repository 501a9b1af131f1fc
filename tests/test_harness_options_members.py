"""Members that a user brings: merged as they are, and refused in one line where they do not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.storage.zoo import load_weights, save_weights
from harness.suites.emotion.labels import LABELS
from tests.small_world import Project, alone, bring, make_lab, saved


@pytest.fixture
def member(small_zoo: Path, tmp_path: Path) -> Path:
    """A fine-tuned checkpoint in transformers' layout: the zoo's isear, saved as a user would."""
    folder = saved(small_zoo, tmp_path / "member")
    make_lab(small_zoo).subject.family.tokenizer.save_pretrained(folder)
    return folder


def ask(project: Project, member: Path, *more: str) -> pytest.RunResult:
    words = [f"--member=isear={member}", "--method=simple", "-k", "in_domain"]
    return project.run(*words, *more)


def test_a_brought_member_is_merged_as_it_is(project: Project, member: Path) -> None:
    ask(project, member).assert_outcomes(passed=1, deselected=11)
    (record,) = project.records().values()
    assert record.heads == "diff", "nobody knows what head it started from"
    assert str(member.parent) not in json.dumps(project.store().paths()[0].read_text())
    lab = make_lab(project.zoo)
    own = lab.workshop.member(alone("isear"))
    bring(lab, {"isear": member})
    assert all(torch.equal(tensor, own[name]) for name, tensor in lab.workshop.member(alone("isear")).items())


def without_head(member: Path) -> None:
    weights = load_weights(member / "model.safetensors")
    save_weights({n: w.clone() for n, w in weights.items() if "classifier" not in n}, member / "model.safetensors")


def with_a_smaller_head(member: Path) -> None:
    weights = {n: w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    small = {n: w[:7].clone() if "classifier" in n else w for n, w in weights.items()}
    save_weights(small, member / "model.safetensors")
    labels = dict(enumerate(LABELS[:7]))
    configure(member, id2label={str(i): n for i, n in labels.items()}, label2id={n: i for i, n in labels.items()})


def with_an_unknown_label(member: Path) -> None:
    order = ["bliss", *LABELS[1:]]
    configure(member, id2label={str(i): n for i, n in enumerate(order)}, label2id={n: i for i, n in enumerate(order)})


def with_nan(member: Path) -> None:
    weights = {n: w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    weights["bert.pooler.dense.weight"][0, 0] = float("nan")
    save_weights(weights, member / "model.safetensors")


def pickled(member: Path) -> None:
    weights = load_weights(member / "model.safetensors")
    torch.save({n: w.clone() for n, w in weights.items()}, member / "pytorch_model.bin")
    (member / "model.safetensors").unlink()


def with_a_pickle_that_runs_code(member: Path) -> None:
    torch.save({"a": print}, member / "pytorch_model.bin")
    (member / "model.safetensors").unlink()


def of_another_width(member: Path) -> None:
    weights = {n: w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    for name, tensor in weights.items():
        if ".intermediate." in name:
            weights[name] = tensor[:100].clone()
        elif re.search(r"layer\.\d\.output\.dense\.weight", name):
            weights[name] = tensor[:, :100].clone()
    save_weights(weights, member / "model.safetensors")
    configure(member, intermediate_size=100)


def of_another_depth(member: Path) -> None:
    weights = {n: w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    last = max(int(found[1]) for n in weights if (found := re.search(r"layer\.(\d+)\.", n)))
    save_weights({n: w for n, w in weights.items() if f"layer.{last}." not in n}, member / "model.safetensors")
    configure(member, num_hidden_layers=last)


def of_another_architecture(member: Path) -> None:
    configure(member, model_type="roberta")


def of_fewer_words(member: Path) -> None:
    weights = {n: w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    words = next(n for n in weights if "word_embeddings" in n)
    save_weights({**weights, words: weights[words][:-1].clone()}, member / "model.safetensors")
    configure(member, vocab_size=len(weights[words]) - 1)


def with_other_words(member: Path) -> None:
    path = member / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    first, second = sorted(vocabulary, key=vocabulary.get)[-2:]  # type: ignore[arg-type]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    path.write_text(json.dumps(content))


def configure(member: Path, **changes: Any) -> None:
    path = member / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_head, "--member isear: member has no trained classifier.bias; a member needs a head with the 16"),
        (
            with_a_smaller_head,
            "--member isear: member has no trained classifier.bias; a member needs a head with the 16",
        ),
        (with_an_unknown_label, "--member isear: label 0 is 'bliss' there, which is none of joy, anger, "),
        (with_nan, "--member isear: bert.pooler.dense.weight holds NaN"),
        (with_a_pickle_that_runs_code, "pytorch_model.bin asks for "),
        (of_another_width, "--member isear: its config.json has intermediate_size 100, the model's has 128"),
        (of_another_depth, "--member isear: its config.json has num_hidden_layers 1, the model's has 2"),
        (of_another_architecture, "--member isear: its architecture is roberta, the model's is bert"),
        (of_fewer_words, "--member isear: its size of the vocabulary is "),
        (with_other_words, "--member isear: its tokenizer"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_member_that_does_not_fit_is_refused_in_one_line(
    spoil: Callable[[Path], None], said: str, project: Project, member: Path
) -> None:
    spoil(member)
    result = ask(project, member, "--method=ties_cma")  # a search meets them as any other method does
    result.assert_outcomes(failed=2, deselected=22)
    lines = [line for line in result.outlines if line.startswith("in_domain[")]
    assert len(lines) == 2 and all(said in line for line in lines)
    result.stdout.no_fnmatch_line("Traceback*")
    assert project.records() == {}


def test_a_member_may_be_a_pickle(project: Project, member: Path) -> None:
    ask(project, member).assert_outcomes(passed=1, deselected=11)
    (plain,) = project.records().values()
    pickled(member)
    ask(project, member, "--results=other").assert_outcomes(passed=1, deselected=11)
    (record,) = project.records("other").values()
    assert record.weights_sha256 == plain.weights_sha256 and record.scores == plain.scores


@pytest.mark.parametrize("spoil", [without_head, with_an_unknown_label, with_nan], ids=lambda f: f.__name__)
def test_what_is_wrong_with_a_pickle_is_told_of_the_users_folder(
    spoil: Callable[[Path], None], project: Project, member: Path
) -> None:
    spoil(member)
    wrapped = {f"module.{n}": w.clone() for n, w in load_weights(member / "model.safetensors").items()}
    save_weights(wrapped, member / "model.safetensors")
    pickled(member)
    result = ask(project, member)
    result.assert_outcomes(failed=1, deselected=11)
    text = "\n".join(result.outlines)
    assert "converted" not in text and f"--member isear: {member}: its names have module. in them" in text
    assert not re.search("(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])", text), "no name of the zoo's"


def test_a_member_needs_no_tokenizer_of_its_own(project: Project, member: Path) -> None:
    for path in member.glob("tokenizer*"):
        path.unlink()
    ask(project, member).assert_outcomes(passed=1, deselected=11)
