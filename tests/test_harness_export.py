"""The model that comes out: what a reader with plain transformers finds, and what is refused or left behind."""

from __future__ import annotations

import base64
import json
import os
import resource
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from harness.cells.lab import Lab
from harness.cells.recorded import weights_sha256
from harness.export.ancestry import origin_of
from harness.export.deliver import Order, deliver
from harness.export.facts import Facts
from harness.export.place import NotWritten, appearing
from harness.export.remake import cell_of
from harness.export.write import Blank, read_back
from harness.families.asked import Asked
from harness.records.record import RunRecord, Store
from harness.storage import owner
from methods.ensemble import combine
from methods.errors import Misfit
from tests.brought import FAMILIES, TASKS_OF_TWO, TWO, bring, lab_of, lab_of_two_tasks, record_of, record_of_two_tasks

READER = Path(__file__).parent / "plain_reader.py"


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Lab]:
    """Family -> the laboratory of a model with two members that were brought."""
    root = tmp_path_factory.mktemp("brought")
    return {kind: lab_of(root / kind, bring(root / kind, kind), kind) for kind in FAMILIES}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("results") / "results")


def write(record: RunRecord, lab: Lab, store: Store, target: Path) -> Facts:
    return deliver(Order(record, "For the test."), cell_of(record, lab.subject.model), lab, store, store, target)


def said(record: RunRecord, corpus: str) -> tuple[list[str], Any]:
    """The outputs that were examined, and what the record says was answered: (rows, outputs) of 0 and 1."""
    kept = record.predictions[corpus]
    raw = np.frombuffer(zlib.decompress(base64.b64decode(kept["bits"])), dtype=np.uint8)
    shape = kept["rows"], len(kept["outputs"])
    return kept["outputs"], np.unpackbits(raw, count=shape[0] * shape[1]).reshape(shape)


def question(lab: Lab, record: RunRecord, folder: Path, corpus: str) -> dict[str, Any]:
    task, outputs = lab.rows.task(corpus), said(record, corpus)[0]
    places = [task.outputs.index(name) for name in outputs]
    words: dict[str, Any] = {}
    if isinstance(lab.subject.family, Asked):
        words = {"yes": lab.subject.family.answers.yes, "no": lab.subject.family.answers.no}
    return {
        "kind": lab.subject.family.kind,
        "folder": str(folder),
        "texts": list(lab.rows.corpora[corpus].test.texts),
        "outputs": outputs,
        "statements": [task.statements[k] for k in places],
        "questions": [task.questions[k] for k in places],
        "threshold": lab.told.scoring.threshold,
        **words,
    }


@pytest.mark.whole
def test_plain_transformers_in_a_fresh_process_gives_the_recorded_answers(
    labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    asked, wanted = [], []
    for kind, lab in labs.items():
        record = record_of(lab, store, "simple")
        write(record, lab, store, tmp_path / kind)
        for corpus in TWO:
            asked.append(question(lab, record, tmp_path / kind, corpus))
            wanted.append(said(record, corpus)[1])
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = subprocess.run(
        [sys.executable, str(READER), "asked.json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for answered, right in zip(json.loads(done.stdout), wanted, strict=True):
        assert 0 < right.mean() < 1, "answers that are all alike would show nothing"
        assert answered == right.tolist()


def test_the_card_says_to_the_hub_what_the_record_says(labs: Mapping[str, Lab], store: Store, tmp_path: Path) -> None:
    lab = labs["encoder"]
    for method in ("avg", "best"):
        record_of(lab, store, method)
    record = record_of(lab, store, "simple")
    facts = write(record, lab, store, tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    told = {r.dataset_type: r.metric_value for r in card.data.eval_results or []}
    assert told == {corpus: round(score, 6) for corpus, score in record.scores.items()} and card.data.datasets is None
    data = card.data.to_dict()
    assert data["library_name"] == "transformers" and {"merge", "simple"} <= set(data["tags"])
    (first, *_), (_, _, *others) = facts.scores, facts.scores
    assert first.name == "simple" and [s.name for s in others] == list(TWO)
    for piece in ("For the test.", record.weights_sha256, record.path.as_posix(), "brought by the user", *TWO):
        assert piece in card.text, piece
    low, high = facts.scores[0].span or (1.0, 0.0)
    assert low < record.score < high and f"{100 * record.score:.2f} [{100 * low:.2f}, {100 * high:.2f}]" in card.text
    assert str(tmp_path) not in card.text
    lineage = json.loads((tmp_path / "out" / "mergeboard.json").read_text())
    assert lineage["record"]["key"] == record.key and "predictions" not in lineage["record"]


def test_the_card_names_data_sets_of_the_hub_at_their_commit_and_no_local_file(store: Store, tmp_path: Path) -> None:
    lab, commit = lab_of(tmp_path, bring(tmp_path, "encoder"), "encoder"), "0123456789abcdef" * 2 + "01234567"
    lab.rows.corpora = {**lab.rows.corpora, "tec": replace(lab.rows.corpora["tec"], source=f"org/tweets@{commit}")}
    record = record_of(lab, store, "simple")
    write(record, lab, store, tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.datasets == ["org/tweets"]
    told = {(r.dataset_type, r.dataset_revision) for r in card.data.eval_results or []}
    assert told == {("org/tweets", commit), ("isear", None)}
    assert f"| rows | tec | org/tweets | {commit} |" in card.text and "| rows | isear |" not in card.text
    assert json.loads((tmp_path / "out" / "mergeboard.json").read_text())["sources"] == {"tec": f"org/tweets@{commit}"}


@pytest.mark.parametrize("dev", [True, False], ids=["dev", "no dev"])
def test_labels_in_another_order_are_another_task_and_no_other_checkpoint(
    dev: bool, store: Store, tmp_path: Path
) -> None:
    lab = lab_of(tmp_path, bring(tmp_path, "encoder"), "encoder")
    if not dev:
        lab.rows.corpora = {name: replace(c, dev=c.dev.first(0)) for name, c in lab.rows.corpora.items()}
    record = record_of(lab, store, "simple")
    task = lab.rows.task("tec")
    turned = replace(task, outputs=task.outputs[::-1])
    other = lab_of(tmp_path, {"tec": tmp_path / "tec", "isear": tmp_path / "isear"}, "encoder")
    other.rows.corpora = {name: replace(c, task=turned) for name, c in lab.rows.corpora.items()}
    with pytest.raises(Misfit, match=rf"the task {task.name} is another \(its labels, their order, .*; give --task"):
        write(record, other, store, tmp_path / "out")


def test_licence_and_repository_are_told_where_they_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "models--org--name" / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    known = origin_of("ancestor", str(folder), folder)
    assert (known.repository, known.revision, known.licence) == ("org/name", "0" * 40, None)
    for said, licence in (("license: mit", "mit"), ("license: [", None), ("language: en", None)):
        (folder / "README.md").write_text(f"---\n{said}\n---\n# A model\n")
        assert origin_of("ancestor", str(folder), folder).licence == licence


def test_an_ensemble_is_a_folder_for_each_member_and_how_to_average_them(
    labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    lab = labs["encoder"]
    record = record_of(lab, store, "ensemble")
    write(record, lab, store, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "ensemble.json").read_text())
    assert told["members"] == list(TWO)
    corpus = TWO[0]
    outputs, wanted = said(record, corpus)
    votes = torch.tensor([told["votes"][member] for member in TWO], dtype=torch.bool)
    logits = []
    for member in TWO:
        folder = tmp_path / "out" / member
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        inputs = tokenizer(list(lab.rows.corpora[corpus].test.texts), padding=True, return_tensors="pt")
        with torch.no_grad():
            logits.append(model(**inputs).logits)
    mean = combine(torch.stack(logits), votes)[:, [told["outputs"].index(name) for name in outputs]]
    assert (mean >= lab.told.scoring.threshold).int().tolist() == wanted.tolist()


def test_tasks_that_keep_their_heads_have_a_folder_each(store: Store, tmp_path: Path) -> None:
    lab = lab_of_two_tasks(tmp_path)
    record = record_of_two_tasks(lab, store, "simple")
    write(record, lab, store, tmp_path / "out")
    for corpus in TASKS_OF_TWO:
        folder, split = tmp_path / "out" / corpus, lab.rows.corpora[corpus].test
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        assert list(model.config.id2label.values()) == list(lab.rows.task(corpus).outputs)
        texts = [list(split.texts)] if split.seconds is None else [list(split.texts), list(split.seconds)]
        with torch.no_grad():
            logits = model(**tokenizer(*texts, padding=True, return_tensors="pt")).logits
        classes = "".join(map(str, logits.argmax(dim=1).tolist()))
        assert classes == record.predictions[corpus]["classes"] and len(set(classes)) > 1
    page = (tmp_path / "out" / "README.md").read_text()
    assert "there is a folder for each: `cola/`, `rte/`" in page


def test_weights_have_the_dtype_of_the_members_and_the_card_says_what_that_changes(
    store: Store, tmp_path: Path
) -> None:
    lab = lab_of(tmp_path, bring(tmp_path, "encoder", torch.bfloat16), "encoder")
    record = record_of(lab, store, "simple")
    facts = write(record, lab, store, tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    assert facts.dtype == "bfloat16" and set(facts.changed) == set(TWO)
    page = (tmp_path / "out" / "README.md").read_text()
    changed = ", ".join(f"{corpus} {count}" for corpus, count in facts.changed.items())
    assert f"Test answers that are others in bfloat16: {changed};" in page


def test_large_weights_lie_in_several_files(labs: Mapping[str, Lab], tmp_path: Path) -> None:
    lab = labs["encoder"]
    task = lab.rows.task(TWO[0])
    blank, model = Blank.of(lab, task), lab.subject.fresh(task, seed=1).model
    weights = {name: p.detach() for name, p in model.named_parameters()}
    digest = blank.write(weights, tmp_path / "out", torch.float32, shard="50KB")
    assert digest == weights_sha256(weights) and (tmp_path / "out" / "model.safetensors.index.json").is_file()
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    assert all(torch.equal(tensor, weights[n]) for n, tensor in read_back(blank, tmp_path / "out", digest).items())


def test_other_members_are_not_taken_for_those_of_the_record(
    labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    lab = labs["encoder"]
    record = record_of(lab, store, "simple")
    members = bring(tmp_path, "encoder")
    swapped = lab_of(tmp_path, {TWO[0]: members[TWO[0]], TWO[1]: members[TWO[0]]}, "encoder")
    with pytest.raises(Misfit, match=f"{TWO[1]}: another checkpoint than then"):
        write(record, swapped, store, tmp_path / "out")
    with pytest.raises(Misfit, match=r"merging again gives other weights, .* and not 000"):
        write(replace(record, weights_sha256="0" * 64), lab, store, tmp_path / "out")
    with pytest.raises(Misfit, match="domain_specific is every member on its own rows, no model"):
        write(replace(record, method="domain_specific"), lab, store, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_a_record_that_was_edited_is_not_passed_on_to_a_card(
    labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    lab = labs["encoder"]
    record = record_of(lab, store, "simple")
    for edited in ({"seed": 2}, {"members": record.members[::-1]}, {"setting": "other"}, {"heads": "own"}):
        with pytest.raises(Misfit, match="it says of itself another test than its recipe"):
            write(replace(record, **edited), lab, store, tmp_path / "out")  # type: ignore[arg-type]
    better = {corpus: 0.999 for corpus in record.scores}
    with pytest.raises(Misfit, match=r"its answers on \w+ give 0\.\d+, and it says 0\.999; the file was edited"):
        write(replace(record, scores=better), lab, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing_and_says_so_in_one_line(
    labs: Mapping[str, Lab], store: Store, tmp_path: Path
) -> None:
    lab, room = labs["encoder"], resource.getrlimit(resource.RLIMIT_FSIZE)
    record = record_of(lab, store, "simple")
    (tmp_path / "out").mkdir()  # empty, as somebody may have made it
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, room[1]))
    try:
        with pytest.raises(NotWritten) as error:
            write(record, lab, store, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    assert "cannot be written (" in str(error.value) and "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and not list((tmp_path / "out").iterdir())
    write(record, lab, store, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_what_a_killed_export_left_goes_with_the_next_one_and_another_machines_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "HOST", "node-1")
    names = [f"{pid}-node_{node}-0123abc_" for node in (1, 2) for pid in (999999999, os.getpid())]
    dead, alive, theirs, left = (tmp_path / f".out-export-{name}" for name in names)
    for folder in (dead, alive, theirs, left):
        folder.mkdir()
        (folder / "half").touch()
    for path in (left, left / "half", theirs):  # what another machine writes to is changed now and then
        os.utime(path, (1, 1))
    with appearing(tmp_path / "out") as folder:
        (folder / "a").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", alive.name, theirs.name])
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
