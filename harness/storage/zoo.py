"""The zoo: checkpoints, statistics and built models, each kept once under the hash of what made it.

<root>/<kind>/<key>/              made in a temporary folder beside it, `.<key>-xxxxxxxx`, and renamed when whole
<root>/<kind>/<key>.lock, .who    held while one process makes it, so that two runs never train the same member twice
<root>/<kind>/.<key>.checkpoint-N how far a killed maker had come; the next one goes on from there
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import BadWeights
from harness.records.record import recipe_key
from harness.storage.turns import turn
from harness.storage.whole import RECIPE, checkpoints, remove, settle
from methods.base import Weights
from methods.errors import MergeboardError

SAME = "same"  # of a file: the names of tensors that it holds under another name


class Zoo:
    """A content-addressed folder. `say` takes a line for whoever has to wait."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.root, self.say = Path(root), say

    def path(self, kind: str, recipe: Mapping[str, Any]) -> Path:
        """Where the thing with this recipe lies, or would lie."""
        return self.root / kind / recipe_key(recipe)

    def has(self, kind: str, recipe: Mapping[str, Any]) -> bool:
        """Whether it is there, whole."""
        return (self.path(kind, recipe) / RECIPE).is_file()

    def get(self, kind: str, recipe: Mapping[str, Any], make: Callable[[Path], None], work: str = "") -> Path:
        """The folder of the thing with this recipe; `make(folder)` fills an empty one if it is not there yet.

        `work` says what `make` does, to those who wait for it: "fine-tuning tiny-encoder on tec, seed 1". A killed
        `make` leaves only a temporary folder, which the next call removes, and checkpoints, which it goes on from.
        """
        target = self.path(kind, recipe)
        if self.has(kind, recipe):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with turn(target, work or f"making {kind}", self.say):
            if self.has(kind, recipe):
                return target  # another process made it while we waited
            if target.exists():
                raise BadWeights(f"{target} has no {RECIPE}, so it is not whole; delete it and it will be made again")
            remove(target.parent.glob(f".{target.name}-*"))
            folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
            try:
                make(folder)
                (folder / RECIPE).write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n", encoding="utf-8")
                folder.chmod(0o755)  # mkdtemp makes 0700, which nobody else could read
                settle(folder, target)
            except BaseException as error:
                remove([folder])
                if isinstance(error, MergeboardError):  # it would fail again from where it stopped
                    remove(checkpoints(target))
                raise
            remove(checkpoints(target))
        return target


def save_weights(weights: Weights, path: Path) -> None:
    """Write tensors to a safetensors file, in name order; a tensor that has several names is written once."""
    held = {name: weights[name] for name in sorted(weights)}  # alive all at once, else two could have one id
    first: dict[int, str] = {}
    same = {name: first.setdefault(id(tensor), name) for name, tensor in held.items()}
    content = {name: held[name].detach().contiguous() for name in first.values()}
    try:
        save_file(content, path, {SAME: json.dumps({name: other for name, other in same.items() if name != other})})
    except safetensors.SafetensorError as error:  # a full disk, above all
        raise OSError(f"{path.name} cannot be written ({error})") from None


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, mapped into memory, not read.

    Errors: `BadWeights` with the path if the file is damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
        with safetensors.safe_open(path, "pt") as file:
            same: dict[str, str] = json.loads((file.metadata() or {}).get(SAME, "{}"))
        return tensors | {name: tensors[other] for name, other in same.items()}
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise BadWeights(f"{path} cannot be read ({error}); delete {path.parent} and it will be made again") from None


def require_finite(who: str, weights: Weights) -> None:
    """Raise `BadWeights` naming the first parameter that holds NaN or an infinity."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor.sum())):
            continue  # a sum is not finite where one of its parts is not, and is had in a tenth of the time
        if not bool(torch.isfinite(tensor).all()):  # it may have been too large
            kind = "NaN" if bool(torch.isnan(tensor).any()) else "an infinite value"
            raise BadWeights(f"{who}: {name} holds {kind}; such a model cannot be merged")
