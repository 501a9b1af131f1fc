"""What may share a column, a row or an average: one exam, one set of knobs, one set of members."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.records.bits import pack
from harness.records.record import RunRecord, Store, recipe_key
from leaderboard import text
from leaderboard.claims.claims import findings, verdict
from leaderboard.pages import pages
from leaderboard.stats.interval import half_width
from leaderboard.tables.answers import gold_of
from leaderboard.tables.cell import Cell
from leaderboard.tables.group import groups
from leaderboard.tables.overall import overall
from leaderboard.tables.rows import rows_of
from leaderboard.tables.table import headline, per_corpus, unseen
from tests.test_leaderboard_table import record


def sat(method: str = "simple", seed: int = 1, score: float = 0.5, **other: Any) -> RunRecord:
    """A record whose recipe says what was sat; `other` replaces a part of it."""
    recipe = {
        "model": {"name": "roberta-base", "family": "encoder", "fingerprint": "f1"},
        "members": [f"isear-{seed}", f"tec-{seed}"],
        "data": {"dev": {"isear": "d1", "tec": "d2"}, "exam": {"isear": "e1", "tec": "e2"}},
        **other.pop("recipe", {}),
    }
    return record(method, seed, score, model="roberta-base", recipe=recipe, **other)


def table(*records: RunRecord) -> dict[str, dict[str, float | None]]:
    """Column -> row -> mean, of the only group."""
    (group,) = groups(records)
    return {column.title: {row: c.mean for row, c in column.cells.items()} for column in headline(group).columns}


OTHERS = {
    "members": {"members": ["isear-9", "tec-9"]},
    "one member": {"members": ["isear-1", "tec-9"]},
    "model": {"model": {"name": "roberta-base", "family": "encoder", "fingerprint": "f2"}},
    "test rows": {"data": {"dev": {"isear": "d1", "tec": "d2"}, "exam": {"isear": "e1", "tec": "e9"}}},
    "dev rows": {"data": {"dev": {"isear": "d9", "tec": "d2"}, "exam": {"isear": "e1", "tec": "e2"}}},
    "setting": {"setting": {"suite": "emotion", "name": "in_domain", "version": 2}},
}

SAID = {
    "members": "other members",
    "one member": "other members",
    "model": "other weights of the base model",
    "test rows": "other test rows",
    "dev rows": "other development rows",
    "setting": "another version of the setting",
}


@pytest.mark.parametrize("part", OTHERS)
def test_a_method_that_sat_another_exam_stands_in_a_column_of_its_own(part: str) -> None:
    usual = [sat("simple", score=0.5), sat("regmean", score=0.6)]
    found = table(*usual, sat("fisher", score=0.9, recipe=OTHERS[part]))
    (first, second) = found
    assert first == "in-domain" and second == f"in-domain, {SAID[part]}"
    assert found == {first: {"simple": 0.5, "regmean": 0.6}, second: {"fisher": 0.9}}


@pytest.mark.parametrize("part", OTHERS)
def test_all_seeds_of_another_exam_share_a_column(part: str) -> None:
    def again(seed: int) -> RunRecord:
        other = dict(OTHERS[part])
        if "members" in other:
            other["members"] = [f"{m}-of-{seed}" for m in other["members"]]
        return sat("simple", seed, 0.9, recipe=other)

    mine = [sat(m, s, 0.5) for m in ("simple", "ties") for s in (1, 2, 3)]
    found = table(*mine, *(again(s) for s in (1, 2, 3)))
    assert list(found.values()) == [{"simple": 0.5, "ties": 0.5}, {"simple": pytest.approx(0.9)}]


def test_members_trained_on_another_number_of_rows_are_no_seeds_of_one_column() -> None:
    """A store where seed 1 was run with few rows, then both seeds with many: no mean of a few and many."""

    def told(seed: int, rows: int, score: float) -> RunRecord:
        recipe = {"members": [f"isear-{seed}-{rows}", f"tec-{seed}-{rows}"]}
        return sat("simple", seed, score, recipe=recipe, details={"train_rows": rows})

    few, many = [told(1, 128, 0.1)], [told(s, 512, 0.5) for s in (1, 2)]
    found = table(*few, *many)
    assert sorted(row["simple"] or 0.0 for row in found.values()) == pytest.approx([0.1, 0.5])
    columns = table(told(1, 128, 0.1), told(2, 512, 0.5))
    assert len(columns) == 2, "not even where each seed has only one of them"
    said = [title.removeprefix("in-domain, members trained on at most ") for title in columns if "," in title]
    assert said in (["128 rows of a corpus"], ["512 rows of a corpus"])
    assert len(table(told(1, 512, 0.1), sat("ties", 1, 0.5, details={"train_rows": ["<b>", {}]}))) == 2, "no count"
    before = [sat("simple", s, 0.5) for s in (1, 2)]  # records that do not say it
    assert len(table(*before)) == 1


def test_a_model_that_a_reference_row_trained_for_each_seed_is_no_knob() -> None:
    def mtl(seed: int) -> RunRecord:
        return sat("mtl", seed, 0.8, recipe={"method": {"name": "mtl", "version": 1, "member": f"all-{seed}"}})

    seeds = (1, 2, 3)
    assert table(*map(sat, ["simple"] * 3, seeds), *map(mtl, seeds)) == {
        "in-domain": {"simple": pytest.approx(0.5), "mtl": pytest.approx(0.8)}
    }


def test_a_model_of_all_rows_together_stands_beside_merges_of_whatever_members() -> None:
    def mtl(seed: int, **other: Any) -> RunRecord:
        members = {"members": [f"isear-{seed}-of-another-machine", f"tec-{seed}-of-another-machine"]}
        return sat("mtl", seed, 0.8, recipe={**members, **other})

    merges = [sat(method, seed) for method in ("simple", "ties") for seed in (1, 2, 3)]
    for own in ([*merges, *map(mtl, (1, 2, 3))], [*map(mtl, (3, 2, 1)), *merges]):
        (rows,) = table(*own).values()
        assert rows == {"simple": pytest.approx(0.5), "ties": pytest.approx(0.5), "mtl": pytest.approx(0.8)}
    others = {"isear": "e1", "tec": "e9"}
    rows_apart = mtl(1, data={"dev": {"isear": "d1", "tec": "d2"}, "exam": others})
    assert len(table(*merges, rows_apart)) == 2, "of other test rows it is another column"
    own, apart = table(*merges, *map(mtl, (1, 2, 3)), *(sat("mtl", s, 0.4) for s in (1, 2, 3))).values()
    assert own == {"simple": pytest.approx(0.5), "ties": pytest.approx(0.5), "mtl": pytest.approx(0.4)}
    assert apart == {"mtl": pytest.approx(0.8)}, "two of one seed are not averaged"
    with_, left = table(*merges, *map(mtl, (1, 2, 3, 4))).values()
    assert with_["simple"] == pytest.approx(0.5), "a seed that no merge was asked of makes no gap"
    assert left == {"mtl": pytest.approx(0.8)}


def test_a_model_of_all_rows_together_makes_no_further_sets_of_members() -> None:
    brought = [sat(m, s, recipe={"members": ["A", "B"]}) for m in ("simple", "ties") for s in (1, 2, 3)]
    together = [sat("mtl", s, 0.8, recipe={"members": [f"isear-{s}", f"tec-{s}"]}) for s in (1, 2, 3)]
    (group,) = groups([*brought, *together])
    (column,) = headline(group).columns
    assert [len(column.cells[m].values) for m in ("simple", "ties", "mtl")] == [1, 1, 1]


def test_a_model_of_all_rows_together_is_chosen_and_examined_on_the_same_rows_or_stands_apart() -> None:
    """Of parts of a corpus rows are drawn for each seed, and no column is torn apart by that."""

    def part(method: str, dev: str, members: str) -> RunRecord:
        data = {"dev": {"cola": dev}, "exam": {"cola": "e"}, "tasks": {"cola": "t"}}
        recipe = {"data": data, "members": [f"{members}1", f"{members}2"]}
        return sat(method, 1, 0.5, recipe=recipe, members=("cola#1", "cola#2"))

    assert len(table(part("simple", "d", "a"), part("mtl", "d", "b"))) == 1
    assert len(table(part("simple", "d", "a"), part("mtl", "other", "b"))) == 2


def test_rows_that_each_seed_draws_anew_tear_no_column_apart() -> None:
    def part(method: str, seed: int, **drawn: Any) -> RunRecord:
        data = {"dev": {"cola": "d"}, "exam": {"cola": "e"}, "tasks": {"cola": "t"}, **drawn}
        seen = {"cola": {"rows": 0, "of": 9, "score_unseen": 0.5, "left_out": 1}}
        halves = {"members": ("cola#1", "cola#2"), "details": {"seen": seen}}
        return sat(method, seed, 0.5, recipe={"data": data}, **halves)

    for kind in ("dev", "exam", "fisher"):
        drawn = [part("fisher", s, **{kind: {"cola": f"r{s}"} if kind != "fisher" else [f"r{s}"]}) for s in (1, 2, 3)]
        assert table(*drawn) == {"in-domain": {"fisher": pytest.approx(0.5)}}
    other_task = [part("fisher", s, tasks={"cola": f"t{s}"}) for s in (1, 2, 3)]
    assert len(table(*other_task)) == 3


def test_populations_whose_members_were_all_brought_stand_with_those_that_were_trained() -> None:
    def pair(population: str, score: float, **trained: Any) -> RunRecord:
        protocol = {"name": "quick", "scoring": {}, **trained}
        return sat("simple", 1, score, population=population, protocol=protocol, recipe={"members": [population]})

    brought, trained = pair("isear+tec", 0.2), pair("dailydialog+tec", 0.4, training={"epochs": 5}, choosing={})
    (mean,) = table(brought, trained).values()
    assert mean == {"simple": pytest.approx(0.3)}
    longer = pair("dailydialog+tec", 0.6, training={"epochs": 9}, choosing={})
    means = [headline(g).columns[0].cells["simple"].mean for g in groups([brought, trained, longer])]
    assert sorted(means) == [pytest.approx(0.3), pytest.approx(0.4)]
    assert [g.records for g in groups([brought])] == [(brought,)]


def test_columns_do_not_depend_on_the_order_of_records() -> None:
    some = [sat("simple"), sat("ties", recipe=OTHERS["members"]), sat("fisher", recipe=OTHERS["model"])]
    assert table(*some) == table(*some[::-1])


def test_a_method_with_another_option_is_an_ablation_that_is_held_against_the_method_itself() -> None:
    both = [sat("ties", s, 0.5 + s / 100) for s in (1, 2, 3)]
    both += [sat("ties", s, 0.6 + s / 100, knobs={"k": 0.4}, recipe={"method": {"k": 0.4}}) for s in (1, 2, 3)]
    (group,) = groups(both)
    (column,) = headline(group).columns
    assert list(column.cells) == ["ties", "ties k=0.4"] and headline(group).methods == ("ties",)
    assert (column.cells["ties"].mark, column.cells["ties k=0.4"].mark) == ("best", "")
    gain = column.cells["ties k=0.4"].to_default
    assert gain is not None and gain.mean == pytest.approx(0.1) and column.cells["ties"].to_default is None


def test_an_evolution_is_held_against_what_it_evolves_with_the_same_knobs() -> None:
    def evolved(**knobs: Any) -> RunRecord:
        outer = {k: v for k, v in knobs.items() if k != "k"}
        method = {"name": "evolver", "knobs": {**outer, "inner": {"name": "ties", "knobs": {}}}}
        return sat("ties_evolver", score=0.7, knobs=knobs, recipe={"method": method})

    some = [sat("ties"), sat("ties", score=0.6, knobs={"k": 0.4}, recipe={"method": {"k": 0.4}})]
    (group,) = groups([*some, evolved(), evolved(k=0.4), evolved(k=0.4, generations=3), evolved(k=0.8)])
    cells = headline(group).columns[0].cells
    gaps = {
        row: None if c.to_base is None else round(c.to_base.mean, 6) for row, c in cells.items() if "evolver" in row
    }
    assert gaps == {
        "ties_evolver": 0.2,
        "ties_evolver k=0.4": 0.1,
        "ties_evolver generations=3 k=0.4": 0.1,
        "ties_evolver k=0.8": None,
    }


def test_repeats_of_one_recipe_are_one_answer() -> None:
    again = replace(sat(), key="0" * 16)
    assert {row: len(own) for row, own in rows_of([again, sat()]).items()} == {"simple": 1}


def test_seeds_that_share_all_members_are_one_replicate() -> None:
    same = {"members": ["mine", "yours"]}
    (group,) = groups(
        [sat(m, s, 0.4 + s * x, recipe=same) for m, x in (("simple", 0), ("ties", 0.01)) for s in (1, 2, 3)]
    )
    cells = headline(group).columns[0].cells
    assert cells["simple"].values == (pytest.approx(0.4),) and text.score(cells["simple"]) == "40.00 (n=1)"
    # 41 42 43: standard error 1 / sqrt 3, t(2, .975) = 4.3027
    assert text.score(cells["ties"]) == "42.00 (n=1, search ± 2.48)"
    assert cells["simple"].mark == "unknown", "searches of one set of members say nothing about other members"
    two = [sat("ties", s, 0.4 + s / 100, recipe={"members": ["mine", f"tec-{min(s, 2)}"]}) for s in (1, 2, 3)]
    (cell,) = headline(groups(two)[0]).columns[0].cells.values()
    assert cell.values == pytest.approx((0.41, 0.425)) and cell.mean == pytest.approx(0.4175)


def test_few_replicates_are_shown_as_they_are_and_intervals_stay_on_the_scale() -> None:
    def shown(*values: float, lowest: float = 0.0) -> str:
        half = half_width(values) if len(values) > 2 else None
        return text.score(Cell(sum(values) / len(values), values, half=half, lowest=lowest))

    assert shown(0.412) == "41.20 (n=1)" and shown(0.412, 0.43) == "41.20 / 43.00"
    assert shown(0.40, 0.42, 0.47) == "43.00 ± 8.96"
    assert shown(0.0, 0.0, 0.6) == "20.00 [0.00, 100.00]"
    assert shown(-0.3, 0.0, 0.6, lowest=-1.0).startswith("10.00 [-100.00, ")


def test_recovery_is_left_out_where_members_know_nothing() -> None:
    def recovered(own: float, score: float = 0.2, metric: str = "matthews") -> float | None:
        (group,) = groups([sat("domain_specific", score=own, metric=metric), sat(score=score, metric=metric)])
        return headline(group).columns[0].cells["simple"].recovery

    assert (
        recovered(0.4) == 0.5 and recovered(-0.01) is None and recovered(0.0) is None and recovered(0.4, -0.1) is None
    )


# -- with answers ----------------------------------------------------------------------------------------------------


def answered(store: Store, gold: list[list[int]], said: list[list[int]], method: str, **fields: Any) -> RunRecord:
    """A record of one corpus with its predictions."""
    outputs = [str(i) for i in range(len(gold[0]))]
    kept = {
        "gold": store.put_gold(gold),
        "rows": len(gold),
        "outputs": outputs,
        "metric": "macro_f1",
        "bits": pack(said),
    }
    return sat(method, scores={"tec": 0.0}, predictions={"tec": kept}, **{"score": 0.0, **fields})


def test_a_score_over_no_annotated_row_is_a_gap(tmp_path: Any) -> None:
    store = Store(tmp_path)
    (group,) = groups([answered(store, [[-100], [-100]], [[0], [1]], "simple")], gold_of(store))
    assert headline(group).columns[0].cells["simple"].mean is None
    assert per_corpus(group)[0].columns[0].cells["simple"].mean is None


def test_correlations_of_constant_answers_are_marked(tmp_path: Any) -> None:
    store = Store(tmp_path)

    def classes(method: str, said: str, score: float, seed: int = 1) -> RunRecord:
        kept = {"gold": store.put_gold([[0], [1], [0], [1]]), "rows": 4, "outputs": ["no", "yes"], "metric": "matthews"}
        predictions = {"cola": {**kept, "classes": said}}
        return sat(method, seed, score, metric="matthews", scores={"cola": score}, predictions=predictions)

    (group,) = groups([classes("simple", "1111", 0.0), classes("ties", "0101", 1.0)], gold_of(store))
    shown = {row: text.score(cell) for row, cell in headline(group).columns[0].cells.items()}
    assert shown == {"simple": "0.00 (n=1) (constant)", "ties": "100.00 (n=1)"}
    (group,) = groups([classes("simple", "1111", 0.0), classes("simple", "0101", 1.0, 2)], gold_of(store))
    assert text.score(headline(group).columns[0].cells["simple"]) == "0.00 / 100.00 (1 of 2 constant)"


def test_answers_to_other_rows_under_one_exam_are_a_gap(tmp_path: Any) -> None:
    store, gold = Store(tmp_path), [[1], [0], [1]]
    same = [answered(store, gold, gold, m, score=1.0) for m in ("simple", "ties")]
    other = answered(store, [[1], [0]], [[1], [0]], "fisher", score=1.0)
    (group,) = groups([*same, other], gold_of(store))
    cells = headline(group).columns[0].cells
    assert cells["fisher"].mean is None and "other test rows" in text.score(cells["fisher"])
    assert cells["ties"].mark == "best"


def test_texts_that_members_saw_are_counted_and_the_score_without_them_stands_beside() -> None:
    told = {"exams": {"tec": {"rows": 40}}, "seen": {"tec": {"rows": 10, "score_unseen": 0.3}}}
    (group,) = groups([sat("simple", score=0.5, details=told), sat("ties", score=0.6, details=told)])
    (table_,) = unseen(group)
    assert [c.title for c in table_.columns] == ["tec, 25 % seen", "without them"]
    assert [c.cells["simple"].mean for c in table_.columns] == [0.5, 0.3]
    assert unseen(groups([sat("simple")])[0]) == [] and "25 % seen" in pages.session([group])


def test_engines_that_are_mixed_are_said() -> None:
    def made(method: str, processor: str) -> RunRecord:
        return sat(method, environment={"engine": {"processor": processor, "torch": "2.13"}})

    mixed, alike = (pages.session(groups([made("simple", "avx2"), made("ties", p)])) for p in ("amx", "avx2"))
    assert "processor amx, torch 2.13; processor avx2, torch 2.13" in mixed and "several engines" not in alike


def test_real_or_synthetic_is_said_by_who_built_the_model() -> None:
    (real,) = groups([record(model="tiny-llama-1b", recipe={"model": {"name": "tiny-llama-1b"}})])
    (made_up,) = groups([record(model="wide", recipe={"model": {"name": "wide", "synthetic": True}})])
    assert not real.synthetic and made_up.synthetic
    assert [g.key.model for g in groups([*made_up.records, *real.records])] == ["tiny-llama-1b", "wide"]


# -- who ranks best --------------------------------------------------------------------------------------------------

SCORES = {"simple": 0.3, "ties": 0.4, "regmean": 0.5}


def world(settings: int = 3, models: tuple[str, ...] = ("gpt2", "t5")) -> list[RunRecord]:
    """Every method in every setting of every model."""
    return [
        record(m, setting=f"s{s}", model=model, score=x)
        for model in models
        for s in range(settings)
        for m, x in SCORES.items()
    ]


def test_a_model_and_suite_is_one_block_whatever_was_swept() -> None:
    (before,) = overall(groups(world()))
    assert before.ranking.questions == 2 and before.questions == 6
    for copies in (4, 16):
        swept = [
            replace(r, recipe=recipe, key=recipe_key(recipe))
            for r in world()
            for k in range(copies)
            for recipe in [{**r.recipe, "protocol": {"name": "quick", "training": {"batch_tokens": 4096 + k}}}]
        ]
        (after,) = overall(groups([*world(), *swept]))
        assert after.ranking == before.ranking


def test_a_newcomer_waits_until_it_is_complete_and_takes_no_question_from_others() -> None:
    (before,) = overall(groups(world()))
    new = [record("median", setting=f"s{s}", model=m, score=0.9) for m in ("gpt2", "t5") for s in range(3)]
    for count in range(1, 6):
        after, *_ = overall(groups([*world(), *new[:count]]))
        assert after.ranking == before.ranking and after.waiting == {"median": 6 - count}
        assert f"median ({6 - count} of 6 missing)" in pages.pages(groups([*world(), *new[:count]]))[pages.INDEX]
    (whole,) = overall(groups([*world(), *new]))
    assert next(iter(whole.ranking.ranks)) == "median" and not whole.waiting
    alone = record("ties", setting="s9", model="gpt2", score=0.9)
    assert overall(groups([*world(), alone]))[0].ranking == before.ranking, "nor does a setting that one method tried"


def test_many_methods_on_few_questions_have_a_ranking_of_their_own() -> None:
    new = [record(f"new_{k}", setting="s0", model=m, score=0.1 * k) for m in ("gpt2", "t5") for k in range(5)]
    first, wide = overall(groups([*world(), *new]))
    assert not first.most and list(first.ranking.ranks) == ["regmean", "ties", "simple"] and first.questions == 6
    assert wide.most and len(wide.ranking.ranks) == 8 and wide.questions == 2 and not wide.waiting
    shown = pages.pages(groups([*world(), *new]))[pages.INDEX]
    assert "### Real models, at their defaults, most methods" in shown


def test_a_question_that_only_some_were_asked_takes_no_rank_from_the_others() -> None:
    scores = {m: x for k, m in enumerate("abcdef") for x in [0.1 * k]}
    every = [record(m, setting="s0", model=model, score=x) for model in ("gpt2", "t5") for m, x in scores.items()]
    more = [record(m, setting=f"s{s}", model="bert", score=scores[m]) for s in range(2) for m in "abc"]
    (found,) = overall(groups([*every, *more]))
    assert list(found.ranking.ranks) == ["f", "e", "d", "c", "b", "a"] and found.left_out == 2


def test_what_was_tuned_is_ranked_among_what_was_tuned_alike() -> None:
    tuned = [
        record(f"{m}_{by}", setting=s.setting, model=s.model, score=s.score + gain)
        for s in world(1)
        for m in [s.method]
        for by, gain in (("cma", 0.3), ("grid", 0.2))
    ]
    defaults, searches = overall(groups([*world(1), *tuned]))
    assert (defaults.kind, searches.kind) == ("", "search")
    assert list(defaults.ranking.ranks) == ["regmean", "ties", "simple"], "no tuned row is above them"
    assert next(iter(searches.ranking.ranks)) == "regmean_cma" and len(searches.ranking.ranks) == 6


def test_other_values_of_a_knob_are_no_further_methods() -> None:
    swept = [
        replace(r, knobs={"k": k}, recipe=recipe, key=recipe_key(recipe))
        for r in world()
        for k in (0.1, 0.4)
        for recipe in [{**r.recipe, "method": {"name": r.method, "k": k}}]
        if r.method == "ties"
    ]
    assert overall(groups([*world(), *swept])) == overall(groups(world()))


# -- claims ----------------------------------------------------------------------------------------------------------


def failing(model: str, spread: float, **fields: Any) -> list[RunRecord]:
    """`ties_evolver` .05 below `ties`, give or take."""
    steps = (-spread, 0.0, spread)
    pair = [("ties", 0.5, 0.0), ("ties_evolver", 0.45, 1.0)]
    return [record(m, s, x + k * d, model=model, **fields) for m, x, k in pair for s, d in enumerate(steps, 1)]


def test_one_failure_among_many_neutral_models_may_be_chance() -> None:
    # differences -.05 -+ d: d = .03 gives t = 2.887, p = .10; d = .018 gives t = 4.81, p = .041
    name = "evolver_above_base[ties]"
    once, neutral = failing("gpt2", 0.018), [failing(f"model-{i}", 0.03) for i in range(9)]
    assert verdict(findings(groups(once))[name]) == "fails"
    assert verdict(findings(groups([*once, *(r for some in neutral for r in some)]))[name]) == "undecided"


def test_a_sweep_is_counted_once() -> None:
    once = failing("gpt2", 0.018)
    swept = [r for k in range(9) for r in failing("gpt2", 0.018, protocol={"name": "quick", "batch_tokens": k})]
    found = findings(groups([*once, *swept]))["evolver_above_base[ties]"]
    assert len(found) == 10 and verdict(found) == "fails"
