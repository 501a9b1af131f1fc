"""The engine of pytest-xdist (-n): who runs what, and what workers tell their controller. A worker answers inline."""

from __future__ import annotations

from typing import Any

import pytest

from harness.session import voice

REASON = pytest.StashKey[str]()  # why workers found no cell to run
NO_CELL = "mergeboard_no_cell"  # in a worker's output


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With -n, every population is trained by one worker: cells go together by what stands before the method."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPopulation(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            name, bracket, rest = nodeid.partition("[")
            return rest.rpartition("-")[0] if bracket else name

    class InTurn(ByPopulation):
        """The same of cells that also stand together: a budget has put them into an order that decides most."""

        def __init__(self, config: pytest.Config, log: Any) -> None:
            super().__init__(config, log)
            config.option.loadscopereorder = False
            self._scopes: dict[str, str] = {}
            self._last = ""

        def _split_scope(self, nodeid: str) -> str:
            if nodeid not in self._scopes:  # first asked of all of them, in their order
                own = super()._split_scope(nodeid)
                apart = own != self._last
                self._last = own
                before = next(reversed(self._scopes.values()), "")
                self._scopes[nodeid] = f"{len(self._scopes)} {own}" if apart else before
            return self._scopes[nodeid]

    if config.getoption("dist", "no") != "load":
        return None
    return (ByPopulation if config.getoption("budget", None) is None else InTurn)(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Every worker is told where its lines about long work are read."""
    stash = node.config.stash
    if voice.EARS not in stash:
        stash[voice.EARS] = voice.Ears(lambda line: voice.show(node.config, line))
    node.workerinput[voice.SAID] = str(stash[voice.EARS].file)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker that found no cell says why."""
    if reason := getattr(node, "workeroutput", {}).get(NO_CELL):
        node.config.stash[REASON] = reason
