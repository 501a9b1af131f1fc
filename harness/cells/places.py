"""Whether a population is merged on the GPU: where there is one, and it has room for all that the merge holds."""

from __future__ import annotations

from collections.abc import Sequence

from harness import devices
from methods import Weights


def place_of(members: Sequence[Weights], held: int) -> tuple[str, str]:
    """The device, and a line for the user where it is not the one that scores.

    It is decided by the size of the GPU, not by what is free now, so that the same cell is made at the same place.
    """
    device = devices.current()
    if device in (devices.CPU, devices.SPREAD):  # what is spread has no room for its members on any GPU
        return devices.CPU, ""
    one = sum(x.numel() * x.element_size() for x in members[0].values())
    room = devices.memory()
    if held * one <= devices.SHARE * room:
        return device, ""
    return devices.CPU, (
        f"merged on the CPU: {held} models of {one / 2**30:.1f} GiB, which this may hold, do not fit into the GPU's "
        f"{room / 2**30:.0f} GiB; fewer members, or a GPU with more memory, would"
    )
