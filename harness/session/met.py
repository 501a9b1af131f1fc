"""The suites whose settings a session met while it collected: what is wrong with them, and what is to be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.lm_eval import session as lm_eval
from harness.lm_eval.words import OPTION
from harness.session import selection
from harness.session.bench import Bench
from harness.suites import Setting, resolve
from harness.suites.own.session import at_hand
from methods.errors import MergeboardError


def require_models(bench: Bench, whole: bool) -> None:
    """Raise `pytest.UsageError` for a model folder that cannot be right, for which no data need be read."""
    try:
        for model in bench.options.models:
            bench.has.require_sound(model, whole=whole)
    except MergeboardError as error:
        raise pytest.UsageError(str(error)) from None


def require_usable(bench: Bench, suite: str, fetch: bool) -> None:
    """Raise for a model that no family takes, for malformed corpora, for members of other architectures and, where
    those of the hub shall be fetched, for those that are not there: all wrong words of the command line."""
    for model in bench.options.models_of(suite):
        if bench.matrix.elsewhere(suite, model):
            continue
        if bench.options.hub:
            bench.has.family(model)  # first: a name that the hub does not know is said before rows are fetched
        bench.has.available(suite, model)
        bench.has.family(model)  # last, as it may have to fetch the model
    bench.has.require_akin(fetch)


def require_asked(bench: Bench, suites: Sequence[str]) -> None:
    """Raise for a model that no suite of the session can be asked of."""
    for model in dict.fromkeys(model for suite in suites for model in bench.options.models_of(suite)):
        reasons = [bench.matrix.elsewhere(suite, model) for suite in suites]
        if reasons and all(reasons):
            raise pytest.UsageError(f"--model {model}: {reasons[0]}")


def populations(bench: Bench, setting: Setting) -> Iterator[Any]:
    """A parameter for every population of a setting; those that cannot be asked are skipped with the reason."""
    for model in bench.options.models_of(setting.suite):
        if reason := bench.matrix.elsewhere(setting.suite, model):
            yield _skipped(bench.matrix.unasked(setting, model), pytest.mark.skip(f"{setting.name}: {reason}"))
            continue
        for key in bench.matrix.populations(setting, model):
            yield pytest.param(key, id=str(key))
        for key, reason in bench.matrix.impossible(setting, model):
            yield _skipped(key, pytest.mark.skip(f"{setting.name}: {reason}"))
        for key, reason in bench.matrix.cancelled(setting, model):
            yield _skipped(key, *selection.cancelled(f"{setting.name}: {reason}"))


def _skipped(key: object, *marks: pytest.MarkDecorator) -> Any:
    return pytest.param(key, id=str(key), marks=marks)


def told(bench: Bench, names: Sequence[str], items: Sequence[pytest.Item]) -> Iterator[str]:
    """A line for each word that changes nothing, and for each suite on the corpora that the user does not have."""
    yield from selection.unused(items, bench.options)
    yield from selection.overruled(items, bench.options)
    if (own := at_hand()) is not None and own.name not in names:
        yield "--task is not used: no file of this session asks about it; name suites/test_own.py too"
    if (tasks := lm_eval.at_hand()) is not None and tasks.name not in names:
        yield f"{OPTION} is not used: no file of this session asks it; name suites/{lm_eval.FILE} too"
    suites = [resolve(name) for name in names]
    kinds = {
        str(model): bench.has.family(model)
        for model in bench.options.models
        if not all(bench.matrix.elsewhere(name, model) for name in names)
    }
    yield from selection.idle(bench.options, suites, kinds)
    real = next((model for model in bench.options.models if not model.tiny), None)
    if real is None or bench.has.where(real).nowhere:
        return
    for suite in suites:
        yield from (f"{suite.name}: {note}" for note in suite.notes)
        missing = [c for c in suite.known() if c not in bench.has.available(suite.name, real)]
        reason = bench.matrix.elsewhere(suite.name, real) or f"not in the data: {', '.join(missing)}; {suite.origin}"
        if missing:
            yield f"{suite.name}: {reason}"
