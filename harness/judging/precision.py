"""bf16 is measured before it is believed: a processor without the instructions takes many times as long for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from harness.protocol.protocol import Protocol
from harness.records.environment import engine
from harness.storage.zoo import Zoo, read_text

WORTH = 0.8  # of the speed of fp32: what is slower than that is not used
ROWS, WIDTH = 128, 768  # the tokens of a small batch through one layer of a base model
REPEATS = 3
VERSION = 1  # of the measurement
SPEED = "speed.json"
KNOBS = ("dtype", "train_dtype")


def measured(dtype: torch.dtype) -> float:
    """Seconds of one product in this type, on the CPU: the best of a few, after one that warms up."""
    rows, layer = torch.ones(ROWS, WIDTH, dtype=dtype), torch.ones(WIDTH, WIDTH, dtype=dtype)
    found = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        torch.nn.functional.linear(rows, layer)
        found.append(time.perf_counter() - start)
    return min(found[1:])


def believed(
    protocol: Protocol,
    device: str,
    zoo: Zoo,
    say: Callable[[str], None],
    measure: Callable[[torch.dtype], float] | None = None,
) -> Protocol:
    """The protocol that really runs: with fp32 where it asks for bf16 on a CPU that is slower in it.

    Measured once and kept in the zoo, so that processes and sessions on one machine decide alike, busy or not.
    """
    asked = [name for name in KNOBS if getattr(protocol, name) == "bf16"]
    if not asked or device != "cpu":
        return protocol

    def make(folder: Path) -> None:
        seconds = measure or measured
        (folder / SPEED).write_text(json.dumps(seconds(torch.float32) / seconds(torch.bfloat16)), "utf-8")

    kept = zoo.get("precision", {**_processor(), "version": VERSION}, make)
    speed = float(json.loads(read_text(kept / SPEED)))
    if speed >= WORTH:
        return protocol
    knobs = " and ".join(f"{name}=bf16" for name in asked)
    say(f"{knobs}: this processor is slower in it ({speed:.2g} of fp32's speed), so fp32 is used and recorded")
    return replace(protocol, **{name: "fp32" for name in asked})  # type: ignore[arg-type]


def _processor() -> dict[str, str | int]:
    """What the measurement depends on."""
    made_by = engine()
    return {"torch": made_by["torch"], "processor": made_by["processor"], "threads": torch.get_num_threads()}
