"""A model's page: what everybody reads is open, all else folded, nothing is lost, and its commands can be copied."""

from __future__ import annotations

import re
from itertools import pairwise

from leaderboard.pages import pages
from leaderboard.pages.fold import folded
from leaderboard.pages.repeat import block, repeat, wrapped
from leaderboard.places import page_of, stems
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record

LONG = "pytest suites/test_emotion.py -k pairwise " + " ".join(f"--method={name * 3}" for name in "abcdefghijklmnop")
COST = {"merge_seconds": 1.0, "inference_models": 1}


def asked(model: str = "roberta-base") -> str:
    """The page of a model with two settings under one protocol, one under another, and a second suite."""
    made = [
        record(method, seed, score + seed / 100, model=model, setting=setting, cost=COST, **more)
        for method, score in (("simple", 0.4), ("ties", 0.5), ("best", 0.45))
        for seed in (1, 2)
        for setting, more in (
            *(("in_domain", {}), ("out_of_domain", {})),
            ("in_domain", {"protocol": {"name": "quick", "epochs": 9}}),
            ("cross_task", {"suite": "glue"}),
        )
    ]
    return pages.pages(groups(made))[page_of(stems([model])[model])]


def opened(page: str) -> str:
    """What stands outside of every fold."""
    shown, depth = [], 0
    for line in page.splitlines():
        depth += line.startswith("<details")
        shown += [] if depth else [line]
        depth -= line == "</details>"
    assert depth == 0
    return "\n".join(shown)


def test_the_verdict_comes_first_then_the_cost_then_scores_and_one_table_of_certainty_a_suite() -> None:
    shown = opened(asked())
    places = [
        shown.index(part)
        for part in ("## What to use", "-score-against-time.svg", "## Emotion", "#### Scores", "#### How sure")
    ]
    assert places == sorted(places) and shown.count("-score-against-time.svg") == 1
    heads = ["What to use", "Emotion", "GLUE", "Run it again", "Take the numbers along"]
    assert re.findall(r"^## (.*)$", shown, re.M) == heads
    tables = ["Scores", "How sure, in-domain", "Scores", "How sure, cross-task"]
    assert re.findall(r"^#### (How sure.*|Scores)$", shown, re.M) == tables


def test_folding_loses_no_table() -> None:
    page = asked()
    for title in ("How sure, out-of-domain", "Per corpus, in-domain", "Per corpus, out-of-domain", "Cost, in-domain"):
        assert f"#### {title}" in page and f"#### {title}" not in opened(page), title
    assert page.count("#### Scores") == 3 and "protocol quick, 9 epochs" in page


def test_every_table_keeps_the_address_that_it_had() -> None:
    found = groups([record(model="m", protocol={"name": "quick", "epochs": epochs}) for epochs in (1, 2, 3)])
    page = pages.pages(found)[pages.FOLDER / "m.md"]
    assert [page.count(f'<a id="{group.anchor}"></a>') for group in found] == [1, 1, 1]


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [len(marks) for marks in re.findall(r"^(#+) ", asked(), re.M)]
    assert levels[0] == 1 and all(below - above <= 1 for above, below in pairwise(levels))


def test_a_made_up_model_answers_nothing() -> None:
    page = asked("tiny-encoder")
    assert "says nothing about real models" in page and "try " not in page.split("## Emotion")[0]


def test_a_fold_is_a_line_that_opens_and_markdown_behind_an_empty_line() -> None:
    assert folded("a <b>", ["one", "two\n"]) == (
        '<details markdown="1">\n<summary>a &#60;b&#62;</summary>\n\none\ntwo\n\n</details>\n'
    )
    assert folded("nothing", []) == folded("nothing", ["", "\n"]) == ""


def test_a_long_command_breaks_before_options_and_a_shell_reads_the_same_words() -> None:
    lines = wrapped(LONG).splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= 92
    assert all(line.startswith("  -") for line in lines[1:])
    assert wrapped(LONG).replace("\\\n", "").split() == LONG.split()  # as a shell does
    quoted = LONG + " -k 'not --method'"
    assert wrapped(quoted) == quoted


def test_no_command_leaves_its_block() -> None:
    shown = block("a ``` b\n# heading\n```` </details>")
    fence = shown.splitlines()[0].removesuffix("bash")
    assert set(fence) == {"`"} and len(fence) == 5 and shown.splitlines()[-1] == fence and len(shown.splitlines()) == 3


def test_many_commands_are_one_block_with_a_line_between_them() -> None:
    assert block("pytest a", "pytest b") == "```text\npytest a\n\npytest b\n```\n"


def test_the_command_of_most_records_is_shown_once_and_the_others_are_folded() -> None:
    told = [*["pytest suites/ -n 2"] * 3, "pytest suites/ --grid", ""]
    made = [record(seed=seed, environment={"command": command}) for seed, command in enumerate(told, 1)]
    shown = "\n".join(repeat(made))
    assert "made 3 of the 5 records" in shown and shown.count("pytest suites/ -n 2") == 1
    assert "--grid" in shown and "--grid" not in opened(shown)
    assert "No record" in "\n".join(repeat(made[-1:]))
