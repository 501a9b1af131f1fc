"""The zoo: checkpoints, statistics and built models, each kept once under the hash of what made it.

<root>/<kind>/<key>/              made in a temporary folder beside it, `.<key>-xxxxxxxx`, and renamed when whole; the
                                  first one stays, and whoever comes second throws its own away
<root>/<kind>/<key>.lease         of the process that makes it, so that two runs do not train the same member twice
<root>/<kind>/.<key>.checkpoint-N how far a killed maker had come; the next one goes on from there

No lock is needed for what is there to be right, so the folder may lie on a server and serve several machines.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import BadWeights, NotKept, no_memory
from harness.records.files import fresh, permit
from harness.records.record import recipe_key
from harness.records.there import There, kept_in, silence
from harness.storage.turns import turn
from harness.storage.whole import RECIPE, checkpoints, remove, settle
from methods.base import Weights
from methods.errors import MergeboardError

SETTLING = 2.0  # seconds until all of a thing is seen that another machine has put here
TAKEN_OVER = 3  # times that the work of a process that was thought dead is begun
SAME = "same"  # of a file: the names of tensors that it holds under another name


class Zoo:
    """A content-addressed folder. `say` takes a line for whoever has to wait.

    Args:
        there: who knows whether the folder was there before, if several zoos are made of it.
    """

    def __init__(self, root: Path, say: Callable[[str], None] = lambda line: None, there: There | None = None) -> None:
        self.root, self.say = Path(root), say
        self._there = there or There(self.root)

    def path(self, kind: str, recipe: Mapping[str, Any]) -> Path:
        """Where the thing with this recipe lies, or would lie."""
        return self.root / kind / recipe_key(recipe)

    def has(self, kind: str, recipe: Mapping[str, Any]) -> bool:
        """Whether it is there, whole."""
        return _is_whole(self.path(kind, recipe))

    def get(self, kind: str, recipe: Mapping[str, Any], make: Callable[[Path], None], work: str = "") -> Path:
        """The folder of the thing with this recipe; `make(folder)` fills an empty one if it is not there yet.

        `work` says what `make` does, to those who wait for it: "fine-tuning tiny-encoder on tec, seed 1". A killed
        `make` leaves only a temporary folder, which the next call removes, and checkpoints, which it goes on from.

        Errors: `NotKept` in one line where the folder does not take it: full, read-only, or no longer there.
        """
        target = self.path(kind, recipe)
        if _is_whole(target):
            self._there.seen = True
            return target
        with kept_in(self.root, "--cache"):
            self._there.require()
            target.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(TAKEN_OVER):
                if self._made(target, recipe, make, work or f"making {kind}"):
                    return target
                self.say(f"{work or kind}: another process took this over, so what was made of it here is gone")
        raise NotKept(f"{target.parent}: what is made there is removed before it is whole; name another --cache")

    def _made(self, target: Path, recipe: Mapping[str, Any], make: Callable[[Path], None], work: str) -> bool:
        """Make it, after whoever is at it; False if somebody who thought us dead has removed what we had made."""
        with turn(target, work, self.say):
            if _is_whole(target):
                return True  # another process made it while we waited
            if target.exists() and not _comes(target / RECIPE):
                raise BadWeights(f"{target} has no {RECIPE}, so it is not whole; delete it and it will be made again")
            remove(target.parent.glob(f".{target.name}-*"))
            folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
            try:
                make(folder)
                (folder / RECIPE).write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n", encoding="utf-8")
                permit(folder)
                settle(folder, target)
            except BaseException as error:
                lost = isinstance(error, OSError) and not folder.exists() and target.parent.is_dir()
                remove([folder])
                if isinstance(error, OSError) and _is_whole(target):
                    return True  # the first one stays
                if lost:
                    return False
                if isinstance(error, MergeboardError) and not isinstance(error, NotKept):
                    # It would fail again from where it stopped.
                    remove(checkpoints(target))
                raise
            remove(checkpoints(target))
        return True


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / RECIPE).is_file()
    except OSError:  # a handle of a folder that is another by now
        return False


def _comes(path: Path) -> bool:
    """Whether a file is seen, now or a little later: of another machine's folder a part may be seen before the rest."""
    deadline = time.monotonic() + SETTLING
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(min(0.1, SETTLING))
        with contextlib.suppress(OSError):
            os.listdir(path.parent)  # makes this machine ask its server again
    return True


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


def read_text(path: Path) -> str:
    """A file of a thing of the zoo. Errors: `NotKept` if its folder does not answer, else `OSError`."""
    _comes(path)
    try:
        return fresh(lambda: path.read_text(encoding="utf-8"))
    except OSError as error:
        if (away := silence(path, error)) is not None:
            raise away from None
        raise


def load_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, mapped into memory, not read.

    Errors: `BadWeights` with the path if the file is damaged, `NotKept` if its folder does not answer.
    """
    try:
        _comes(path)
        return fresh(lambda: _mapped(path))
    except (safetensors.SafetensorError, OSError, MemoryError, ValueError, KeyError, AttributeError) as error:
        if (away := silence(path, error)) is not None:
            raise away from None
        if (full := no_memory(path, error)) is not None:
            raise full from None
        raise BadWeights(f"{path} cannot be read ({error}); delete {path.parent} and it will be made again") from None


def _mapped(path: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        same: dict[str, str] = json.loads((file.metadata() or {}).get(SAME, "{}"))
    return tensors | {name: tensors[other] for name, other in same.items()}


def require_finite(who: str, weights: Weights) -> None:
    """Raise `BadWeights` naming the first parameter that holds NaN or an infinity."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor.sum())):
            continue  # a sum is not finite where one of its parts is not, and is had in a tenth of the time
        if not bool(torch.isfinite(tensor).all()):  # it may have been too large
            kind = "NaN" if bool(torch.isnan(tensor).any()) else "an infinite value"
            raise BadWeights(f"{who}: {name} holds {kind}; such a model cannot be merged")
