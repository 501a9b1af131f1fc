"""Models, members and data that the options name: each is found, or refused in one line before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import parsing
from harness.checkpoints import brought
from harness.checkpoints.names import ModelName
from harness.lm_eval import session as lm_eval
from harness.lm_eval.words import OPTION
from harness.records.record import slug
from harness.suites import looked_up, near
from harness.suites.own import session as own
from harness.suites.setting import corpus_of
from methods.errors import MergeboardError, UnknownName

HUB = "hub"  # --data=hub
OWN, RECIPES = "test_own.py", "test_recipes.py"


@dataclass(frozen=True)
class Given:
    """A member that the user brings."""

    where: str  # a folder's whole path, or a name on the hub
    what: str  # begins every line about it


def of_task(texts: Sequence[str] | None, config: pytest.Config) -> dict[brought.Key, Given]:
    """Begin with the user's file, if one is named, and give the members that it brings."""
    text, *others = dict.fromkeys(texts) if texts else (None,)
    if others:
        raise MergeboardError(
            f"--task is given twice, {text} and {others[0]}; a session has one file, which may hold several tasks"
        )
    suite = own.begin(None if text is None else config.invocation_params.dir / parsing.expanded(text))
    if suite is None:
        if _names(config, OWN):
            raise MergeboardError(f"{OWN} asks about a task of yours: describe it in a file, and give --task=FILE.toml")
        return {}
    if suite.setting("recipe") is None and _names(config, RECIPES):
        raise MergeboardError(
            f'--task {text}: {RECIPES} asks about a target, and the file names none; write sources = ["ONE", "OTHER"] '
            'and target = ["CORPUS"] in it'
        )
    what = "--task {}, members of [corpora.{}]".format
    places = ((key, place, what(text, key[0])) for key, place in suite.given.items())
    return {key: Given(brought.place_of(said, place), said) for key, place, said in places}


def of_lm_eval(
    tasks: Sequence[str], folder: str | None, members: Sequence[str], models: Sequence[ModelName], config: pytest.Config
) -> None:
    """Begin with the tasks of lm-eval that are named; whatever is a member is one of theirs."""
    place = None if folder is None else config.invocation_params.dir / parsing.expanded(folder)
    suite = lm_eval.begin(tasks, place, members, base=not any(model.tiny for model in models))
    if suite is None and any(Path(str(word).partition("::")[0]).name == lm_eval.FILE for word in config.args):
        raise MergeboardError(
            f"{lm_eval.FILE} asks tasks of lm-eval: name one with {OPTION}=NAME, the model with --model=BASE, and two "
            f"or more that were made of it, each by {brought.OPTION} NAME=FOLDER"
        )


def _names(config: pytest.Config, file: str) -> bool:
    """Whether the command line names this file of suites."""
    return any(Path(str(word).partition("::")[0]).name == file for word in config.args)


def of_members(asked: Sequence[str]) -> dict[brought.Key, Given]:
    """The members that the words of `--member` bring."""
    given: dict[brought.Key, Given] = {}
    for text in asked:
        name, place = parsing.pair_of(brought.OPTION, text, brought.EXAMPLE)
        key = brought.key_of(name)
        if not any(corpus_of(key[0]) in suite.trained() for suite in looked_up()):
            trained = [name for suite in near() for name in suite.trained()]
            raise UnknownName("corpus that members are trained on", key[0], trained)
        where = brought.place_of(f"{brought.OPTION} {text}", place)
        what = f"{brought.OPTION} {brought.word_of(key)}"
        parsing.require_once([*((member.what, member.where) for member in given.values()), (what, where)])
        given[key] = Given(where, what)
    return given


def trusted(asked: Sequence[str], models: Sequence[ModelName], given: Mapping[brought.Key, str]) -> frozenset[str]:
    """Where code may be run. A word alone trusts the models, never a member: each folder is trusted by itself."""
    by_name = {name: m.where for m in models for name in (m.display, m.where)}
    there = {*by_name.values(), *given.values()}
    found: set[str] = set()
    for text in asked:
        where = by_name.get(text) or (text if text in there else str(parsing.expanded(text).resolve()))
        if text and where not in there:
            raise MergeboardError(
                f"--trust-remote-code {text}: no --model or --member lies there; write --trust-remote-code=FOLDER, or "
                "the option without a name behind all other words"
            )
        found |= {where} if text else {m.where for m in models}
    return frozenset(found)


def data_in(folder: str | None, models: Sequence[ModelName], config: pytest.Config) -> Path | None:
    """The folder of `--data`; None where rows come from elsewhere."""
    if folder is None:
        return None
    tiny = [str(m) for m in models if m.tiny]
    if tiny:
        raise MergeboardError(f"--model {tiny[0]} knows only the words of its made-up world; leave --data out")
    if folder == HUB:
        return None
    path = config.invocation_params.dir / parsing.expanded(folder)
    if not any(suite.data and suite.lies_in(path) for suite in looked_up()):
        wanted = " nor ".join(suite.data for suite in near() if suite.data)
        raise MergeboardError(f"--data {folder}: there is neither {wanted} in it; docs/usage.md says where to get them")
    return path.resolve()


def from_hub(asked: str | None, models: Sequence[ModelName], config: pytest.Config) -> bool:
    """Whether rows are fetched: where the user says so, or says nothing and names a model that cells will be run of."""
    if config.getoption("plan", None) is not None:
        return False  # what is planned is not fetched
    return asked == HUB or (asked is None and not config.option.collectonly and any(not m.tiny for m in models))


def require_different(models: Sequence[ModelName]) -> None:
    """Refuse two models that records could not tell apart by name."""
    seen: dict[str, ModelName] = {}
    for model in models:
        if (other := seen.setdefault(slug(model.display), model)) != model:
            both = f"{model}" if other.display == model.display else f"{slug(model.display)} in names of files"
            raise MergeboardError(f"two models are called {both}; name one of them with --model=NAME=FOLDER")
