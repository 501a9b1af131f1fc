"""mergekit's methods keep mergeboard's contract, do what mergekit does, and say in a line what they do not take."""

from dataclasses import fields, replace
from functools import partial

import pytest
import torch

from methods import MergeboardError, NotApplicable, known, resolve
from methods.contract import check_method, toy_population, toy_score

mergekit = pytest.importorskip(
    "mergekit.merge_methods", reason="mergekit is not installed: pip install mergekit==0.1.5"
)
NAMES = [f"mergekit_{method.spec.name}" for method in mergekit.registered_methods()]
THREE = toy_population(3)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_every_method_of_mergekit_has_a_name() -> None:
    assert len(NAMES) == 20 and set(NAMES) <= set(known())


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_kept(name: str) -> None:
    alone = name == "mergekit_passthrough"
    check_method(resolve(name), lambda n, dtype: toy_population(1 if alone else n, dtype))


@pytest.mark.parametrize("name", NAMES)
def test_knobs_are_mergekits_parameters_with_its_defaults(name: str) -> None:
    method = resolve(name)
    spec = mergekit.get(name.removeprefix("mergekit_")).spec
    own = {field.name.removesuffix("_"): field.default for field in fields(method)}
    own.pop("base", None)
    assert own.keys() == {parameter.name for parameter in spec.parameters}
    for parameter in spec.parameters:
        assert parameter.required or own[parameter.name] == parameter.default


def test_merges_are_mergekits() -> None:
    method = resolve("mergekit_ties", {"mergekit_ties": {"density": 0.4, "weight": "1,2,3", "lambda": 0.7}})
    models = dict(enumerate(THREE.members)) | {"base": THREE.ancestor}
    knobs = {"density": 0.4, "weight": [1, 2, 3], "lambda": 0.7}
    theirs = mergekit.merge_state_dicts(models, "ties", base="base", parameters=knobs)
    merged = method.merge(THREE, toy_score(), rng())
    assert merged.keys() == theirs.keys() and all(torch.equal(merged[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties"])
def test_draws_come_from_rng_and_torchs_generator_stays(method: str) -> None:
    method = resolve(f"mergekit_{method}", {f"mergekit_{method}": {"density": 0.5}})
    check_method(method)
    before = torch.get_rng_state()
    merge = partial(method.merge, THREE, toy_score())
    a, b, c = (merge(torch.Generator().manual_seed(seed))["layer.weight"] for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("name", "members", "wanted"),
    [
        ("slerp", 3, "mergekit_slerp merges 2 members, and there are 3"),
        ("nearswap", 1, "mergekit_nearswap merges 2 members, and there are 1"),
        ("nuslerp", 3, "mergekit_nuslerp merges 2 members, and there are 3"),
        ("passthrough", 2, "mergekit_passthrough merges 1 member, and there are 2"),
        ("model_stock", 1, "mergekit_model_stock merges 2 members or more, and there are 1"),
    ],
)
def test_a_wrong_number_of_members_is_told_in_a_line(name: str, members: int, wanted: str) -> None:
    with pytest.raises(NotApplicable) as told:
        resolve(f"mergekit_{name}").require_fits(members)
    assert str(told.value) == wanted


def test_without_an_ancestor_what_needs_one_says_so_and_the_rest_merges() -> None:
    orphans = replace(THREE, ancestor={})
    with pytest.raises(NotApplicable, match="mergekit_sce needs the ancestor"):
        resolve("mergekit_sce").merge(orphans, toy_score(), rng())
    assert resolve("mergekit_linear").merge(orphans, toy_score(), rng()).keys() == THREE.members[0].keys()


@pytest.mark.parametrize(
    ("knobs", "wanted"),
    [
        ({"density": "0.1"}, "mergekit_della: mergekit says: Epsilon must be chosen"),
        ({"weight": "nan"}, "mergekit_della.weight is 'nan'; it must be a finite number"),
        ({"weight": "1,2"}, "mergekit_della.weight was given 2 numbers for 3 members; give one per member"),
    ],
)
def test_knobs_that_cannot_be_right_end_in_a_line(knobs: dict[str, str], wanted: str) -> None:
    with pytest.raises(MergeboardError, match=wanted) as told:
        resolve("mergekit_della", {"mergekit_della": knobs}).merge(THREE, toy_score(), rng())
    assert "\n" not in str(told.value)


def test_spherical_means_may_be_of_changes() -> None:
    whole, changes = (resolve("mergekit_multislerp", {"mergekit_multislerp": {"base": base}}) for base in (False, True))
    a, b = (method.merge(THREE, toy_score(), rng())["layer.weight"] for method in (whole, changes))
    assert not torch.allclose(a, b)


@pytest.mark.parametrize(
    ("name", "knob", "unit"),
    [("ties", "lambda", 1.0), ("task_arithmetic", "lambda", "share"), ("slerp", "t", None), ("linear", "weight", None)],
)
def test_a_search_varies_the_strength_or_what_else_decides_most(name: str, knob: str, unit: float | str | None) -> None:
    (gene,) = resolve(f"mergekit_{name}").searched
    assert gene.knob == knob and gene.unit == unit


def test_a_search_around_one_keeps_the_contract() -> None:
    check_method(resolve("mergekit_ties_random", {"search": {"budget": 2}}))
