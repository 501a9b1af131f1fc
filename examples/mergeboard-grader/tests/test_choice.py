"""The grader keeps mergeboard's contract, and finds the letter in what models write."""

import pytest

from harness.data.corpus import Reference
from harness.grading.contract import check_grader
from harness.grading.named import grader_of, require_gradable
from methods import MergeboardError


def test_choice_keeps_the_contract() -> None:
    right = [(said, Reference("B")) for said in ("B", "(B)", "A is wrong, so B.", "**B**: it rains")]
    wrong = [(said, Reference("B")) for said in ("", "A", "B or C", "BC", "ABBA", "b")]
    check_grader(grader_of("choice"), right, wrong)
    check_grader(grader_of("choice:letters=AE"), [("E", Reference("(E)"))], [("B", Reference("E"))])


def test_a_reference_without_a_letter_is_refused() -> None:
    with pytest.raises(MergeboardError, match="its answer 'Berlin' is none of the letters ABCD"):
        require_gradable([grader_of("choice")], Reference("Berlin"))
