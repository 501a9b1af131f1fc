"""The paper's models as they are published: tokenizers, and whole sessions that know them by name alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from transformers import AutoTokenizer

from harness.errors import BadModel
from harness.families import family_of
from harness.records.earlier import COMMIT
from harness.suites.glue import corpora as glue
from tests.hub_server import Hub
from tests.published import PUBLISHED, SPM, deberta_v3, minicpm, t5_v1_1, words
from tests.small_world import HARDLY, ROOT, Project, make_lab
from tests.test_harness_glue import made_up, write_parquet

pytestmark = pytest.mark.whole

TEXTS = ("The quick fox expresses joy.", "yes", "Does it follow? 12 of 90, Zß", "a b c")


# -- tokenizers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_tokenizer_of_sentencepiece_gives_sentencepieces_ids(name: str, tmp_path: Path) -> None:
    folder = PUBLISHED[name](tmp_path / "model")
    assert not (folder / "tokenizer.json").exists()
    plain = sentencepiece.SentencePieceProcessor(model_file=str(folder / SPM[name]))
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    for text in TEXTS:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == plain.encode(text)
    before, after = {"deberta-v3": ([1], [2]), "t5-v1_1": ([], [1]), "minicpm": ([1], [])}[name]
    assert tokenizer("a")["input_ids"] == [*before, *plain.encode("a"), *after]
    beyond = {"deberta-v3": "[MASK]", "t5-v1_1": "<extra_id_99>", "minicpm": None}[name]
    assert beyond is None or tokenizer.convert_tokens_to_ids(beyond) == plain.vocab_size(), "right behind the pieces"


@pytest.mark.parametrize(
    ("kind", "file", "first", "shift"),
    [
        ("xlm-roberta", "sentencepiece.bpe.model", "unk=<unk> bos=<s> eos=</s>", 1),
        ("mbart", "sentencepiece.bpe.model", "unk=<unk> bos=<s> eos=</s>", 1),
        ("mt5", "spiece.model", "pad=<pad> eos=</s> unk=<unk>", 0),
        ("pegasus", "spiece.model", "pad=<pad> eos=</s> unk=<unk>", 103),
        ("xlnet", "spiece.model", "unk=<unk> bos=<s> eos=</s>", 0),
        ("big_bird", "spiece.model", "pad=<pad> eos=</s> bos=<s> unk=<unk>", 0),
    ],
)
def test_other_tokenizers_of_sentencepiece_do_too(kind: str, file: str, first: str, shift: int, tmp_path: Path) -> None:
    spm = words(120, "unigram", first)
    (tmp_path / file).write_bytes(spm)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    plain = sentencepiece.SentencePieceProcessor(model_proto=spm)
    found = AutoTokenizer.from_pretrained(tmp_path)("the quick fox expresses joy", add_special_tokens=False)
    assert found["input_ids"] == [i + shift for i in plain.encode("the quick fox expresses joy")]


@pytest.mark.parametrize("content", [b"", b"cut short", b"version https://git-lfs.github.com/spec/v1\n"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_damaged_file_of_sentencepiece_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    folder = PUBLISHED[name](tmp_path / "model")
    (folder / SPM[name]).write_bytes(content)
    with pytest.raises(BadModel) as error:
        family_of(folder, trust_remote_code=True)
    assert f"{SPM[name]} is damaged, or no file of SentencePiece; copy it again" in str(error.value)


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "deberta-v2", "xlm-roberta", "albert", "gpt2", "t5", "bart", "llama"]
)
def test_a_folder_without_the_files_of_its_tokenizer_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": kind, "is_encoder_decoder": kind in ("t5", "bart")})
    )
    with pytest.raises(BadModel, match=r"its tokenizer (knows no words; add tokenizer\.json|cannot be loaded)"):
        family_of(tmp_path)


# -- sessions --------------------------------------------------------------------------------------------------------

SHORT = ("--protocol=quick", "--threads=1", "--method=simple", "--method=ties_evolver")  # more threads only wait


@pytest.fixture
def tasks(hub: Hub, tmp_path: Path) -> None:
    """Three tasks of GLUE on the hub, in made-up rows."""
    for name in ("cola", "mrpc", "rte"):
        write_parquet(tmp_path / "tasks", name, made_up(name, 120), made_up(name, 30, start=200))
    hub.put("nyu-mll/glue", tmp_path / "tasks" / "glue", kind="datasets", commit=glue.REVISION)


def lines(result: pytest.RunResult, part: str) -> list[str]:
    return [line for line in result.outlines if part in line]


@pytest.mark.parametrize(
    ("name", "make", "more"),
    [
        ("microsoft/deberta-v3-large", deberta_v3, ()),
        ("google/t5-v1_1-base", lambda folder: t5_v1_1(folder, parts=2), ()),
        ("openbmb/MiniCPM-2B-sft-bf16", minicpm, ("--trust-remote-code",)),
    ],
    ids=PUBLISHED,
)
def test_a_session_runs_from_what_is_published(
    name: str,
    make: Callable[[Path], Path],
    more: tuple[str, ...],
    glue_project: Project,
    hub: Hub,
    tasks: None,
    tmp_path: Path,
) -> None:
    commit, glue_project.zoo = hub.put(name, make(tmp_path / "model")), tmp_path / "zoo"
    words = [f"--model={name}", *SHORT, *more, "-k", "cross_task and cola and mrpc"]
    glue_project.run(*words, small=HARDLY).assert_outcomes(passed=2)
    records = glue_project.records()
    assert len(records) == 2
    for record in records.values():
        assert record.details[COMMIT] == commit and record.recipe["model"]["name"] == name
        assert record.score == record.score and str(tmp_path) not in record.path.as_posix()
    (converted,) = (p for p in (glue_project.zoo / "converted").iterdir() if p.is_dir())
    assert list(converted.glob("*.safetensors")) and not list(converted.glob("*.bin"))
    shutil.rmtree(converted)
    again = glue_project.run(*words, small=HARDLY)
    assert again.ret == 0 and len(glue_project.records()) == 2, "the second run is cached"


def test_roberta_base_by_name_alone(project: Project, hub: Hub, tasks: None, tmp_path: Path) -> None:
    """`pytest suites/ --model=roberta-base`, in a process of its own that knows the hub by HF_ENDPOINT."""
    commit = hub.put("FacebookAI/roberta-base", make_lab(project.zoo).subject.folder)
    shutil.copy(ROOT / "suites" / "test_glue.py", project.path / "suites")
    asked = ("--model=roberta-base", "--method=simple", "-k", "in_domain or (cross_task and cola and mrpc)")
    words = project.arguments(*asked, small=HARDLY)
    here = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=project.path,
        env=here,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and "1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    (skipped,) = (line for line in done.stdout.splitlines() if line.startswith("SKIPPED"))
    assert "in_domain: the hub has no emotion corpora: give --data=FOLDER with emotion/unified-dataset.jsonl" in skipped
    assert "run the scripts of github.com/sarnthil/unify-emotion-datasets" in skipped
    (record,) = project.records().values()
    assert record.recipe["model"]["name"] == "roberta-base" and record.details[COMMIT] == commit
    assert "synthetic" not in record.recipe["model"]
