"""Merging methods: from several fine-tuned models to one, as tensors in and tensors out.

What speaks of tensors is imported when it is first asked for: names of methods are known without torch, so that a
command line can be checked, or a benchmark listed, in a moment.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from methods.catalogue import describe, register
from methods.errors import MergeboardError, Misfit, NotApplicable, UnknownMethod, UnknownName
from methods.naming.names import is_built_in, known, paper_of, require, resolve

if TYPE_CHECKING:
    from methods.base import DevScore, Merged, MergeMethod, Population, Statistics, Traced, Weights
    from methods.merged import Ensemble, Hop, Offset, PerTask, Route

_OF_TENSORS = (
    *("DevScore", "MergeMethod", "Population", "Statistics"),
    *("Ensemble", "Hop", "Merged", "Offset", "PerTask", "Route", "Traced", "Weights"),
)

__all__ = [
    "DevScore",
    "Ensemble",
    "Hop",
    "MergeMethod",
    "MergeboardError",
    "Merged",
    "Misfit",
    "NotApplicable",
    "Offset",
    "PerTask",
    "Population",
    "Route",
    "Statistics",
    "Traced",
    "UnknownMethod",
    "UnknownName",
    "Weights",
    "describe",
    "is_built_in",
    "known",
    "paper_of",
    "register",
    "require",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name in _OF_TENSORS:
        return getattr(import_module("methods.base"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
