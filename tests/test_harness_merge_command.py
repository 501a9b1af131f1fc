"""`python -m harness merge`: from folders to a folder that plain transformers loads, or one line that says why not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from harness.export.place import NotWritten
from harness.merging import ahead
from harness.merging import deliver as delivering
from harness.merging.deliver import deliver
from harness.merging.words import asked
from methods.errors import MergeboardError, Misfit
from tests.small_world import ROOT

CONFIG = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and three members in bf16, one of them in shards; and a LoRA adapter of the base."""
    there = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**CONFIG, **HEADS)).bfloat16()
    base.save_pretrained(there / "base")
    for k, name in enumerate("abc"):
        member = LlamaForCausalLM(base.config).bfloat16()
        torch.manual_seed(k)
        member.load_state_dict({n: x + 0.01 * torch.randn_like(x) for n, x in base.state_dict().items()})
        member.save_pretrained(there / name, max_shard_size="5KB" if name == "b" else "5GB")
    peft = pytest.importorskip("peft", reason="adapters are made by PEFT, which is not installed")
    adapter = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    for name, parameter in adapter.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.05)
    adapter.peft_config["default"].base_model_name_or_path = str(there / "base")
    adapter.save_pretrained(there / "lora")
    merged = adapter.float().merge_and_unload()
    merged.save_pretrained(there / "lora-merged")
    return there


def words(models: Path, method: str, *members: str, more: tuple[str, ...] = ()) -> list[str]:
    named = [word for name in members for word in ("--member", str(models / name))]
    return [method, "--base", str(models / "base"), *named, "--out", "out", *more]


def merged(models: Path, here: Path, method: str, *members: str, more: tuple[str, ...] = ()) -> Path:
    return deliver(asked(words(models, method, *members, more=more), here), lambda line: None)


def test_what_is_written_is_loaded_by_plain_transformers(models: Path, tmp_path: Path) -> None:
    folder = merged(models, tmp_path, "simple", "a", "b", "c", more=("--dtype=fp32",))
    model = AutoModelForCausalLM.from_pretrained(folder)
    wanted = [AutoModelForCausalLM.from_pretrained(models / name).float().state_dict() for name in "abc"]
    for name, tensor in model.state_dict().items():
        assert torch.allclose(tensor, (wanted[0][name] + wanted[1][name] + wanted[2][name]) / 3)
    told = json.loads((folder / "mergeboard.json").read_text())
    assert told["method"]["name"] == "simple" and list(told["members"]) == ["a", "b", "c"]
    assert model.dtype == torch.float32 and str(models) not in (folder / "README.md").read_text()


def test_an_adapter_is_merged_as_the_model_that_it_makes_of_the_base(models: Path, tmp_path: Path) -> None:
    folder = merged(models, tmp_path, "task_arithmetic", "lora", more=("--set", "task_arithmetic.lambda=1"))
    found = load_file(folder / "model.safetensors")
    wanted = load_file(models / "lora-merged" / "model.safetensors")
    assert all(torch.allclose(x.float(), wanted[name].float(), atol=1e-3) for name, x in found.items())
    assert {x.dtype for x in found.values()} == {torch.bfloat16}, "as the base is"


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
def test_another_seed_is_another_draw_and_is_told_as_the_option_that_it_is(
    method: str, models: Path, tmp_path: Path
) -> None:
    made = {}
    for name, more in {
        "plain": (),
        "one": ("--seed=1",),
        "two": ("--seed", "2"),
        "again": ("--set", f"{method}.mask_seed=2"),
    }.items():
        (tmp_path / name).mkdir()
        folder = merged(models, tmp_path / name, method, "a", "b", more=more)
        made[name] = (folder / "model.safetensors").read_bytes(), json.loads((folder / "mergeboard.json").read_text())
    assert len({weights for weights, _ in made.values()}) == 3 and made["two"][0] == made["again"][0]
    assert made["two"][1]["method"] == made["again"][1]["method"] != made["one"][1]["method"]
    with pytest.raises(MergeboardError, match=f"--seed 3 and --set {method}.mask_seed=2 say the same; leave one out"):
        asked(words(models, method, "a", more=("--seed=3", "--set", f"{method}.mask_seed=2")), tmp_path)


def test_a_seed_that_changes_nothing_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(MergeboardError, match="--seed changes nothing of ties; leave it out"):
        asked(words(models, "ties", "a", more=("--seed=3",)), tmp_path)


def test_a_copy_of_an_adapter_is_told(models: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(models / "lora", tmp_path / "copied")
    said: list[str] = []
    order = [*words(models, "simple", "lora", "a", "c"), "--member", str(copied)]
    deliver(asked(order, tmp_path), said.append)
    told = [line for line in said if "counts as a member" in line]
    assert told == ["--member copied: number by number it is lora once more, and counts as a member of its own"]


def test_an_adapter_of_another_base_is_refused(models: Path, tmp_path: Path) -> None:
    order = asked(["simple", "--base", str(models / "a"), "--member", str(models / "lora"), "--out", "out"], tmp_path)
    with pytest.raises(Misfit, match=r"whose .* is not the base's"):
        deliver(order, lambda line: None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["tise", "--base", "base"], "no merging method named 'tise'. Did you mean 'ties'"),
        (["ties"], "ties needs the model that the members were fine-tuned from; add --base BASE"),
        (["ties", "--base", "nowhere"], "--base: nowhere has no config.json"),
        (["ties", "--base", "base", "--sed", "3"], "no option of harness merge named '--sed'. Did you mean '--seed'"),
        (["ties", "--base", "base", "--set", "ties.q=3"], "no option of ties named 'q'"),
        (["ties", "--base", "base", "--set", "k=3"], "such as --set ties.k=3"),
        (["ties", "--base", "base", "--set", "dare_linear.density=1"], "set options of ties"),
        (["ties", "--base", "base", "--dtype", "int8"], "no value of --dtype named 'int8'"),
        (["ties", "--base", "base", "--member", "b"], "two members are called b"),
        (["ties", "--base", "base", "--seed", "0"], "--seed 0: write a whole number from 1"),
        (["ties", "--base", "base", "--seed", "1-2"], "--seed 1-2: write a whole number"),
        (["ties", "--base", "base", "--seed", "9" * 30], "write a whole number from 1"),
        (["ties", "--base", "base", "stray"], "stray stands alone"),
        (["ties", "--base", "base", "--fisher", "f"], "--fisher changes nothing: ties asks for none"),
        (["ties_cma", "--base", "base"], "searches by scores"),
        (["greedy_soup", "--base", "base"], "needs development scores"),
        (["fisher", "--base", "base"], "add --fisher FILE for each"),
        (["slerp", "--base", "base"], "merges two members"),
    ],
)
def test_a_wrong_word_is_one_line(
    given: list[str], said: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    with pytest.raises(MergeboardError) as error:
        asked([*given, "--member", "a", "--member", "b", "--member", "c", "--out", str(tmp_path / "out")], models)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["base", "a/merged", "a/deep/er", "link", "."])
def test_a_merge_is_not_written_into_what_it_is_made_of_nor_in_place_of_a_link(
    place: str, models: Path, tmp_path: Path
) -> None:
    for name in ("base", "a", "b"):
        shutil.copytree(models / name, tmp_path / "models" / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "models" / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(MergeboardError, match=r"is a link|not empty|lies in the folder of --(base|member)"):
        asked([*words(tmp_path / "models", "simple", "a", "b")[:-1], str(tmp_path / "models" / place)], tmp_path)


def test_a_wrong_word_ends_with_its_code_and_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from harness.__main__ import main; code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    given = ["merge", "tise", "--member", "x", "--out", "y"]
    done = subprocess.run([sys.executable, "-c", code, *given], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 4 and done.stderr.count("\n") == 1 and done.stderr.startswith("ERROR: no merging method")


def test_models_that_say_the_same_of_themselves_are_merged_without_transformers(models: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.merging.words import asked\n"
        "from harness.merging.deliver import deliver; deliver(asked(sys.argv[1:], Path.cwd()))\n"
        "assert 'transformers' not in sys.modules and 'pytest' not in sys.modules"
    )
    given = words(models, "ties", "a", "b")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, *given], cwd=tmp_path, env=environment, check=True, capture_output=True)


def test_what_will_be_read_is_asked_for_at_once_where_memory_has_room(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(words(models, "simple", "a", "b"), tmp_path).read == [models / "a", models / "b"]
    assert asked(words(models, "ties", "a"), tmp_path).read == [models / "a", models / "base"]
    assert asked(words(models, "simple", "lora", "a"), tmp_path).read == [models / n for n in ("lora", "a", "base")]
    at_work = ahead.ask([models / "a", models / "b", tmp_path])
    for thread in at_work:
        thread.join()
    assert len(at_work) in (3, 0), "one for each, where the system can be asked at all"
    monkeypatch.setattr(ahead, "_free", lambda: 100)
    assert ahead.ask([models / "a"]) == []


def copied(models: Path, tmp_path: Path, **config: object) -> Path:
    """Member b with another configuration."""
    shutil.copytree(models / "b", tmp_path / "changed")
    told = json.loads((tmp_path / "changed" / "config.json").read_text())
    (tmp_path / "changed" / "config.json").write_text(json.dumps({**told, **config}))
    return tmp_path / "changed"


def refused(models: Path, other: Path, tmp_path: Path) -> str:
    given = ["--base", str(models / "base"), "--member", str(models / "a"), "--member", str(other)]
    with pytest.raises(MergeboardError) as error:
        deliver(asked(["simple", *given, "--out", "out"], tmp_path), lambda line: None)
    assert "\n" not in str(error.value) and not list(tmp_path.glob("*out*"))
    return str(error.value)


def test_models_of_another_kind_labels_or_words_are_refused(models: Path, tmp_path: Path) -> None:
    assert "hidden_size 99" in refused(models, copied(models, tmp_path, hidden_size=99), tmp_path)
    labelled = tmp_path / "labelled"
    shutil.copytree(models / "a", labelled)
    for folder, labels in ((labelled, ("joy", "anger")), (tmp_path / "changed", ("anger", "joy"))):
        told = json.loads((models / "a" / "config.json").read_text()) | {"id2label": dict(enumerate(labels))}
        (folder / "config.json").write_text(json.dumps(told))
    given = ["simple", "--member", str(labelled), "--member", str(tmp_path / "changed"), "--out", "out"]
    with pytest.raises(Misfit, match="the outputs of labelled are joy, anger and those of changed are anger, joy"):
        deliver(asked(given, tmp_path), lambda line: None)
    shutil.copyfile(models / "b" / "config.json", tmp_path / "changed" / "config.json")
    (tmp_path / "changed" / "vocab.json").write_text('{"a": 1, "b": 0}')
    shutil.copyfile(models / "a" / "config.json", labelled / "config.json")
    (labelled / "vocab.json").write_text('{"a": 0, "b": 1}')
    with pytest.raises(Misfit, match="'a' is token 0 in labelled and 1 in changed"):
        deliver(asked(given, tmp_path), lambda line: None)


def test_statistics_are_read_from_files(models: Path, tmp_path: Path) -> None:
    names = load_file(models / "a" / "model.safetensors")
    for k, name in enumerate("ac"):
        weights = {n: torch.full(x.shape, float(k * 1e6)) for n, x in names.items()}
        save_file(weights, tmp_path / f"{name}.safetensors")
    given = ("--fisher", str(tmp_path / "a.safetensors"), "--fisher", str(tmp_path / "c.safetensors"))
    found = load_file(merged(models, tmp_path, "fisher", "a", "c", more=given) / "model.safetensors")
    wanted = load_file(models / "c" / "model.safetensors")
    assert all(torch.allclose(x, wanted[name], atol=1e-12) for name, x in found.items()), "only c is sure"


def test_a_full_disk_leaves_nothing_and_is_told_in_one_line(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "ROOM", 1 << 60)
    with pytest.raises(MergeboardError, match=r"the merge takes .* GB and .* has .* GB free"):
        merged(models, tmp_path, "simple", "a", "b")
    monkeypatch.setattr(delivering, "ROOM", 0)

    def full(self: object, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.streaming.writer.Writer._put", full)
    with pytest.raises(NotWritten, match="no space left on device"):
        merged(models, tmp_path, "simple", "a", "b")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOENT])
@pytest.mark.parametrize("call", ["mmap.mmap", "shutil.copyfile"])
def test_what_cannot_be_read_meanwhile_is_named_and_not_the_place_that_is_written(
    call: str, number: int, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = models / "a" / "config.json"

    def away(*words: object, **more: object) -> None:
        raise OSError(number, os.strerror(number), *([str(read)] if "copy" in call else []))

    monkeypatch.setattr(call, away)
    with pytest.raises(
        MergeboardError, match=os.strerror(number).lower() if "copy" in call else os.strerror(number)
    ) as e:
        merged(models, tmp_path, "simple", "a", "b")
    named = read if "copy" in call else models
    assert str(e.value).startswith(str(named)) and "cannot be read" in str(e.value) and "again" in str(e.value)
    assert "\n" not in str(e.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("ended", "said"), [(signal.SIGBUS, "became shorter"), (signal.SIGKILL, "killed")])
def test_a_merge_that_a_signal_ends_is_told_in_one_line_and_leaves_nothing(
    ended: signal.Signals, said: str, tmp_path: Path
) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom harness.merging.command import watched\n"
        f"def work():\n  Path('left').mkdir(); os.kill(os.getpid(), {int(ended)})\n"
        "sys.exit(watched(work, lambda child: Path('left').rmdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")], ids="=".join)
def test_a_type_has_the_name_that_protocols_give_it_and_that_of_torch(tmp_path: Path, words: tuple[str, ...]) -> None:
    order = ["simple", "--member", "org/a", "--member", "org/b", "--out", "new", "--dtype"]
    assert {asked([*order, word], tmp_path).dtype for word in words} == {words[1]}


@pytest.mark.parametrize(
    "config",
    [
        {"rope_parameters": {"rope_theta": 500_000.0, "rope_type": "default"}},
        {"rms_norm_eps": 1e-3},
        {"hidden_act": "gelu"},
        {"num_attention_heads": 2, "head_dim": 8, "num_key_value_heads": 1},
        {"tie_word_embeddings": False},
    ],
    ids=lambda config: next(iter(config)),
)
def test_a_member_that_computes_otherwise_with_the_same_numbers_is_refused(
    config: dict[str, object], models: Path, tmp_path: Path
) -> None:
    changed = copied(models, tmp_path, **config)
    order = ["simple", "--base", str(models / "base"), "--member", str(models / "a"), "--member", str(changed)]
    with pytest.raises(MergeboardError, match=rf"--member changed: its config\.json has .*{next(iter(config))[:4]}"):
        deliver(asked([*order, "--out", "out"], tmp_path), lambda line: None)


def test_who_knows_that_a_configuration_cannot_matter_says_so(models: Path, tmp_path: Path) -> None:
    changed = copied(models, tmp_path, rms_norm_eps=1e-5)
    order = ["simple", "--base", str(models / "base"), "--member", str(models / "a"), "--member", str(changed)]
    folder = deliver(asked([*order, "--trust-configs", "--out", "out"], tmp_path), lambda line: None)
    assert json.loads((folder / "config.json").read_text())["rms_norm_eps"] == 1e-6, "as the first member has it"
    with pytest.raises(MergeboardError, match="--trust-configs has no value; leave =yes out"):
        asked([*order, "--trust-configs=yes", "--out", "out"], tmp_path)


def test_a_member_that_descends_from_nothing_near_the_base_is_told(models: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)
    LlamaForCausalLM(LlamaConfig(**CONFIG, **HEADS)).bfloat16().save_pretrained(tmp_path / "stranger")
    order = ["simple", "--base", str(models / "base"), "--member", str(models / "a"), "--member", str(models / "lora")]
    said: list[str] = []
    deliver(asked([*order, "--member", str(tmp_path / "stranger"), "--out", "out"], tmp_path), said.append)
    (told,) = (line for line in said if "length away" in line)
    assert told.startswith("--member stranger: it lies 1.4 times the base's own length away")
