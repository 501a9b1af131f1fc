"""pcb, localize_and_stitch and lines, which look at a whole model: hand-worked examples and properties."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods import MergeboardError, NotApplicable, Population, Weights
from methods.base import MergeMethod
from methods.consensus import Consensus
from methods.contract import same_bits, toy_blocks, toy_population, toy_score
from methods.lines import Lines
from methods.localize_and_stitch import LocalizeAndStitch
from methods.pcb import Pcb
from methods.simple import Simple
from methods.task_arithmetic import TaskArithmetic
from methods.tensors import trim
from methods.tensors.balance import Ends
from methods.ties import Ties

ORIGIN = (1.0, 2.0, 3.0, 4.0)
CHANGES = ((0.4, -0.2, 0.1, 0.0), (0.2, 0.6, -0.3, 0.1), (-0.1, 0.2, 0.3, -0.5))


def tensor(*values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def around(*changes: Any, origin: Any = ORIGIN, split: Sequence[int] | None = None) -> Population:
    """Members that changed by these; in one tensor, or in several of so many scalars."""
    base = torch.as_tensor(origin, dtype=torch.float64)

    def cut(x: Tensor) -> Weights:
        return {f"w{i}": part.clone() for i, part in enumerate(x.split(list(split or [len(x)])))}

    members = tuple(cut(base + torch.as_tensor(change, dtype=torch.float64)) for change in changes)
    return Population(members, tuple(f"m{i}" for i in range(len(members))), cut(base))


def merged(method: MergeMethod, some: Population) -> Weights:
    made = method.merge(some, toy_score(), torch.Generator())
    assert isinstance(made, dict)
    return made


def flat(weights: Weights) -> Tensor:
    return torch.cat([x.flatten() for x in weights.values()])


def change(method: MergeMethod, some: Population) -> Tensor:
    return flat(merged(method, some)) - flat(some.ancestor)


def near(found: Tensor, *wanted: Any, within: float = 1e-6) -> bool:
    return torch.allclose(found, tensor(*wanted), atol=within, rtol=0)


def drawn(members: int = 3, size: int = 600, seed: int = 0) -> Population:
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(members + 1, size, generator=rng, dtype=torch.float64)
    return around(*noise[1:], origin=noise[0], split=(size // 3, size - size // 3))


def changes_of(some: Population) -> Tensor:
    return torch.stack([flat(member) - flat(some.ancestor) for member in some.members])


def tied(some: Population) -> Population:
    """The first tensor has a second name."""

    def twice(weights: Weights) -> Weights:
        return {**weights, "tied": weights["w0"]}

    return replace(some, members=tuple(map(twice, some.members)), ancestor=twice(some.ancestor))


# -- pcb -------------------------------------------------------------------------------------------------------------


def by_sorting(t: Tensor, rho: float, clamp: float) -> Tensor:
    """The formula on one flat tensor, as written in its docstring."""
    n, d = t.shape
    ordered = t.abs().sort(dim=1).values
    low, high = ordered[:, [int(clamp * d)]], ordered[:, [d - 1 - int(clamp * d)]]
    a = t.abs().clamp(low, high)
    beta = torch.exp(n * ((a - low) / (high - low)) ** 2) * torch.tanh(t * t.sum(0))
    least = beta.sort(dim=1).values[:, [int(d * (1 - rho))]]
    s = (beta.clamp(min=least) - least) / (beta.amax(1, keepdim=True) - least)
    return (t.sign() * a * s).sum(0) / s.sum(0).clamp(min=1e-12)


def test_pcb_by_hand() -> None:
    assert near(merged(Pcb(rho=0.5), around(*CHANGES))["w0"], 1.48, 2.72, 3.0, 3.4)
    assert near(change(Pcb(rho=0.5, lambda_=1), around(*CHANGES, split=(1, 2, 1))), 0.4, 0.6, 0, -0.5)


def test_betas_by_hand() -> None:
    task, total = torch.tensor(CHANGES[0]), torch.tensor([0.5, 0.6, 0.1, -0.4])
    intra, inter = tensor(20.085537, 2.117, 1.20623, 1), tensor(0.197375, -0.119427, 0.01, 0)
    beta = Ends(0.0, 0.4).beta(task, total, members=3).double()
    assert torch.allclose(beta * math.exp(1.5), intra * inter, atol=1e-5), "up to the factor that keeps them finite"


@pytest.mark.parametrize(("rho", "clamp"), [(0.1, 0.0001), (0.05, 0.01), (0.4, 0.1), (0.9, 0.0), (1.0, 0.01)])
@pytest.mark.parametrize("few", [0, 1 << 14])
def test_pcb_is_its_formula_on_the_flattened_model(
    rho: float, clamp: float, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "FEW", few)  # 0: by bounds of a sample and passes over the model
    some = drawn()
    wanted = by_sorting(changes_of(some).float(), rho, clamp).double()
    assert torch.allclose(change(Pcb(rho, 1.0, clamp), some), wanted, atol=1e-5)


def test_what_competes_in_no_member_stays_the_ancestor_and_the_rest_lies_among_the_changes() -> None:
    some = drawn()
    t, found = changes_of(some), change(Pcb(lambda_=1.0, clamp=0), some)
    assert 0.05 < (found != 0).double().mean() < 0.3
    moved = found != 0
    assert (found[moved] <= t.amax(0)[moved] + 1e-6).all() and (found[moved] >= t.amin(0)[moved] - 1e-6).all()


def test_equal_members_come_back_where_everything_competes_but_the_weakest() -> None:
    same = around(*[CHANGES[1]] * 3)
    assert near(change(Pcb(1.0, 1.0), same), 0.2, 0.6, -0.3, 0.0), "0.1 has the smallest beta"


def test_a_hundred_members_are_no_infinity() -> None:
    task = torch.tensor([0.1, -0.2, 0.3])
    beta = Ends(0.1, 0.3).beta(task, 100 * task, members=100)
    assert beta.isfinite().all() and (beta[1:] > beta[:-1]).all()


def test_who_changed_nothing_or_the_same_everywhere_has_no_say() -> None:
    two = around(*CHANGES[:2])
    frozen = around(*CHANGES[:2], (0,) * 4)
    assert change(Pcb(0.5, 1.0), frozen).isfinite().all()
    assert near(change(Pcb(0.5, 1.0), frozen), *change(Pcb(0.5, 1.0), two).tolist())
    assert near(change(Pcb(), around((0,) * 4, (0,) * 4)), 0, 0, 0, 0)
    assert near(change(Pcb(), around((0.1,) * 4)), 0, 0, 0, 0)


def test_many_changes_of_nothing_are_counted_with_the_rest() -> None:
    some = drawn(3, 900)
    sparse = around(*(x * (torch.arange(900) % 3 == i) for i, x in enumerate(changes_of(some))), origin=(0.0,) * 900)
    wanted = by_sorting(changes_of(sparse).float(), 0.5, 0.0).double()
    assert torch.allclose(change(Pcb(0.5, 1.0, 0.0), sparse), wanted, atol=1e-5)


# -- localize and stitch ---------------------------------------------------------------------------------------------


def test_localize_and_stitch_by_hand() -> None:
    assert near(merged(LocalizeAndStitch(0.5), around(*CHANGES))["w0"], 1.4, 2.2, 3.0, 3.5)
    assert near(merged(LocalizeAndStitch(0.5, strict=True), around(*CHANGES))["w0"], 1.4, 2.6, 3.0, 3.5)
    assert near(change(LocalizeAndStitch(0.5), around(*CHANGES, split=(1, 1, 2))), 0.4, 0.2, 0, -0.5)


def test_a_share_of_one_is_the_mean_and_disjoint_changes_add_up() -> None:
    some = drawn()
    assert torch.allclose(flat(merged(LocalizeAndStitch(1.0), some)), flat(merged(Simple(), some)), atol=1e-12)
    sparse = around((1.0, 0, 0, 0), (0, 0, -2.0, 0), (0, 0.5, 0, 0))
    assert near(change(LocalizeAndStitch(0.5), sparse), 1.0, 0.5, -2.0, 0), "a change of 0 is in no mask"
    assert near(change(LocalizeAndStitch(1.0), sparse), 1 / 3, 0.5 / 3, -2 / 3, 0), "but where everything is"
    assert near(change(LocalizeAndStitch(1.0), around(CHANGES[0])), *CHANGES[0])


@pytest.mark.parametrize("strict", [False, True])
def test_masks_hold_just_so_many_scalars_of_the_whole_model(strict: bool) -> None:
    some = drawn(1)
    found = change(LocalizeAndStitch(0.05, strict=strict), some)
    assert int((found != 0).sum()) == (29 if strict else 30)
    assert found.abs()[found != 0].min() >= changes_of(some)[0].abs()[found == 0].max()


def test_blocks_alone_are_localised_if_asked() -> None:
    some = toy_blocks(3)
    found = merged(LocalizeAndStitch(0.1, "blocks"), some)
    moved = {name for name, x in found.items() if not torch.equal(x, some.ancestor[name])}
    assert moved and all(".layers." in name for name in moved)
    inside = [name for name in found if ".layers." in name]
    alone = merged(
        LocalizeAndStitch(0.1),
        replace(
            some,
            members=tuple({n: m[n] for n in inside} for m in some.members),
            ancestor={n: some.ancestor[n] for n in inside},
        ),
    )
    assert all(torch.equal(found[name], x) for name, x in alone.items())
    with pytest.raises(NotApplicable, match="blocks, and this model has no tensors named after any; use all"):
        merged(LocalizeAndStitch(localised="blocks"), toy_population())


@pytest.mark.parametrize(("method", "keeps"), [(LocalizeAndStitch(0.2), 4), (LocalizeAndStitch(0.4, strict=True), 4)])
def test_a_share_that_keeps_nothing_is_refused_in_one_line(method: MergeMethod, keeps: int) -> None:
    with pytest.raises(NotApplicable, match=f"which keeps nothing of {keeps} scalars; raise it"):
        merged(method, around(*CHANGES))


# -- both, which count over the whole model ---------------------------------------------------------------------------

COUNTING = pytest.mark.parametrize("method", [Pcb(0.3, 1.0, 0.02), LocalizeAndStitch(0.3)], ids=repr)


@COUNTING
def test_tied_weights_count_once(method: MergeMethod) -> None:
    some = drawn()
    one, two = merged(method, some), merged(method, tied(some))
    assert all(torch.equal(two[name], x) for name, x in one.items()) and torch.equal(two["tied"], two["w0"])
    apart = tied(some)
    other = {**apart.members[0], "tied": apart.members[0]["w0"] + 1}
    three = merged(method, replace(apart, members=(other, *apart.members[1:])))
    assert not torch.equal(three["w1"], one["w1"]), "tied in two members of three are two tensors"


@COUNTING
def test_heads_that_are_merged_by_annotation_do_not_count(method: MergeMethod) -> None:
    some = toy_population(3)
    head = ("head.weight", "head.bias")
    knows = torch.tensor([[True, True, False, False], [True, False, True, False], [False, False, True, True]])
    annotated = replace(some, output_layer=head, annotated=knows)
    headless = replace(some, members=tuple({n: x for n, x in m.items() if n not in head} for m in some.members))
    found, wanted = merged(method, annotated), merged(method, headless)
    assert all(torch.equal(found[name], x) for name, x in wanted.items())
    assert torch.equal(found["head.bias"], merged(Simple(), annotated)["head.bias"])


@COUNTING
def test_the_order_of_members_does_not_matter_to_the_bit(method: MergeMethod) -> None:
    some = toy_population(5)
    assert same_bits(merged(method, some), merged(method, some.subset((3, 1, 4, 0, 2))))


@COUNTING
def test_scalars_vectors_and_empty_tensors_count_like_matrices(method: MergeMethod) -> None:
    some = drawn(3, 12)

    def shaped(weights: Weights) -> Weights:
        x = flat(weights)
        parts = {"a": x[:1].reshape(()), "b": x[1:7].reshape(2, 3), "c": x[7:], "none": x[:0].reshape(0, 2)}
        return {**parts, "ids": torch.arange(2)}

    found = merged(method, Population(tuple(map(shaped, some.members)), some.names, shaped(some.ancestor)))
    assert torch.equal(flat({n: found[n] for n in "abc"}), flat(merged(method, some)))
    assert found["none"].shape == (0, 2) and found["ids"].tolist() == [0, 1]


@COUNTING
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(method: MergeMethod, dtype: torch.dtype) -> None:
    half, wide = toy_population(4, dtype), toy_population(4)
    raised = tuple({n: x.float() for n, x in m.items()} for m in (half.ancestor, *half.members))
    exact = merged(method, Population(raised[1:], wide.names, raised[0]))
    assert all(torch.equal(x, exact[name].to(dtype)) for name, x in merged(method, half).items())


# -- lines -----------------------------------------------------------------------------------------------------------


def test_scales_rise_from_the_first_block_to_the_last_and_hold_nowhere_else() -> None:
    some = toy_blocks(3)
    found = merged(Lines(0.2, 0.6), some)
    for name, x in found.items():
        total = sum(member[name] - some.ancestor[name] for member in some.members)
        depth = int(name.split(".")[2]) if ".layers." in name else 0
        assert torch.allclose(x - some.ancestor[name], (0.2 + 0.2 * depth) * total, atol=1e-5), name


def test_without_a_rise_lines_is_task_arithmetic_and_by_default_begins_at_the_mean() -> None:
    some = toy_blocks(3)
    assert same_bits(merged(Lines(0.3, 0.0), some), merged(TaskArithmetic(0.3), some))
    found, mean = merged(Lines(), some), merged(Simple(), some)
    assert torch.allclose(found["model.layers.0.mlp.weight"], mean["model.layers.0.mlp.weight"], atol=1e-6)
    assert not torch.allclose(found["model.layers.1.mlp.weight"], mean["model.layers.1.mlp.weight"], atol=1e-3)


@pytest.mark.parametrize(
    ("of", "inner"), [("ties", lambda x: Ties(lambda_=x)), ("consensus", lambda x: Consensus(alpha=x))]
)
def test_lines_scales_what_other_methods_add(of: Any, inner: Callable[[float], MergeMethod]) -> None:
    some = toy_blocks(3)
    found, first, last = merged(Lines(0.5, 1.0, of), some), merged(inner(0.5), some), merged(inner(1.5), some)
    assert all(
        torch.equal(x, (last if "layers.3" in n else first)[n])
        for n, x in found.items()
        if "1" not in n and "2" not in n
    )
    with pytest.raises(MergeboardError, match=f"lines.of is {of}; give a number"):
        Lines(of=of)


def test_an_encoder_and_a_decoder_are_counted_apart_and_a_single_block_is_the_first() -> None:
    names = ("shared.weight", *(f"encoder.block.{i}.w" for i in range(3)), "decoder.block.0.w", "head.1.bias")
    members = tuple({name: torch.full((2,), 1.0 + i) for name in names} for i in range(2))
    found = merged(Lines(0.2, 0.6), Population(members, ("a", "b"), dict.fromkeys(names, torch.zeros(2))))
    scales = {name: float(x[0]) / 3 for name, x in found.items()}
    assert list(scales) == list(names)
    assert [round(scales[name], 6) for name in names] == [0.2, 0.2, 0.5, 0.8, 0.2, 0.2]


def test_models_without_blocks_have_no_depth() -> None:
    with pytest.raises(NotApplicable, match="no tensors named after its blocks"):
        merged(Lines(), toy_population())


# -- all -------------------------------------------------------------------------------------------------------------


ALL = [Pcb(), LocalizeAndStitch(), Lines()]


@pytest.mark.parametrize("method", [Pcb(lambda_=0), Lines(0, 0)], ids=repr)
def test_nothing_added_is_the_ancestor(method: MergeMethod) -> None:
    some = toy_blocks(3)
    assert same_bits(merged(method, some), some.ancestor)


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_a_shift_of_everybody_shifts_the_merge(method: MergeMethod) -> None:
    some = toy_blocks(3, torch.float64)

    def shifted(weights: Weights) -> Weights:
        return {name: x + 2 for name, x in weights.items()}

    found = merged(method, replace(some, members=tuple(map(shifted, some.members)), ancestor=shifted(some.ancestor)))
    assert all(torch.allclose(found[name], x + 2, atol=1e-5) for name, x in merged(method, some).items())


@pytest.mark.parametrize("method", ALL, ids=repr)
def test_without_an_ancestor_there_is_one_line(method: MergeMethod) -> None:
    with pytest.raises(NotApplicable, match=r"^(pcb|localize_and_stitch|lines) needs the ancestor .* none was"):
        merged(method, replace(toy_blocks(3), ancestor={}))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Pcb(0), "pcb.rho is 0; it must lie above 0"),
        (lambda: Pcb(lambda_=math.nan), "pcb.lambda is nan"),
        (lambda: Pcb(clamp=0.5), "pcb.clamp is 0.5; it must not be below 0 and must be less than 0.5"),
        (lambda: LocalizeAndStitch(0), "localize_and_stitch.share is 0; it must lie above 0"),
        (lambda: Lines(alpha=math.inf), "lines.alpha is inf"),
        (lambda: Lines(beta=math.nan), "lines.beta is nan"),
    ],
)
def test_a_wrong_knob_is_refused_in_one_line(wrong: Callable[[], Any], words: str) -> None:
    with pytest.raises(MergeboardError, match=words):
        wrong()
