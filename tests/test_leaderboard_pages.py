"""Markdown that no name can break, the same bytes for the same records."""

from __future__ import annotations

import random
import re
from typing import Any

from harness.records.record import RunRecord
from leaderboard import text
from leaderboard.pages import pages, prose, readme, terminal
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record


def some() -> list[RunRecord]:
    """Two models, two settings, three seeds, one gap."""
    scores = {"avg": 0.2, "simple": 0.4, "ties": 0.41, "ensemble": 0.3}
    records = [
        record(method, seed, score + seed * step / 100, setting=setting, model=model)
        for model in ("roberta-base", "tiny-encoder")
        for setting in ("in_domain", "out_of_domain")
        for step, (method, score) in enumerate(scores.items())
        for seed in (1, 2, 3)
    ]
    return records[:-1]


def page(records: list[RunRecord]) -> str:
    """The page of a session."""
    return pages.session(groups(records))


def block(records: list[RunRecord]) -> str:
    """The README's table."""
    return readme.block(groups(records))


def rows(page: str) -> list[list[str]]:
    """The cells of every table row."""
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]


def test_the_order_of_records_changes_no_byte() -> None:
    expected = page(some())
    for seed in range(5):
        shuffled = some()
        random.Random(seed).shuffle(shuffled)
        assert page(shuffled) == expected
        assert block(shuffled) == block(some())


def test_hostile_names_stay_names() -> None:
    evil = "x|y\n# z <script>alert(1)</script> `c` [a](javascript:b) ![i](u) *b* \\| &amp; \x1b[31m\u202e"
    told = {"command": evil, "commit": evil}
    hostile = record(evil, model=evil, setting=evil, heads=evil, coverage=evil, scores={evil: 0.5}, environment=told)
    shown = page([hostile, record("simple", score=0.4)])
    words = re.sub(r"\A.*?(?=\n## x)", "", shown, flags=re.S).split("## Notes")[0]
    words = re.sub(r"^(`{3,})bash\n.*?^\1$", "", words, flags=re.S | re.M)  # a command, which is code
    words = words.replace('<details markdown="1">\n<summary>The other command</summary>', "").replace("</details>", "")
    assert "<" not in words and "`" not in words and "](" not in words and "\x1b" not in words and "\u202e" not in words
    assert not re.search(r"&(?!#\d+;)", words)
    assert {len(cells) for cells in rows(words)} <= {2, 3, 4, 6}
    heads = block([hostile]).replace(prose.BELOW_BLOCK.partition("}")[2], "")
    assert "<" not in heads and "`" not in heads and "](" not in heads and {len(c) for c in rows(heads)} == {2}
    said = terminal.tables(groups([hostile]))
    assert "\x1b" not in said and "\u202e" not in said


def test_ordinary_names_are_left_alone() -> None:
    assert text.escaped("microsoft/deberta-v3-large simple_evolver") == "microsoft/deberta-v3-large simple_evolver"


def test_numbers_gaps_and_marks() -> None:
    shown = page([record("simple", s, 0.4 + s / 100) for s in (1, 2)] + [record("ties", 1, 0.9)])
    assert "| simple | **41.00 / 42.00** |" in shown
    assert "| ties | — (1 of 2) |" in shown
    assert "| simple | **40.00 (n=1)** |" in page([record("simple", score=0.4)])


def test_the_papers_numbers_stand_beside_ours() -> None:
    names = ("ensemble", "evolver", "simple_evolver", "ties")
    shown = page([record(m, score=i / 10, model="roberta-base") for i, m in enumerate(names)])
    table = {cells[0]: cells[1:] for cells in rows(shown)[:6]}
    assert table["method"] == ["tuned by", "in-domain, seed 1", "paper"]
    assert [table[m][2] for m in names] == ["38.77†", "‡", "33.27‡", "39.66"]


def test_captions_say_how_to_get_the_table_again() -> None:
    shown = page(some())
    assert "averaged over corpora. Tested on: isear, tec.\n" in shown
    assert "\n- in-domain, 2 of 5: " in shown and "\n- Protocol: quick; " in shown
    assert "seeds: 1, 2, 3; commit: 0123456789ab\n" in shown
    assert "```bash\npytest suites/\n```" in shown


def test_the_synthetic_world_comes_last_and_is_named() -> None:
    shown = page(some())
    assert re.findall(r"^## (.*)$", shown, re.M) == [
        "How to read",
        "roberta-base",
        "tiny-encoder (synthetic world)",
        "Notes",
    ]


def test_the_block_has_one_column_for_each_real_model_and_made_up_ones_where_there_are_no_others() -> None:
    assert rows(block(some()))[0] == ["method", "roberta-base"]
    assert rows(block([r for r in some() if r.model == "tiny-encoder"]))[0] == ["method", "tiny-encoder"]
    three = [record(model=model, score=0.4) for model in ("roberta-base", "gpt2", "tiny-encoder")]
    assert set(rows(block(three))[0]) == {"method", "roberta-base", "gpt2"}


def test_no_records_no_tables() -> None:
    assert "No results yet." in page([]) and "No results yet." in block([])


def test_every_model_has_a_page_of_its_own() -> None:
    names = ["a/b", "a--b", "index", "README", "roberta-base", "RoBERTa-base"]
    files = pages.pages(groups([record(model=name) for name in names]))
    found = [path for path in files if path.suffix == ".md" and path.parent.name == "leaderboard"]
    assert len({path.name.casefold() for path in found}) == len(names) == len(found), "some disks know no capitals"
    assert {p.stem.lower() for p in found} & {"index", "readme"} == set()
    assert any(path.name == "RoBERTa-base.md" for path in found)
    index = files[pages.INDEX]
    assert all(f"]({path})" in index for path in map(str, found))


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert "-0.00" not in page([record(score=-1e-9, scores={"isear": -1e-9}), record("ties", score=0.0)])


def test_the_readme_has_the_rows_that_most_of_its_models_were_asked_and_says_how_many_others_there_are() -> None:
    everywhere = [record("simple", model=model, score=0.4) for model in ("a", "b", "c", "d")]
    half = [record("ties", model=model, score=0.5) for model in ("a", "b")]
    shown = block([*everywhere, *half, record("sce", model="a", score=0.3)])
    assert [cells[0] for cells in rows(shown)[2:]] == ["[simple](docs/methods/simple.md)"]
    hidden = "- 2 more methods, that no more than half of these models were asked about"
    assert f"{hidden}; of a and b a best merge is among them: [all pages](docs/leaderboard.md)" in shown
    least = [record("simple", model="a", score=0.2), *everywhere[1:], record("sce", model="b", score=0.3)]
    assert f"{hidden.replace('2 more methods', '1 more method')}: [all" in block(least), "as good a one is shown"
    two = [record("simple", model="a", score=0.4), record("ties", model="b", score=0.5)]
    alone = block(two)
    assert len(rows(alone)) == 4 and "more methods" not in alone


def test_the_readme_shows_the_merges_that_rank_best_over_all_its_models() -> None:
    """Four methods: one leads on one model alone and is behind all others on two. Of yardsticks those are shown that
    one asks about first."""
    others, models = ("simple", "ties", "fisher"), ("a", "b", "c")
    records = [record(name, model=model, score=0.5) for model in models for name in others]
    records += [record("cart", model=model, score=score) for model, score in zip(models, (0.9, 0.1, 0.1), strict=True)]
    beside = [record(name, model=model, score=0.3) for model in models for name in ("best", "avg", "ties_evolver")]
    for order in ([*records, *beside], [*beside, *records[::-1]]):
        shown = block(order)
        names = [cells[0].split("]")[0].lstrip("[*") for cells in rows(shown)[2:]]
        assert sorted(names) == sorted([*others, "best member*", "ties_evolver"])
        assert "- 1 more method, that ranks lower on average; of a a best merge is among them: [all pages]" in shown
    assert "multi-task" in block([record("mtl", model="a", score=0.5)]), "all that there is"
    both = "- 2 more methods, that rank lower on average or that no more than half of these models were asked about"
    assert both in block([*records, record("magmax", model="a", score=0.3)])


def test_the_readme_shows_of_a_models_protocols_the_one_that_shares_most_methods_with_other_models() -> None:
    common, own = ("simple", "ties", "evolver"), ("simple", "sce", "star", "cart", "fisher")
    other = [record(name, model=model, score=0.4) for name in common for model in ("b", "c")]
    shared = [record(name, model="a", score=0.6) for name in common]
    alone = [record(name, model="a", score=0.2, protocol={"name": "quick", "epochs": 9}) for name in own]
    for order in ([*other, *shared, *alone], [*alone, *shared, *other]):
        shown = {cells[0].split("]")[0].lstrip("[*"): cells for cells in rows(block(order))[2:]}
        assert shown.keys() == set(common)
        assert all("60.00 (n=1)" in "".join(cells) for cells in shown.values())


def timed(method: str, score: float, model: str, **told: Any) -> RunRecord:
    return record(method, score=score, model=model, cost={"merge_seconds": 2.0}, **told)


def pictured(records: list[RunRecord], folder: str = "docs/leaderboard") -> str:
    found = groups(records)
    return readme.picture(found, pages.pages(found), folder)


def test_the_readmes_figure_is_the_first_of_a_real_models_page_with_its_caption() -> None:
    both = [timed(m, x, "small-gpt2") for m, x in (("ties", 0.4), ("simple", 0.3))]
    shown = pictured(both)
    assert re.match(
        r"\n!\[Score against the time to merge, in-domain: small-gpt2\]\(docs/leaderboard/figures/small-gpt2-", shown
    )
    assert (
        "Each mark is a merge" in shown and shown.endswith("\n") and pictured(both, "leaderboard").count("docs/") == 0
    )
    assert pictured([]) == "" == pictured([timed(m, 0.4, "tiny-encoder") for m in ("ties", "simple")]), "made up"
    assert pictured(both[:1]) == "", "one merge is no figure"


def test_no_models_words_stand_below_another_models_figure() -> None:
    """Names that a file cannot tell apart, and such as are cut."""
    for one, other in (("A b", "A-b"), ("m" * 150 + "1", "m" * 150 + "2")):
        made = [timed("ties", 0.4, one), *(timed(m, 0.4, other) for m in ("ties", "simple"))]
        found = groups(made)
        files = pages.pages(found)
        shown = readme.picture(found, files, "leaderboard")
        (name,) = re.findall(r"figures/(\S+)\)", shown)
        svg = files[pages.PICTURES / name]
        assert f": {other}](" in shown and "<title>" in svg and other[:20] in svg
        (own,) = [path for path, page in files.items() if path.suffix == ".md" and f"(figures/{name})" in page]
        assert files[own].startswith(f"# {other}\n")
