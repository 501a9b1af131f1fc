"""What is fine-tuned: the rows of one task, or of several that share a trunk. Training itself is in finetune.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from harness.data.corpus import Split
from harness.data.task import Task
from harness.families.base import Loaded
from harness.judging.live import SCOPE

VERSION = 1  # of fine-tuning: raise it when the same recipe gives another member


@dataclass(frozen=True, eq=False)
class Part:
    """The training rows of one task, and the model that answers it."""

    name: str  # scope of its head, where several tasks are trained together
    task: Task
    rows: Split
    loaded: Loaded


class Joint(nn.Module):
    """One model per task around one trunk: the parameters that are no task's own are the same tensors everywhere."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.models = nn.ModuleList(part.loaded.model for part in parts)
        trunk = dict(self.models[0].named_parameters())
        for part in parts[1:]:
            for name, parameter in list(part.loaded.model.named_parameters()):
                if name not in part.loaded.head and parameter is not trunk[name]:
                    _share(part.loaded.model, parameter, trunk[name])
        self._parts = tuple(parts)

    def weights(self) -> dict[str, Tensor]:
        """All parameters under the names they have in one model; of several tasks, heads under `part::name`."""
        found: dict[str, Tensor] = {}
        for part in self._parts:
            for name, parameter in part.loaded.model.named_parameters():
                own = len(self._parts) > 1 and name in part.loaded.head
                found[f"{part.name}{SCOPE}{name}" if own else name] = parameter.detach()
        return found


def _share(model: nn.Module, own: nn.Parameter, other: nn.Parameter) -> None:
    """Put `other` wherever `model` has `own`, in tied places too."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            if parameter is own:
                setattr(module, name, other)
