"""Models by their name on the hub, tried on a hub on the loopback: what is fetched, and what goes wrong."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from harness.checkpoints.checkpoint import files, fingerprint
from harness.checkpoints.hub import commit_of, fetch, folder_of
from harness.checkpoints.names import ModelName, parse
from harness.errors import BadModel
from methods.errors import UnknownName
from tests.hub_server import Hub, at, forget
from tests.published import t5_v1_1
from tests.test_harness_checkpoint import write

EXTRA = ("README.md", "flax_model.msgpack", "tf_model.h5", "onnx/model.onnx", "optimizer.pt", ".gitattributes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with weights in two formats and files that nobody needs."""
    found = write(tmp_path / "repository", "config.json vocab.txt tokenizer/spm.model modeling.py", "model.safetensors")
    write(found, "", "pytorch_model.bin")
    for name in EXTRA:
        (found / name).parent.mkdir(exist_ok=True)
        (found / name).write_text("anything")
    for name in ("config.json", "vocab.txt", "tokenizer/spm.model", "modeling.py"):  # the hub keeps equal files once
        (found / name).write_text(json.dumps({"name": name}))
    return found


def refused(where: str) -> str:
    forget()
    with pytest.raises(BadModel) as error:
        folder_of(where)
    said = str(error.value)
    assert said.startswith(f"model {where}: ") and "\n" not in said
    return said


# -- what is fetched -------------------------------------------------------------------------------------------------


def test_what_decides_is_fetched_and_nothing_else(hub: Hub, folder: Path) -> None:
    hub.put("org/name", folder)
    got = folder_of("org/name")
    assert set(files(got)) == {"config.json", "vocab.txt", "tokenizer/spm.model", "modeling.py", "model.safetensors"}
    assert fingerprint(got) == fingerprint(folder), "on the hub or in a folder, it is one model"
    assert sorted(hub.files_asked()) == ["config.json", "model.safetensors", "modeling.py", "spm.model", "vocab.txt"]


@pytest.mark.parametrize(
    "weights", ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.safetensors.index.json"]
)
def test_weights_are_fetched_in_the_format_that_is_there(weights: str, hub: Hub, tmp_path: Path) -> None:
    hub.put("org/name", write(tmp_path / "model", "config.json spiece.model", weights))
    got = folder_of("org/name")
    assert set(files(got)) == set(files(tmp_path / "model")) and fingerprint(got) == fingerprint(tmp_path / "model")


def test_only_the_parts_that_an_index_lists_are_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "config.json", "model.safetensors.index.json")
    (folder / "model-of-before.safetensors").write_bytes(b"left over")
    (folder / "consolidated.safetensors").write_bytes(b"the same again")
    hub.put("org/name", folder)
    assert set(files(folder_of("org/name"))) == {
        *("config.json", "model.safetensors.index.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors")
    }


def test_a_second_session_fetches_nothing(hub: Hub, folder: Path) -> None:
    hub.put("org/name", folder)
    first = folder_of("org/name")
    forget()
    hub.asked.clear()
    assert folder_of("org/name") == first and hub.files_asked() == []


# -- revisions -------------------------------------------------------------------------------------------------------


def test_a_branch_a_tag_and_a_commit_lead_to_their_commit(hub: Hub, folder: Path, tmp_path: Path) -> None:
    old = hub.put("org/name", folder, "main", "v1.0")
    newer = shutil.copytree(folder, tmp_path / "newer")
    (newer / "vocab.txt").write_text("other words")
    new = hub.put("org/name", newer, "main", "refs/pr/3")
    for revision, commit in (("", new), ("@main", new), ("@refs/pr/3", new), ("@v1.0", old), (f"@{old}", old)):
        got = folder_of(f"org/name{revision}")
        assert commit_of(got) == commit and got.name == commit
        assert fingerprint(got) == fingerprint(folder if commit == old else newer)
    assert commit_of(folder) is None
    assert "but no branch, tag or commit v9 of it" in refused("org/name@v9")
    assert "but no branch, tag or commit 0000" in refused(f"org/name@{'0' * 40}")


def test_a_branch_that_moved_is_fetched_anew(hub: Hub, folder: Path, tmp_path: Path) -> None:
    hub.put("org/name", folder)
    first = folder_of("org/name")
    commit = hub.put("org/name", write(tmp_path / "newer", "config.json", "model.safetensors"))
    forget()
    assert folder_of("org/name").name == commit != first.name


def test_names_with_a_revision_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse("org/name@v1.0") == [ModelName("org/name@v1.0", "org/name@v1.0")]
    assert parse("mine=org/name@refs/pr/3") == [ModelName("mine", "org/name@refs/pr/3")]
    assert parse("roberta-base@main") == [ModelName("roberta-base@main", "FacebookAI/roberta-base@main")]
    for text in ("org/name@", "org/name@a b", "roberta-base@-x"):
        with pytest.raises(BadModel, match="after @ stands a branch, a tag or a commit"):
            parse(text)
    with pytest.raises(UnknownName, match="Did you mean 'roberta-base'"):
        parse("robertabase@main")
    (tmp_path / "my@model").mkdir()
    (tmp_path / "my@model" / "config.json").write_text("{}")
    assert parse("my@model") == [ModelName("my@model", str(tmp_path / "my@model"))]


# -- without the hub -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["offline", "unreachable", "error"])
def test_what_is_cached_is_used_without_the_hub(
    how: str, hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.put("org/name", folder)
    first = folder_of("org/name")
    away(how, hub, tmp_path / "hub cache", monkeypatch)
    for where in ("org/name", "org/name@main", f"org/name@{commit}"):
        forget()
        assert folder_of(where) == first
    said = refused("org/other")
    assert "not in the local cache" in said and "or give a local folder with --model=other=FOLDER" in said
    assert {"offline": "HF_HUB_OFFLINE", "unreachable": "HF_ENDPOINT", "error": "error 500"}[how] in said
    (first / "vocab.txt").unlink()
    assert "not in the local cache" in refused("org/name"), "a snapshot that lacks a file is no model"


def test_what_another_program_cached_is_used_without_the_hub(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("org/name", folder)
    first = folder_of("org/name")
    shutil.rmtree(first.parents[1] / "trees")
    forget()
    away("unreachable", hub, tmp_path / "hub cache", monkeypatch)
    assert folder_of("org/name") == folder_of(f"org/name@{first.name}") == first


def away(how: str, hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif how == "error":
        hub.down = ("/",)
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            at(f"http://127.0.0.1:{free.getsockname()[1]}", cache, monkeypatch)


def test_a_hub_that_never_answers_is_given_up(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.checkpoints.hub._PATIENCE", 0.2)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        at(f"http://127.0.0.1:{deaf.getsockname()[1]}", tmp_path / "hub cache", monkeypatch)
        for where in ("org/name", f"org/name@{'1' * 40}"):
            assert "check the network, name a mirror in HF_ENDPOINT" in refused(where)


# -- what the hub refuses, and what breaks ---------------------------------------------------------------------------


def test_what_the_hub_does_not_hand_out_is_one_line_with_the_cure(hub: Hub, folder: Path) -> None:
    assert f"{hub.endpoint} has no model org/nmae, or it is private" in refused("org/nmae")
    hub.put("org/gated", folder)
    hub.repositories["models/org/gated"].gated = True
    assert f"on request only: ask at {hub.endpoint}/org/gated, then log in with `hf auth login`" in refused("org/gated")
    hub.put("org/private", folder)
    hub.repositories["models/org/private"].private = True
    assert "has no model org/private, or it is private" in refused("org/private")
    assert "no name on the hub looks like org/--a..b" in refused("org/--a..b")


def test_a_file_that_is_listed_and_not_there_is_named(hub: Hub, folder: Path) -> None:
    hub.put("org/name", folder)
    hub.lost = {"vocab.txt"}
    assert re.search(r"lists a file of it that is not there \(/org/name/resolve/\w+/vocab.txt\)", refused("org/name"))


def test_a_repository_without_weights_or_with_half_of_them_is_one_line(hub: Hub, tmp_path: Path) -> None:
    bare = write(tmp_path / "bare", "config.json", "model.safetensors")
    (bare / "model.safetensors").rename(bare / "tf_model.h5")
    hub.put("org/bare", bare)
    assert "holds no model.safetensors and no pytorch_model.bin, only tf_model.h5" in refused("org/bare")
    half = write(tmp_path / "half", "config.json", "model.safetensors.index.json")
    (half / "model-2-of-2.safetensors").unlink()
    hub.put("org/half", half)
    assert "holds no model-2-of-2.safetensors, which its model.safetensors.index.json lists" in refused("org/half")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_download_that_breaks_off_is_one_line_and_goes_on_next_time(name: str, hub: Hub, folder: Path) -> None:
    hub.put("org/name", folder)
    hub.cut = {name: 1}
    said = refused("org/name")
    assert "its download from http://127.0.0.1:" in said and "broke off (peer closed connection" in said
    hub.cut = {}
    forget()
    assert fingerprint(folder_of("org/name")) == fingerprint(folder)


@pytest.mark.parametrize("what", ["/api/", "/tree/", "/resolve/", "model.safetensors"])
def test_an_error_of_the_server_is_one_line(what: str, hub: Hub, folder: Path) -> None:
    hub.put("org/name", folder)
    hub.down = (what,)
    assert "answers with error 500; try again later" in refused("org/name")
    hub.down = ()
    forget()
    assert fingerprint(folder_of("org/name")) == fingerprint(folder)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("what", ["/api/", "/tree/", "/resolve/"])
def test_who_may_not_have_it_is_told_to_log_in(
    what: str, status: int, hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.hub_server.DOWN", status)
    hub.put("org/name", folder)
    hub.down = (what,)
    assert f"does not let you have it (error {status}); ask for it at {hub.endpoint}/org/name, log in" in refused(
        "org/name"
    )


def test_other_kinds_of_repositories_are_told_apart(hub: Hub, folder: Path, tmp_path: Path) -> None:
    hub.put("org/name", t5_v1_1(tmp_path / "t5"))
    hub.put("org/name", folder, kind="datasets")
    got = fetch("org/name", None, lambda names: [n for n in names if n.startswith("vocab")], "dataset")
    assert files(got) == ("vocab.txt",)
    assert "spiece.model" in files(folder_of("org/name"))
