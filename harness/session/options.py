"""The command line, checked: every wrong word ends here, before anything is collected, in one line."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import parsing
from harness.checkpoints import brought
from harness.checkpoints.names import ModelName
from harness.checkpoints.names import parse as parse_model
from harness.devices import device_of, gpus_in_sight
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import named
from harness.session import known_names, places, sources
from harness.session.command import command_of
from harness.session.engine import Asked as Engine
from harness.session.engine import asked as engine_asked
from harness.session.flags import EARLIER, LOCAL, ONCE, SHAPES, TEXTS, TUNED, only_told
from harness.spread.limits import Limits, limits_of
from harness.suites import resolve
from harness.suites.tailoring import protocol_of
from methods.errors import MergeboardError
from methods.naming import tuned

HEADS = ("same", "diff")
SEARCH = "search.budget"
BUDGETS = (SEARCH, "evolver.budget", "dfs.budget", "ps_dfs.budget")  # knobs that --budget-evaluations sets
AGAINST = ("avg", "best")  # what an export is held against
DEFAULT_METHODS = (
    *("avg", "best", "ensemble", "greedy_soup", "simple", "evolver", "simple_evolver"),
    *("fisher", "fisher_evolver", "regmean", "regmean_evolver", "ties", "ties_evolver"),
    *("domain_specific", "mtl"),
)


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    models: tuple[ModelName, ...]
    any_tiny: bool  # whether tiny models are meant of which each suite has its own
    asked: tuple[str, ...]  # methods that were named
    tuned: str | None  # the optimiser by which each method has a second row
    data: Path | None
    hub: bool  # rows come from the hub
    trust: frozenset[str]  # where models and members lie whose own code may run
    trust_configs: bool
    protocol: str | None
    seeds: tuple[int, ...] | None
    heads: tuple[str, ...]
    settings: tuple[str, ...]
    budget: int | None  # development evaluations of every search, which `settings` hold too
    given: Mapping[brought.Key, str]  # whose member and for which seed -> a folder's path, or a name on the hub
    given_by: Mapping[brought.Key, str]  # the same -> the words that brought it, which begin every line about it
    results: Path
    zoo: Path
    checkpoint_minutes: float
    export: Path | None  # where the winner goes
    rerun: bool
    threads: int | None
    device: str | None  # cpu, cuda or cuda:N; None takes a GPU where there is one
    device_map: Limits | None  # how much of each GPU a model may take that is spread over them; None: it is not
    engine: Engine
    points: int  # per side of a landscape
    diagnose: bool
    wall_time: float | None  # seconds that the session may take
    plan: int | None  # for how many workers it is planned, 0 for nobody said how many; None where it runs
    command: str

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the session, of whatever suite."""
        return self._beside(self.asked or DEFAULT_METHODS)

    def methods_of(self, suite: str) -> tuple[str, ...]:
        """The methods that this suite is asked with."""
        return self._beside((*self.untuned_of(suite), *(AGAINST if self.export is not None else ())))

    def untuned_of(self, suite: str) -> tuple[str, ...]:
        """The methods of this suite as they were named, without the rows that tune them."""
        return self.asked or resolve(suite).methods or DEFAULT_METHODS

    def _beside(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """These methods, each once, and behind each its tuned row if there is to be one."""
        return tuple(dict.fromkeys(names)) if self.tuned is None else tuned.beside(names, self.tuned)

    def models_of(self, suite: str) -> tuple[ModelName, ...]:
        """The models that this suite is asked of: of tiny ones, where none was named, those that know its words."""
        known = resolve(suite).tiny
        return tuple(m for m in self.models if not (self.any_tiny and m.tiny and m.where not in known))

    def protocol_of(
        self,
        model: ModelName,
        suite: str | None = None,
        tags: Collection[str] = (),
        settings: Sequence[str] | None = None,
    ) -> Protocol:
        """The protocol that this model runs under in a suite, where these tags hold too, with the user's settings or
        with others."""
        chosen = named(self.protocol or ("quick" if model.tiny else "paper"))
        given = self.settings if settings is None else settings
        asked = None if suite is None else resolve(suite)
        return protocol_of(chosen, asked, {*tags, "tiny"} if model.tiny else tags, given)


def read(config: pytest.Config) -> Options:
    """The options of this session. Errors: `pytest.UsageError` with one line that says what to write instead."""
    get = config.getoption
    try:
        for name in TEXTS:
            given = get(f"--{name}")
            for text in [given] if isinstance(given, str) else given or ():
                parsing.require_text(f"--{name}", text)
        _require_once(config.invocation_params.args)
        models = tuple(dict.fromkeys(m for text in get("--model") or ["tiny"] for m in parse_model(text)))
        sources.require_different(models)
        engine = engine_asked(config, models)
        protocol, budget = get("--protocol"), parsing.evaluations_of(get("--budget-evaluations"))
        data = sources.data_in(get("--data"), models, config)
        sources.of_lm_eval(get("--lm-eval-task") or (), get("--lm-eval-tasks"), get("--member"), models, config)
        members = {**sources.of_task(get("--task"), config), **sources.of_members(get("--member"))}
        given = {key: member.where for key, member in members.items()}
        options = Options(
            models=models,
            any_tiny=not get("--model") or "tiny" in get("--model"),
            asked=_methods(get("--method"), get("--export") is not None),
            tuned=known_names.optimiser(get("--tuned")),
            data=data,
            hub=sources.from_hub(get("--data"), models, config),
            trust=sources.trusted(get("--trust-remote-code"), models, given),
            trust_configs=get("--trust-configs"),
            protocol=protocol,
            seeds=parsing.seeds_of(get("--seeds")) or brought.seeds_of(given),
            heads=HEADS if get("--heads") is None else (parsing.choice_of("--heads", get("--heads"), HEADS),),
            settings=_settings(get("--set"), budget, tuned=get("--tuned") is not None),
            budget=budget,
            given=given,
            given_by={key: member.what for key, member in members.items()},
            results=_place(config, "results"),
            zoo=_place(config, "cache"),
            checkpoint_minutes=parsing.minutes_of(get("--checkpoint-minutes")),
            export=_export(get("--export"), models, config),
            rerun=get("--rerun"),
            threads=parsing.threads_of(get("--threads")),
            device=device_of(get("--device")),
            device_map=limits_of(get("--device-map"), get("--device"), engine.name != "inline", gpus_in_sight()),
            engine=engine,
            points=parsing.points_of(get("--grid")),
            diagnose=get("--diagnose"),
            wall_time=parsing.wall_time_of(get("--budget")),
            plan=parsing.workers_of(get("--plan")),
            command=command_of(config),
        )
        parsing.choice_of("--speed-shape", get("--speed-shape"), SHAPES)
        _require_places(options, config)
        for model in models:  # resolve what can be wrong now: protocol, knobs, methods
            known_names.require_methods(options.methods, options.protocol_of(model))
        return options
    except MergeboardError as error:
        raise pytest.UsageError(str(error)) from None


def _place(config: pytest.Config, name: str) -> Path:
    """A folder to write to, as `--results` or `--cache` names it."""
    text = config.getoption(name)
    if text is not None and not text.strip():
        raise MergeboardError(f"--{name} {text}: write --{name}=FOLDER")
    place = config.rootpath / (parsing.expanded(text) if text else LOCAL / name)
    if not text and not place.exists():
        place = next((old for old in _earlier(config.rootpath / LOCAL, name) if old.is_dir()), place)
    return place


def _earlier(folder: Path, name: str) -> Iterator[Path]:
    """Where this was kept under a name of before, whose files are still good."""
    return (folder / before for before, now in EARLIER.items() if now == name)


def _require_places(options: Options, config: pytest.Config) -> None:
    """All that will be written can be, and results and zoo are two folders; a list writes nothing."""
    if os.path.realpath(options.results) == os.path.realpath(options.zoo):
        raise MergeboardError(f"--results and --cache are both {options.zoo}; name two folders")
    if options.export is not None:
        require_apart("--export", options.export, options)
    if not only_told(config):
        places.require_folder("--results", options.results)
        places.require_folder("--cache", options.zoo)
        if page := config.getoption("leaderboard", default=None):  # of the reader's plugin, which is not always there
            places.require_file("--leaderboard", config.invocation_params.dir / parsing.expanded(page))


def require_apart(option: str, target: Path, options: Options) -> None:
    """Refuse to write a model among what the session reads or keeps. Errors: `MergeboardError` in one line."""
    models = ((f"--model {model}", model.where) for model in options.models)
    members = ((options.given_by[key], where) for key, where in options.given.items())
    kept = [("--results", options.results), ("--cache", options.zoo)]
    kept += [(words, Path(where)) for words, where in (*models, *members) if Path(where).is_dir()]
    places.require_apart(option, target, kept)


def _require_once(words: Sequence[object]) -> None:
    """Refuse two values of an option that has one, where both were typed; those of a project's file are replaced."""
    said = [str(word) for word in words]
    pairs = ((*word.partition("="), after) for word, after in zip(said, [*said[1:], ""], strict=True))
    once = {f"--{name}": f"--{EARLIER.get(name, name)}" for name in (*ONCE, *EARLIER)}
    parsing.require_once((once[name], value if sign else after) for name, sign, value, after in pairs if name in once)


def _settings(asked: Sequence[str], budget: int | None, tuned: bool) -> tuple[str, ...]:
    """The knobs that were set, each once, and those that a budget sets; tuned rows have one, said or not."""
    pairs = [(name, value) for name, _, value in (text.partition("=") for text in asked)]
    parsing.require_once((f"--set {name}", value) for name, value in pairs)
    for name, value in pairs if budget is not None else []:
        if name in BUDGETS:
            raise MergeboardError(
                f"--budget-evaluations={budget} sets {name}, and so does --set {name}={value}; leave one out"
            )
    said = [f"{name}={budget}" for name in BUDGETS if budget is not None]
    if tuned and budget is None and SEARCH not in dict(pairs):
        said = [f"{SEARCH}={TUNED}"]
    return tuple(dict.fromkeys((*asked, *said)))


def _methods(asked: Sequence[str] | None, export: bool) -> tuple[str, ...]:
    """Those that were named; an export is held against the members, so their rows are always among them."""
    return tuple(dict.fromkeys((*asked, *(AGAINST if export else ())))) if asked else ()


def _export(asked: str | None, models: Sequence[ModelName], config: pytest.Config) -> Path | None:
    """Where the winner goes; one model of one ancestor is written."""
    if asked is None:
        return None
    if not asked.strip():
        raise MergeboardError("--export: write --export=FOLDER, a folder that is not there yet")
    if len(models) > 1:
        names = ", ".join(map(str, models))
        raise MergeboardError(f"--export writes one winner, and there are {names}; name one with --model=NAME")
    target = config.invocation_params.dir / parsing.expanded(asked)
    if not only_told(config):
        places.require_new("--export", target)
    return target
