"""Members that a user brings to a session: by name and seed, from folders and from the hub, whole and as adapters."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness.cells.cell import Source
from harness.checkpoints import brought
from harness.session import options
from tests.hub_server import Hub
from tests.small_world import Project, alone, bring, make_lab, saved

ANY = {("tec", None): "any", ("tec", 2): "second", ("de@2", None): "variant", ("fr", 3): "third"}


@pytest.mark.parametrize(
    ("member", "seed", "wanted"),
    [
        ("tec", 1, "any"),
        ("tec", 2, "second"),
        ("isear", 1, None),
        ("de@2", 7, "variant"),
        ("fr", 3, "third"),
        ("fr", 4, None),
        ("fr@3", 4, "third"),
        ("fr@4", 3, None),
        ("tec@1", 1, None),
    ],
)
def test_the_seeds_own_member_comes_before_that_of_any_seed(member: str, seed: int, wanted: str | None) -> None:
    assert brought.given_for(ANY, member, seed) == wanted


def test_a_name_may_hold_a_seed_a_partition_and_signs() -> None:
    keys = {"tec": ("tec", None), "tec@3": ("tec", 3), "de@2@3": ("de@2", 3), "cola#1@2": ("cola#1", 2)}
    keys |= {"de@low": ("de@low", None), "x@0": ("x@0", None), "@3": ("@3", None)}
    for text, key in keys.items():
        assert brought.key_of(text) == key and brought.word_of(key) == text


@pytest.fixture
def member(small_zoo: Path, tmp_path: Path) -> Path:
    """The zoo's isear as a checkpoint that a user saved."""
    return saved(small_zoo, tmp_path / "member")


@pytest.fixture
def adapter(member: Path, small_zoo: Path) -> Path:
    """An adapter with the same head: its products are small."""
    lab, folder = make_lab(small_zoo), member.parent / "adapter"
    folder.mkdir()
    weights, rng = lab.workshop.member(alone("isear")), torch.Generator().manual_seed(0)
    held = {f"base_model.model.{n}": t.clone() for n, t in weights.items() if n.startswith("classifier.")}
    for name, tensor in weights.items():
        if name.endswith("query.weight"):
            layer = f"base_model.model.{name.removesuffix('.weight')}"
            held[f"{layer}.lora_A.weight"] = torch.randn(2, tensor.shape[1], generator=rng) / 50
            held[f"{layer}.lora_B.weight"] = torch.randn(tensor.shape[0], 2, generator=rng) / 50
    save_file(held, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "use_rslora": True, "target_modules": ["query"]}
    config |= {"base_model_name_or_path": str(lab.subject.folder), "modules_to_save": ["classifier", "score"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def read(project: Project, *words: str) -> options.Options:
    return options.read(project.pytester.parseconfig("suites/", *words))


def test_members_of_seeds_are_the_sessions_seeds_unless_it_names_its_own(project: Project, member: Path) -> None:
    words = [f"--member=tec@2={member}", f"--member=tec@4={member}", f"--member=isear={member}"]
    found = read(project, *words)
    assert found.given == {("tec", 2): str(member), ("tec", 4): str(member), ("isear", None): str(member)}
    assert found.seeds == (2, 4) and read(project, *words, "--seeds=1").seeds == (1,)
    shutil.copytree(member, member.parent / "copy")
    with pytest.raises(pytest.UsageError, match="--member tec@2 is given twice"):
        read(project, *words, f"--member=tec@2={member.parent}/copy")


def test_a_name_on_the_hub_is_taken_as_it_is_typed(project: Project) -> None:
    words = ["--member=tec=org/name@v1.0", "--member=isear@3=org/other"]
    assert read(project, *words).given == {("tec", None): "org/name@v1.0", ("isear", 3): "org/other"}
    assert read(project, *words, "--trust-remote-code=org/other").trust == {"org/other"}
    for text in ("org/name@", "org/name@a b"):
        with pytest.raises(pytest.UsageError, match="after @ stands a branch, a tag or a commit"):
            read(project, f"--member=tec={text}")
    with pytest.raises(pytest.UsageError, match=r"has no config\.json"):
        read(project, "--member=tec=a/b/c")


def test_who_names_the_folder_above_is_told_the_one_below(project: Project, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    adapter.rename(tmp_path / "out" / "mood")
    with pytest.raises(pytest.UsageError, match=r"out has no config\.json; name a folder in it, such as .*out/mood$"):
        read(project, f"--member=tec={tmp_path}/out")


def test_what_is_no_lora_adapter_is_refused_on_the_command_line(project: Project, adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(pytest.UsageError, match=r"^--member tec=.* is a LoRA adapter with DoRA"):
        read(project, f"--member=tec={adapter}")


def test_sets_of_members_are_replicates_and_adapters_are_members(project: Project, member: Path, adapter: Path) -> None:
    words = [f"--member=isear@1={adapter}", f"--member=isear@2={member}", "--member=tec@1=" + str(member)]
    words += ["--method=simple", "-k", "pairwise and isear and tec"]
    corpora = [f"--member={corpus}={member}" for corpus in ("crowdflower", "tec")]
    result = project.run(*words, *corpora, "--seeds=1,2")
    result.stdout.fnmatch_lines(["*--member crowdflower is not used: no test of this session merges such a member*"])
    one, two = sorted((r for r in project.all_records()), key=lambda record: record.seed)
    assert one.details["brought"] == two.details["brought"] == ["tec", "isear"]
    assert one.details["brought_from"] == {"isear": {"adapter": {"rank": 2, "alpha": 4.0, "rslora": True}}}
    assert "brought_from" not in two.details
    assert one.recipe["members"][0] == two.recipe["members"][0] and one.recipe["members"][1] != two.recipe["members"][1]
    assert str(adapter.parent) not in json.dumps([one.recipe, two.recipe])


def test_an_adapter_shares_the_memory_of_the_model(small_zoo: Path, adapter: Path) -> None:
    lab = make_lab(small_zoo)
    bring(lab, {"isear@1": adapter})
    ancestor = dict(lab.subject.ancestor(lab.rows.task("isear"), 1).model.named_parameters())
    weights, own = lab.workshop.member(alone("isear")), lab.workshop.member(alone("isear", 2))
    changed = [name for name in weights if weights[name].data_ptr() != ancestor[name].data_ptr()]
    assert changed == [name for name in ancestor if name.startswith("classifier.") or name.endswith("query.weight")]
    query = changed[0]
    held = adapter / "adapter_model.safetensors"
    assert not torch.equal(weights[query], ancestor[query]) and held.is_file()
    assert not torch.equal(own["classifier.weight"], weights["classifier.weight"]), "seed 2 is fine-tuned here"
    assert lab.identity.trains(Source(("isear",), 2, 2)) and not lab.identity.trains(Source(("isear",), 2, 1))


def test_statistics_of_an_adapter_are_those_of_its_weights(small_zoo: Path, adapter: Path, member: Path) -> None:
    lab = make_lab(small_zoo)
    bring(lab, {"isear": adapter})
    from_adapter = lab.populations._compute("fisher", alone("isear"), {})
    model = lab.workshop._taken(("isear", None), 1).module()
    model.save_pretrained(member)  # type: ignore[operator]
    whole = make_lab(small_zoo)
    bring(whole, {"isear": member})
    of_whole = whole.populations._compute("fisher", alone("isear"), {})
    assert all(torch.equal(tensor, from_adapter[name]) for name, tensor in of_whole.items())
    assert lab.identity.key(alone("isear")) != whole.identity.key(alone("isear"))


@pytest.mark.parametrize("kind", ["whole", "adapter"])
def test_a_member_comes_from_the_hub(
    kind: str, project: Project, member: Path, adapter: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = member if kind == "whole" else adapter
    commit = hub.put("org/isear", folder, "main", "v1")
    words = ["--method=simple", "-k", "in_domain"]
    project.run(f"--member=isear=org/isear@{commit}", *words).assert_outcomes(passed=1, deselected=11)
    files = {"whole": {"config.json", "model.safetensors"}}.get(
        kind, {"adapter_config.json", "adapter_model.safetensors"}
    )
    assert files <= set(hub.files_asked())
    (from_hub,) = project.all_records()
    assert from_hub.details["brought_from"]["isear"]["hub"] == f"org/isear@{commit}"
    lab = make_lab(project.zoo)
    bring(lab, {"isear": folder})
    assert lab.identity.key(alone("isear")) in from_hub.recipe["members"], "on the hub or in a folder, it is one member"


def test_a_member_that_the_hub_lacks_ends_the_session_at_once(project: Project, hub: Hub, adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.h5")
    hub.put("org/half", adapter)
    for name, said in (
        (
            "org/nothing",
            "org/nothing is no folder here, and http://127.0.0.1:*; or give one with --member isear=FOLDER",
        ),
        ("org/half", "*holds no adapter_model.safetensors*"),
    ):
        result = project.run(f"--member=isear={name}", "--method=simple")
        assert result.ret == pytest.ExitCode.USAGE_ERROR and project.all_records() == []
        result.stderr.fnmatch_lines([f"ERROR: --member isear: {said}"])


def test_partitions_may_be_brought_too(glue_project: Project, small_zoo: Path, tmp_path: Path) -> None:
    lab = make_lab(small_zoo, suite="glue")
    for part in (1, 2):
        model = lab.subject.fresh(lab.rows.task("cola"), part).model
        model.save_pretrained(tmp_path / f"cola{part}")
    words = [f"--member=cola#{part}={tmp_path}/cola{part}" for part in (1, 2)]
    result = glue_project.run(*words, "--method=simple", "-k", "non_iid and cola")
    result.assert_outcomes(passed=1, deselected=result.parseoutcomes()["deselected"])
    (record,) = glue_project.all_records()
    assert record.details["brought"] == ["cola#1", "cola#2"] and record.heads == "diff"


def test_a_fingerprint_of_an_adapter_is_of_its_files(small_zoo: Path, adapter: Path) -> None:
    lab = make_lab(small_zoo)
    bring(lab, {"isear": adapter})
    first = lab.identity.key(alone("isear"))
    elsewhere = shutil.copytree(adapter, adapter.parent / "moved")
    other = make_lab(small_zoo)
    bring(other, {"isear": elsewhere})
    assert other.identity.key(alone("isear")) == first
    config = json.loads((elsewhere / "adapter_config.json").read_text())
    (elsewhere / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 4 * math.sqrt(2)}))
    other = make_lab(small_zoo)
    bring(other, {"isear": shutil.copytree(elsewhere, adapter.parent / "changed")})
    assert other.identity.key(alone("isear")) != first
