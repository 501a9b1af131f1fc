"""Whether an error is for want of memory. torch has a class for some of them; others are told by their words alone."""

from __future__ import annotations

from typing import Literal

import torch

_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
_MAIN = "DefaultCPUAllocator"


def exhausted(error: BaseException) -> Literal["", "gpu", "main"]:
    """Which memory had no room, if that is what this error says."""
    if isinstance(error, torch.OutOfMemoryError):
        return "gpu"
    if isinstance(error, MemoryError):
        return "main"
    if isinstance(error, RuntimeError):
        said = str(error)
        return "gpu" if any(words in said for words in _GPU) else "main" if _MAIN in said else ""
    return ""
