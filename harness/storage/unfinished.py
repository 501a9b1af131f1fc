"""A fine-tuning that was killed goes on from its last checkpoint, and ends with the very member it would have had.

A checkpoint is the Trainer's own (model, AdamW, schedule, random numbers, position) and what was kept for the member so
far. It is written beside the member's place in the zoo whenever the last one is old enough, so short trainings have
none; it has its name when it is whole, and only then the one before it goes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import TrainerCallback
from transformers.trainer_callback import TrainerState

from harness.records.there import silence
from harness.storage.whole import MINUTES, checkpoints, remove, settle

MODEL, KEPT = "model.pt", "kept.pt"
_WHOLE = (MODEL, "optimizer.pt", "scheduler.pt", KEPT)  # and what transformers reads without torch


@dataclass(frozen=True)
class Place:
    """Where a training leaves its checkpoints and finds those of a killed one."""

    target: Path  # of the member, in the zoo
    say: Callable[[str], None]
    minutes: float = MINUTES

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """A folder for checkpoints that are not whole: on the same disk, and swept if the process is killed."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.target.parent, prefix=f".{self.target.name}-") as folder:
            yield folder


class Keeper(Protocol):
    """What chooses the member while it is trained."""

    history: list[float]
    weights: dict[str, Tensor]


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Says when a checkpoint is due, keeps one, and knows the one to begin with."""

    def __init__(self, place: Place, keeper: Keeper) -> None:
        self._place, self._keeper = place, keeper
        self._written = time.monotonic()
        self._order: Tensor | None = None  # the state of torch's generator from which this epoch's order was drawn
        self._resumed: Tensor | None = None

    def begin(self) -> str | None:
        """The checkpoint to go on from, if there is one; what was kept for the member is taken over from it."""
        for folder in reversed(checkpoints(self._place.target)):
            try:
                kept = self._read(folder)
                step = TrainerState.load_from_json(str(folder / "trainer_state.json")).global_step
            except Exception as error:  # a damaged file may break its reader anywhere
                if (away := silence(folder, error)) is not None:
                    raise away from None
                self._place.say(f"{folder.name} cannot be used ({_line(error)}), so it is removed")
                remove([folder])
                continue
            self._keeper.history, self._keeper.weights = list(kept["history"]), dict(kept["weights"])
            self._resumed = kept["order"]
            with contextlib.suppress(OSError):
                os.utime(folder)  # it is in use: no sweep of old checkpoints shall take it
            self._place.say(f"an interrupted training goes on after step {step}")
            return str(folder)
        return None

    def _read(self, folder: Path) -> dict[str, Any]:
        """What was kept; the rest is only tried out, since the Trainer reads it when it is too late to refuse."""
        for name in _WHOLE:
            read: dict[str, Any] = torch.load(folder / name, map_location="cpu", weights_only=True)
        if not (folder / "rng_state.pth").is_file():
            raise FileNotFoundError("rng_state.pth")
        return read

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The order of the rows is drawn next; in an epoch that is gone on with, from where it was drawn before."""
        if self._resumed is not None:
            torch.random.set_rng_state(self._resumed)
            self._resumed = None
        self._order = torch.random.get_rng_state()

    def on_step_end(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any) -> None:
        """Within an epoch. After its last step the epoch is still to be closed: see `on_epoch_end`."""
        control.should_save = self._due(state) and state.global_step % len(train_dataloader) != 0

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Between two epochs."""
        if self._due(state):
            self._order = torch.random.get_rng_state()
            control.should_save = True

    def _due(self, state: Any) -> bool:
        old = time.monotonic() - self._written >= 60 * self._place.minutes
        return old and state.global_step < state.max_steps

    def keep(self, write: Callable[[], None], made: Path) -> None:
        """Let the Trainer write `made`, add what was kept, and put it in the place of the one before.

        A disk that is full costs the checkpoint, not the training. Where another process is at the same training, one
        of us having been thought dead, its checkpoint of this step is as good and stays.
        """
        place = self._place.target
        own = place.with_name(f".{place.name}.{made.name}")
        before = [folder for folder in checkpoints(place) if folder != own]
        kept = {"weights": self._keeper.weights, "history": self._keeper.history, "order": self._order}
        try:
            write()
            torch.save(kept, made / KEPT)
            with contextlib.suppress(FileExistsError):
                settle(made, own)
            remove([made, *before])
        except (OSError, RuntimeError) as error:
            self._place.say(f"no checkpoint could be written ({_line(error)}); training goes on without")
            remove([made])
        self._written = time.monotonic()


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
