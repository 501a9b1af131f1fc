"""The papers' claims, decided from made-up records whose answer is plain."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.claims.claims import CLAIMS, Finding, findings, verdict, votes
from leaderboard.pages import claims as page
from leaderboard.stats.holm import LEVEL
from leaderboard.stats.interval import chance_of
from leaderboard.stats.power import replicates_needed
from leaderboard.tables import paper
from leaderboard.tables.group import groups
from tests.test_leaderboard_table import record

REAL = "roberta-base"


def runs(method: str, *scores: float, model: str = REAL, **fields: Any) -> list[RunRecord]:
    """One record per seed."""
    return [record(method, seed, score, model=model, **fields) for seed, score in enumerate(scores, 1)]


def asked(name: str, *records: list[RunRecord]) -> list[Finding]:
    """What the claim finds in these records."""
    return findings(groups([r for some in records for r in some]))[name]


@pytest.mark.parametrize(
    ("evolved", "said"),
    [
        ((0.52, 0.53, 0.54), "holds"),  # .02 above, for every seed
        ((0.48, 0.49, 0.50), "fails"),
        ((0.60, 0.50, 0.49), "undecided"),  # .10 -.01 -.03: mean .02, half width .18
    ],
)
def test_an_evolution_against_what_it_evolves(evolved: tuple[float, ...], said: str) -> None:
    (found,) = asked("evolver_above_base[ties]", runs("ties", 0.50, 0.51, 0.52), runs("ties_evolver", *evolved))
    assert found.verdict == said == verdict([found])
    assert found.difference is not None and found.difference.mean == pytest.approx(0.02 if said != "fails" else -0.02)


def test_one_failure_among_real_models_is_a_failure_and_the_synthetic_world_does_not_count() -> None:
    good = [*runs("ties", 0.5, 0.5), *runs("ties_evolver", 0.6, 0.6)]
    bad = [*runs("ties", 0.5, 0.5, model="gpt2"), *runs("ties_evolver", 0.4, 0.4, model="gpt2")]
    tiny = [*runs("ties", 0.5, 0.5, model="tiny-encoder"), *runs("ties_evolver", 0.4, 0.4, model="tiny-encoder")]
    assert verdict(asked("evolver_above_base[ties]", good)) == "holds"
    assert verdict(asked("evolver_above_base[ties]", good, tiny)) == "holds"
    assert verdict(asked("evolver_above_base[ties]", good, bad)) == "fails"
    assert verdict(asked("evolver_above_base[ties]", tiny)) == "undecided"
    assert [f.synthetic for f in asked("evolver_above_base[ties]", tiny, good)] == [False, True]


def test_what_was_not_asked_has_no_row_and_a_gap_has_a_reason() -> None:
    assert asked("out_of_domain_gain[ties]", runs("ties", 0.5), runs("ties_evolver", 0.6)) == []
    (found,) = asked("evolver_above_base[ties]", runs("ties", 0.5, 0.5), runs("ties_evolver", 0.6))
    assert found.verdict == "undecided" and "incomplete" in found.reason


def test_where_a_method_was_never_run_nobody_asked_and_an_unfinished_run_leaves_a_claim_open() -> None:
    good = [*runs("ties", 0.5, 0.5), *runs("ties_evolver", 0.6, 0.6)]
    never = asked("evolver_above_base[ties]", good, runs("ties", 0.5, 0.5, model="gpt2"))
    assert len(never) == 1 and verdict(never) == "holds"
    half = [*runs("ties", 0.5, 0.5, model="gpt2"), *runs("ties_evolver", 0.6, model="gpt2")]
    assert verdict(asked("evolver_above_base[ties]", good, half)) == "undecided"
    assert asked("best_overall[ties_evolver]", runs("ties", 0.5, 0.5)) == []


def test_a_search_without_what_it_is_held_against_is_listed_and_no_vote() -> None:
    found = asked("search_above_average[dare_ties_cma]", runs("dare_ties_cma", 0.6, 0.6))
    assert [f.asked for f in found] == [False] and "no row of simple" in found[0].reason
    assert votes(found) == [] and verdict(found) == "undecided"


def test_settings_of_one_group_are_averaged() -> None:
    pairs = {"setting": "pairwise", "population": "a+b"}
    (found,) = asked(
        "evolver_above_base[simple]",
        [*runs("simple", 0.5, 0.5), *runs("simple_evolver", 0.54, 0.54)],
        [*runs("simple", 0.4, 0.4, **pairs), *runs("simple_evolver", 0.42, 0.42, **pairs)],
    )
    assert found.difference is not None and found.difference.mean == pytest.approx(0.03)


def test_the_best_merge_is_held_against_its_strongest_rival() -> None:
    merges = [*runs("ties", 0.4, 0.4), *runs("ensemble", 0.55, 0.55), *runs("ties_evolver", 0.5, 0.5)]
    (found,) = asked("best_overall[ties_evolver]", merges, runs("mtl", 0.9, 0.9))
    assert found.verdict == "fails" and found.difference is not None
    assert found.difference.mean == pytest.approx(-0.05)  # the ensemble; mtl is no merge
    assert found.kinds.startswith("ensemble: "), "who it was is told"


def test_a_model_for_each_task_is_no_rival_as_it_must_know_a_rows_task() -> None:
    merges = [*runs("ties", 0.4, 0.4), *runs("ties_evolver", 0.5, 0.5)]
    of_tasks = [replace(r, cost={"tasks": 2, "inference_models": 1}) for r in runs("emr", 0.6, 0.6)]
    (found,) = asked("best_overall[ties_evolver]", merges, of_tasks)
    assert found.verdict == "holds" and found.kinds.startswith("ties: ")
    (alone,) = asked("best_overall[ties_evolver]", runs("ties_evolver", 0.5, 0.5), of_tasks)
    assert alone.difference is None and "has no rival" in alone.reason


def test_the_strongest_rival_had_as_many_chances_as_there_are_rivals() -> None:
    ours = runs("ties_evolver", 0.50, 0.50, 0.50)
    above, others = (
        runs("ensemble", 0.52, 0.53, 0.54),
        [runs(m, 0.40, 0.41, 0.42) for m in ("simple", "ties", "fisher")],
    )
    (alone,), (among,) = (asked("best_overall[ties_evolver]", ours, above, *some) for some in ([], others))
    assert alone.difference is not None and among.difference is not None and alone.difference.chance is not None
    assert among.difference.mean == alone.difference.mean == pytest.approx(-0.03)
    assert among.difference.chance == pytest.approx(4 * alone.difference.chance)
    assert (alone.verdict, among.verdict) == ("fails", "undecided")
    (best,) = asked("best_overall[ties_evolver]", runs("ties_evolver", 0.60, 0.61, 0.63), above, *others)
    assert best.verdict == "holds", "to be above the strongest is to be above all"


def test_heads_that_start_differently() -> None:
    # regmean loses .20, its evolution .07
    (found,) = asked(
        "less_sensitive_to_heads[regmean]",
        [*runs("regmean", 0.5, 0.5), *runs("regmean", 0.3, 0.3, heads="diff")],
        [*runs("regmean_evolver", 0.52, 0.52), *runs("regmean_evolver", 0.45, 0.45, heads="diff")],
    )
    assert found.verdict == "holds" and found.difference is not None
    assert found.difference.mean == pytest.approx(0.13)


DATA = {"dev": {"isear": "d"}, "exam": {"isear": "e"}, "tasks": {"emotion": "t"}}


def steadier(**diff: Any) -> list[Finding]:
    """The claim, where runs with different heads are such."""
    recipe, other = {"data": DATA}, {"data": DATA} | diff.pop("recipe", {})
    base = [*runs("ties", 0.5, 0.5, recipe=recipe), *runs("ties", 0.3, 0.3, recipe=other, heads="diff", **diff)]
    more = [*runs("ties_evolver", 0.5, 0.5, recipe=recipe)]
    more += runs("ties_evolver", 0.45, 0.45, recipe=other, heads="diff", **diff)
    return asked("less_sensitive_to_heads[ties]", base, more)


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("how", ["others", "more"])
def test_heads_are_compared_on_the_same_rows_alone(kind: str, how: str) -> None:
    (same,) = steadier()
    assert same.verdict == "holds" and same.difference is not None
    told = {"others": {next(iter(DATA[kind])): "x"}, "more": DATA[kind] | {"tec": "x"}}[how]
    (found,) = steadier(recipe={"data": {**DATA, kind: told}})
    assert found.difference is None and found.verdict == "undecided"
    assert found.reason == "same and different heads were not asked of the same rows"


def test_heads_are_compared_on_the_same_populations_alone() -> None:
    (found,) = steadier(population="isear+tec")
    assert found.difference is None and "not asked of the same rows" in found.reason


def test_rows_that_each_seed_draws_are_compared_seed_by_seed() -> None:
    parts = {"members": ("rte#1", "rte#2")}

    def drawn(seed: int, letter: str) -> dict[str, Any]:
        return {"data": {**DATA, "dev": {"rte": f"{letter}{seed}"}}}

    def all_of(letter: str) -> list[RunRecord]:
        asked_of = [(heads, seed) for heads in ("same", "diff") for seed in (1, 2)]
        return [
            record(method, s, 0.5, model=REAL, heads=h, recipe=drawn(s, letter if h == "diff" else "d"), **parts)
            for method in ("ties", "ties_evolver")
            for h, s in asked_of
        ]

    (same,), (other,) = (asked("less_sensitive_to_heads[ties]", all_of(letter)) for letter in ("d", "o"))
    assert same.difference is not None and other.difference is None


def test_more_development_rows() -> None:
    def fewer(share: float, score: float) -> list[RunRecord]:
        protocol = {"name": "quick", "epochs": 1, "search": {"dev_fraction": share}}
        return runs("simple_evolver", score, score, protocol=protocol, knobs={"dev_fraction": share})

    some = [*runs("simple_evolver", 0.5, 0.5), *runs("simple", 0.4, 0.4)]
    (found,) = asked("more_dev_rows_help[simple_evolver]", some, fewer(0.5, 0.49), fewer(0.25, 0.47))
    assert found.verdict == "holds" and found.difference is not None
    assert found.difference.mean == pytest.approx(0.03)
    (place,) = asked("more_dev_rows_help[simple_evolver]", fewer(0.5, 0.49), fewer(0.25, 0.47))
    assert not place.asked and place.reason == "simple_evolver was not run on both", "so it leaves nothing undecided"
    (alone,) = asked("evolver_above_base[simple]", some, fewer(0.25, 0.47))
    assert alone.difference is not None and alone.difference.mean == pytest.approx(0.1), "asked of all rows alone"


def test_the_papers_side() -> None:
    # Table 3: 1.57, 1.33, 1.13, .91, .77, 1.81
    assert paper.gain({"emotion": ("pairwise",)}, "ties_evolver", "ties") == "+1.25 (of 6)"
    assert paper.dev_size(None, "simple_evolver") == "+3.13† (of 1)"  # 33.27 - 30.14, of a model that was inferred
    four = {"emotion": ("in_domain",), "glue": ("pairwise",)}
    assert paper.gain(four, "fisher_evolver", "fisher").endswith("† (of 8)")  # DeBERTa's cells are doubtful
    assert paper.gain(None, "nobody", "ties") == ""


def test_every_claim_knows_the_papers_side_or_that_there_is_none() -> None:
    silent = {name for name, claim in CLAIMS.items() if not claim.number and "Evolver" in claim.paper.called}
    open_questions = {f"adaptive_above_plain[{scheme}]" for scheme in ("jde", "sade", "shade")}
    # the paper prints one number for both heads of `simple`
    assert silent == {"less_sensitive_to_heads[simple]", *open_questions}


@pytest.mark.parametrize(
    ("evolved", "outcomes", "code"),
    [(0.6, {"passed": 1}, 0), (0.4, {"xfailed": 1}, 0), (None, {"skipped": 1}, 0)],
    ids=["holds", "fails", "undecided"],
)
def test_no_verdict_breaks_a_build(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    evolved: float | None,
    outcomes: dict[str, int],
    code: int,
) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", str(root))
    store = Store(pytester.path / "results")
    for one in [*runs("ties", 0.5, 0.5), *(runs("ties_evolver", evolved, evolved) if evolved else [])]:
        store.put(one)
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--results')")
    suite = (root / "suites" / "test_claims.py").read_text(encoding="utf-8")
    pytester.makepyfile(test_claims=suite)
    result = pytester.runpytest(
        "-p", "leaderboard.plugin", "--results=results", "-k", "evolver_above_base and ties", "-rxs"
    )
    result.assert_outcomes(**outcomes, deselected=len(CLAIMS) - 1)
    assert result.ret == code
    result.stdout.fnmatch_lines(["*= what the papers say =*", "ties_evolver is above ties*the paper: +1.*"])


@pytest.mark.parametrize(("second", "verdict"), [(0.4, "holds"), (0.6, "undecided")])
def test_heads_that_were_run_with_other_seeds_are_judged_by_those_that_both_have(second: float, verdict: str) -> None:
    (found,) = asked(
        "less_sensitive_to_heads[simple]",
        [*runs("simple", 0.5, 0.5, 0.5), *runs("simple", 0.3, 0.3, heads="diff")],
        [*runs("simple_evolver", 0.5, 0.5, 0.5), *runs("simple_evolver", 0.4, second, heads="diff")],
    )
    assert found.verdict == verdict and found.difference is not None  # there are no predictions either
    assert found.difference.mean == pytest.approx((0.1 + second - 0.3) / 2)


# -- the page ----------------------------------------------------------------------------------------------------------


def told_of(*records: list[RunRecord]) -> tuple[str, dict[str, str]]:
    """The page, and its figures by the names of their files."""
    asked_of = findings(groups([r for some in records for r in some]))
    drawn = {name.name: drawing for name, drawing in page.figures(asked_of).items()}
    return page.page(asked_of, "figures"), drawn


def three(evolved: tuple[float, ...], base: str = "ties", **fields: Any) -> list[RunRecord]:
    return [*runs(base, 0.50, 0.51, 0.52, **fields), *runs(f"{base}_evolver", *evolved, **fields)]


def test_what_fails_stands_before_what_holds_and_before_what_is_undecided() -> None:
    said, drawn = told_of(
        three((0.48, 0.49, 0.50), "fisher"), three((0.52, 0.53, 0.54), "ties"), three((0.60, 0.50, 0.49), "simple")
    )
    order = ["## Fails", "### fisher_evolver is above fisher", "## Holds", "### ties_evolver is above ties"]
    order += ["## Undecided", "### simple_evolver is above simple", "## Asked of no real model yet"]
    places = [said.index(f"\n{heading}") for heading in order]
    assert places == sorted(places)
    assert f"**Of {len(CLAIMS)} claims 1 fails" in said and f"Asked of {REAL}, with 3 sets of members each." in said
    assert {"claim-evolver_above_base_ties.svg", "claim-evolver_above_base_simple.svg"} <= set(drawn)
    assert all(f"(figures/{name})" in said for name in drawn)
    linked = set(re.findall(r"\]\(#([^)]*)\)", said))
    assert linked and linked <= set(re.findall(r'<a id="([^"]*)"></a>', said))


def test_an_undecided_claim_says_how_many_sets_of_members_would_decide_it() -> None:
    said, _ = told_of(three((0.60, 0.50, 0.49), "simple"))
    count = replicates_needed([0.10, -0.01, -0.03])
    assert count is not None
    wanted = f"To decide it on {REAL} (emotion) takes {count:.0f} sets of members ({count - 3:.0f} more than now)."
    assert f"**Undecided** in 1 of 1 place. {wanted}" in said
    row = next(line for line in said.splitlines() if line.startswith("| [simple_evolver is above simple"))
    assert f"| 1 undecided | {count - 3:.0f} |" in row


def test_where_a_claim_fails_in_some_places_they_are_named() -> None:
    said, _ = told_of(three((0.48, 0.49, 0.50)), three((0.60, 0.61, 0.62), model="other"))
    assert f"**Fails** in 1 of 2 places, {REAL} (emotion)." in said
    alone, _ = told_of(three((0.48, 0.49, 0.50)))
    assert "**Fails** in 1 of 1 place." in alone


def test_of_many_places_a_lower_one_is_told_the_sets_that_decide_it_once_corrected() -> None:
    """Alone it would be decided already; of five places each had a chance to be below by luck."""
    below, unclear = [0.45, 0.475, 0.495], [0.60, 0.50, 0.49]
    wanted = [v - b for v, b in zip(below, (0.50, 0.51, 0.52), strict=True)]
    alone = chance_of(wanted)
    assert alone is not None and LEVEL / 5 < alone <= LEVEL
    said, _ = told_of(three(tuple(below)), *(three(tuple(unclear), model=f"m{k}") for k in range(4)))
    count = replicates_needed(wanted, LEVEL / 5)
    assert count is not None and count > 3 and replicates_needed(wanted) != count
    assert (
        f"To decide it on {REAL} (emotion) takes {count:.0f} sets of members ({count - 3:.0f} more than now)." in said
    )
    other = replicates_needed([0.10, -0.01, -0.03])
    assert other is not None and f"To decide it on m0 (emotion) takes {other:.0f} sets of members" in said


def test_what_rests_on_one_set_of_members_says_so_and_no_records_are_no_evidence() -> None:
    said, _ = told_of(runs("ties", 0.5, recipe={"members": "m"}), runs("ties_evolver", 0.6, recipe={"members": "m"}))
    assert "would take" not in said and "2 more sets of members to say anything of others" in said
    nothing, drawn = told_of()
    assert f"**Of {len(CLAIMS)} claims 0 fail, 0 hold and {len(CLAIMS)} are undecided" in nothing and drawn == {}


def test_a_place_where_both_score_the_same_says_so() -> None:
    said, _ = told_of(runs("ties", 0.5, 0.5, 0.5), runs("ties_evolver", 0.5, 0.5, 0.5))
    assert f"On {REAL} (emotion) both score exactly the same" in said
