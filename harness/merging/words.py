"""The words of `python -m harness merge`, checked without torch: what is wrong with them is known at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import parsing
from harness.checkpoints import brought
from harness.checkpoints.folders import is_adapter
from harness.errors import BadModel, BadWeights
from harness.session import places
from methods.catalogue import BUILT_IN
from methods.errors import MergeboardError, UnknownName
from methods.naming.names import all_parts_of, class_of, require

USAGE = """python -m harness merge METHOD --base BASE --member A --member B --out FOLDER [options]

  METHOD     how they are merged: simple, ties, dare_linear, ... (docs/methods tells of each)
  --base     the model that the members were fine-tuned from: a folder, or org/name@revision of the hub
  --member   a fine-tuned model or a LoRA adapter of the base: FOLDER, NAME=FOLDER or NAME=org/name@revision; once each
  --out      the folder that is written; it must not be there yet, or be empty
  --set      METHOD.OPTION=VALUE, for instance --set ties.k=0.3
  --dtype    fp32, bf16 or fp16 for the result; as the members are, unless said
  --seed     another draw of a method that draws at random, as dare_linear: its mask_seed
  --fisher, --gram   a safetensors file of statistics for each member, in their order, for methods that need it
  --trust-configs    take members whose config.json or words differ from the base's; the merge has the first member's

Nothing is scored: whether the merge is any good, pytest suites/ tells."""
ONCE = ("base", "out", "dtype", "seed")
SEVERAL = ("member", "set", "fisher", "gram")
ALONE = ("trust-configs",)  # have no value
SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}  # as protocols write them
ASKING = {  # what a method may need and no folder holds
    *("development scores", "development rows", "training rows", "all members at inference", "the task of a row"),
}
DRAWS = "mask_seed"  # the option of methods that draw
EXAMPLE = "python -m harness merge METHOD --base BASE --member A --member B --out FOLDER"


@dataclass(frozen=True)
class Order:
    """What is to be merged."""

    method: str
    knobs: Mapping[str, Mapping[str, Any]]  # METHOD -> KNOB -> VALUE
    base: str | None  # a folder, or a name on the hub
    members: Mapping[str, str]  # name -> the same
    target: Path
    dtype: str | None
    seed: int
    statistics: Mapping[str, tuple[Path, ...]]  # "fisher", "gram" -> a file for each member
    any_config: bool  # whether a member's config.json may differ
    said: tuple[str, ...]  # the words themselves

    @property
    def read(self) -> list[Path]:
        """Folders of which all is going to be read; what comes from the hub is not among them."""
        folders = [parsing.expanded(where) for where in self.members.values()]
        if self.base and ("ancestor" in needs_of(self.method) or any(map(is_adapter, folders))):
            folders.append(parsing.expanded(self.base))
        return [folder for folder in folders if folder.is_dir()]


def asked(words: Sequence[str], here: Path) -> Order:
    """The command line behind `merge`. Errors: `MergeboardError` in one line."""
    if not words or words[0].startswith("-"):
        raise MergeboardError(f"write {EXAMPLE}; --help says more")
    method, given = words[0], _taken_apart(words[1:])
    knobs = _knobs(method, given["set"])
    seed = parsing.seed_of(given["seed"][0]) if given["seed"] else None
    require(method, knobs)
    if seed is not None:
        knobs = _drawn(method, knobs, seed)
    members = _members(given["member"])
    base = given["base"][0] if given["base"] else None
    _require_possible(method, base, len(members), given)
    if not given["out"]:
        raise MergeboardError("say where the merge is written: --out FOLDER, a folder that is not there yet")
    target = here / parsing.expanded(given["out"][0])
    places.require_new("--out", target)
    dtype = parsing.choice_of("--dtype", given["dtype"][0], (*SHORT, *SHORT.values())) if given["dtype"] else None
    root = None if base is None else _place("--base", base)
    found = {name: _place(f"--member {name}", where) for name, where in members.items()}
    read = {"--base": root, **{f"--member {name}": where for name, where in found.items()}}
    places.require_apart("--out", target, [(n, Path(w)) for n, w in read.items() if w and Path(w).is_dir()])
    return Order(
        method=method,
        knobs=knobs,
        base=root,
        members=found,
        target=target,
        dtype=SHORT.get(dtype, dtype) if dtype else None,
        seed=seed or 1,
        statistics={kind: _files(kind, given[kind], len(members)) for kind in ("fisher", "gram") if given[kind]},
        any_config=bool(given["trust-configs"]),
        said=("merge", *words),
    )


def _taken_apart(words: Sequence[str]) -> dict[str, list[str]]:
    """Option -> its values, `--name=value` and `--name value` alike."""
    given: dict[str, list[str]] = {name: [] for name in (*ONCE, *SEVERAL, *ALONE)}
    left = list(words)
    while left:
        word = left.pop(0)
        name, sign, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            raise MergeboardError(f"{word} stands alone; behind METHOD come options, as in {EXAMPLE}")
        if name not in given:
            raise UnknownName("option of harness merge", f"--{name}", [f"--{known}" for known in given])
        if name in ALONE:
            if sign:
                raise MergeboardError(f"--{name} has no value; leave ={value} out")
            given[name].append(name)
            continue
        if not sign:
            if not left or left[0].startswith("--"):
                raise MergeboardError(f"--{name} wants a value; --help says more")
            value = left.pop(0)
        if name in ONCE and given[name] and given[name] != [value]:
            raise MergeboardError(f"--{name} is given twice, {given[name][0]} and {value}; leave one out")
        parsing.require_text(f"--{name}", value)
        given[name].append(value)
    return given


def _knobs(method: str, settings: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    parsing.require_once((f"--set {text.partition('=')[0]}", text.partition("=")[2]) for text in settings)
    for text in settings:
        name, value = parsing.pair_of("--set", text, "METHOD.OPTION=VALUE, for instance --set ties.k=0.3")
        owner, dot, knob = name.partition(".")
        if not dot:
            raise MergeboardError(f"--set {text}: write METHOD.OPTION=VALUE, such as --set {method}.{name}={value}")
        if owner != method:
            raise MergeboardError(f"--set {text} is about {owner}, and {method} is merged; set options of {method}")
        found.setdefault(owner, {})[knob] = value
    return found


def _drawn(method: str, knobs: dict[str, dict[str, str]], seed: int) -> dict[str, dict[str, str]]:
    """The options with a seed among them. What we have draws by an option, so that a merge is told by its options
    alone; a plug-in may draw by the seed itself."""
    if getattr(class_of(method), DRAWS, None) is None:
        if method in BUILT_IN:
            raise MergeboardError(f"--seed changes nothing of {method}; leave it out")
        return knobs
    own = knobs.get(method, {})
    if DRAWS in own:
        raise MergeboardError(f"--seed {seed} and --set {method}.{DRAWS}={own[DRAWS]} say the same; leave one out")
    return {**knobs, method: {**own, DRAWS: str(seed)}}


def _members(given: Sequence[str]) -> dict[str, str]:
    """Name -> where it lies; a folder without a name is called as the folder is."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, where = text.partition("=")
        if not sign or parsing.folder_at(text) is not None or "/" in name:
            name, where = Path(text.partition("@")[0]).name or Path(text).resolve().name, text
        if not name or not where:
            raise MergeboardError(f"--member {text}: write FOLDER or NAME=FOLDER")
        if name in found:
            raise MergeboardError(f"two members are called {name}; name them, --member NAME=FOLDER")
        found[name] = where
    if not found:
        raise MergeboardError(f"name the models that are merged: {EXAMPLE}")
    return found


def _require_possible(method: str, base: str | None, members: int, given: Mapping[str, Sequence[str]]) -> None:
    """Refuse a method that needs what is not there, as far as its outline tells."""
    needs = needs_of(method)
    if len(all_parts_of(method)) > 1:
        raise MergeboardError(
            f"{method} searches by scores, and here nothing is scored; run it in a session, pytest suites/"
        )
    if lacking := sorted(needs & ASKING):
        raise MergeboardError(
            f"{method} needs {lacking[0]}, and folders hold none; run it in a session, pytest suites/"
        )
    if "ancestor" in needs and base is None:
        raise MergeboardError(f"{method} needs the model that the members were fine-tuned from; add --base BASE")
    for kind in ("fisher", "gram"):
        if kind in needs and not given[kind]:
            raise MergeboardError(
                f"{method} needs statistics of every member; add --{kind} FILE for each, or run a session"
            )
        if kind not in needs and given[kind]:
            raise MergeboardError(f"--{kind} changes nothing: {method} asks for none; leave it out")
    for word, fits, few in (("two members", members == 2, "two"), ("three members", members >= 3, "three or more")):
        if word in needs and not fits:
            raise MergeboardError(f"{method} merges {few} members, and there are {members}; name so many with --member")


def needs_of(method: str) -> set[str]:
    """The words of `methods/needs.py` for what this method needs, as its outline tells them."""
    return set(getattr(class_of(method), "needs", ()))


def _files(kind: str, given: Sequence[str], members: int) -> tuple[Path, ...]:
    if len(given) != members:
        raise MergeboardError(f"--{kind} is given {len(given)} times for {members} members; give one file per member")
    for text in given:
        if not parsing.expanded(text).is_file():
            raise MergeboardError(f"--{kind} {text}: there is no such file; name a safetensors file")
    return tuple(parsing.expanded(text) for text in given)


def _place(what: str, where: str) -> str:
    """Where a model lies. Errors: one line that begins with `what`."""
    try:
        return brought.place_of(what, where)
    except (BadModel, BadWeights) as error:
        raise MergeboardError(str(error)) from None
