"""Which device a process computes on: the CPU; one GPU, which is then the only one that it sees; or, where the user
says `--device-map`, all GPUs in sight, over which the model that scores is spread (`harness/spread/`).

Without a word from the user that is a GPU where there is one. Workers of one session share out the GPUs in sight: the
first worker has the first, and so on, in turns. Who comes first to ask torch for a GPU fixes what is in sight, so this
is settled before anything is loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from glob import glob

from methods.errors import MergeboardError

CPU, CUDA, SPREAD = "cpu", "cuda", "spread"
VISIBLE = "CUDA_VISIBLE_DEVICES"
WORKER = "PYTEST_XDIST_WORKER"  # gw0, gw1, ...
_CARDS = "/dev/nvidia[0-9]*"
_OTHERS = ("/dev/dxg", "/dev/kfd")  # of Windows' Linux and of AMD's cards, which are not counted here
SHARE = 0.85  # of a GPU's memory; the rest is for activations, and for what is lost between tensors
_settled: list[str] = []
_limits: dict[int, int] = {}  # what --device-map allows of each GPU


def device_of(text: str | None) -> str | None:
    """`cpu`, `cuda` or `cuda:1`, as `--device` has it. Errors: `MergeboardError` for other words, and for a GPU that
    is not there, as far as that can be told without torch."""
    if text is None or text == CPU:
        return text
    match = re.fullmatch(r"cuda(?::(0|[1-9][0-9]{0,3}))?", text)
    if match is None:
        raise MergeboardError(f"--device {text}: write cpu, cuda or cuda:N, a GPU's number from 0 up")
    found = in_sight(os.environ)
    if found is not None and int(match[1] or 0) >= len(found):
        there = "no GPU is" if not found else f"{len(found)} of them {'is' if len(found) == 1 else 'are'}"
        raise MergeboardError(f"--device {text}: {there} in sight here; write --device=cpu, or leave it out")
    return text


def in_sight(environ: MutableMapping[str, str]) -> list[str] | None:
    """The GPUs that this process may use, by the names that the driver knows them by; None where nobody can tell."""
    if VISIBLE in environ:
        return [name.strip() for name in environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    if any(map(os.path.exists, _OTHERS)):
        return None
    return [str(i) for i in range(len(glob(_CARDS)))]


def gpus_in_sight() -> int | None:
    """How many there are, without asking torch; None where nobody can tell."""
    found = in_sight(os.environ)
    return None if found is None else len(found)


def narrow(asked: str | None, environ: MutableMapping[str, str]) -> None:
    """Leave one GPU in sight: the one that is asked for, or else this worker's share."""
    found, worker = in_sight(environ), environ.get(WORKER, "")
    number = int((asked or "").partition(":")[2] or -1)
    if number < 0 and worker[:2] == "gw" and worker[2:].isdigit():
        number = int(worker[2:]) % len(found) if found else 0
    if asked != CPU and found and len(found) > 1:
        environ[VISIBLE] = found[max(number, 0)]


def settle(asked: str | None, limits: Mapping[int, int] | None = None) -> str:
    """`cpu`, `cuda` or `spread`, from now on in this process.

    Args:
        limits: bytes of each GPU that a spread model may take, none for all GPUs; None where nothing is spread.

    Errors: `MergeboardError` where torch finds no GPU, or not the one that is named.
    """
    if limits is None:
        narrow(asked, os.environ)
    import torch

    _as_usual()
    there = asked != CPU and torch.cuda.is_available()
    words = "--device-map" if limits is not None else "" if asked in (None, CPU) else f"--device {asked}"
    if words and not there:
        raise MergeboardError(f"{words}: this torch, {torch.__version__}, finds no GPU; write --device=cpu")
    if there:
        torch.backends.cudnn.allow_tf32 = False
    _limits.clear()
    if limits is not None:
        _limits.update(_allowed(limits))
    _settled[:] = [CPU if not there else CUDA if limits is None else SPREAD]
    return _settled[0]


def _allowed(limits: Mapping[int, int]) -> Mapping[int, int]:
    """The same, with the GPUs that are there by their sizes where none is named."""
    import torch

    count = torch.cuda.device_count()
    if missing := [number for number in limits if number >= count]:
        others = "GPU 0 is" if count == 1 else f"GPUs 0 to {count - 1} are"
        raise MergeboardError(f"--device-map: there is no GPU {missing[0]} in sight here; {others}")
    for number, most in limits.items():
        if most > (there := memory(number)):
            raise MergeboardError(
                f"--device-map: GPU {number} has {there / 2**30:.3g} GiB, and {most / 2**30:.3g} are asked of it; "
                "ask less, since what is worked out needs room too"
            )
    return limits or {number: int(SHARE * memory(number)) for number in range(count)}


def room() -> Mapping[int, int]:
    """A GPU's number -> the bytes of it that a spread model may take; empty where nothing is spread."""
    return _limits


def name(number: int) -> str:
    """Torch's name of a GPU."""
    return f"{CUDA}:{number}"


def _as_usual() -> None:
    """Put back what a package or a file may have set as it was imported: it would be everybody's, and in no record."""
    import torch

    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    for kind in (CPU, CUDA):
        torch.set_autocast_enabled(kind, False)
    torch.set_float32_matmul_precision("highest")  # what is shorter than float32 is another number


def current() -> str:
    """What was settled; of a process in which nobody did, a GPU if there is one."""
    return _settled[0] if _settled else settle(None)


def memory(number: int | None = None) -> int:
    """Bytes that a GPU has, in use or not; without a number the one that is computed on."""
    import torch

    return int(torch.cuda.get_device_properties(torch.cuda.current_device() if number is None else number).total_memory)


def on_gpu() -> bool:
    """Whether GPUs were settled on; asks for none."""
    return _settled in ([CUDA], [SPREAD])


def start_meter() -> None:
    """From now on, `peak` is of what comes after."""
    if on_gpu():
        import torch

        for number in _used():
            torch.cuda.synchronize(number)
            torch.cuda.reset_peak_memory_stats(number)


def peak() -> int | None:
    """The most bytes of tensors on the GPU since the meter was started, when all that was asked of it is done; of
    several GPUs together. None where there is none."""
    if not on_gpu():
        return None
    import torch

    for number in _used():
        torch.cuda.synchronize(number)
    return sum(int(torch.cuda.max_memory_allocated(number)) for number in _used())


def _used() -> list[int | None]:
    """The numbers of the GPUs that are computed on; None for the one in sight."""
    return list(_limits) if _settled == [SPREAD] else [None]


def give_back() -> None:
    """Let other processes have what torch keeps of the GPU's memory without using it.

    A GPU that an error has left unusable gives nothing back, and says so again: that would hide the error itself.
    """
    if on_gpu():
        import torch

        with suppress(RuntimeError):
            torch.cuda.empty_cache()


def precision() -> str:
    """How products on a GPU are rounded, in words: TF32 and shortened sums of half-precision numbers change results."""
    import torch

    tf32 = torch.get_float32_matmul_precision() != "highest"
    short = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    return f"tf32 {'on' if tf32 else 'off'}, reduced sums of bf16 {'on' if short else 'off'}"
