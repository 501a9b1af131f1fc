"""Merging methods: from several fine-tuned models to one, as tensors in and tensors out."""

from methods.base import DevScore, Ensemble, Merged, MergeMethod, Population, Statistics, Traced, Weights
from methods.errors import MergeboardError, Misfit, NotApplicable, UnknownMethod, UnknownName
from methods.registry import describe, known, paper_of, register, resolve

# Importing a built-in method registers it; a third-party one is found through the entry points `mergeboard.methods`.
from methods import ensemble, evolver, fisher, greedy_soup, reference, regmean, simple, ties  # isort: skip

__all__ = [
    "DevScore",
    "Ensemble",
    "MergeMethod",
    "MergeboardError",
    "Merged",
    "Misfit",
    "NotApplicable",
    "Population",
    "Statistics",
    "Traced",
    "UnknownMethod",
    "UnknownName",
    "Weights",
    "describe",
    "ensemble",
    "evolver",
    "fisher",
    "greedy_soup",
    "known",
    "paper_of",
    "reference",
    "register",
    "regmean",
    "resolve",
    "simple",
    "ties",
]
