"""One choice varied, everything else as it is: what the paper's Figures 5 and 6 and Tables 5 and 6 show, and more.

They run where this file is named, or with `--ablations`: `pytest suites/test_ablations.py -k alpha`. Pages show them
in tables of their own. Figure 7's curves and Table 8's times need no runs of their own; Figure 8 is
`suites/test_landscape.py`. What is varied stands in `harness/suites/emotion/ablations.py`.
"""

import pytest

from harness.plugin import Question
from harness.suites.emotion import ablations
from harness.suites.emotion.suite import ALL_TOGETHER, PAIRWISE


@pytest.mark.setting(ALL_TOGETHER, ablations.F)
def test_F(question: Question) -> None:
    """The scale of an evolution's mutations (paper, Figure 5)."""
    question.ask()


@pytest.mark.setting(ALL_TOGETHER, ablations.CR)
def test_Cr(question: Question) -> None:
    """The share of a child's numbers that its mutant gives (paper, Figure 5)."""
    question.ask()


@pytest.mark.setting(ALL_TOGETHER, ablations.ALPHA)
def test_alpha(question: Question) -> None:
    """How far RegMean trusts correlations between inputs (paper, Figure 6)."""
    question.ask()


@pytest.mark.setting(PAIRWISE, ablations.COEFFICIENTS)
def test_coefficients(question: Question) -> None:
    """Merges beside the same with searched coefficients and the same evolved (paper, Table 5)."""
    question.ask()


@pytest.mark.setting(ALL_TOGETHER, ablations.DEV_ROWS)
def test_dev_rows(question: Question) -> None:
    """How many development rows a search, an evolution and a calibration need (paper, Table 6)."""
    question.ask()


@pytest.mark.setting(ALL_TOGETHER, ablations.CALIBRATION)
def test_calibration(question: Question) -> None:
    """How much of an evolution's gain its thresholds alone would bring."""
    question.ask()


@pytest.mark.setting(ALL_TOGETHER, ablations.BUDGET)
def test_budget(question: Question) -> None:
    """What is gained by so many development evaluations."""
    question.ask()


@pytest.mark.setting(ablations.ONE_BY_ONE, ablations.MEMBERS)
def test_members(question: Question) -> None:
    """Two members, three, four and five, always examined on all corpora."""
    question.ask()
