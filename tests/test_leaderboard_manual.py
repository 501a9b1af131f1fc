"""Pages about methods: every name in a table leads to one, relative links are right, records give the rank."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

import pytest

from harness.records.record import RunRecord
from leaderboard import links
from leaderboard.manual import page
from leaderboard.pages import pages, readme
from leaderboard.tables.group import groups
from methods.catalogue import BUILT_IN
from tests.test_leaderboard_table import record

DOCS = Path(__file__).parent.parent / "docs"


@lru_cache
def made() -> tuple[RunRecord, ...]:
    """Two real models and a made-up one; regmean lacks one of them, and one method is a plug-in's."""
    scores = {"simple": 0.4, "ties k=0.4": 0.3, "ties": 0.5, "ties_evolver": 0.6, "mine": 0.2, "best": 0.1, "avg": 0.1}
    scores |= {"fisher_evolver": 0.7, "simple_evolver": 0.5}
    found = []
    for model in ("small-gpt2", "small-t5", "tiny-encoder"):
        for row, score in scores.items():
            method, _, knob = row.partition(" ")
            knobs = {"k": 0.4} if knob else {}
            found.append(record(method, score=score, model=model, knobs=knobs, cost={"merge_seconds": 2.5}))
    return (*found, record("regmean", score=0.9, model="small-t5"), record("source_2", score=0.1, model="small-t5"))


@lru_cache
def published() -> Mapping[PurePosixPath, str]:
    found = groups(made())
    return {**pages.pages(found), **page.pages(found)}


def anchors(text: str) -> set[str]:
    """What GitHub and MkDocs call the headings of a page, and what it names itself."""
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    named = re.findall(r'<a id="([^"]+)"></a>', text)
    return {*named, *(re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads)}


def test_every_built_in_method_has_a_page_and_a_line_in_the_index() -> None:
    index = published()[links.INDEX]
    assert {links.FOLDER / f"{name}.md" for name in BUILT_IN} <= published().keys()
    assert [name for name in BUILT_IN if f"| [{name}]({name}.md) |" not in index] == []


def test_every_relative_link_of_a_generated_page_leads_to_a_page_and_a_heading() -> None:
    seen = 0
    for name, text in published().items():
        if name.suffix != ".md":
            continue
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
            place = PurePosixPath(posixpath.normpath(name.parent / target)) if target else name
            known = published().get(place)
            assert known is not None or (DOCS / place).exists(), f"{name}: {target}"
            if anchor:
                told = (DOCS / place).read_text(encoding="utf-8") if known is None else known
                assert anchor in anchors(told), f"{name}: {target}#{anchor}"
            seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    ("row", "leads_to"),
    [
        ("ties", "ties.md"),
        ("ties k=0.4", "ties.md"),
        ("ties_evolver", "ties.md"),
        ("ties_evolver_cma budget=9", "ties.md"),
        ("evolver", "evolver.md"),
        ("dfs", "dfs.md"),
        ("best", "best.md"),
        ("source_12", "source.md"),
        ("mtl", "README.md#rows-that-are-no-methods"),
        ("mine", ""),
        ("ties_mine", ""),
        ("mine_cma", ""),
        ("<b>", ""),
    ],
)
def test_a_row_leads_to_the_page_of_the_method_inside_and_a_plug_in_to_none(row: str, leads_to: str) -> None:
    assert links.page_of(row) == leads_to


def test_names_are_links_in_the_index_on_a_models_page_and_in_the_readme() -> None:
    found = groups(made())
    assert "| [ties](methods/ties.md) |" in published()[pages.INDEX]
    own = published()[pages.FOLDER / "small-t5.md"]
    assert "| [ties k=0.4](../methods/ties.md) |" in own and "| mine |" in own
    assert "| [*best member*](../methods/best.md) |" in own
    assert "| [ties_evolver](docs/methods/ties.md) |" in readme.block(found)
    assert "methods/" not in pages.session(found)  # which lies beside no documentation


def test_a_page_tells_the_rank_of_each_row_in_each_world_and_among_how_many() -> None:
    shown = published()[links.FOLDER / "ties.md"]
    assert "| ties | real models | at their defaults | 1 of 3 | 1.00 | 2 models and suites, 2 questions |" in shown
    assert "| ties_evolver | real models | tuned on development rows (evolution) | 2 of 3 | 2.00 |" in shown
    assert "made up" in shown.split("## Cost")[1] and "| 2.50 |" in shown
    waiting = published()[links.FOLDER / "regmean.md"]
    assert "| regmean | real models | at their defaults | — (1 of 2 missing) | — |" in waiting
    unseen = published()[links.FOLDER / "slerp.md"]
    assert "No records rank it." in unseen and "No records tell." in unseen


def test_a_model_for_each_task_says_why_it_has_no_rank_and_how_it_stands_to_the_best_member() -> None:
    by_task = [record("emr", s, 0.5, model="small-t5", cost={"tasks": 2, "inference_models": 1}) for s in (1, 2)]
    others = [record(m, s, x, model="small-t5") for m, x in (("best", 0.4), ("ties", 0.3)) for s in (1, 2)]
    shown = page.pages(groups([*by_task, *others]))[links.FOLDER / "emr.md"]
    assert "It is ranked with no other merge: it makes a model for each task" in shown and "No records" not in shown
    (line,) = [line for line in shown.split("\n") if line.startswith("| emr |") and "1 of 1" in line]
    assert "| +10.00" in line


def test_a_page_tells_what_the_methods_file_tells() -> None:
    shown = published()[links.FOLDER / "dare_ties.md"]
    assert "```text\nt_i = x_i - x_0, tensor by tensor" in shown
    assert "- The ancestor: the model that all members were fine-tuned from.\n- Random draws" in shown
    assert "| `dare_ties.density` | number or numbers with commas | 0.5 | the share of" in shown
    assert "[arXiv:2311.03099](https://arxiv.org/abs/2311.03099)" in shown
    assert "`density` from 0.01 to 1, one for each member" in shown
    assert "- Nothing but the members." in published()[links.FOLDER / "simple.md"]
