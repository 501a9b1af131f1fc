"""The method keeps mergeboard's contract, alone and inside Evolver."""

import pytest

from methods import resolve
from methods.contract import check_method


@pytest.mark.parametrize("name", ["median", "median_evolver"])
def test_median_keeps_the_contract(name: str) -> None:
    check_method(resolve(name, {"evolver": {"generations": 2}}))
