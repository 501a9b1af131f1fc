"""`--device-map`: that the model is spread, and how much of each GPU it may take."""

from __future__ import annotations

import re
from collections.abc import Mapping

from methods.errors import MergeboardError

Limits = Mapping[int, int]
"""A GPU's number in sight -> the bytes of it that weights may take; none for all in sight, each by its size."""

AUTO = "auto"
WHOLE = "which are not worked out through a model that is spread; leave --device-map out"  # gradients
NO_ROOM = "for which --device-map leaves no room; leave it out, or ask one model"
_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 1 << 20, "GIB": 1 << 30}
_ROOM = re.compile(rf"(0|[1-9][0-9]{{0,3}})=([0-9]{{1,6}}(?:\.[0-9]{{1,3}})?)({'|'.join(_UNITS)})", re.IGNORECASE)


def limits_of(
    text: str | None, device: str | None = None, workers: bool = False, sees: int | None = None
) -> Limits | None:
    """`auto`, or `0=20GiB,1=10GiB`; None where nothing is to be spread.

    Args:
        device, workers: what `--device` says, and whether several processes answer.
        sees: how many GPUs are in sight; None where nobody can tell.

    Errors: `MergeboardError` in one line for other words, and beside options that say otherwise.
    """
    if text is None:
        return None
    found: dict[int, int] = {}
    for part in [] if text == AUTO else text.split(","):
        match = _ROOM.fullmatch(part.strip())
        if match is None or int(match[1]) in found or not float(match[2]):
            raise MergeboardError(
                f"--device-map {text}: write auto, or each GPU once with the room that weights may take of it, such as "
                "0=20GiB,1=10GiB"
            )
        found[int(match[1])] = int(float(match[2]) * _UNITS[match[3].upper()])
    if device is not None:
        raise MergeboardError(
            f"--device={device} and --device-map={text} name two places; leave one out. --device-map takes the GPUs in "
            "sight, which CUDA_VISIBLE_DEVICES narrows"
        )
    if workers:
        raise MergeboardError(
            f"--device-map={text} gives one process all GPUs, and several processes were asked for; leave -n and "
            "--engine out"
        )
    if sees is not None and (not sees or any(number >= sees for number in found)):
        there = "no GPU is" if not sees else "GPU 0 alone is" if sees == 1 else f"GPUs 0 to {sees - 1} are"
        raise MergeboardError(f"--device-map={text}: {there} in sight here; write --device=cpu, or leave it out")
    return found
