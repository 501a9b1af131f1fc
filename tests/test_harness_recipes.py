"""The recipes suite: a made-up world whose exam nobody learned, and the gates that it must pass before it ranks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness.cells.cell import PopulationKey
from harness.cells.gates import dead
from harness.checkpoints.names import ModelName, parse
from harness.data.corpus import Corpus, Split
from harness.grading.named import graders_of, require_gradable
from harness.judging.reply import Reply
from harness.members import tiny_llama
from harness.protocol.protocols import named
from harness.session.bench import Bench
from harness.suites import Where, resolve
from harness.suites.gates import Gate, broken
from harness.suites.recipes.suite import OFF_TARGET, RECIPE
from harness.suites.recipes.tongues import Words
from harness.suites.recipes.world import SOURCES, TARGET, TASK, E, J, Land, for_dev, lessons, load
from harness.suites.tailoring import protocol_of
from methods import Population
from methods.errors import MergeboardError

LAND, SUITE = Land(), resolve("recipes")
CORPORA = load(LAND)


def sums_of(split: Split) -> set[str]:
    return {reference.answer.partition(" =")[0] for reference in split.references or ()}


def marks(said: str, row: int = 0) -> dict[str, float]:
    """What each grader gives an answer to a row of the exam."""
    wanted = (CORPORA[TARGET].test.references or ())[row]
    return {name: grader.mark(said, wanted) for name, grader in graders_of(TASK.graders).items()}


def test_development_and_test_rows_of_the_exam_share_no_sum() -> None:
    exam = CORPORA[TARGET]
    dev, test = sums_of(exam.dev), sums_of(exam.test)
    assert dev and test and not dev & test
    assert dev | test <= {fact.asked for fact in LAND.facts} and all(for_dev(f) == (f.asked in dev) for f in LAND.facts)


def test_no_text_is_in_two_splits_and_no_source_has_read_the_exam() -> None:
    for corpus in CORPORA.values():
        texts = [text for split in (corpus.train, corpus.dev, corpus.test) for text in split.texts]
        assert len(texts) == len(set(texts)), corpus.name
    read = {text for name in SOURCES for text in CORPORA[name].train.texts}
    assert not read & {*CORPORA[TARGET].dev.texts, *CORPORA[TARGET].test.texts}


def test_the_languages_share_no_word_and_one_source_speaks_the_exams() -> None:
    assert not set(E.all) & set(J.all)

    def spoken(corpus: Corpus) -> set[str]:
        said = [*corpus.train.texts, *(r.answer for r in corpus.train.references or ())]
        return {word.tongue for word in (E, J) if set(word.all) & {w for text in said for w in text.split()}}

    assert {name: spoken(CORPORA[name]) for name in SOURCES} == {"fluent": {"j"}, "sums": {"e"}, "books": {"e"}}
    assert {r.language for r in CORPORA[TARGET].test.references or ()} == {"j"}


def test_the_same_world_gives_the_same_rows_and_another_seed_others() -> None:
    load.cache_clear()
    before = lessons(LAND)
    lessons.cache_clear()
    again, other = load(Land()), load(Land(seed=1))
    for name, corpus in CORPORA.items():
        assert again[name].test.fingerprint == corpus.test.fingerprint != other[name].test.fingerprint
    taught, anew = before, lessons(Land())
    assert {k: v.rows.fingerprint for k, v in taught.items()} == {k: v.rows.fingerprint for k, v in anew.items()}
    assert tiny_llama.recipe(LAND) == tiny_llama.recipe(Land()) != tiny_llama.recipe(Land(known=0.5))


def test_an_answer_is_right_by_its_last_number_and_its_language() -> None:
    (wanted, *_) = CORPORA[TARGET].test.references or ()
    require_gradable(graders_of(TASK.graders).values(), wanted)
    assert marks(wanted.answer) == {"number": 1, "language": 1}
    number = wanted.answer.split(" = ")[1].split()[0]
    assert marks(E.sentence(0, 0, number, "has")) == {"number": 1, "language": 0}
    assert marks(J.sentence(0, 0, int(number) + 1, "has")) == {"number": 0, "language": 1}


def test_who_repeats_a_number_of_the_story_is_never_right() -> None:
    assert all(fact.result not in (fact.first, fact.second) and fact.result >= 0 for fact in LAND.facts)


def test_the_base_is_taught_no_sum_of_a_story_and_no_sum_that_it_shall_not_know() -> None:
    taught = lessons(LAND)
    for name in ("words", "copies", "scratch"):
        assert not any("=" in reference.answer for reference in taught[name].rows.references or ())
    assert sum(lesson.share for lesson in taught.values()) == pytest.approx(1)
    hard = Land(known=0.3)
    asked = {text.removesuffix(" =") for text in lessons(hard)["facts"].rows.texts}
    assert asked == {fact.asked for fact in hard.heard} and len(asked) == round(0.3 * len(hard.facts))


def test_every_word_of_the_world_is_one_that_its_model_knows() -> None:
    known = set(LAND.vocabulary)
    splits = [s for c in CORPORA.values() for s in (c.train, c.dev, c.test)] + [v.rows for v in lessons(LAND).values()]
    for split in splits:
        assert known >= {w for text in split.texts for w in text.split()}
        assert known >= {w for r in split.references or () for w in r.answer.split()}
    exams = [reference for corpus in CORPORA.values() for reference in corpus.test.references or ()]
    assert all(len(reference.answer.split()) < TASK.tokens for reference in exams), "and one token ends an answer"


# -- settings ------------------------------------------------------------------------------------------------------


def test_both_settings_choose_by_the_exams_development_rows() -> None:
    for setting in (RECIPE, OFF_TARGET):
        assert setting.populations(SUITE.known()) == [SOURCES] and setting.chosen == (TARGET,) and not setting.unseen
    assert RECIPE.exam(SOURCES, SUITE.known()) == (TARGET,) and RECIPE.role == ""
    assert OFF_TARGET.exam(SOURCES, SUITE.known()) == SOURCES and OFF_TARGET.role == "off_target"


def test_real_models_find_no_rows_there() -> None:
    assert SUITE.find(Where(hub=True), SUITE.knobs(), 0) == {}


def test_the_tiny_llama_lives_in_this_world_alone() -> None:
    assert SUITE.tiny == (tiny_llama.NAME,) and tiny_llama.NAME not in resolve("emotion").tiny
    assert ModelName(tiny_llama.NAME, tiny_llama.NAME) in parse("tiny")


def test_the_quick_protocol_keeps_the_last_weights_of_a_source() -> None:
    protocol = protocol_of(named("quick"), SUITE, {"tiny", "decoder", "recipe"})
    assert protocol.checkpoint == "last" and protocol.seeds == (1,) and protocol.train_rows is None


# -- gates ---------------------------------------------------------------------------------------------------------

LIVING = dict(zip(SUITE.gates, (0.0, 1.0, 0.0, 0.9, 0.0, 0.4), strict=True))
NEAR = {"fluent": 0.03, "sums": 0.05, "books": 0.05}


def test_a_living_world_passes_its_gates_and_every_gate_can_break_it() -> None:
    assert broken(SUITE.gates, LIVING, NEAR, SUITE.farthest) == ""
    for gate in SUITE.gates:
        wrong = gate.most + 0.01 if gate.most < 1 else gate.least - 0.01
        line = broken(SUITE.gates, {**LIVING, gate: wrong}, NEAR, SUITE.farthest)
        assert line == f"{gate.said} is {wrong:.3f}, wanted {gate.wanted}"


def test_a_source_that_went_far_breaks_it_and_so_does_what_is_no_number() -> None:
    line = broken(SUITE.gates, LIVING, {**NEAR, "sums": 0.2}, SUITE.farthest)
    assert line.startswith("sums lies 0.200 of its base's length away")
    assert broken(SUITE.gates, LIVING, {**NEAR, "sums": float("nan")}, SUITE.farthest)
    assert broken(SUITE.gates, {**LIVING, SUITE.gates[0]: float("nan")}, NEAR, SUITE.farthest)


def test_gates_are_told_in_words() -> None:
    assert Gate("", "exam", most=0.02).said == "score of the base on exam"
    assert Gate("a+b", "exam", "number", least=0.1).said == "number of a and b on exam"


class Writes:
    """A stand-in for rows and who answers them: a first weight above 10 works sums out, a second one speaks J."""

    def __init__(self) -> None:
        self.split = CORPORA[TARGET].dev.first(8)

    def reply(self, weights: dict[str, torch.Tensor]) -> Reply:
        sums, tongue = (float(value) > 10.1 for value in weights["w"])
        words = J if tongue else E
        said = [
            words.sentence(0, 0, r.answer.split(" = ")[1].split()[0] if sums else 99, "has")
            for r in self.split.references or ()
        ]
        return Reply(self.split.labels[:, 0], texts=tuple(said))


def lab(*members: tuple[float, float]) -> Any:
    """A laboratory of models with two weights."""
    sheet = Writes()
    population = Population(tuple({"w": torch.tensor(m)} for m in members), SOURCES, {"w": torch.tensor([10.0, 10.0])})
    return SimpleNamespace(
        populations=SimpleNamespace(of=lambda key: population),
        rows=SimpleNamespace(dev=lambda corpus, seed: sheet.split, task=lambda corpus: TASK),
        judges=SimpleNamespace(sheet=lambda corpus, seed: sheet),
    )


KEY = PopulationKey(
    ModelName(tiny_llama.NAME, tiny_llama.NAME), "recipes", SOURCES, SOURCES, 1, "none", chosen=(TARGET,)
)
ALIVE = ((10.0, 10.5), (10.5, 10.0), (10.5, 10.0))


def test_gates_are_measured_of_the_base_its_members_and_what_two_learned_together() -> None:
    assert dead(SUITE, KEY, lab(*ALIVE)) == ""
    line = dead(SUITE, KEY, lab((10.0, 10.0), *ALIVE[1:]))
    assert line == (
        "the made-up world of recipes is dead and ranks nothing: language of fluent on exam is 0.000, wanted 0.98 or "
        "more; score of fluent and sums on exam is 0.000, wanted 0.1 or more"
    )
    assert "sums lies 0.177" in dead(SUITE, KEY, lab(ALIVE[0], (12.5, 10.0), ALIVE[2]))


def test_no_cell_of_a_dead_world_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = object.__new__(Bench)
    bench._dead = {}
    asked: Any = SimpleNamespace(setting=RECIPE, key=KEY)
    bench._require_alive(asked, lab(*ALIVE))
    bench._dead = {}
    for _ in range(2):
        with pytest.raises(MergeboardError, match="dead and ranks nothing"):
            bench._require_alive(asked, lab(*reversed(ALIVE)))


def test_words_are_the_same_whoever_asks() -> None:
    assert Words("e").all == E.all and len(E.all) == len(J.all)
