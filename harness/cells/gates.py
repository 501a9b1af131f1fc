"""The gates of a made-up world, measured: whether its base, its members and what they have in common do as they shall.

Development rows are asked: what decides whether a world may rank must not know its exam.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness.cells.cell import PopulationKey
from harness.cells.lab import Lab
from harness.grading.base import Grader
from harness.grading.named import graders_of
from harness.suites import Suite
from harness.suites.gates import BASE, JOINED, Gate, broken
from methods import Population, Weights


def dead(suite: Suite, key: PopulationKey, lab: Lab) -> str:
    """Why this population ranks nothing, in one line: the suite's made-up world is dead, or a member is of another
    base than it is merged on; empty where all is well."""
    population = lab.populations.of(key)
    written: dict[str, Weights] = {gate.who: _of(population, gate.who) for gate in suite.gates}
    said = {
        (who, corpus): _texts(lab, corpus, key.seed, written[who])
        for who, corpus in dict.fromkeys((gate.who, gate.corpus) for gate in suite.gates)
    }
    found = {gate: _share(lab, gate, key.seed, said[gate.who, gate.corpus]) for gate in suite.gates}
    reason = broken(suite.gates, found, _away(population), suite.farthest)
    if reason and not suite.gates:  # models of somebody's own
        return f"{reason}; a member must descend from the model, and its numbers are nowhere near"
    return f"the made-up world of {suite.called} is dead and ranks nothing: {reason}" if reason else ""


def _of(population: Population, who: str) -> Weights:
    """The base, a member, or the base with all that several members learned (task arithmetic, each in full)."""
    assert population.ancestor is not None  # the laboratory gave it
    if who == BASE:
        return population.ancestor
    members = [population.members[population.names.index(name)] for name in who.split(JOINED)]
    if len(members) == 1:
        return members[0]
    return {n: base + torch.stack([m[n] - base for m in members]).sum(0) for n, base in population.ancestor.items()}


def _texts(lab: Lab, corpus: str, seed: int, weights: Weights) -> tuple[str, ...]:
    texts: tuple[str, ...] | None = lab.judges.sheet(corpus, seed).reply(weights).texts
    assert texts is not None  # gates ask what is written
    return texts


def _share(lab: Lab, gate: Gate, seed: int, said: tuple[str, ...]) -> float:
    """The mean mark of the gate's grader, or of all of them multiplied."""
    graders: Mapping[str, Grader] = graders_of(lab.rows.task(gate.corpus).graders)
    chosen = [graders[gate.grader]] if gate.grader else list(graders.values())
    marks = []
    for text, wanted in zip(said, lab.rows.dev(gate.corpus, seed).references or (), strict=True):
        mark = 1.0
        for grader in chosen:
            mark *= grader.mark(text, wanted)
        marks.append(mark)
    return sum(marks) / len(marks)


def _away(population: Population) -> dict[str, float]:
    """Member -> how far it lies from the base, as a share of the base's length."""
    base = population.ancestor or {}
    whole = sum(float(tensor.square().sum()) for tensor in base.values()) ** 0.5
    return {
        name: sum(float((member[n] - tensor).square().sum()) for n, tensor in base.items()) ** 0.5 / whole
        for name, member in zip(population.names, population.members, strict=True)
    }
