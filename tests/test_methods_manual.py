"""Every built-in method tells a reader what it is: a sentence, a formula, needs, paper, and who shares its name."""

from __future__ import annotations

import re

import pytest

from methods.catalogue import BUILT_IN, METHODS, NUMBERED
from methods.naming.manual import manual
from methods.needs import NEEDS

OF_THIS_PROJECT = {  # names that nobody else gives to a merging method, or that mean one thing everywhere
    *("best", "calibrated", "dfs", "ensemble", "greedy_soup", "layer_swap", "ps_dfs", "random_convex", "route"),
    *("search", "source", "base"),
}
YARDSTICKS = {"best", "base", "random_convex", *NUMBERED}  # reference rows, which no paper describes


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_method_tells_its_idea_its_formula_and_its_needs(name: str) -> None:
    told = manual(name)
    assert re.match(r"[A-Z].*\.$", told.idea) and re.match(r"[A-Z].*\.$", told.itself), (told.idea, told.itself)
    assert told.formula, "the docstring's formula is an indented block below its first sentence"
    assert hasattr(METHODS.resolve(name).cls, "needs"), "an empty tuple says that members are enough"
    assert set(told.needs) <= NEEDS.keys(), "these words are in methods/needs.py"


@pytest.mark.parametrize("name", sorted(BUILT_IN.keys() - OF_THIS_PROJECT))
def test_a_method_tells_what_else_has_its_name(name: str) -> None:
    assert manual(name).elsewhere, "a paragraph of the docstring begins `Elsewhere:`"


@pytest.mark.parametrize("name", sorted(BUILT_IN.keys() - YARDSTICKS))
def test_a_method_names_its_paper_and_where_to_read_it(name: str) -> None:
    told = manual(name)
    assert told.references and re.search(r"\d{4}|arXiv:", told.paper)
    assert all(re.search(r"\d{4}|https?://", reference) for reference in told.references)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_manual_is_that_of_the_class_itself(name: str) -> None:
    entry, told = METHODS.resolve(name), manual(name)
    assert told.needs == entry.cls.needs and told.paper == entry.paper
    assert told.genes == tuple(getattr(entry.cls, "searched", ()))
    order = getattr(entry.cls, "order_matters", "")
    assert told.order == (order if isinstance(order, str) else ""), "what is made around a method says what that says"


def test_knobs_are_told_with_the_words_behind_their_fields() -> None:
    told = {knob.name: knob for knob in manual("ties").knobs}
    assert told["k"].default == "0.2" and told["k"].says == "share of each task vector that survives the trim"
    assert told["trim"].may_be == "`exact_topk`, `official`"
    assert "lambda" in told and "lambda_" not in told
    assert [knob.name for knob in manual("dare_ties").knobs][-1] == "trim", "its own after those of both"
    assert "inner" not in {knob.name for knob in manual("evolver").knobs}, "it is chosen by name"


def test_the_parts_of_a_docstring_are_told_apart() -> None:
    told = manual("ties")
    assert told.formula.startswith("t_i = x_i - x_0\n1. trim")
    assert told.elsewhere.startswith("mergekit's") and not any("Elsewhere" in part for part in told.prose)
    (reference,) = told.references
    assert reference.startswith("Yadav") and reference.endswith("https://arxiv.org/abs/2306.01708")
