"""A model that is spread over several devices answers as the whole one does, whatever lies where, and is pointed at
candidates as the whole one is.

The first GPU is pretended (tests/pretended.py), and the second is the CPU itself: what is not brought along fails as on
two real GPUs. Room is so small that parts of the model stay in main memory and are lent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import devices
from harness.cells import out_of_memory
from harness.cells.cell import Cell, PopulationKey
from harness.cells.run import run
from harness.devices import SPREAD
from harness.families.blocks import blocks
from harness.families.hops.view import hop_view
from harness.judging.live import LiveModel
from harness.judging.speaking import speaking
from harness.members import gram
from harness.records import environment
from harness.records.record import RunRecord, Store
from harness.spread.parts import HOST, Parts, parameters_in, parts_of
from harness.spread.seats import Seats, in_use, seated, spread
from harness.suites.emotion.suite import PAIRWISE
from methods import MergeboardError, NotApplicable
from methods.merged import Ensemble
from tests.pretended import GPU, a_gpu
from tests.small_models import of_tokens, token_batches, transformer
from tests.small_routes import ALL, ENCODERS, WRITERS, asked, back_and_forth, model_of, weights_of
from tests.test_harness_writing import TASK, family, rows_of

PAIR = ("dailydialog", "tec")
ROOMS = ("one", "two", "tight", "three quarters", "a quarter")
TYPES = ("BERT", "GPT-2", "Llama", "mT5")  # whose every room is tried
ALIEN = ("Falcon", "Mixtral")  # use operations that the pretended GPU lacks, so theirs is the CPU


def words_of(name: str) -> dict[str, Any]:
    return asked(name) if name in ENCODERS else {**asked(name), "use_cache": False}  # a cache needs what GPU lacks


def answer(model: Any, name: str) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**words_of(name)).logits
    return found


def bytes_of(model: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


def room_of(model: nn.Module, how: str) -> dict[int, int]:
    size = bytes_of(model)
    return {
        "one": {0: 10 * size},
        "two": {0: size * 2 // 3, 1: 10 * size},
        "tight": {0: size * 3 // 5},
        "three quarters": {0: size * 3 // 4, 1: size // 5},
        "a quarter": {0: size // 4, 1: 10 * size},  # so that the second has all blocks
    }[how]


def gpu(number: int) -> str:
    return GPU if number == 0 else "cpu"


def laid_out(name: str, how: str, named: Callable[[int], str] = gpu) -> tuple[Any, Any, Seats]:
    """The whole model, and its twin on the pretended GPUs; within `a_gpu()`."""
    named = (lambda _: "cpu") if name in ALIEN else named
    whole = copy.deepcopy(model_of(name))
    twin: Any = copy.deepcopy(whole)
    found = spread(twin, parts_of(twin, room_of(twin, how), torch.float32), torch.float32, named)
    twin.tie_weights()  # tensors of a pretended GPU are made anew where those of a real one are pointed at
    return whole, twin, found


def cases(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, how) for name in names for how in ROOMS if name in TYPES or how in ("two", "tight")]


@pytest.mark.parametrize(("name", "how"), cases(ALL))
def test_a_spread_model_answers_as_the_whole_one_and_can_be_pointed_at_others(name: str, how: str) -> None:
    with a_gpu():
        whole, twin, seats = laid_out(name, how)
        found = answer(twin, name)
        assert found.device.type == "cpu", "it answers where it was asked"
        torch.testing.assert_close(found, answer(whole, name), rtol=1e-4, atol=1e-4)
        own = dict(twin.named_parameters())
        assert set(seats.of) >= set(own)
        assert (seats.lent > 0) == (how in ("tight", "three quarters"))
        for seed in (1, 2):
            for key, tensor in weights_of(model_of(name, seed)).items():
                own[key].data = tensor.to(seats.of[key])
            torch.testing.assert_close(answer(twin, name), answer(model_of(name, seed), name), rtol=1e-4, atol=1e-4)
        assert all(parameter is own[key] for key, parameter in twin.named_parameters())


@pytest.mark.parametrize("how", ["two", "tight"])
@pytest.mark.parametrize("name", TYPES)
def test_in_half_precision_a_spread_model_is_the_whole_one_in_it(name: str, how: str) -> None:
    whole, twin = copy.deepcopy(model_of(name)), copy.deepcopy(model_of(name))
    room = {number: most // 2 for number, most in room_of(twin, how).items()}
    with a_gpu():
        seats = spread(twin, parts_of(twin, room, torch.bfloat16), torch.bfloat16, gpu)
        assert (seats.lent > 0) == (how == "tight")
        for key, parameter in twin.named_parameters():
            assert parameter.dtype == torch.bfloat16, key
        found = answer(twin, name).float()
    wanted = answer(whole.to(torch.bfloat16), name).float()
    assert (found - wanted).abs().max() < 0.05 * wanted.abs().max(), "what 8 bits round away, in another order"


@pytest.mark.parametrize("how", ["two", "tight"])
@pytest.mark.parametrize("name", ALL)
def test_a_route_through_a_spread_model_is_the_whole_ones(name: str, how: str) -> None:
    members = (weights_of(model_of(name)), weights_of(model_of(name, seed=1)))
    route = back_and_forth(members)
    with a_gpu():
        whole, twin, _ = laid_out(name, how)
        wanted = answer(hop_view(whole, route), name)
        torch.testing.assert_close(answer(hop_view(twin, route), name), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["two", "tight"])
@pytest.mark.parametrize("name", ["GPT-2", "Llama", "mT5", "Gemma2"])
def test_a_route_with_scales_crosses_from_gpu_to_gpu(name: str, how: str) -> None:
    route = back_and_forth((weights_of(model_of(name)), weights_of(model_of(name, seed=1))))
    hops = [replace(hop, scale=(0.8, 1.3, 1.0)[i % 3]) for i, hop in enumerate(route.hops)]
    scaled = replace(route, hops=tuple(hops), scale="update")
    with a_gpu():
        whole, twin, _ = laid_out(name, how)
        wanted = answer(hop_view(whole, scaled), name)
        torch.testing.assert_close(answer(hop_view(twin, scaled), name), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("how", ["two", "tight", "a quarter"])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "gemma2", "mt5"])
def test_what_a_spread_model_writes_and_how_likely_answers_are(kind: str, how: str) -> None:
    asked, whole = family(kind)
    twin = copy.deepcopy(whole)
    rows = asked.prompt_rows(TASK, rows_of(), 64)
    said, likely = asked.write(whole, TASK, rows), asked.likelihood(whole, TASK, rows)
    with a_gpu():
        spread(twin, parts_of(twin, room_of(twin, how), torch.float32), torch.float32, gpu)
        asked.caches = None
        found, again = asked.write(twin, TASK, rows), asked.likelihood(twin, TASK, rows)
        assert asked.caches, "it goes on from its cache, and rows that have ended leave it"
    asked.caches = None
    assert [one.tokens for one in found] == [one.tokens for one in said]
    torch.testing.assert_close(again, likely, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("how", ["two", "tight", "a quarter"])
@pytest.mark.parametrize("name", ["GPT-2", "Llama", "Qwen3", "Gemma2"])
def test_chosen_columns_of_a_spread_decoder(name: str, how: str) -> None:
    with a_gpu():
        whole, twin, seats = laid_out(name, how)
        columns, words = torch.tensor([3, 5]), words_of(name)
        there = {key: x.to(seats.main) if isinstance(x, Tensor) else x for key, x in words.items()}
        with torch.no_grad():
            wanted = whole(**words, logits_to_keep=columns).logits
            found = twin(**there, logits_to_keep=columns.to(seats.main)).logits
        assert found.device.type == torch.device(seats.main).type
        torch.testing.assert_close(found.cpu(), wanted, rtol=1e-4, atol=1e-4)


class Shared(nn.Module):
    """One embedding under three names, as some models' own code has it."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Embedding(24, 8)
        self.encoder = nn.ModuleDict({"embed": self.shared, "layer": nn.Linear(8, 8)})
        self.decoder = nn.ModuleDict({"embed": self.shared, "layer": nn.Linear(8, 8)})
        self.head = nn.Linear(8, 24)

    def forward(self, ids: Tensor) -> Tensor:
        read = self.encoder["layer"](self.encoder["embed"](ids))
        found: Tensor = self.head(self.decoder["layer"](read + self.decoder["embed"](ids)) + self.shared(ids))
        return found


def test_a_module_under_several_names_is_lent_once_and_comes_home() -> None:
    torch.manual_seed(0)
    whole, ids = Shared(), torch.arange(6)[None]
    twin = copy.deepcopy(whole)
    own = dict(twin.named_parameters())
    names = ("shared", "encoder.embed", "decoder.embed", "head")
    of: dict[str, int | str] = {**dict.fromkeys(names, HOST), "encoder.layer": 0, "decoder.layer": 0}
    with a_gpu(), torch.no_grad():
        seats = spread(twin, Parts(of, 0), torch.float32, gpu)
        own |= {key: p for key, p in twin.named_parameters() if seats.of[key] != HOST}
        for seed in (1, 2):
            torch.manual_seed(seed)
            for key, parameter in whole.named_parameters():
                parameter.data = torch.randn(parameter.shape)
                own[key].data = parameter.data.to(seats.of[key])
            torch.testing.assert_close(twin(ids), whole(ids), rtol=1e-5, atol=1e-5)
        assert all(parameter is own[key] for key, parameter in twin.named_parameters())


@pytest.mark.parametrize(
    ("kind", "how"), [*((k, h) for k in ("bert", "gpt2") for h in ("two", "a quarter")), ("bert", "three quarters")]
)
def test_gram_matrices_of_a_spread_model_are_the_whole_ones(kind: str, how: str) -> None:
    whole, twin = transformer(kind).float(), transformer(kind).float()
    wanted = gram.matrices(whole, of_tokens, token_batches())
    with a_gpu():
        seats = spread(twin, parts_of(twin, room_of(twin, how), torch.float32), torch.float32, gpu)
        assert how != "two" or len(set(seats.of.values())) == 2
        found = gram.matrices(twin, of_tokens, token_batches().to(seats.main))
        assert found.keys() >= wanted.keys()
        for key, matrix in wanted.items():
            torch.testing.assert_close(found[key].cpu(), matrix, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", WRITERS)
def test_a_spread_model_writes_with_its_cache_what_the_whole_one_writes(name: str) -> None:
    whole, twin, seats = laid_out(name, "tight", lambda _: "cpu")
    assert seats.lent
    given = {key: tensor for key, tensor in asked(name).items() if key != "decoder_input_ids"}
    said = [model.generate(**given, do_sample=False, max_new_tokens=6, use_cache=True) for model in (whole, twin)]
    assert torch.equal(*said)


@pytest.mark.parametrize("name", TYPES)
def test_lent_weights_are_at_home_again_also_after_an_error(name: str) -> None:
    with a_gpu():
        _, twin, seats = laid_out(name, "tight")
        own = dict(twin.named_parameters())
        met: list[str] = []

        def fails(module: nn.Module, *_: object) -> None:
            met.append(next(module.parameters()).device.type)
            raise KeyError("on the way")

        lent = next(key for key, place in seats.of.items() if place == HOST).rpartition(".")[0]
        handle = twin.get_submodule(lent).register_forward_pre_hook(fails)
        with pytest.raises(KeyError):
            answer(twin, name)
        assert met == [GPU], "it was there when the error came"
        handle.remove()
        assert all(p is own[k] and p.device.type == seats.of[k].partition(":")[0] for k, p in twin.named_parameters())
        answer(twin, name)


@pytest.mark.parametrize(("name", "how"), cases(ALL))
def test_every_tensor_belongs_to_one_part_no_block_is_parted_and_no_room_is_overfilled(name: str, how: str) -> None:
    model = model_of(name)
    room = room_of(model, how)
    parts = parts_of(model, room, torch.float32)
    tensors = [n for n, _ in (*model.named_parameters(), *model.named_buffers())]
    for tensor in tensors:
        whose = [part for part in parts.of if part == tensor or tensor.startswith(f"{part}.")]
        assert len(whose) == 1, (tensor, whose)
    for block in blocks(model):
        assert not any(part.startswith(f"{block}.") for part in parts.of), "no block is parted"
    for number, most in room.items():
        own = {id(p): p for part, place in parts.of.items() if place == number for p in parameters_in(model, part)}
        held = sum(4 * p.numel() for p in own.values())
        if number == parts.main:
            held += sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
            held += max((sum(4 * p.numel() for p in parameters_in(model, part)) for part in parts.lent), default=0)
        assert held <= most


def test_half_the_bytes_need_half_the_room() -> None:
    model = model_of("mT5")
    room = {0: bytes_of(model) * 11 // 20}
    assert parts_of(model, room, torch.float32).lent
    assert not parts_of(model, room, torch.bfloat16).lent


def test_a_gpu_without_room_for_one_part_is_refused_in_a_line() -> None:
    model = model_of("BERT")
    with pytest.raises(MergeboardError, match=r"^--device-map: bert.* give one of them more") as met:
        parts_of(model, {0: 4000}, torch.float32)
    assert "\n" not in str(met.value)


@pytest.mark.parametrize("name", ["Llama", "BERT", "mT5"])
def test_a_small_first_gpu_does_not_keep_a_model_from_a_large_one(name: str) -> None:
    model = model_of(name)
    size = bytes_of(model)
    for small in range(1, 20):
        parts = parts_of(model, {0: small * size // 20, 1: 2 * size}, torch.float32)
        assert not parts.lent, (small, parts)


def test_a_model_that_is_short_of_a_few_bytes_is_parted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import accelerate.utils

    model: Any = copy.deepcopy(model_of("Llama"))
    model.register_buffer("large", torch.zeros(bytes_of(model)))
    real, calls = accelerate.utils.infer_auto_device_map, list[int]()

    def counted(*args: Any, **words: Any) -> Any:
        calls.append(1)
        return real(*args, **words)

    monkeypatch.setattr(accelerate.utils, "infer_auto_device_map", counted)
    parts = parts_of(model, {0: 5 * bytes_of(model)}, torch.float32)
    assert parts.of and len(calls) < 40


# -- cells -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, int]]:
    """Two pretended GPUs, over which models are spread. Members are those that the CPU trained."""
    here, room = environment._engine("cpu"), dict[int, int]()
    monkeypatch.setattr(environment, "_engine", lambda _: here)
    monkeypatch.setattr(devices, "_settled", [SPREAD])
    monkeypatch.setattr(devices, "_limits", room)
    monkeypatch.setattr(devices, "name", gpu)
    monkeypatch.setattr(devices, "peak", lambda: None)
    monkeypatch.setattr(devices, "start_meter", lambda: None)
    with a_gpu():
        yield room


METHODS = (
    "simple",
    "ties",
    "regmean",
    "ensemble",
    "ties_evolver",
    "simple_calibrated",
    "greedy_soup",
    "regmean_plus_plus",
)


def answers(lab: Any, root: Path, methods: tuple[str, ...]) -> dict[str, RunRecord]:
    from tests.small_world import TINY

    key = PopulationKey(TINY, "emotion", PAIR, PAIR, 1, "same")
    return {method: run(Cell(PAIRWISE, key, method), lab, Store(root)) for method in methods}


@pytest.mark.whole
def test_cells_of_a_spread_model_are_the_whole_ones(
    small_zoo: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from tests.small_world import make_lab

    lines: list[str] = []
    lab = make_lab(small_zoo, "evolver.generations=1")
    here = answers(lab, tmp_path / "whole", METHODS)
    again = make_lab(small_zoo, "evolver.generations=1")
    for member in PAIR:
        again.subject.ancestor(again.rows.task(member), 1)  # whose head is drawn otherwise on a pretended GPU
    again.judges._say = lines.append
    room = request.getfixturevalue("gpus")
    size = bytes_of(again.subject.fresh(again.rows.task(PAIR[0]), 1).model)
    room.update({0: size * 3 // 4, 1: size // 5})
    there = answers(again, tmp_path / "spread", METHODS)
    seats = again.judges.live(again.rows.task(PAIR[0])).seats
    assert seats.lent
    for method, record in here.items():
        assert there[method].key == record.key, method
        assert there[method].scores == pytest.approx(record.scores, abs=0.05), method
        assert there[method].environment["spread"] == seats.gpus
        if method in ("simple", "ties", "regmean", "ensemble"):  # which no score decides
            assert there[method].weights_sha256 == record.weights_sha256, method
    assert [line for line in lines if "lent from main memory" in line], lines


def test_what_needs_gradients_says_that_a_spread_model_has_none(
    small_zoo: Path, tmp_path: Path, gpus: dict[int, int]
) -> None:
    from tests.small_world import TINY, make_lab

    lab = make_lab(small_zoo, "fisher_rows=11")  # statistics that nobody made
    size = bytes_of(lab.subject.fresh(lab.rows.task(PAIR[0]), 1).model)
    gpus.update({0: size, 1: size})
    for method in ("fisher", "adamerging"):
        with pytest.raises(NotApplicable, match=r"leave --device-map out$"):
            answers(lab, tmp_path, (method,))
    key = PopulationKey(TINY, "emotion", PAIR, PAIR, 77, "same")
    with pytest.raises(MergeboardError, match=r"bring them with --member, or leave --device-map out$"):
        run(Cell(PAIRWISE, key, "simple"), lab, Store(tmp_path))


def test_a_model_that_answers_two_tasks_is_spread_once(gpus: dict[int, int]) -> None:
    model = copy.deepcopy(model_of("mT5"))
    gpus.update(room_of(model, "tight"))
    seats = seated(model, SPREAD)
    assert seats.lent and seated(model, SPREAD) is seats
    answer(model, "mT5")
    assert {k: p.device.type for k, p in model.named_parameters()} == {
        k: place.partition(":")[0] for k, place in seats.of.items()
    }


def test_one_model_at_a_time_is_spread_and_each_comes_back(gpus: dict[int, int]) -> None:
    first, second = copy.deepcopy(model_of("mT5")), copy.deepcopy(model_of("Llama"))
    gpus.update(room_of(first, "tight"))
    wanted = answer(model_of("mT5"), "mT5")
    seated(first, SPREAD)
    gpus.clear()
    gpus.update(room_of(second, "tight"))
    seats = seated(second, SPREAD)
    assert {p.device.type for p in first.parameters()} == {"cpu"}
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in first.modules())
    torch.testing.assert_close(answer(first, "mT5"), wanted, rtol=1e-4, atol=1e-4)
    assert seated(second, SPREAD) is seats and in_use() == seats.gpus
    gpus.clear()
    gpus.update(room_of(first, "tight"))
    seated(first, SPREAD)
    torch.testing.assert_close(answer(first, "mT5"), wanted, rtol=1e-4, atol=1e-4)


def test_models_that_write_side_by_side_have_no_room_and_a_full_gpu_is_told_of(gpus: dict[int, int]) -> None:
    asked, model = family("llama")
    live = copy.deepcopy(model)
    gpus.update(room_of(live, "two"))
    weights = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    spoken = LiveModel(asked, TASK, live, torch.float32, SPREAD)
    no_room = pytest.raises(NotApplicable, match=r"side by side, for which --device-map leaves no room")
    with no_room, speaking(spoken, Ensemble((weights, weights))):
        pass
    full = pytest.raises(MergeboardError, match=r"^a cell: the GPUs have no memory left; name smaller rooms")
    with full, out_of_memory.told("a cell"):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_model_whose_code_does_not_work_spread_is_refused_in_a_line(gpus: dict[int, int]) -> None:
    model: Any = copy.deepcopy(model_of("GPT-2"))

    def forward(input_ids: Tensor, **_: object) -> Tensor:
        return nn.functional.embedding(input_ids, model.transformer.wte.weight) @ model.transformer.h[2].mlp.c_fc.weight

    model.forward = forward  # reads weights past the modules that they belong to
    gpus.update({0: bytes_of(model) * 2 // 3, 1: bytes_of(model)})
    with pytest.raises(MergeboardError, match=r"^--device-map: GPT2LMHeadModel does not work spread") as met:
        seated(model, SPREAD)
    assert "\n" not in str(met.value)
