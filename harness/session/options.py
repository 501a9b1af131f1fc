"""The command line, checked: every wrong word ends here, before anything is collected, in one line."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import parsing
from harness.checkpoints import brought
from harness.checkpoints.names import ModelName
from harness.checkpoints.names import parse as parse_model
from harness.protocol.protocol import Protocol
from harness.protocol.protocols import named
from harness.records.record import slug
from harness.session import places
from harness.suites import looked_up, near, resolve
from harness.suites.own import session as own
from harness.suites.setting import corpus_of
from harness.suites.tailoring import protocol_of
from methods.errors import MergeboardError, UnknownName

LOCAL = Path(".mergeboard")  # below the root directory: results and zoo of this machine, ignored by git
HUB = "hub"  # --data=hub
OWN = "test_own.py"
HEADS = ("same", "diff")
SHAPES = ("small", "roberta-base", "llama-31m", "llama-1.1b")
TEXTS = (  # options whose text is looked at here
    *("model", "method", "data", "task", "protocol", "seeds", "heads", "set", "member", "results", "zoo"),
    *("speed_shape", "grid", "threads", "trust_remote_code", "checkpoint_minutes", "export"),
)
AGAINST = ("avg", "best")  # what an export is held against
DEFAULT_METHODS = (
    *("avg", "best", "ensemble", "greedy_soup", "simple", "evolver", "simple_evolver"),
    *("fisher", "fisher_evolver", "regmean", "regmean_evolver", "ties", "ties_evolver"),
    *("domain_specific", "mtl"),
)


def add(parser: pytest.Parser) -> None:
    """House rule: help starts with a capital letter, is a single phrase and has no period."""
    group = parser.getgroup("mergeboard")
    option = group.addoption
    option(
        "--model", action="append", metavar="NAME", help="Hub name, alias, folder, NAME=folder, tiny or tiny-encoder"
    )
    option("--method", action="append", metavar="NAME", help="Method or row to run; repeat it; all of them by default")
    option(
        "--data",
        metavar="FOLDER",
        help="Folder with the suites' data, or hub (default), which some suites need; not for tiny models",
    )
    option("--task", metavar="FILE.toml", help="Your own task, corpora and members, for suites/test_own.py")
    option("--protocol", metavar="NAME", help="paper, official_code or quick; paper by default, quick for tiny models")
    option("--seeds", metavar="LIST", help="Seeds such as 1,2,3 or 1-5 instead of the protocol's")
    option("--heads", metavar="HEADS", help="same or diff: only the runs with this initialisation of heads")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="One knob of protocol or method; repeat it")
    option(
        "--member",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="Your own fine-tuned model or LoRA adapter, or org/name@revision; NAME@SEED for one seed's; repeat it",
    )
    option(
        "--trust-remote-code",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar="FOLDER",
        help="Run the code of this model or member, as MiniCPM needs; without a name that of every --model",
    )
    option("--trust-configs", action="store_true", help="Take members whose config.json differs from the model's")
    option("--results", metavar="FOLDER", help=f"Where records are kept; {LOCAL}/results by default")
    option("--zoo", metavar="FOLDER", help=f"Where checkpoints and statistics are kept; {LOCAL}/zoo by default")
    option(
        "--checkpoint-minutes",
        default="10",
        metavar="N",
        help="How old the last checkpoint of a fine-tuning may be, from which a killed one goes on; 10 by default",
    )
    option("--export", metavar="FOLDER", help="Write the winner there as a model of transformers, with a card")
    option("--rerun", action="store_true", help="Answer no cell from stored records")
    option(
        "--speed-shape",
        metavar="SHAPE",
        default="small",
        help=f"{', '.join(SHAPES)}: size of the models in test_speed and test_memory",
    )
    option("--grid", default="0", metavar="N", help="Points per side of test_landscape's squares; 0 leaves it out")
    option("--threads", metavar="N", help="Threads of torch; 1 for tiny models by default")


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    models: tuple[ModelName, ...]
    methods: tuple[str, ...]
    data: Path | None
    hub: bool  # rows come from the hub
    trust: frozenset[str]  # where models and members lie whose own code may run
    trust_configs: bool
    protocol: str | None
    seeds: tuple[int, ...] | None
    heads: tuple[str, ...]
    settings: tuple[str, ...]
    given: Mapping[brought.Key, str]  # whose member and for which seed -> a folder's path, or a name on the hub
    results: Path
    zoo: Path
    checkpoint_minutes: float
    export: Path | None  # where the winner goes
    rerun: bool
    threads: int | None
    points: int  # per side of a landscape
    command: str

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
            given = get(name)
            for text in [given] if isinstance(given, str) else given or ():
                parsing.require_text(f"--{name.replace('_', '-')}", text)
        models = tuple(dict.fromkeys(m for text in get("--model") or ["tiny"] for m in parse_model(text)))
        _require_different(models)
        protocol = get("--protocol")
        data = _data(get("--data"), models, config)
        given = {**_own(get("--task"), config), **_given(get("--member"))}
        options = Options(
            models=models,
            methods=_methods(get("--method"), get("--export") is not None),
            data=data,
            hub=_from_hub(get("--data"), models, config),
            trust=_trusted(get("--trust-remote-code"), models, given),
            trust_configs=get("--trust-configs"),
            protocol=protocol,
            seeds=parsing.seeds_of(get("--seeds")) or brought.seeds_of(given),
            heads=HEADS if get("--heads") is None else (parsing.choice_of("--heads", get("--heads"), HEADS),),
            settings=_settings(get("--set")),
            given=given,
            results=_place(config, "results"),
            zoo=_place(config, "zoo"),
            checkpoint_minutes=parsing.minutes_of(get("--checkpoint-minutes")),
            export=_export(get("--export"), models, config),
            rerun=get("--rerun"),
            threads=parsing.threads_of(get("--threads")),
            points=parsing.points_of(get("--grid")),
            command=command_of(config),
        )
        parsing.choice_of("--speed-shape", get("--speed-shape"), SHAPES)
        _require_places(options, config)
        for model in models:  # resolve what can be wrong now: protocol, knobs, methods
            _require_methods(options, options.protocol_of(model))
        return options
    except MergeboardError as error:
        raise pytest.UsageError(str(error)) from None


def command_of(config: pytest.Config) -> str:
    """The command as anyone could type it again: folders that lie elsewhere on other machines become words."""
    words = ["pytest"]
    for word in config.invocation_params.args:
        text = str(word)
        starts = (0, *(sign.end() for sign in re.finditer("=", text)))
        start = next((i for i in starts if text[i:].startswith(("/", "~", ".."))), None)
        if start is not None:  # a path up to the word's end, whatever signs it holds
            file, colons, test = text[start:].partition("::")
            where = (config.invocation_params.dir / Path(file).expanduser()).resolve()
            if where.is_relative_to(config.rootpath):
                path = f"{where.relative_to(config.rootpath)}{colons}{test}"
            else:
                path = {"--data=": "DATA", "--results=": "RESULTS", "--zoo=": "ZOO", "--task=": "TASK"}.get(
                    text[:start], "FOLDER"
                )
            text = f"{text[:start]}{path}"
        words.append(text)
    return shlex.join(words)


def _place(config: pytest.Config, name: str) -> Path:
    """A folder to write to, as `--results` or `--zoo` names it."""
    text = config.getoption(name)
    if text is not None and not text.strip():
        raise MergeboardError(f"--{name} {text}: write --{name}=FOLDER")
    return config.rootpath / Path(text or LOCAL / name).expanduser()


def _require_places(options: Options, config: pytest.Config) -> None:
    """All that will be written can be, and results and zoo are two folders; a list writes nothing."""
    if os.path.realpath(options.results) == os.path.realpath(options.zoo):
        raise MergeboardError(f"--results and --zoo are both {options.zoo}; name two folders")
    if options.export is not None and os.path.realpath(options.export) in map(
        os.path.realpath, (options.results, options.zoo)
    ):
        raise MergeboardError(f"--export {options.export}: records or checkpoints go there; name another folder")
    if not config.option.collectonly:
        places.require_folder("--results", options.results)
        places.require_folder("--zoo", options.zoo)
        if page := config.getoption("leaderboard", default=None):  # of the reader's plugin, which is not always there
            places.require_file("--leaderboard", config.invocation_params.dir / Path(page).expanduser())


def _settings(asked: Sequence[str]) -> tuple[str, ...]:
    """The knobs that were set; each once."""
    parsing.require_once("--set", [(name, value) for name, _, value in (text.partition("=") for text in asked)])
    return tuple(dict.fromkeys(asked))


def _methods(asked: Sequence[str] | None, export: bool) -> tuple[str, ...]:
    """Those of the session; an export is held against the members, so their rows are always among them."""
    return tuple(dict.fromkeys((*asked, *(AGAINST if export else ())))) if asked else DEFAULT_METHODS


def _export(asked: str | None, models: Sequence[ModelName], config: pytest.Config) -> Path | None:
    """Where the winner goes; one model of one ancestor is written."""
    if asked is None:
        return None
    if not asked.strip():
        raise MergeboardError("--export: write --export=FOLDER, a folder that is not there yet")
    if len(models) > 1:
        names = ", ".join(map(str, models))
        raise MergeboardError(f"--export writes one winner, and there are {names}; name one with --model=NAME")
    target = config.invocation_params.dir / Path(asked).expanduser()
    if not config.option.collectonly:
        places.require_new("--export", target)
    return target


def _require_methods(options: Options, protocol: Protocol) -> None:
    from harness.cells.rows import ROWS
    from methods import known, require

    for name in protocol.methods:  # also where no method of the session takes its knobs
        require(name, protocol.methods)
    for name in options.methods:
        if name in ROWS:
            continue
        try:
            require(name, protocol.methods)
        except UnknownName as error:
            if "merging method" in str(error) and f"{name!r}" in str(error):
                wrapped = [f"{n}_evolver" for n in known() if n != "evolver"] if "_ev" in name else []
                raise UnknownName("merging method", name, [*known(), *wrapped, *ROWS]) from None
            raise


def _own(text: str | None, config: pytest.Config) -> dict[brought.Key, str]:
    """Begin with the user's file, if one is named, and give the members that it brings."""
    suite = own.begin(None if text is None else config.invocation_params.dir / Path(text).expanduser())
    if suite is None:
        if any(Path(str(word).partition("::")[0]).name == OWN for word in config.args):
            raise MergeboardError(f"{OWN} asks about a task of yours: describe it in a file, and give --task=FILE.toml")
        return {}
    where = "--task {}, members of [corpora.{}]".format
    return {key: brought.place_of(where(text, key[0]), place) for key, place in suite.given.items()}


def _given(asked: Sequence[str]) -> dict[brought.Key, str]:
    given: dict[brought.Key, str] = {}
    for text in asked:
        name, place = parsing.pair_of(brought.OPTION, text, brought.EXAMPLE)
        key = brought.key_of(name)
        if not any(corpus_of(key[0]) in suite.trained() for suite in looked_up()):
            trained = [name for suite in near() for name in suite.trained()]
            raise UnknownName("corpus that members are trained on", key[0], trained)
        where = brought.place_of(f"{brought.OPTION} {text}", place)
        parsing.require_once(brought.OPTION, [(brought.word_of(k), w) for k, w in (*given.items(), (key, where))])
        given[key] = where
    return given


def _trusted(asked: Sequence[str], models: Sequence[ModelName], given: Mapping[brought.Key, str]) -> frozenset[str]:
    """Where code may be run. A word alone trusts the models, never a member: each folder is trusted by itself."""
    by_name = {name: m.where for m in models for name in (m.display, m.where)}
    there = {*by_name.values(), *given.values()}
    found: set[str] = set()
    for text in asked:
        where = by_name.get(text) or (text if text in there else str(Path(text).expanduser().resolve()))
        if text and where not in there:
            raise MergeboardError(
                f"--trust-remote-code {text}: no --model or --member lies there; write --trust-remote-code=FOLDER, or "
                "the option without a name behind all other words"
            )
        found |= {where} if text else {m.where for m in models}
    return frozenset(found)


def _data(folder: str | None, models: Sequence[ModelName], config: pytest.Config) -> Path | None:
    if folder is None:
        return None
    tiny = [str(m) for m in models if m.tiny]
    if tiny:
        raise MergeboardError(f"--model {tiny[0]} knows only the words of its made-up world; leave --data out")
    if folder == HUB:
        return None
    path = config.invocation_params.dir / Path(folder).expanduser()
    if not any(suite.data and suite.lies_in(path) for suite in looked_up()):
        wanted = " nor ".join(f"{suite.data} ({suite.origin})" for suite in near() if suite.data)
        raise MergeboardError(f"--data {folder}: there is neither {wanted} in it")
    return path.resolve()


def _from_hub(asked: str | None, models: Sequence[ModelName], config: pytest.Config) -> bool:
    """Whether rows are fetched: where the user says so, or says nothing and names a model that cells will be run of."""
    return asked == HUB or (asked is None and not config.option.collectonly and any(not m.tiny for m in models))


def _require_different(models: Sequence[ModelName]) -> None:
    seen: dict[str, ModelName] = {}
    for model in models:
        if (other := seen.setdefault(slug(model.display), model)) != model:
            both = f"{model}" if other.display == model.display else f"{slug(model.display)} in names of files"
            raise MergeboardError(f"two models are called {both}; name one of them with --model=NAME=FOLDER")
