"""Reference vectors: where they lie, what a case holds, and how close is close enough.

A test file that runs cases parametrizes over `runs("ties", "fisher", ...)` and compares with `Run.require`.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from methods.base import Population, Weights

FOLDER = Path(os.environ.get("MERGEBOARD_GOLDEN") or Path(__file__).resolve().parents[2] / "shared" / "golden")


@dataclass(frozen=True)
class Case:
    """One folder of reference vectors: inputs, expected outputs, and what they mean."""

    method: str
    name: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, Tensor]]  # group ("member0", "fisher1", "mask3") -> name -> tensor
    expected: Mapping[str, Mapping[str, Tensor]]  # run id -> name -> tensor

    def numbered(self, group: str) -> tuple[Mapping[str, Tensor], ...]:
        """The groups group0, group1, ... of the inputs."""
        count = sum(name.removeprefix(group).isdigit() for name in self.inputs if name.startswith(group))
        return tuple(self.inputs[f"{group}{i}"] for i in range(count))

    def population(self, raised: bool = False, **more: Any) -> Population:
        """The members and their ancestor; `raised` turns half precision into float32, for results before rounding."""
        members = tuple(_raised(member) if raised else member for member in self.numbered("member"))
        base = self.inputs.get("base", {})
        names = tuple(f"member{i}" for i in range(len(members)))
        return Population(members, names, _raised(base) if raised else base, **more)


@dataclass(frozen=True)
class Run:
    """One setting of a case with its expected output."""

    method: str
    case_name: str
    spec: Mapping[str, Any]

    @property
    def case(self) -> Case:
        return case(self.method, self.case_name)

    @property
    def id(self) -> str:
        return str(self.spec["id"])

    @property
    def knobs(self) -> Mapping[str, Any]:
        knobs: Mapping[str, Any] = self.spec["hyperparameters"]
        return knobs

    def require(self, got: Weights) -> None:
        """Fail, naming the tensor, unless `got` is what the reference says, to the tolerance that it states."""
        expected = self.case.expected[self.id]
        skipped = set(self.spec.get("informative_tensors", ()))
        assert set(got) == set(expected), f"names differ: {sorted(set(got) ^ set(expected))}"
        for name, want in expected.items():
            if name not in skipped:
                self._require_close(name, got[name], want)

    def _require_close(self, name: str, got: Tensor, want: Tensor) -> None:
        assert got.shape == want.shape, f"{name}: shape {tuple(got.shape)}, not {tuple(want.shape)}"
        limits = self.spec["tolerance"]
        rtol = self.spec.get("per_dtype_rtol", {}).get(str(want.dtype).removeprefix("torch."), limits["rtol"])
        torch.testing.assert_close(
            got.double(),
            want.double(),
            rtol=rtol,
            atol=limits["atol"],
            equal_nan=True,
            msg=lambda text: f"{self.case_name}/{self.id}: {name}: {text}",
        )


@cache
def case(method: str, name: str) -> Case:
    """A case, read once."""
    folder = FOLDER / "cases" / method / name
    return Case(
        method,
        name,
        json.loads((folder / "case.json").read_text()),
        _groups(load_file(folder / "inputs.safetensors")),
        _groups(load_file(folder / "expected.safetensors")),
    )


def runs(*methods: str) -> list[Any]:
    """Every run that is a target, of every case of these methods, as parameters of a test; one that skips if none."""
    found = []
    for method in methods:
        for path in sorted((FOLDER / "cases" / method).glob("*/case.json")):
            for spec in json.loads(path.read_text())["runs"]:
                if not spec.get("informative"):
                    run = Run(method, path.parent.name, spec)
                    found.append(pytest.param(run, id=f"{method}-{path.parent.name}-{spec['id']}"))
    reason = f"no reference vectors in {FOLDER}; MERGEBOARD_GOLDEN names another folder"
    return found or [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]


def _groups(tensors: Mapping[str, Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
    groups: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")  # a group of one tensor has no names inside
        groups[group][name] = tensor
    return groups


def _raised(weights: Weights) -> Weights:
    half = (torch.float16, torch.bfloat16)
    return {name: tensor.float() if tensor.dtype in half else tensor for name, tensor in weights.items()}
