"""Whether an error is for want of memory. torch has a class for some of them; others are told by their words alone."""

from __future__ import annotations

from errno import ENOMEM
from typing import Literal

import torch

_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
_MAIN = ("DefaultCPUAllocator", f"os error {ENOMEM})")  # of torch; of what is written in Rust, as safetensors is


def exhausted(error: BaseException) -> Literal["", "gpu", "main"]:
    """Which memory had no room, if that is what this error says."""
    if isinstance(error, torch.OutOfMemoryError):
        return "gpu"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == ENOMEM:
        return "main"
    said = str(error) if isinstance(error, Exception) else ""
    if isinstance(error, RuntimeError) and any(words in said for words in _GPU):
        return "gpu"
    return "main" if any(words in said for words in _MAIN) else ""
