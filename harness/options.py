"""The command line, checked: every wrong word ends here, before anything is collected, in one line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.models import ModelName
from harness.models import parse as parse_model
from harness.protocols import Protocol, named, tailored
from harness.record import slug
from methods.errors import MergeboardError, UnknownName

LOCAL = Path(".mergeboard")  # below the root directory: results and zoo of this machine, ignored by git
HUB = "hub"  # --data=hub
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
        help="Folder with emotion/unified-dataset.jsonl or glue/, or hub for GLUE alone; for models that are not tiny",
    )
    option("--protocol", metavar="NAME", help="paper, official_code or quick; paper by default, quick for tiny models")
    option("--seeds", metavar="LIST", help="Seeds such as 1,2,3 or 1-5 instead of the protocol's")
    option("--heads", choices=("same", "diff"), help="Only the runs with this initialisation, where heads are merged")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="One knob of protocol or method; repeat it")
    option("--member", action="append", default=[], metavar="CORPUS=FOLDER", help="Your own fine-tuned checkpoint")
    option("--trust-remote-code", action="store_true", help="Run code that a model brings with it, as MiniCPM does")
    option("--results", metavar="FOLDER", help=f"Where records are kept; {LOCAL}/results by default")
    option("--zoo", metavar="FOLDER", help=f"Where checkpoints and statistics are kept; {LOCAL}/zoo by default")
    option("--rerun", action="store_true", help="Answer no cell from stored records")
    option(
        "--speed-shape",
        choices=("small", "roberta-base", "llama-31m", "llama-1.1b"),
        default="small",
        help="Size of the models in test_speed and test_memory",
    )
    option(
        "--grid", type=int, default=0, metavar="N", help="Points per side of test_landscape's squares; 0 leaves it out"
    )
    option("--threads", type=int, metavar="N", help="Threads of torch; 1 for tiny models by default")


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    models: tuple[ModelName, ...]
    methods: tuple[str, ...]
    data: Path | None
    hub: bool
    trust: bool
    protocol: str | None
    seeds: tuple[int, ...] | None
    heads: tuple[str, ...]
    settings: tuple[str, ...]
    given: dict[str, Path]
    results: Path
    zoo: Path
    rerun: bool
    threads: int | None
    command: str

    def protocol_of(self, model: ModelName, tags: Collection[str]) -> Protocol:
        """The protocol that this model runs under where these tags hold."""
        chosen = named(self.protocol or ("quick" if model.tiny else "paper"))
        return tailored(chosen, {*tags, "tiny"} if model.tiny else tags, self.settings)


def read(config: pytest.Config) -> Options:
    """The options of this session. Errors: `pytest.UsageError` with one line that says what to write instead."""
    get = config.getoption
    try:
        models = tuple(dict.fromkeys(m for text in get("--model") or ["tiny"] for m in parse_model(text)))
        _require_different(models)
        protocol = get("--protocol")
        data = _data(get("--data"), models, config)
        options = Options(
            models=models,
            methods=_methods(get("--method")),
            data=data,
            hub=get("--data") == HUB,
            trust=get("--trust-remote-code"),
            protocol=protocol,
            seeds=parse_seeds(get("--seeds")),
            heads=(get("--heads"),) if get("--heads") else ("same", "diff"),
            settings=tuple(get("--set")),
            given=_given(get("--member")),
            results=config.rootpath / Path(get("--results") or LOCAL / "results").expanduser(),
            zoo=config.rootpath / Path(get("--zoo") or LOCAL / "zoo").expanduser(),
            rerun=get("--rerun"),
            threads=_threads(get("--threads")),
            command=command_of(config),
        )
        for model in models:  # resolve what can be wrong now: protocol, knobs, methods
            _require_methods(options, options.protocol_of(model, ()))
        return options
    except MergeboardError as error:
        raise pytest.UsageError(str(error)) from None


def parse_seeds(text: str | None) -> tuple[int, ...] | None:
    """`1,2,5` or `1-5`, in any mixture; each at least 1."""
    if text is None:
        return None
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or int(match[1]) < 1 or (match[2] and int(match[2]) < int(match[1])):
            raise MergeboardError(f"--seeds {text}: write whole numbers from 1 up, for instance 1,2,3 or 1-5")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(seeds))


def command_of(config: pytest.Config) -> str:
    """The command as anyone could type it again: folders that lie elsewhere on other machines become words."""
    words = ["pytest"]
    for word in config.invocation_params.args:
        text = str(word)
        option, separator, value = text.partition("=")
        head, inner, last = value.rpartition("=")
        path = last if separator else text
        if path.startswith(("/", "~", "..")):
            file, colons, test = path.partition("::")
            where = (config.invocation_params.dir / Path(file).expanduser()).resolve()
            if where.is_relative_to(config.rootpath):
                path = f"{where.relative_to(config.rootpath)}{colons}{test}"
            else:
                path = {"--data": "DATA", "--results": "RESULTS", "--zoo": "ZOO"}.get(option, "FOLDER")
            text = f"{option}={head}{inner}{path}" if separator else path
        words.append(text)
    return shlex.join(words)


def _threads(asked: int | None) -> int | None:
    if asked is not None and asked < 1:
        raise MergeboardError(f"--threads {asked}: write a whole number from 1 up")
    return asked


def _methods(asked: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(asked)) if asked else DEFAULT_METHODS


def _require_methods(options: Options, protocol: Protocol) -> None:
    from harness.rows import ROWS
    from methods import is_built_in, known, resolve

    if all(name in ROWS or is_built_in(name) for name in options.methods) and not any("." in s for s in _set(options)):
        return  # nothing that the user wrote can be wrong, and no method has to be imported to say so
    for name in protocol.methods:  # also where no method of the session takes its knobs
        resolve(name, protocol.methods)
    for name in options.methods:
        if name in ROWS:
            continue
        try:
            resolve(name, protocol.methods)
        except UnknownName as error:
            if "merging method" in str(error) and f"{name!r}" in str(error):
                wrapped = [f"{n}_evolver" for n in known() if n != "evolver"] if name.endswith("_evolver") else []
                raise UnknownName("merging method", name, [*known(), *wrapped, *ROWS]) from None
            raise


def _set(options: Options) -> list[str]:
    """The knobs that the user set: `train_rows`, `ties.k`."""
    return [text.partition("=")[0] for text in options.settings]


def _given(asked: Sequence[str]) -> dict[str, Path]:
    from harness.data.emotion import IN_DOMAIN
    from harness.data.glue import TASKS

    given = {}
    for text in asked:
        corpus, separator, folder = text.partition("=")
        if not separator:
            raise MergeboardError(f"--member {text}: write CORPUS=FOLDER, for instance --member isear=./my-isear-model")
        if corpus not in (*IN_DOMAIN, *TASKS):
            raise UnknownName("in-domain corpus or GLUE task", corpus, (*IN_DOMAIN, *TASKS))
        if not (Path(folder).expanduser() / "config.json").is_file():
            raise MergeboardError(
                f"--member {text}: {folder} has no config.json; name a folder in transformers' layout"
            )
        given[corpus] = Path(folder).expanduser().resolve()
    return given


def _data(folder: str | None, models: Sequence[ModelName], config: pytest.Config) -> Path | None:
    from harness.data.emotion import FILE, ORIGIN
    from harness.data.glue import ORIGIN as GLUE_ORIGIN

    real = [str(m) for m in models if not m.tiny]
    if folder is None:
        if real and not config.option.collectonly:
            raise MergeboardError(
                f"--model {real[0]} needs real data: give --data=FOLDER with {FILE} in it ({ORIGIN}), or with glue/ in "
                f"it ({GLUE_ORIGIN}), or --data=hub for GLUE alone"
            )
        return None
    tiny = [str(m) for m in models if m.tiny]
    if tiny:
        raise MergeboardError(f"--model {tiny[0]} knows only the words of its made-up world; leave --data out")
    if folder == HUB:
        return None
    path = config.invocation_params.dir / Path(folder).expanduser()
    if not (path / FILE).is_file() and not (path / "glue").is_dir():
        raise MergeboardError(
            f"--data {folder}: there is neither {FILE} in it ({ORIGIN}) nor a folder glue ({GLUE_ORIGIN})"
        )
    return path.resolve()


def _require_different(models: Sequence[ModelName]) -> None:
    seen: dict[str, Any] = {}
    for model in models:
        if seen.setdefault(slug(model.display), model) != model:
            raise MergeboardError(f"two models are called {model}; name one of them with --model=NAME=FOLDER")
