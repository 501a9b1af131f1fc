"""A real GPU, where there is one: what is made there is what the CPU makes, and what it costs is told.

Without one tests/test_methods_devices.py and tests/test_harness_devices.py have a pretended one, which finds tensors
that were left behind; here are the numbers, which a GPU adds up in another order, its memory, and the compiled kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness import devices
from harness.cells.places import place_of
from harness.cells.referee import digest
from harness.data.task import Task
from harness.families.batches import Batches
from harness.families.encoder import Encoder
from harness.judging.live import LiveModel
from harness.judging.meter import Meter
from harness.judging.sheet import Sheet
from harness.members import fisher, gram
from harness.members.placed import Place
from harness.records.environment import environment
from harness.records.record import Store, read
from methods import Ensemble, Weights, known
from methods.kernels import suited
from methods.merged import models_of
from methods.tensors.child import write_child
from methods.tensors.draws import Draws
from methods.tensors.pieces import blank_like
from tests.small_models import close, of_tokens, token_batches, transformer
from tests.test_methods_devices import AROUND, made_here, merged, moved

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
CLOSE = 2e-4  # of the largest change: singular vectors of float32 matrices are no more alike than that
LARGE = 5_000_017  # scalars: not a multiple of four


@pytest.fixture(autouse=True)
def on_the_gpu() -> Iterator[None]:
    before = list(devices._settled)
    devices.settle("cuda")
    yield
    devices._settled[:] = before


def model(seed: int, dtype: torch.dtype, device: str = "cuda") -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    shapes = {"wide": (123, 41), "thin": (3,), "scalar": (), "none": (0, 4), "long": (LARGE,)}
    return {n: torch.randn(shape, generator=rng).to(device, dtype) for n, shape in shapes.items()}


@pytest.mark.parametrize("method", [*known(), *AROUND])
def test_a_merge_is_the_cpus_but_for_rounding(method: str) -> None:
    population, here = made_here(method)
    there = merged(method, moved(population, "cuda"))
    for cpu, gpu in zip(models_of(here), models_of(there), strict=True):
        assert {x.device.type for x in gpu.values()} == {"cuda"}
        for name, x in cpu.items():
            moves = max(float((m[name] - population.ancestor[name]).abs().max()) for m in population.members)
            assert float((gpu[name].cpu() - x).abs().max()) <= CLOSE * moves, name


@pytest.mark.parametrize("mutation", ["rand_diff", "to_reference", "to_best_and_diff"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_a_child_is_the_cpus_bit_for_bit_by_kernel_and_by_formula(
    mutation: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton", reason="the kernel needs Triton")
    bred, kernel = [], suited.bred

    def noted(*arguments: Any) -> list[str]:
        bred.append(kernel(*arguments))
        return bred[-1]

    monkeypatch.setattr("methods.tensors.child.bred", noted)
    for scale, rate in ((0.5, 0.5), (0.3, 0.9), (1.0, 1.0)):
        found = []
        for device, chunk in (("cuda", None), ("cuda", 1 << 20), ("cpu", None)):
            x, a, b, best = (model(seed, dtype, device) for seed in range(4))
            out = blank_like(x)
            mates = (a, None) if mutation == "to_reference" else (a, b)
            extra = best if mutation == "to_best_and_diff" else None
            write_child(out, x, *mates, scale, Draws(9, rate), chunk, best=extra)
            found.append({name: tensor.cpu() for name, tensor in out.items()})
        for name in found[0]:
            assert all(torch.equal(found[0][name], other[name]) for other in found[1:]), (name, scale, rate)
    assert not suited._failed, suited._failed
    assert all(("long" in names) == (dtype != torch.float64) for names in bred if names or dtype == torch.float64)


def test_a_child_of_more_scalars_than_fit_into_32_bits_is_right_at_its_end() -> None:
    size = (1 << 31) + 4099
    if torch.cuda.mem_get_info()[0] < 6 * size * 2:
        pytest.skip("not enough free memory on this GPU")
    one = torch.full((size,), 1.0, dtype=torch.bfloat16, device="cuda")
    two, four = one * 2, one * 4
    out = torch.empty_like(one)
    write_child({"w": out}, {"w": one}, {"w": two}, {"w": four}, 0.5, Draws(5, 0.5))  # 1 - 0.5 (4 - 2) = 0
    start = size - 4099
    mask = torch.empty(4099, dtype=torch.int32)
    Draws(5, 0.5)("w", start, mask)
    assert torch.equal(out[start:].cpu() == 0, mask != 0)
    assert 0.49 < float((out[: 1 << 24] == 0).float().mean()) < 0.51


def live(kind: str, device: str) -> tuple[LiveModel, Batches]:
    rows = token_batches()
    answers = transformer(kind).float()

    class Family(Encoder):
        def __init__(self) -> None: ...

        def logits(self, model: Any, task: Task, inputs: Any) -> Tensor:
            found: Tensor = model(input_ids=inputs["ids"], attention_mask=inputs["mask"]).logits
            return found

    task = Task("x", "multi_label", tuple("abcd"), "macro_f1", ("",) * 4, ("",) * 4)
    return LiveModel(Family(), task, answers, torch.float32, device), rows


@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert", "gpt2"])
def test_scores_are_the_cpus_and_what_is_there_is_pointed_at_not_copied(kind: str) -> None:
    (here, rows), (there, _) = live(kind, "cpu"), live(kind, "cuda")
    weights = {name: p.detach().clone() for name, p in here.model.named_parameters()}
    brought = Place("cuda").bring(weights)
    wanted = Sheet(here, rows, 0.5).logits(weights)
    torch.testing.assert_close(Sheet(there, rows, 0.5).logits(weights), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(Sheet(there, rows, 0.5).logits(brought), wanted, rtol=1e-4, atol=1e-5)
    assert all(p.data_ptr() == brought[n].data_ptr() for n, p in there.model.named_parameters())
    both = Ensemble((weights, brought))
    torch.testing.assert_close(Sheet(there, rows, 0.5).logits(both), wanted, rtol=1e-4, atol=1e-5)


def test_a_model_on_the_host_is_scored_without_a_second_copy_on_the_gpu() -> None:
    one, _ = live("roberta", "cuda")
    name = max(dict(one.model.named_parameters()), key=lambda n: one.model.get_parameter(n).numel())
    layers = {f"{i}.weight": torch.zeros(2048, 2048) for i in range(12)}
    module = torch.nn.Sequential(*(torch.nn.Linear(2048, 2048, bias=False) for _ in range(12)))
    large = LiveModel(one.family, one.task, module, torch.float32, "cuda")
    size = 2048 * 2048 * 4
    with Meter() as meter:
        before = torch.cuda.memory_allocated()
        for _ in range(3):
            large.point_at(layers)
    assert name and meter.gpu_peak_bytes is not None
    assert meter.gpu_peak_bytes - before <= 2 * size


@pytest.mark.parametrize("labels", ["expected", "sampled", "hard", "empirical"])
@pytest.mark.parametrize("kind", ["roberta", "gpt2"])
def test_fisher_diagonals_are_the_cpus(kind: str, labels: Any) -> None:
    found = []
    for device in ("cpu", "cuda"):
        rng, module = torch.Generator().manual_seed(0), transformer(kind).to(device)
        made = fisher.diagonal(module, of_tokens, token_batches().to(device), labels, True, rng)
        found.append({name: x.cpu() for name, x in made.items()})
    close(found[1], found[0])


@pytest.mark.parametrize("kind", ["roberta", "gpt2"])
def test_gram_matrices_are_the_cpus(kind: str) -> None:
    found = []
    for device in ("cpu", "cuda"):
        made = gram.matrices(transformer(kind).to(device), of_tokens, token_batches().to(device))
        found.append({name: x.cpu() for name, x in made.items()})
    close(found[1], found[0])


def test_the_meter_tells_of_the_gpus_memory_and_waits_for_it() -> None:
    with Meter() as meter:
        x = torch.ones(1 << 26, device="cuda")
        for _ in range(50):
            x.mul_(1.0001)
        del x
    assert meter.gpu_peak_bytes is not None and meter.gpu_peak_bytes >= 1 << 28
    assert torch.cuda.current_stream().query(), "nothing is left to do"


def test_what_is_shared_stays_shared_and_a_population_that_does_not_fit_stays_on_the_host() -> None:
    x = torch.ones(5)
    there = Place("cuda").bring({"a": x, "b": x, "c": x[1:]})
    assert there["a"] is there["b"] and there["c"].tolist() == [1, 1, 1, 1]
    small: list[Weights] = [{"a": x}]
    assert place_of(small, 9) == ("cuda", "")
    device, line = place_of(small, 1 << 40)
    assert device == "cpu" and "do not fit" in line


def test_a_digest_tells_every_change_and_every_place() -> None:
    x = torch.randn(100_000, device="cuda")
    before = digest(x)
    assert digest(x.clone()) == before
    y = x.clone()
    y[77_777] += 1e-3
    z = x.clone()
    z[[5, 6]] = z[[6, 5]]
    assert len({before, digest(y), digest(z)}) == 3
    assert digest(x.bfloat16()) != digest(y.bfloat16()) or torch.equal(x.bfloat16(), y.bfloat16())


def test_a_cell_is_answered_on_the_gpu_and_says_so(
    pytester: pytest.Pytester, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[1]
    methods = ("simple", "ties", "fisher", "regmean", "tsv_m", "ties_evolver", "simple_calibrated", "ensemble", "mtl")
    words = ["--device=cuda", "--model=tiny-encoder", "--seeds=1", "--heads=same", "-k", "in_domain", "-q"]
    words += [f"--method={name}" for name in methods]
    words += ["-p", "tests.shrunk", f"--results={tmp_path / 'r'}", f"--zoo={tmp_path / 'z'}", "-p", "no:cacheprovider"]
    done = pytester.runpytest_subprocess(str(root / "suites" / "test_emotion.py"), f"--rootdir={root}", *words)
    done.assert_outcomes(passed=len(methods))
    told = [record for path in Store(tmp_path / "r").paths() if (record := read(path)) is not None]
    assert {record.method for record in told} == {*methods}
    for record in told:
        engine = record.environment["engine"]
        assert engine["device"] == torch.cuda.get_device_name() and engine["products"].startswith("tf32 off")
        assert "merged_on" not in engine
        assert record.method == "ensemble" or record.cost["gpu_peak_bytes"] > 0
    again = pytester.runpytest_subprocess(str(root / "suites" / "test_emotion.py"), f"--rootdir={root}", *words)
    again.stdout.re_match_lines([rf".*\b{len(methods)} cached in "])


def test_a_record_says_how_products_are_rounded() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        assert devices.precision().startswith("tf32 on")
        devices.settle("cuda")
        assert devices.precision().startswith("tf32 off")
    finally:
        torch.set_float32_matmul_precision("highest")
    assert environment()["engine"]["device"] == torch.cuda.get_device_name()
