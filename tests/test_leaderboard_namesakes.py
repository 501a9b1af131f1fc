"""A copy is no further witness: of a model under another name, and of a set of members whose files differ in a note."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.records.record import RunRecord
from leaderboard.claims.claims import findings, votes
from leaderboard.manual.standing import Records
from leaderboard.pages import markdown
from leaderboard.pages.ranking import told
from leaderboard.tables.group import Group, groups
from leaderboard.tables.namesakes import one_name
from leaderboard.tables.overall import overall
from leaderboard.tables.table import headline
from leaderboard.verdict.basis import basis
from leaderboard.verdict.headline import headline as sentences
from leaderboard.verdict.settings import asked
from leaderboard.verdict.tally import tallies
from tests.test_leaderboard_table import record

METHODS = {"best": 0.4, "simple": 0.5, "fisher": 0.45, "ties": 0.6, "ties_evolver": 0.7, "evolver": 0.3}


def under(names: dict[str, str], seeds: int = 2) -> list[Group]:
    """Name of a model -> its fingerprint; all of them answer alike."""
    made = [
        record(method, seed, score + seed / 100, model=name, recipe={"model": {"name": name, "fingerprint": print_}})
        for name, print_ in names.items()
        for method, score in METHODS.items()
        for seed in range(1, seeds + 1)
    ]
    return groups(made)


@pytest.mark.parametrize("names", [{"a": "f1", "b": "f1"}, {"b": "f1", "a": "f1"}])
def test_one_checkpoint_under_two_names_is_one_model(names: dict[str, str]) -> None:
    twice, alone, two = under(names), under({"a": "f1"}), under({"a": "f1", "b": "f2"})
    assert overall(twice) == [] and overall(two) != [], "one block ranks nothing"
    for found, models in ((twice, 1), (two, 2)):
        rests = basis(found)
        assert rests is not None and len(rests.models) == models
        assert len(asked(found)) == models
        assert len(votes(findings(found)["evolver_above_base[ties]"])) == models
        assert len({place for tally in tallies(found).values() for place in tally.trials}) == models
    assert {m: t.asked for m, t in tallies(twice).items()} == {m: t.asked for m, t in tallies(alone).items()}
    assert "1 real model," in " ".join(sentences(twice, markdown.name))


def test_names_are_one_where_any_of_their_checkpoints_is_the_same() -> None:
    chain = under({"a": "f1"}) + under({"b": "f2"})
    assert set(one_name(chain).values()) == {"a", "b"}
    both = [*chain, *groups([record(model="c", recipe={"model": {"fingerprint": f}}) for f in ("f1", "f2")])]
    assert len(set(one_name(both).values())) == 1
    assert set(one_name(groups([record(model=m) for m in ("x", "y")])).values()) == {"x", "y"}, "nothing is known"


def of(seed: int, members: str, weights: str, method: str = "simple") -> RunRecord:
    return record(method, seed, 0.5, recipe={"members": [f"{members}1", f"{members}2"]}, weights_sha256=weights)


@pytest.mark.parametrize(
    "made, sets",
    [
        ([of(1, "a", "w"), of(2, "b", "w"), of(3, "c", "w")], 1),
        ([of(1, "a", "w"), of(2, "b", "w"), of(3, "c", "v")], 2),
        ([of(1, "a", "w"), of(2, "b", "v"), of(3, "c", "u")], 3),
        ([of(1, "a", ""), of(2, "b", ""), of(3, "c", "")], 3),
        ([of(s, m, "w", "greedy_soup") for s, m in enumerate("abc", 1)], 3),
        ([*(of(s, m, "w") for s, m in enumerate("abc", 1)), of(2, "b", "v", "fisher")], 1),
        ([of(2, "b", "v", "fisher"), *(of(s, m, "w") for s, m in enumerate("abc", 1))], 1),
    ],
    ids=["one", "two", "three", "not known", "a soup of the one member that all have", "one, and more", "more first"],
)
def test_sets_of_members_whose_merge_is_the_same_to_the_bit_are_one(made: list[RunRecord], sets: int) -> None:
    (group,) = groups([*made, *(of(seed, members, "", "ties") for seed, members in enumerate("abc", 1))])
    cells = headline(group).columns[0].cells
    assert len(cells["ties"].values) == sets


def weighed(made: list[RunRecord], names: dict[str, str]) -> list[RunRecord]:
    """The same with weights: of two methods under one name the same ones."""
    return [
        replace(r, weights_sha256=f"{names.get(r.method, r.method)} {r.model} {r.setting} {r.population} {r.seed}")
        for r in made
    ]


def test_one_merge_under_two_names_has_one_rank_and_moves_no_other() -> None:
    """`linear` with equal weights is the mean; as a second row it would push all that is below it down a place."""
    scores = {"best": 0.9, "fisher": 0.6, "simple": 0.5, "linear": 0.5, "ties": 0.4}
    made = [record(m, s, x, model=model) for model in ("a", "b") for m, x in scores.items() for s in (1, 2)]
    same = groups(weighed(made, {"linear": "simple"}))
    (ranked,) = overall(same)
    assert ranked.ranking.ranks == {"fisher": 1, "simple": 2, "ties": 3} and ranked.twins == {"linear": "simple"}
    (apart,) = overall(groups(weighed(made, {})))
    assert apart.ranking.ranks == {"fisher": 1, "simple": 2.5, "linear": 2.5, "ties": 4} and not apart.twins
    (own,) = Records(same).ranks("linear")
    assert (own.row, own.place, own.of) == ("linear", 2, 3) == ("linear", Records(same).ranks("simple")[0].place, 3)
    page = "\n".join(told(same, "pictures"))
    assert "One merge under two names has one rank: linear made the models of simple." in page


def test_who_made_other_models_anywhere_is_no_twin() -> None:
    scores = {"fisher": 0.6, "simple": 0.5, "linear": 0.5, "ties": 0.4}
    made = [record(m, s, x, model=model) for model in ("a", "b") for m, x in scores.items() for s in (1, 2)]
    half = [*weighed([r for r in made if r.model == "a"], {"linear": "simple"})]
    half += weighed([r for r in made if r.model == "b"], {})
    (ranked,) = overall(groups(half))
    assert set(ranked.ranking.ranks) == {*scores} and not ranked.twins


def test_a_twin_waits_with_its_twin_and_one_that_answered_less_waits_by_itself() -> None:
    scores = {"fisher": 0.6, "simple": 0.5, "linear": 0.5, "ties": 0.4}
    made = [record(m, s, x, model=model) for model in ("a", "b") for m, x in scores.items() for s in (1, 2)]
    alike = weighed(made, {"linear": "simple"})
    (less,) = overall(groups([r for r in alike if (r.method, r.model) != ("linear", "b")]))
    assert not less.twins and less.waiting == {"linear": 1}, "where nobody asked it, it may be another"
    more = [record(m, 1, x, model="c") for m, x in {"fisher": 0.6, "ties": 0.4, "sce": 0.3}.items()]
    more += [record("sce", s, 0.3, model=model) for model in ("a", "b") for s in (1, 2)]
    both, *_ = overall(groups([*alike, *weighed(more, {})]))
    assert both.waiting == {"simple": 1, "linear": 1} and not both.twins
    assert [one.lacks for one in Records(groups([*alike, *more])).ranks("linear") if not one.rank] == [1]
