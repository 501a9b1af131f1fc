"""What written answers cost: with a cache against reading all anew for every token, and together against one by one.

Both take turns in one process, and the ratio of their medians is what counts. By default the model is so small that
only that it runs is shown: `--speed-shape=roberta-base` takes a Llama of 20 million parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import pytest

pytestmark = pytest.mark.measures
ROUNDS = 3
AIMS = {"with a cache": 5, "sixteen together": 4}


@pytest.fixture(scope="module")
def writer(request: pytest.FixtureRequest) -> Any:
    """Sixteen prompts and who answers them; suites/workbench_writing.py, imported when the first measurement begins."""
    return import_module("suites.workbench_writing").Writer(request.config.getoption("--speed-shape"))


Taking = Callable[[str, Callable[[], Any], Callable[[], Any]], None]


@pytest.fixture
def times(capsys: pytest.CaptureFixture[str]) -> Taking:
    """`times(name, work, yardstick)`: how many times as long the yardstick takes, printed beside its aim."""

    def taken(name: str, work: Callable[[], Any], yardstick: Callable[[], Any]) -> None:
        seconds: dict[Callable[[], Any], list[float]] = {work: [], yardstick: []}
        for _ in range(ROUNDS):
            said = []
            for one, spent in seconds.items():
                start = perf_counter()
                said.append(one())
                spent.append(perf_counter() - start)
            assert said[0] == said[1], "the same words, however they are asked for"
        ratio = median(seconds[yardstick]) / median(seconds[work])
        with capsys.disabled():
            print(f"\n  {name:24s} {ratio:7.2f} times as fast   aim {AIMS[name]}", end="")

    return taken


def test_cache(writer: Any, times: Taking) -> None:
    """Four answers of 64 tokens with a cache, against reading prompt and answer anew for every token."""
    times("with a cache", lambda: writer.write(cached=True, rows=4), lambda: writer.write(cached=False, rows=4))


def test_batch(writer: Any, times: Taking) -> None:
    """Sixteen answers of 64 tokens in one batch, against one after the other, both with a cache."""
    times("sixteen together", lambda: writer.write(cached=True), lambda: writer.write(cached=True, most=1))
