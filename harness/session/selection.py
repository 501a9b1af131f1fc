"""What the options of a session leave of its cells, and which words change nothing; said at the start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from harness.cells.cell import PopulationKey
from harness.cells.rows import OUTSIDE, ROWS
from harness.checkpoints import brought
from harness.protocol.changed import knobs_of
from harness.protocol.protocol import Protocol
from harness.session.options import BUDGETS, Options
from harness.suites import Suite, near
from harness.suites.ablation import Ablation, Varied
from harness.suites.setting import Setting
from methods import is_built_in
from methods.naming import tuned
from methods.naming.names import all_parts_of

MEASURES = "measures"  # the marker of what measures time or memory
CANCELLED = "cancelled"  # the marker of a cell that one option asks for and another takes away
OF_A_METHOD: Mapping[str, str] = {"fisher_": "fisher", "gram_": "regmean"}  # whose statistics these knobs decide


def cancelled(reason: str) -> list[pytest.MarkDecorator]:
    """The marks of such a cell: it is listed, and skipped with the reason."""
    return [pytest.mark.skip(reason), getattr(pytest.mark, CANCELLED)(reason)]


def ablation_of(item: pytest.Item) -> Ablation | None:
    """What a suite function varies; None where it asks its question alone."""
    marker = item.get_closest_marker("setting")
    return marker.args[1] if marker is not None and len(marker.args) > 1 else None


def varied(ablation: Ablation, options: Options) -> list[Varied]:
    """Its cells; where methods were named, those of them that it has."""
    return [cell for cell in ablation.cells() if not options.asked or cell.method in options.asked]


def require_cells(items: Sequence[pytest.Item], points: int) -> None:
    """Refuse a session whose options leave no cell at all; cells that the data lack are skipped one by one."""
    reasons: dict[str, None] = {}
    for item in items:
        if item.get_closest_marker("setting") is not None:
            reason = _cancelled(item, points)
            if not reason and item.get_closest_marker("skip") is None:
                return  # it can run
            reasons[reason] = None
    if said := [reason for reason in reasons if reason]:
        more = f", and {len(said) - 3} more" if len(said) > 3 else ""
        raise pytest.UsageError(f"no test is left to run: {'; '.join(said[:3])}{more}")


def _cancelled(item: pytest.Item, points: int) -> str:
    """Why no option that is changed alone can make this item run; empty if it may."""
    setting, mark = item.get_closest_marker("setting"), item.get_closest_marker(CANCELLED)
    if mark is not None:
        return str(mark.args[0])
    assert setting is not None  # a cell
    if "landscape" in getattr(item, "fixturenames", ()) and not points:
        return "give --grid=N to survey N x N models for every pair"
    asked: Setting = setting.args[0]
    callspec: Any = getattr(item, "callspec", None)
    named = bool(item.config.getoption("--method"))  # among the methods that run by default it is nobody's wish
    alone = named and callspec is not None and callspec.params.get("method") == "domain_specific"
    return OUTSIDE if alone and asked.unseen else ""


def idle(options: Options, suites: Sequence[Suite], kinds: Mapping[str, str]) -> Iterator[str]:
    """A line for each word of the command line that changes nothing in this session; `kinds` is model -> its family."""
    if len(options.heads) == 1 and not any(kind == "encoder" for kind in kinds.values()):
        yield f"--heads={options.heads[0]} changes nothing: no head is trained where models answer in words"
    pairs = [(m, s.name) for s in suites for m in options.models_of(s.name) if str(m) in kinds]
    protocols = [options.protocol_of(m, name, {kinds[str(m)]}) for m, name in pairs]
    searching = {name.partition(".")[0] for name in BUDGETS}
    if options.budget is not None and not searching & _parts(options, suites):
        yield f"--budget-evaluations={options.budget} changes nothing: no method of this session searches or evolves"
    if options.tuned is not None:
        yield from _untuned(options, options.tuned, suites)
    for setting in options.settings:
        name = setting.partition("=")[0]
        if name in BUDGETS and (options.budget is not None or options.tuned is not None):
            continue
        if reason := _idle(name, options, suites, protocols):
            yield f"--set {setting} changes nothing: {reason}"


def overruled(items: Iterable[pytest.Item], options: Options) -> Iterator[str]:
    """A line for each word of the command line that does not hold in an ablation, which sets that option itself."""
    set_in: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # option -> test -> its own words
    for item in items:
        callspec: Any = getattr(item, "callspec", None)
        for word in callspec.params.get("options", ()) if callspec is not None else ():
            set_in[word.partition("=")[0]][getattr(item, "originalname", item.name)].add(word)
    for setting in options.settings:
        name = setting.partition("=")[0]
        tests = [test for test, words in set_in.get(name, {}).items() if words != {setting}]
        if tests:
            by_budget = options.budget is not None and name in BUDGETS
            said = f"--budget-evaluations={options.budget}" if by_budget else f"--set {setting}"
            yield f"{said} does not hold in {', '.join(tests)}: {name} is set there, test by test"


def unused(items: Iterable[pytest.Item], options: Options) -> Iterator[str]:
    """A line for each member that the user brought and no cell of the session merges."""
    cells: list[Any] = [getattr(item, "callspec", None) for item in items]
    keys = {cell.params["population"] for cell in cells if cell is not None and "population" in cell.params}
    asked = [key for key in keys if isinstance(key, PopulationKey)]  # a setting without any has a placeholder
    used = {brought.key_for(options.given, member, key.seed) for key in asked for member in key.members}
    for key in options.given:
        if key not in used:
            yield f"{brought.OPTION} {brought.word_of(key)} is not used: no test of this session merges such a member"


def _untuned(options: Options, optimiser: str, suites: Sequence[Suite]) -> Iterator[str]:
    """The methods that have no tuned row beside them, and why."""
    names = list(dict.fromkeys(method for suite in suites for method in options.untuned_of(suite.name)))
    out = tuned.left_out(names, optimiser)
    if out and not any(tuned.tuned(name, optimiser)[0] for name in names):
        yield f"--tuned={optimiser} changes nothing, as no method of this session can be tuned: {out}"
    elif out:
        yield f"--tuned={optimiser} leaves out {out}"


def _methods(options: Options, suites: Sequence[Suite]) -> set[str]:
    return {method for suite in suites for method in options.methods_of(suite.name)}


def _parts(options: Options, suites: Sequence[Suite]) -> set[str]:
    """All whose knobs reach a method of the session."""
    given = options.protocol_of(options.models[0]).methods
    return {part for asked in _methods(options, suites) for part in all_parts_of(asked, given)}


def _idle(name: str, options: Options, suites: Sequence[Suite], protocols: Sequence[Protocol]) -> str:
    methods = _parts(options, suites)
    method, dot, _ = name.partition(".")
    if dot and method not in methods:
        return f"no method of this session is {method} or holds it"
    if dot:
        bought = all("budget" in p.methods.get("evolver", {}) for p in protocols)  # which a search around it leaves out
        alone = name == "evolver.generations" and "search" not in methods and protocols
        return "evolver.budget decides" if alone and bought else ""
    askers = [suite for suite in near() if _asks(suite, name)]
    if not {suite.name for suite in askers} & {suite.name for suite in suites}:
        who = " and ".join(suite.name for suite in askers)
        return f"it is asked by the suite {who} alone" if who else "no suite asks it"
    plain = all(asked in ROWS or is_built_in(asked) for asked in _methods(options, suites))
    for start, reads in OF_A_METHOD.items():
        if name.startswith(start) and plain and reads not in methods:
            return f"no method of this session reads {reads}'s statistics"
    if name == "epochs" and protocols and all(p.steps is not None for p in protocols):
        return f"{protocols[0].steps:,} steps decide; add --set steps=none"
    return ""


def _asks(suite: Suite, knob: str) -> bool:
    """Whether anything in a suite depends on a knob: it is its own, or nobody's own and its kind of question."""
    if knob in knobs_of(suite.knobs):
        return True
    if knob == "threshold":
        return any(task.kind == "multi_label" for task in suite.tasks)
    if knob.startswith("partition_"):
        return any(setting.groups == "halves" for setting in suite.settings)
    return knob in knobs_of(Protocol)
