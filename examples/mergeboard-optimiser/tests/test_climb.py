"""The optimiser keeps mergeboard's contract, finds a hill, and is there for every method."""

from methods import describe, resolve
from methods.optimisers import OPTIMISERS
from methods.optimisers.contract import check_optimiser
from methods.space import Gene, Space, Variable


def test_climb_keeps_the_contract() -> None:
    check_optimiser(OPTIMISERS.resolve("climb").cls())


def test_climb_finds_the_top_of_a_hill() -> None:
    gene = Gene("lambda", 0.0, 2.0)
    space = Space((Variable(gene, 0.0, 2.0, 1.0),))
    walk = OPTIMISERS.resolve("climb").cls().begin(space, 0, 60, -0.16)
    for _ in range(60):
        asked = walk.ask()
        walk.tell(asked, [-((x - 1.4) ** 2) for (x,) in asked])
    assert abs(walk.best[0] - 1.4) < 0.01


def test_every_method_is_searched_with_it_by_name() -> None:
    optimiser = describe(resolve("ties_climb", {"climb": {"step": "0.1"}}))["knobs"]["optimiser"]
    assert optimiser == {"name": "climb", "version": 1, "knobs": {"step": 0.1}}
