"""Statistics of members that come from files: each has its own, they can be what they are called, and gaps are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from harness.errors import BadWeights
from harness.streaming.agreed import Agreed, is_merged
from harness.streaming.shards import Shards
from methods.errors import MergeboardError, Misfit

CLOSE = 1e-3  # of a Gram matrix' largest number: how far its halves may lie apart, as they do in half precision


class Checked(Mapping[str, Tensor]):
    """The tensors of one file, each looked at when it is read. Errors: `BadWeights` for one that is no statistic."""

    def __init__(self, kind: str, file: Path) -> None:
        self._what, self._kind, self._shards = f"--{kind} {file}", kind, Shards(file.parent, [file.name])

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._shards[name]
        if fault := (_of_fisher if self._kind == "fisher" else _of_gram)(tensor):
            raise BadWeights(f"{self._what}: {name} {fault}; make the statistics anew")
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._shards.forms

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards)

    def __len__(self) -> int:
        return len(self._shards)


def statistics(
    files: Mapping[str, Sequence[Path]], models: Agreed, say: Callable[[str], None]
) -> dict[str, tuple[Checked, ...]]:
    """What methods may need beside weights, from a file of each member whose tensors are named as the parameters are.

    Errors: `Misfit` for a file of another model, `MergeboardError` for one that is given twice.
    """
    found = {}
    for kind, own in files.items():
        if len({path.resolve() for path in own}) < len(own):
            raise MergeboardError(f"--{kind} names one file twice; every member has statistics of its own")
        found[kind] = tuple(Checked(kind, path) for path in own)
        for one, file in zip(found[kind], own, strict=True):
            if not one.keys() & models.forms.keys():
                raise Misfit(f"--{kind} {file}: none of its tensors is named as one of the members is")
        least = 1 if kind == "fisher" else 2  # dimensions: Gram matrices are those of linear layers
        wanted = [n for n, form in models.forms.items() if is_merged(n, form) and len(form.shape) >= least]
        if gaps := [name for name in wanted if not all(name in one for one in found[kind])]:
            more = f" and {len(gaps) - 1} more of {len(wanted)}" if len(gaps) > 1 else ""
            say(f"--{kind}: not every member has it of {gaps[0]}{more}: merged without")
    return found


def _of_fisher(tensor: Tensor) -> str:
    """Why this is no diagonal of a Fisher information; "" if it may be one."""
    if not tensor.is_floating_point():
        return f"is {str(tensor.dtype).removeprefix('torch.')}, and Fisher information is of squared gradients"
    return "has numbers below 0, and Fisher information is of squared gradients" if bool((tensor < 0).any()) else ""


def _of_gram(tensor: Tensor) -> str:
    """Why this is no Gram matrix; "" if it may be one, or is of a shape that the method itself refuses."""
    if not tensor.is_floating_point():
        return f"is {str(tensor.dtype).removeprefix('torch.')}, and a Gram matrix is of sums of products"
    if tensor.dim() != 2 or tensor.shape[0] != tensor.shape[1] or not tensor.numel():
        return ""
    if bool((tensor.diagonal() < 0).any()):
        return "has numbers below 0 on its diagonal, and a Gram matrix has sums of squares there"
    apart = float((tensor.float() - tensor.float().T).abs().max())
    return "is not symmetric, and a Gram matrix is" if apart > CLOSE * float(tensor.float().abs().max()) else ""
