"""What a record says of the engine that made it, on any machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments

from harness.members.finetune import arguments
from harness.protocol.protocol import Protocol
from harness.records import environment
from harness.records.environment import engine, processor


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ("fpu sse2 avx avx2", "avx2"),
        ("avx2 avx512f avx512vl", "avx512"),
        ("avx2 avx512f avx512_bf16", "avx512_bf16"),
        ("avx2 avx512f avx512_bf16 amx_tile amx_bf16", "amx"),
        ("fp asimd evtstrm", "neon"),
        ("fp asimd sve", "sve"),
        ("fpu sse2", ""),
        ("", ""),
    ],
)
def test_processors_are_told_by_the_best_they_can_do(
    flags: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.platform, "machine", lambda: "machine")
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n", encoding="utf-8")
    found = environment._flags(tmp_path / "cpuinfo") if flags else frozenset()
    assert processor(found) == f"machine {kind}".strip()


@pytest.mark.parametrize(("capable", "kind"), [("AVX512", "avx512"), ("AVX2", "avx2"), ("DEFAULT", ""), ("NO AVX", "")])
def test_where_the_system_tells_nothing_torch_is_asked(
    capable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capable)
    monkeypatch.setattr(environment.platform, "machine", lambda: "arm64")
    assert processor(environment._flags(tmp_path / "nothing")) == f"arm64 {kind}".strip()


def test_the_engine_of_this_machine_is_told_in_a_record() -> None:
    told = environment.environment()["engine"]
    assert told == {**engine(), "loops": told["loops"]} and isinstance(told["loops"], bool)
    assert set(engine()) - {"products"} == {"torch", "transformers", "device", "processor"} and all(engine().values())
    assert torch.__version__.startswith(f"{engine()['torch']}.")


def test_a_batch_is_a_batch_however_many_gpus_are_in_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Protocol(batch_size=16).training
    assert arguments(training, 1, str(tmp_path), 1000).train_batch_size == 16

    def four(self: TrainingArguments) -> torch.device:
        self._n_gpu = 4
        return torch.device("cpu")

    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(four))
    found = arguments(training, 1, str(tmp_path), 1000)
    assert found.n_gpu == 1 and found.train_batch_size == 16
