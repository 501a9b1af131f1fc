"""Own tasks whose answers are written: what the file says, what rows want, and one line for what cannot be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness.cells.cell import Cell, PopulationKey
from harness.cells.rowbook import RowBook
from harness.checkpoints.names import ModelName
from harness.data.corpus import Reference
from harness.protocol.protocol import Protocol
from harness.suites.own import reading
from harness.suites.setting import Setting
from leaderboard import audit
from methods.errors import MergeboardError
from tests.small_world import Project
from tests.test_harness_families import byte_level
from tests.test_harness_own_data import load, one, table, toml

HEAD = (
    'name = "sums"\nkind = "generation"\nprompt = "Question: {text}\\nAnswer:"\ntokens = 12\nstop = "\\n"\n'
    'graders = ["number"]\n'
)
LANGUAGE = HEAD.replace('"number"', '"number:locale=de", "language:words=vo: bo mi; um: a e"')
DE = '[corpora.de]\ndata = "de.jsonl"\n'
ASKED = 'columns = {text = "question"}\n'


def jsonl(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def sums(count: int = 40, **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"{k} and {k}?", "answer": f"So {2 * k}.", **more} for k in range(count)]


def test_a_file_as_mgsm_has_it_is_a_task_whose_answers_are_written(tmp_path: Path) -> None:
    jsonl(tmp_path, "de.jsonl", [{**row, "answer_number": k, "lang": "vo"} for k, row in enumerate(sums())])
    text = LANGUAGE + DE + 'columns = {text = "question", answer = "answer_number", language = "lang"}\n'
    corpus = one(tmp_path, text)
    task = corpus.task
    assert (task.kind, task.metric, task.outputs, task.width) == ("generation", "mean_mark", ("mark",), 1)
    assert (task.prompt, task.tokens, task.stop) == ("Question: {text}\nAnswer:", 12, ("\n",))
    assert task.graders == ("number:locale=de", "language:words=vo: bo mi; um: a e")
    assert [len(split) for split in (corpus.train, corpus.dev, corpus.test)] == [28, 4, 8]
    every = corpus.everything
    assert every.labels.tolist() == [[1.0]] * 40 and every.references is not None
    assert {text: wanted for text, wanted in zip(every.texts, every.references, strict=True)} == {
        f"{k} and {k}?": Reference(str(k), "vo") for k in range(40)
    }


def test_answers_are_texts_or_numbers_as_they_would_be_written(tmp_path: Path) -> None:
    answers = [7, 7.0, 1.5, "1,000", " so 3 ", -2, 10**15]
    jsonl(tmp_path, "de.jsonl", [{"question": f"{k}?", "answer": answer} for k, answer in enumerate(answers)])
    corpus = one(tmp_path, HEAD + DE + ASKED + "split = {train = 1, dev = 1}\n")
    pairs = zip(corpus.everything.texts, corpus.everything.references or (), strict=True)
    found = {text: wanted.answer for text, wanted in pairs}
    wanted = ["7", "7", "1.5", "1,000", " so 3 ", "-2", "1000000000000000"]
    assert found == {f"{k}?": answer for k, answer in enumerate(wanted)}


def test_a_parquet_of_pairs_in_one_language_needs_no_column_of_it(tmp_path: Path) -> None:
    columns = {"text": [f"{k}" for k in range(20)], "second": ["x"] * 20, "answer": [float(k) for k in range(20)]}
    pq.write_table(pa.table(columns), tmp_path / "de.parquet")
    text = LANGUAGE.replace("{text}", "{text} and {second}") + DE.replace("jsonl", "parquet") + 'language = "vo"\n'
    corpus = one(tmp_path, text + 'columns = {text = ["text", "second"]}\n')
    assert corpus.task.pair and corpus.test.seconds == ("x",) * len(corpus.test)
    assert {wanted.language for wanted in corpus.everything.references or ()} == {"vo"}


def test_rows_without_an_answer_are_left_out_where_one_says_so(tmp_path: Path) -> None:
    jsonl(tmp_path, "de.jsonl", [*sums(), {"question": "?", "answer": None}, {"question": "", "answer": "1"}])
    corpora, said = load(tmp_path, HEAD + DE + ASKED + 'missing = "skip"\n')
    assert len(corpora["de"].everything) == 40 and said == ["de: 2 rows without a text or an answer are left out"]


def test_a_prompt_that_asks_the_same_in_other_blanks_is_met_in_training(tmp_path: Path) -> None:
    """Rows leak by what is asked, whatever stands around it in the prompt."""
    jsonl(tmp_path, "train.jsonl", [*sums(30), {"question": "35 AND  35?", "answer": "70"}])
    jsonl(tmp_path, "test.jsonl", sums()[30:])
    files = '[corpora.NAME]\nfiles = {train = "train.jsonl", test = "test.jsonl"}\n' + ASKED
    corpora, _ = load(tmp_path, HEAD + files.replace("NAME", "de") + files.replace("NAME", "fr"))
    setting = Setting("t", "s", ("de", "fr"), "all")
    cell = Cell(setting, PopulationKey(ModelName("m", "m"), "t", ("de", "fr"), ("de", "fr"), 1, "same"), "simple")
    book = RowBook(corpora, Protocol())
    assert len(book.exam(cell, "de")) == 9 and book.seen(cell, "de").left_out == 1
    assert len(book.exam(cell, "de").references or ()) == 9


WRONG = {
    "de.jsonl": sums(),
    "none.jsonl": [*sums(), {"question": "?", "answer": "nobody knows"}],
    "half.jsonl": [*sums(), {"question": "?", "answer": 1.5}],
    "list.jsonl": [*sums(), {"question": "?", "answer": [1]}],
    "gap.jsonl": [*sums(), {"question": "?", "answer": None}],
    "vo.jsonl": [*sums(language="vo"), {"question": "?", "answer": "1", "language": "voo"}],
    "gap2.jsonl": [*sums(language="vo"), {"question": "?", "answer": "1", "language": None}],
    "same.jsonl": sums(1) * 40,
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD.replace('prompt = "Question: {text}\\nAnswer:"\n', ""), "prompt is missing; write what a model goes on"),
        (HEAD.replace("{text}", "text"), "prompt has no {text}, so every row would ask the same"),
        (HEAD.replace("{text}", "{txt}"), "prompt: no placeholder named 'txt'. Did you mean 'text'"),
        (HEAD.replace("{text}", "{text} {answer}"), "prompt: no placeholder named 'answer'. Known: second, text"),
        (HEAD.replace("{text}", "{text} {second}"), r"text names question; .* two columns, .*prompt has \{second\}"),
        (HEAD.replace("tokens = 12\n", ""), "tokens is missing; write the most tokens"),
        (HEAD.replace("12", "0"), "tokens is 0; write a whole number from 1 to 16,384"),
        (HEAD.replace("12", "99999"), "tokens is 99999; write a whole number from 1 to 16,384"),
        (HEAD.replace("12", '"12"'), "tokens is '12'; it must be a whole number"),
        (HEAD.replace('graders = ["number"]\n', ""), "graders is missing; write who marks answers"),
        (HEAD.replace('"number"', '"numbr"'), "graders: no grader named 'numbr'. Did you mean 'number'"),
        (HEAD.replace('"number"', '"number:locale=xx"'), "graders: no value of number.locale named 'xx'"),
        (HEAD.replace('"number"', '"number", "number"'), "graders: the grader number is named twice"),
        (HEAD.replace('["number"]', "[]"), "graders is .*; it must be a text, or a list of texts"),
        (HEAD.replace('"\\n"\n', '["a", ""]\n'), "stop is .*; write up to 16 texts, none empty"),
        (HEAD + 'labels = ["a", "b"]\n', "labels says nothing of answers that are written; leave it out"),
        (HEAD + 'metric = "accuracy"\n', "no metric of generation named 'accuracy'"),
        (HEAD.replace("generation", "classification"), "prompt is that of a generation, and kind is classification"),
    ],
)
def test_a_task_that_cannot_be_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    jsonl(tmp_path, "de.jsonl", sums())
    with pytest.raises(MergeboardError, match=said) as caught:
        reading.read(toml(tmp_path, text + DE + ASKED))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + DE + 'columns = {text = "qestion"}\n', "no column named 'qestion'. Did you mean 'question'"),
        (
            HEAD + DE + 'columns = {text = "question", answer = "answr"}\n',
            "no column named 'answr'. Did you mean 'answe",
        ),
        (HEAD + DE + 'columns = {text = "question", label = "answer"}\n', "no key named 'label'"),
        (HEAD + DE + 'columns = {text = "question", answer = "question"}\n', "a column is named twice; text, answer"),
        (HEAD + DE + 'columns = {text = ["question", "answer"]}\n', "one column, .*its prompt has no {second}"),
        (LANGUAGE + DE + ASKED, "no column named 'language'"),
        (
            LANGUAGE + DE.replace("de.j", "vo.j") + ASKED,
            "vo.jsonl, line 41: no language named 'voo'. Did you mean 'vo'",
        ),
        (
            LANGUAGE + DE.replace("de.j", "gap2.j") + ASKED,
            "gap2.jsonl, line 41: no answer in column answer, or no lang",
        ),
        (LANGUAGE + DE + 'language = "voo"\n' + ASKED, "de.jsonl, line 1: no language named 'voo'. Did you mean 'vo'"),
        (
            LANGUAGE + DE + 'language = "vo"\ncolumns = {language = "answer"}\n',
            "language is answer, and vo in .corpora",
        ),
        (HEAD + DE.replace("de.j", "none.j") + ASKED, "none.jsonl, line 41: its answer 'nobody knows' has no number"),
        (HEAD + DE.replace("de.j", "list.j") + ASKED, "list.jsonl, line 41: its answer is .1.; it must be a text or a"),
        (HEAD + DE.replace("de.j", "gap.j") + ASKED, 'gap.jsonl, line 41: no answer in column answer; .*missing = "s'),
        (
            HEAD + DE.replace("de.j", "same.j") + ASKED,
            "want the same answer; nothing can be learned|would have no rows",
        ),
        (
            LANGUAGE + DE.replace("de.j", "half.j") + 'language = "vo"\n' + ASKED,
            "half.jsonl, line 41: its answer is the number 1.5, which the grader number reads as 5; write",
        ),
        (
            'name = "t"\nkind = "classification"\n'
            + DE
            + ASKED.replace("}", ', label = "answer"}')
            + 'language = "vo"\n',
            "language is that of written answers, and this task has labels",
        ),
    ],
)
def test_rows_that_cannot_be_are_one_line_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    for name, rows in WRONG.items():
        jsonl(tmp_path, name, rows)
    with pytest.raises(MergeboardError, match=said) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_an_answer_in_the_signs_of_another_locale_is_found_in_a_csv_too(tmp_path: Path) -> None:
    table(tmp_path, "de.csv", [(f"{k}?", f"{k}.5") for k in range(30)], ("question", "answer"))
    text = HEAD.replace('"number"', '"number:locale=de"') + DE.replace("jsonl", "csv") + ASKED
    with pytest.raises(MergeboardError, match=r"de.csv, line 2: its answer '0.5' reads as 5 in the locale de"):
        load(tmp_path, text)


def test_an_exam_whose_texts_no_record_could_hold_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonl(tmp_path, "de.jsonl", sums(400))
    corpora, _ = load(tmp_path, HEAD + DE + ASKED + DE.replace("corpora.de", "corpora.fr") + ASKED)
    monkeypatch.setattr("harness.cells.rowbook.LARGEST", 1000)
    setting = Setting("t", "s", ("de", "fr"), "all")
    cell = Cell(setting, PopulationKey(ModelName("m", "m"), "t", ("de", "fr"), ("de", "fr"), 1, "same"), "simple")
    with pytest.raises(MergeboardError, match=r"de: 80 test rows with answers of up to 12 tokens .*--set test_rows="):
        RowBook(corpora, Protocol(repeats="kept")).exam(cell, "de")
    assert np.isfinite(corpora["de"].test.labels).all()


# -- a session -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a tiny decoder in `model`, and sums of two kinds."""
    project = Project(pytester, pytester.path / "zoo", "own")
    monkeypatch.setenv("COLUMNS", "300")
    tokenizer = byte_level()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(project.path / "model")
    tokenizer.save_pretrained(project.path / "model")
    for name, more in {"de": 0, "fr": 3}.items():
        rows = [{"question": f"{name}: {k} and {k}?", "answer": k % 7 + more} for k in range(30)]
        jsonl(project.path, f"{name}.jsonl", rows)
    toml(project.path, HEAD.replace("12", "4").replace('"number"', '"number", "contains"') + "".join(
        f'[corpora.{name}]\ndata = "{name}.jsonl"\n{ASKED}' for name in ("de", "fr")
    ))  # fmt: skip
    return project


def test_a_session_keeps_what_was_written_and_who_checks_grades_it_again(own: Project) -> None:
    knobs = ("epochs=1", "batch_size=8", "search.budget=2", "search_by=both")
    result = own.pytester.runpytest_inprocess(
        *("suites/", "-n0", "-p", "no:cacheprovider", "--zoo=zoo", "--results=results", "--task=task.toml"),
        *("--model=small=model", "--protocol=quick", "--seeds=1", *(f"--set={knob}" for knob in knobs)),
        *("--method=simple", "--method=simple_random"),
    )
    result.assert_outcomes(passed=2)
    store, (simple, searched) = own.store(), sorted(own.all_records(), key=lambda record: record.method)
    assert list(audit.faults(store)) == []
    assert "search" not in simple.recipe["protocol"]
    assert searched.recipe["protocol"]["search"] == {"search_by": "both"} and searched.knobs["search_by"] == "both"
    for record in (simple, searched):
        assert record.metric == "mean_mark" and record.dev["likelihood"] < 0 <= record.dev["score"] <= 1
        for corpus, kept in record.predictions.items():
            assert {"marks", "graders", "texts"} <= set(kept) and "texts" not in record.dev["predictions"][corpus]
            assert 0 <= record.details["exams"][corpus]["cut"] <= kept["rows"]
            assert all(row.answer and row.said is not None for row in store.texts(kept["texts"]).rows)
    path = store.root / "texts" / f"{simple.predictions['de']['texts']}.json"
    path.write_text(path.read_text().replace('", "", "', '", "", "7', 1))
    assert any("content does not match its name" in line for line in audit.faults(store))
