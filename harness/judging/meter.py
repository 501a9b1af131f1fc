"""What a merge costs: wall seconds, and peak memory: the process', as the operating system counts it, and the GPU's."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path
from types import TracebackType

from harness import devices

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


class Meter:
    """`with Meter() as m: ...` then `m.seconds`, `m.peak_bytes` and, of a process that uses a GPU, `m.gpu_peak_bytes`.

    On Linux the high-water mark is reset first, so the peak belongs to the block; elsewhere it is that of the process
    so far.
    """

    seconds: float = 0.0
    peak_bytes: int = 0
    gpu_peak_bytes: int | None = None  # of tensors on the GPU, those that were there before among them

    def __enter__(self) -> Meter:
        devices.start_meter()
        with contextlib.suppress(OSError):  # not Linux, or not allowed: the mark of the whole process stands
            _RESET.write_text("5")
        self._start = time.perf_counter()
        return self

    def __exit__(self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.gpu_peak_bytes = devices.peak()  # first: it waits until the GPU is done
        self.seconds = time.perf_counter() - self._start
        self.peak_bytes = peak_bytes()


def peak_bytes() -> int:
    """The highest resident memory of this process since the mark was last reset."""
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
