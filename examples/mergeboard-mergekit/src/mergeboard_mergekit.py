"""Every method of mergekit's in-memory interface as a method here: `mergekit_ties`, `mergekit_slerp`, ...

    merged = merge_state_dicts({ancestor, member 0, member 1, ...}, "ties", base=ancestor, dtype=float32)

Knobs are mergekit's parameters with its defaults; where it has none, a weight is 1, slerp's t 0.5 and nearswap's t
0.0001. A number of each member is one for all, or several. Where mergekit takes a base or none, the knob `base` says
whether the ancestor is it. Of two models, one of which must be the base, that is the first member.

Around mergekit all is as around every method here: output layers are merged by annotation, what the ancestor lacks is
averaged, the merge has the members' types. Draws are seeded from `rng`, and torch's generator is put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from importlib.metadata import version
from keyword import iskeyword
from typing import Any, ClassVar

import torch
from mergekit.merge_methods import BasePolicy, MergeMethod, ParameterScope, merge_state_dicts, registered_methods

from methods import DevScore, MergeboardError, NotApplicable, Population, Weights, register
from methods.base import PerMember
from methods.heads import label_aware
from methods.knobs import knob_of, require_numbers
from methods.simple import average_all, require_one_each
from methods.space import Gene
from methods.tensors.pieces import blank
from methods.tensors.task_vector import tensors_in_common

if version("mergekit") != "0.1.5":
    raise MergeboardError(f"mergekit {version('mergekit')} is installed; install the one that was tried, 0.1.5")

ASKED = {"weight": 1.0, "t": 0.5, "nearswap.t": 1e-4}  # what mergekit wants to be told
STRENGTHS = Gene("lambda", high=3.0, unit=1.0), Gene("lambda", high=3.0, unit="share")  # of a mean, of a sum
GENES = (Gene("t"), Gene("select_topk", 0.05), Gene("weight", 0.01, each="member"))


class Mergekit(PerMember):
    """What all have in common."""

    theirs: ClassVar[MergeMethod]
    called: ClassVar[str]
    first_is_base: ClassVar[bool]

    def __post_init__(self) -> None:
        for knob, value in self._knobs().items():
            if type(value) in (float, tuple):
                require_numbers(f"{self.called}.{knob}", value if isinstance(value, tuple) else (value,))

    def require_fits(self, members: int) -> None:
        """As many members as the method takes, one number for each. Errors: `NotApplicable`, `Misfit`."""
        contract, base = self.theirs.spec.contract, int(self._of_changes)
        least = max(1, contract.min_inputs - base, contract.min_non_base or 1)
        most = contract.max_non_base or contract.max_inputs  # of methods that have one, none has the ancestor as base
        if members < least or (most and members > most):
            wanted = f"{least} member{'s' * (least > 1)}{'' if most else ' or more'}"
            raise NotApplicable(f"{self.called} merges {wanted}, and there are {members}")
        for knob, value in self._knobs().items():
            if isinstance(value, tuple):
                require_one_each(f"{self.called}.{knob}", value, members)

    def merge(self, population: Population, score: DevScore, rng: torch.Generator) -> Weights:
        """mergekit's merge. Errors: `NotApplicable`; `MergeboardError` with what mergekit says against the knobs."""
        self.require_fits(len(population))
        first = population.members[0]
        common = tensors_in_common(self.called, population) if self._of_changes else sorted(first)
        named = [name for name in common if first[name].is_floating_point() and first[name].numel()]
        made = {name: blank(tensor) for name, tensor in first.items() if name not in set(named)}
        average_all(made, population.members)
        models = dict(enumerate(population.members)) | ({"base": population.ancestor} if self._of_changes else {})
        theirs = self._ask({who: {name: weights[name] for name in named} for who, weights in models.items()}, rng)
        made |= {name: theirs.pop(name).to(first[name].dtype, copy=True) for name in named}
        return label_aware(population, {name: made[name] for name in first})

    @property
    def _of_changes(self) -> bool:
        """Whether the ancestor is mergekit's base."""
        wanted = self.theirs.spec.contract.base is BasePolicy.REQUIRED and not self.first_is_base
        return bool(getattr(self, "base", wanted))

    def _knobs(self) -> dict[str, Any]:
        return {knob_of(some.name): getattr(self, some.name) for some in fields(self)}  # type: ignore[arg-type]

    def _ask(self, models: Mapping[Any, Weights], rng: torch.Generator) -> dict[str, torch.Tensor]:
        base = "base" if self._of_changes else 0 if self.first_is_base else None
        dtype = torch.float64 if torch.float64 in {x.dtype for x in models[0].values()} else torch.float32
        knobs = {knob: value for knob, value in self._knobs().items() if knob != "base"}
        with torch.random.fork_rng({x.device for x in models[0].values() if x.is_cuda}), torch.no_grad():
            torch.manual_seed(int(torch.randint(1 << 62, (), generator=rng)))
            try:
                return merge_state_dicts(models, self.theirs, parameters=knobs, base=base, dtype=dtype)
            except (ValueError, IndexError, RuntimeError) as error:
                raise MergeboardError(f"{self.called}: mergekit says: {' '.join(str(error).split())}") from error


def _class_of(theirs: MergeMethod) -> type[Mergekit]:
    """A frozen dataclass with a field for each of its parameters."""
    spec, knobs = theirs.spec, []
    for parameter in spec.parameters:
        one, name = parameter.value_type, parameter.name + "_" * iskeyword(parameter.name)
        kind = one if parameter.scope is ParameterScope.SHARED else one | tuple[one, ...]
        asked = ASKED.get(f"{spec.name}.{parameter.name}", ASKED.get(parameter.name))
        knobs.append((name, kind, field(default=asked if parameter.required else parameter.default)))
    if spec.contract.base is BasePolicy.OPTIONAL:
        knobs.append(("base", bool, field(default=False)))
    names = {knob_of(name) for name, *_ in knobs}
    told: dict[str, Any] = {"theirs": theirs, "called": f"mergekit_{spec.name}", "__module__": __name__, "version": 1}
    told["first_is_base"] = spec.contract.base is BasePolicy.REQUIRED and spec.contract.max_inputs == 2
    adds_up = not getattr(theirs, "default_normalize", True)
    varied = (STRENGTHS[adds_up],) if "lambda" in names else GENES
    told["searched"] = tuple(gene for gene in varied if gene.knob in names)
    if told["first_is_base"] or spec.contract.max_non_base == 2:
        told["order_matters"] = "it goes from the first member to the second"
    elif "density" in names:
        told["order_matters"] = "draws are made for one member after the other"
    if adds_up:
        told["moves_equal_members"] = "weights of 1 each add N equal changes up"
    return make_dataclass(f"Mergekit_{spec.name}", knobs, bases=(Mergekit,), namespace=told, frozen=True)


for method in registered_methods():
    globals()[f"Mergekit_{method.spec.name}"] = register(
        f"mergekit_{method.spec.name}", paper=f"mergekit 0.1.5, {method.spec.reference_url or method.spec.pretty_name}"
    )(_class_of(method))
