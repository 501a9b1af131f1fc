"""Members and their ancestor: which heads they start from, which rows they see, when they are made again."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification

from harness.cells.lab import Lab
from harness.cells.rowbook import RowBook
from harness.checkpoints.names import ModelName
from harness.data.corpus import MASKED, Split
from harness.errors import BadWeights
from harness.families.base import Loaded
from harness.members.given import Taken
from harness.members.joint import Joint, Part
from harness.protocol.changed import with_values
from harness.records.record import recipe_key
from harness.suites.emotion import world as synthetic
from harness.suites.emotion.labels import LABELS
from harness.suites.glue.tasks import TASKS
from methods.errors import Misfit
from tests.emotion_cells import OUT, PAIR, cell
from tests.small_world import DECODER, alone, bring, make_lab

# -- heads and ancestors ---------------------------------------------------------------------------------------------

STILL = ("train_rows=8", "epochs=1", "learning_rate=1e-30")  # steps too small to move anything


def equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    """But for such a step."""
    return torch.allclose(one, two, rtol=0, atol=1e-20)


def test_same_heads_are_equal_and_are_the_ancestors(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    population = make_lab(tmp_path, *STILL).populations.of(cell("simple").key)
    head = population.output_layer
    assert head == ("classifier.weight", "classifier.bias")
    for member in population.members:
        assert set(member) == set(population.ancestor)
        assert all(equal(member[name], tensor) for name, tensor in population.ancestor.items())
    assert population.ancestor[head[0]].std() > 0


def test_different_heads_differ_and_are_not_the_ancestors(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    still = make_lab(tmp_path, *STILL)
    key = cell("simple", heads="diff").key
    population = still.populations.of(key)
    weight = population.output_layer[0]
    assert key.seeds == (1, 2, 3, 4, 5)
    assert not set(population.output_layer) & set(population.ancestor), "no head is the ancestor of all"
    for member in population.members:
        assert all(equal(member[name], tensor) for name, tensor in population.ancestor.items())
    for one, two in itertools.combinations(population.members, 2):
        assert not equal(one[weight], two[weight])
    for seed, member in zip(key.seeds, population.members, strict=True):
        ancestor = still.subject.ancestor(still.rows.task("tec"), seed).model
        assert equal(member[weight], dict(ancestor.named_parameters())[weight])


def test_a_population_knows_what_its_members_annotate(lab: Lab) -> None:
    population = lab.populations.of(cell("simple", members=("tec", "isear"), setting=PAIR).key)
    assert population.annotated is not None and population.names == ("tec", "isear")
    own = [{label for label, there in zip(LABELS, row, strict=True) if there} for row in population.annotated]
    assert own == [set(synthetic.ANNOTATED["tec"]), set(synthetic.ANNOTATED["isear"])]


def test_a_member_is_the_same_whatever_was_drawn_before(small_zoo: Path, tmp_path: Path, lab: Lab) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    torch.manual_seed(4711)
    np.random.seed(4711)
    again = make_lab(tmp_path).workshop.member(alone("tec"))
    first = lab.workshop.member(alone("tec"))
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    assert any(not torch.equal(tensor, lab.workshop.member(alone("isear"))[name]) for name, tensor in first.items())


@pytest.mark.parametrize(
    ("setting", "remade"),
    [
        ("train_rows=95", True),
        ("epochs=3", True),
        ("threshold=-1.9", True),  # the best epoch is chosen by it
        ("dev_rows=19", True),
        ("test_rows=39", False),
        ("fisher_rows=15", False),
        ("dev_fraction=0.5", False),
        ("ood_labels=annotated", False),
        ("ties.k=0.5", False),
    ],
)
def test_a_member_is_another_when_what_made_it_is(setting: str, remade: bool, small_zoo: Path, lab: Lab) -> None:
    changed = make_lab(small_zoo, setting)
    assert (changed.identity.member(alone("tec")) != lab.identity.member(alone("tec"))) == remade


def test_unseen_corpora_are_asked_whole_or_as_the_released_code_does(small_zoo: Path) -> None:
    paper, official = make_lab(small_zoo, "test_rows=none"), make_lab(small_zoo, "test_rows=none")
    rules = with_values(official.protocol, {"ood_rows": "test_if_diff", "ood_labels": "annotated"})
    official.rows = official.judges._rows = RowBook(official.rows.corpora, rules)
    same, diff = cell("simple", OUT), cell("simple", OUT, heads="diff")
    labs = {"p": paper, "o": official}
    rows = {(w, c.key.heads): len(lab.rows.exam(c, "ssec")) for w, lab in labs.items() for c in (same, diff)}
    assert rows == {("p", "same"): 200, ("p", "diff"): 200, ("o", "same"): 200, ("o", "diff"): 40}
    asked = {w: (lab.rows.exam(same, "ssec").labels != MASKED).any(axis=0).sum() for w, lab in labs.items()}
    assert asked == {"p": 6, "o": 7}, "trust is no basic emotion"


def test_members_that_are_damaged_are_named(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo, tmp_path / "zoo")
    spoiled = make_lab(tmp_path / "zoo")
    (path,) = (tmp_path / "zoo" / "members").glob(f"{recipe_key(spoiled.identity.member(alone('tec')))}/*.safetensors")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(BadWeights, match=f"{path} cannot be read .*; delete {path.parent} and it will be made again"):
        spoiled.populations.of(cell("simple").key)


def test_a_model_is_finite_everywhere_before_anything_is_trained(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    spoiled = make_lab(tmp_path)
    spoiled.workshop.try_model()
    path = spoiled.subject.folder / "model.safetensors"
    weights = load_file(path)
    name = next(n for n in weights if n.endswith("position_embeddings.weight"))
    last = torch.full_like(weights[name][-1:], torch.nan)  # where no text of the trial leads
    save_file({**weights, name: torch.cat([weights[name][:-1], last])}, path, {"format": "pt"})
    with pytest.raises(BadWeights, match=f"^tiny-encoder: .*{name} holds NaN; such a model cannot be merged$"):
        spoiled.workshop.try_model()


def test_a_classifier_of_a_model_that_is_asked_in_words_is_left_out_with_a_line(
    tmp_path: Path, small_zoo: Path
) -> None:
    make_lab(small_zoo, model=DECODER)  # which others want too
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    said: list[str] = []
    asked = make_lab(tmp_path, model=DECODER, say=said.append)
    path = asked.subject.folder / "model.safetensors"
    save_file({**load_file(path), "score.weight": torch.ones(3, 2)}, path, {"format": "pt"})
    asked.workshop.try_model()
    assert said == ["tiny-decoder: its file holds score.weight, of a classifier, which is left out"]


def test_a_model_that_brings_a_head_of_its_own_is_said(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(small_zoo / "tiny", tmp_path / "tiny")
    said: list[str] = []
    tuned = make_lab(tmp_path, say=said.append)
    tuned.workshop.try_model()
    assert said == []
    whole = tuned.subject.fresh(tuned.rows.task("tec"), seed=1).model
    whole.save_pretrained(tuned.subject.folder)  # type: ignore[operator]
    tuned.workshop.try_model()
    assert said == ["tiny-encoder: its file holds a head for 16 labels, from which training starts"]


def test_one_checkpoint_brought_for_two_corpora_is_said(
    small_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    twice = make_lab(small_zoo, say=said.append)
    subject, workshop = twice.subject, twice.workshop
    shutil.copytree(subject.folder, tmp_path / "copy")
    bring(twice, {"tec": subject.folder, "isear": tmp_path / "copy"})
    ancestor = subject.ancestor(twice.rows.task("tec"), 1).model
    monkeypatch.setattr(workshop, "_taken", lambda *_: Taken(dict(ancestor.named_parameters()), lambda: ancestor))
    workshop.try_member(("tec", None))
    workshop.try_member(("isear", None))
    assert said == ["--member isear: it is the checkpoint that tec has; merged with itself it stays as it is"]


def test_a_member_with_an_output_layer_that_its_model_ties_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    lab = make_lab(tmp_path, model=ModelName("tiny-encoder-decoder", "tiny-encoder-decoder"))
    folder = lab.subject.folder
    shutil.copytree(folder, tmp_path / "member")
    path, config = folder / "model.safetensors", folder / "config.json"
    save_file({n: t for n, t in load_file(path).items() if n != "lm_head.weight"}, path, {"format": "pt"})
    config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": True}))
    bring(lab, {"tec": tmp_path / "member"})
    lab.workshop._any_config = True
    lab.workshop.try_model()
    with pytest.raises(
        Misfit, match=r"^lm_head.weight is in tec but not in tiny-encoder-decoder; members must descend"
    ):
        lab.workshop.try_member(("tec", None))


def test_tasks_trained_together_keep_heads_of_their_own_even_where_the_checkpoint_has_one() -> None:
    def classifier() -> Loaded:
        sizes = {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
        config = BertConfig(vocab_size=9, hidden_size=4, **sizes)
        model = BertForSequenceClassification(config)
        return Loaded(model, frozenset(), ("classifier.weight", "classifier.bias"))  # nothing in it is fresh

    rows = Split((), np.zeros((0, 1), dtype=np.int64))
    first, second = (Part(name, TASKS[name], rows, classifier()) for name in ("cola", "mrpc"))
    weights = Joint([first, second]).weights()
    trunk, other = first.loaded.model.bert, second.loaded.model.bert
    assert all(one is two for one, two in zip(trunk.parameters(), other.parameters(), strict=True))
    assert first.loaded.model.classifier.weight is not second.loaded.model.classifier.weight
    assert {name for name in weights if "classifier" in name} == {
        f"{task}::classifier.{part}" for task in ("cola", "mrpc") for part in ("weight", "bias")
    }
