"""Merging from files to files is merging in memory, bit for bit, however the members lie on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.errors import BadWeights
from harness.streaming.agreed import agreed
from harness.streaming.merge import Beside, merge
from harness.streaming.shards import Shards
from methods import Population, Weights, known, resolve
from methods.base import models_of
from methods.contract import toy_population, toy_score
from methods.errors import Misfit, NotApplicable
from methods.tensors import gathered
from methods.tensors.tensorwise import Tensorwise

STREAMED = [name for name in known() if isinstance(resolve(name), Tensorwise) and name not in ("search", "calibrated")]
KNOBS: Sequence[tuple[str, Mapping[str, Any]]] = [
    *((name, {}) for name in STREAMED),
    *(("ties", {"trim": "official"}), ("ties", {"k": 1.0}), ("ties", {"k": 0.01}), ("ties", {"zero_vote": "plus"})),
    *(("ties", {"scope": "per_tensor"}), ("ties", {"scope": "per_tensor", "zero_vote": "plus"})),
    *(("fisher", {"normalize": "param"}), ("dare_linear", {"rescale": "l1"}), ("della", {"rescale": "l1"})),
]


def folder_of(path: Path, weights: Weights, files: int) -> Path:
    """A model's folder of so many files."""
    path.mkdir()
    (path / "config.json").write_text("{}")
    names = sorted(weights)
    parts = [names[k::files] for k in range(files)]
    if files == 1:
        save_file({name: weights[name].contiguous() for name in names}, path / "model.safetensors")
        return path
    called = [f"model-{k:05d}-of-{files:05d}.safetensors" for k in range(1, files + 1)]
    for part, file in zip(parts, called, strict=True):
        save_file({name: weights[name].contiguous() for name in part}, path / file)
    index = {"metadata": {}, "weight_map": {name: f for part, f in zip(parts, called, strict=True) for name in part}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    return path


def read(folder: Path) -> dict[str, Tensor]:
    """All tensors, as anybody's reader finds them."""
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


def population(dtype: torch.dtype, odd: bool = False) -> Population:
    """Members with a head that the base lacks and with whole numbers; `odd`: four of them, many changes are equal."""
    made = toy_population(4 if odd else 3, dtype)
    if odd:
        members = tuple(
            {n: made.ancestor[n] + (x - made.ancestor[n]).sign() / 4 for n, x in m.items()} for m in made.members
        )
        made = Population(members, made.names, made.ancestor, made.statistics, made.transposed)
    ancestor = {name: x for name, x in made.ancestor.items() if name != "head.bias"}
    members = tuple({**member, "positions": torch.arange(5)} for member in made.members)
    return Population(members, made.names, ancestor, made.statistics, made.transposed)


def on_disk(tmp_path: Path, some: Population, files: Sequence[int]) -> tuple[dict[str, Shards], Shards]:
    """The members and the ancestor in so many files each."""
    members = {
        name: Shards(folder_of(tmp_path / name, member, count))
        for name, member, count in zip(some.names, some.members, files, strict=False)
    }
    return members, Shards(folder_of(tmp_path / "base", some.ancestor, files[-1]))


Stored = tuple[Population, dict[str, Shards], Shards, int, int]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Stored]:
    """Populations in memory and on the disk, and in groups and files of how many bytes their merges are made."""
    found = []
    cases = [(torch.float32, False, 150, 300), (torch.bfloat16, True, 1, 1 << 20), (torch.bfloat16, False, 1 << 20, 1)]
    for dtype, odd, group, shard in cases:
        some = population(dtype, odd)
        found.append((some, *on_disk(tmp_path_factory.mktemp("stored"), some, (1, 2, 3, 2, 2)), group, shard))
    return found


@pytest.mark.parametrize(
    ("name", "knobs"), KNOBS, ids=[f"{name} {'-'.join(map(str, knobs.values()))}".strip() for name, knobs in KNOBS]
)
def test_a_merge_from_files_is_the_merge_in_memory_bit_for_bit(
    name: str, knobs: Mapping[str, Any], stored: list[Stored], tmp_path: Path
) -> None:
    method = resolve(name, {name: dict(knobs)})
    for some, members, base, group, shard in stored[: 3 if name == "ties" else 2]:
        few = range(2 if name == "slerp" else len(some))
        some = some.subset(tuple(few))
        (merged,) = models_of(method.merge(some, toy_score(), torch.Generator().manual_seed(1)))
        out = tmp_path / f"{group}"
        out.mkdir()
        models = agreed({key: members[key] for key in some.names}, base)
        made = merge(method, models, out, Beside(some.statistics, some.transposed), group=group, shard=shard)
        found = read(out)
        assert found.keys() == merged.keys()
        for key, tensor in merged.items():
            assert torch.equal(found[key], tensor), f"{key} in groups of {group} bytes"
        assert made.hashes == {path.name: sha256(path) for path in out.glob("*.safetensors")}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_votes_that_cancel_take_the_sign_of_the_whole_model_though_it_is_known_last(tmp_path: Path) -> None:
    up, half = torch.full((8,), 0.5), torch.tensor([0.5, -0.5] * 4)
    base = {"a.weight": torch.zeros(8), "b.weight": torch.zeros(8)}
    changes = [{"a.weight": half, "b.weight": up}, {"a.weight": -half, "b.weight": up}]
    some = Population(tuple(changes), ("x", "y"), base)
    members, ancestor = on_disk(tmp_path, some, (1, 1, 1))
    out = tmp_path / "out"
    out.mkdir()
    method = resolve("ties", {"ties": {"k": 1.0}})
    made = merge(method, agreed(members, ancestor), out, group=1)
    assert made.passes == ("sample", "merge", "merge"), "the majority turned out to be a plus"
    assert torch.equal(read(out)["a.weight"], torch.full((8,), 0.5))


def test_a_trim_of_the_whole_model_is_found_where_the_sample_misleads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "SAMPLE", 640)
    monkeypatch.setattr(gathered, "SIGMAS", 0.5)
    monkeypatch.setattr(gathered, "BLOCK", 32)
    rng = torch.Generator().manual_seed(0)
    base = {"a.weight": torch.zeros(4000), "b.weight": torch.zeros(4000)}
    change = {name: torch.randn(4000, generator=rng) * 1e-3 for name in base}
    change["a.weight"][3000:3700] += 1  # between the blocks that are sampled
    some = Population((change, {name: -x for name, x in change.items()}), ("x", "y"), base)
    members, ancestor = on_disk(tmp_path, some, (1, 2, 1))
    out = tmp_path / "out"
    out.mkdir()
    method = resolve("ties", {"ties": {"k": 0.05}})
    made = merge(method, agreed(members, ancestor), out, group=1)
    assert made.passes.count("see") > 1, "one look would have been enough"
    (merged,) = models_of(method.merge(some, toy_score(), torch.Generator()))
    assert all(torch.equal(read(out)[name], merged[name]) for name in merged)


def test_members_in_other_types_are_merged_in_the_widest_and_rounded_once(tmp_path: Path) -> None:
    some = population(torch.float32)
    kinds = (torch.bfloat16, torch.float16, torch.float32)
    cast = [
        {n: x.to(kind) if x.is_floating_point() else x for n, x in m.items()}
        for m, kind in zip(some.members, kinds, strict=True)
    ]
    mixed = tuple({n: x.float() if x.is_floating_point() else x for n, x in member.items()} for member in cast)
    members = {name: Shards(folder_of(tmp_path / name, member, 2)) for name, member in zip("abc", cast, strict=True)}
    base = Shards(folder_of(tmp_path / "base", some.ancestor, 1))
    (tmp_path / "out").mkdir()
    merge(resolve("ties"), agreed(members, base, dtype=torch.bfloat16), tmp_path / "out")
    wide = Population(mixed, some.names, some.ancestor)
    (merged,) = models_of(resolve("ties").merge(wide, toy_score(), torch.Generator()))
    for name, tensor in read(tmp_path / "out").items():
        wanted = merged[name].bfloat16() if merged[name].is_floating_point() else merged[name]
        assert torch.equal(tensor, wanted)


def test_one_shard_of_another_type_is_widened_and_the_result_is_as_the_members_are(tmp_path: Path) -> None:
    some = population(torch.bfloat16)
    odd = {n: x.float() if n == "layer.weight" else x for n, x in some.members[0].items()}
    members, base = on_disk(tmp_path, Population(some.members[1:], ("b", "c"), some.ancestor), (1, 1, 1))
    models = agreed({"a": Shards(folder_of(tmp_path / "a", odd, 3)), **members}, base)
    assert models.forms["layer.weight"].dtype == torch.float32 and models.forms["layer.bias"].dtype == torch.bfloat16
    (tmp_path / "out").mkdir()
    merge(resolve("simple"), models, tmp_path / "out")
    found = read(tmp_path / "out")
    wanted = torch.stack([m["layer.weight"].float() for m in (odd, *some.members[1:])]).sum(0) / 3
    assert torch.allclose(found["layer.weight"], wanted)


def test_tied_embeddings_are_merged_once_whoever_saved_them_twice(tmp_path: Path) -> None:
    table = {name: torch.randn(6, 4) for name in "abz"}
    own = {name: {"model.embed_tokens.weight": x} for name, x in table.items()}
    own["b"]["lm_head.weight"] = table["b"].clone()
    found = {name: Shards(folder_of(tmp_path / name, weights, 1)) for name, weights in own.items()}
    models = agreed({"a": found["a"], "b": found["b"]}, found["z"])
    assert models.left_out == ("lm_head.weight",) and list(models.forms) == ["model.embed_tokens.weight"]
    own["b"]["lm_head.weight"][0, 0] += 1
    untied = Shards(folder_of(tmp_path / "untied", own["b"], 1))
    with pytest.raises(Misfit, match=r"lm_head.weight is in b but not in a"):
        agreed({"a": found["a"], "b": untied}, found["z"])


def test_a_base_without_the_trunks_prefix_is_recognised(tmp_path: Path) -> None:
    trunk = {"encoder.weight": torch.zeros(3, 3)}
    member = {"bert.encoder.weight": torch.ones(3, 3), "classifier.weight": torch.ones(2, 3)}
    base, one = Shards(folder_of(tmp_path / "base", trunk, 1)), Shards(folder_of(tmp_path / "a", member, 1))
    models = agreed({"a": one}, base, prefix="bert")
    assert models.in_base == {"bert.encoder.weight": "encoder.weight"} and models.averaged == ["classifier.weight"]
    with pytest.raises(Misfit, match="the base has no tensor that the members have"):
        agreed({"a": one}, base)


def break_file(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif how == "a page":
        path.write_text("<html>not found</html>")
    elif how == "foreign":
        save_file({"stranger.weight": torch.zeros(2)}, path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        *(("missing", "holds no model-00002-of-00003.safetensors"), ("cut", "damaged, cut short")),
        *(("a page", "damaged, cut short"), ("foreign", "copy both again")),
    ],
)
def test_a_shard_that_is_not_what_the_index_says_is_refused_in_one_line(how: str, said: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", population(torch.float32).members[0], 3)
    break_file(folder / "model-00002-of-00003.safetensors", how)
    with pytest.raises(BadWeights, match=said) as caught:
        Shards(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["cut", "written again", "removed"])
def test_a_shard_that_changes_while_it_is_merged_ends_the_merge_in_one_line(change: str, tmp_path: Path) -> None:
    some = population(torch.float32)
    members, base = on_disk(tmp_path, some, (3, 2, 1))
    (tmp_path / "out").mkdir()
    path = tmp_path / some.names[0] / "model-00002-of-00003.safetensors"

    def meanwhile(line: str) -> None:
        content = path.read_bytes()
        if change == "removed":
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content[:-4] if change == "cut" else content)

    with pytest.raises(BadWeights, match=r"changed while it was read|cannot be read"):
        merge(resolve("simple"), agreed(members, base), tmp_path / "out", say=meanwhile)


def test_what_is_not_finite_is_refused_by_the_name_of_its_owner(tmp_path: Path) -> None:
    some = population(torch.float32)
    some.members[1]["layer.weight"][0, 0] = torch.nan  # type: ignore[index]
    members, base = on_disk(tmp_path, some, (1, 1, 1))
    (tmp_path / "out").mkdir()
    with pytest.raises(BadWeights, match=f"{some.names[1]}: layer.weight is not finite"):
        merge(resolve("dare_ties"), agreed(members, base), tmp_path / "out")
    alone = {"a": Shards(folder_of(tmp_path / "large", {"w": torch.full((3,), 3e38)}, 1))}
    with pytest.raises(BadWeights, match="the merge of w is not finite"):
        merge(
            resolve("linear", {"linear": {"weights": (3.0,), "normalize": False}}),
            agreed(alone, None),
            tmp_path / "out",
        )


@pytest.mark.parametrize("name", [name for name in STREAMED if "ancestor" in getattr(resolve(name), "needs", ())])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_a_base_that_is_not_finite_is_named(name: str, odd: float, tmp_path: Path) -> None:
    some = population(torch.float32)
    some.ancestor["layer.weight"][0, 0] = odd
    members, base = on_disk(tmp_path, some, (1, 1, 1, 1))
    (tmp_path / "out").mkdir()
    with pytest.raises(BadWeights, match=r"^the base: layer.weight is not finite; such a model cannot be merged$"):
        merge(resolve(name), agreed(members, base), tmp_path / "out", Beside(some.statistics, some.transposed))


@pytest.mark.parametrize("name", ["greedy_soup", "pcb", "ensemble"])
def test_a_method_that_needs_more_than_tensors_says_so(name: str, tmp_path: Path) -> None:
    members, base = on_disk(tmp_path, population(torch.float32), (1, 1, 1))
    with pytest.raises(NotApplicable, match=f"{name} does not merge tensor by tensor"):
        merge(resolve(name), agreed(members, base), tmp_path)


@pytest.mark.parametrize(("name", "knobs"), [("fisher", {"normalize": "model"}), ("wudi", {"tensors": "linear"})])
def test_knobs_that_need_the_whole_model_are_refused(name: str, knobs: Mapping[str, Any], tmp_path: Path) -> None:
    some = population(torch.float32)
    members, base = on_disk(tmp_path, some, (1, 1, 1))
    with pytest.raises(NotApplicable, match="the whole model at once"):
        merge(resolve(name, {name: knobs}), agreed(members, base), tmp_path, Beside(some.statistics))


@pytest.mark.parametrize(("name", "of_base"), [("simple", False), ("task_arithmetic", True)])
def test_the_base_is_asked_for_where_a_method_reads_it(
    name: str, of_base: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Shards, "ahead", lambda self, names: asked.append(self.folder.name))
    members, base = on_disk(tmp_path, population(torch.float32), (1, 1, 1, 1))
    (tmp_path / "out").mkdir()
    merge(resolve(name), agreed(members, base), tmp_path / "out", group=150)
    assert {*members} < {*asked, "base"} and ("base" in asked) == of_base
