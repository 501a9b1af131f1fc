"""Whether models may be merged by what lies beside their weights: configuration, labels, words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.checkpoints.alike import require_alike
from harness.checkpoints.folders import config_of, require_whole
from harness.checkpoints.written import json_of
from harness.errors import BadModel
from harness.families import kind_of
from harness.families.labels import labels_of
from harness.families.likeness import require_same_config, written_alike
from harness.members.distance import strange
from harness.streaming.agreed import Agreed
from methods.errors import MergeboardError, Misfit


def require_kin(members: Mapping[str, Path], base: Path | None, any_config: bool = False) -> None:
    """Raise one line unless these are models of one kind, which compute alike, with the same labels and words.

    An adapter's folder, which may hold neither, is held against them as far as it does.
    """
    first = next(iter(members.values()))
    for name, folder in members.items():
        against = base if base is not None else first
        require_alike(f"--member {name}", folder, [against] if (against / "config.json").is_file() else [])
        _require_same_config(name, folder, against, any_config)
    _require_same_labels({name: folder for name, folder in members.items() if (folder / "config.json").is_file()})
    _require_same_words({**members, **({"the base": base} if base is not None else {})}, any_config)


def other_labels(members: Mapping[str, Path], base: Path | None) -> str:
    """A line where the base has a head of other labels than the members, which is then no start of theirs; else ""."""
    known = [f for f in members.values() if (f / "config.json").is_file()]
    own, theirs = (labels_of(config_of(f)) if f is not None else None for f in (base, known[0] if known else None))
    if own is None or theirs is None or own == theirs:
        return ""
    return (
        f"the outputs of the base are {', '.join(own)} and those of the members {', '.join(theirs)} (id2label in "
        "config.json); a head of the base's is taken for where theirs began"
    )


def strangers(models: Agreed) -> dict[str, str]:
    """Member -> a line, where it lies so far from the base that it may not descend from it."""
    if models.base is None:
        return {}
    base, called = models.base, models.in_base
    matrices = [name for name, form in models.forms.items() if len(form.shape) == 2 and name in called]
    told = {
        who: strange(lambda name: base[called[name]], member.__getitem__, matrices)
        for who, member in zip(models.names, models.members, strict=True)
    }
    return {who: line for who, line in told.items() if line}


def _require_same_config(name: str, folder: Path, against: Path, any_config: bool) -> None:
    """Refuse a field that changes what the same numbers compute, such as how positions are told."""
    if folder == against or not all((f / "config.json").is_file() for f in (folder, against)):
        return
    require_whole(against)
    if written_alike(against, folder):
        return
    try:
        kind = "decoder" if "auto_map" in config_of(against) else kind_of(against)
        require_same_config(kind, against, folder, (), any_config)
    except MergeboardError as error:
        raise Misfit(f"--member {name}: {error}") from None


def unnamed(members: Mapping[str, Path]) -> str:
    """A line where several members have heads whose labels nobody names; else ""."""
    heads = [name for name, folder in members.items() if _outputs(folder) > 1]
    if len(heads) < 2 or any(_labels(name, members[name]) for name in heads):
        return ""
    return (
        f"the labels of {', '.join(heads)} have no names; their heads are merged output by output, which is right only "
        "if all were trained with their labels in one order"
    )


def _require_same_labels(members: Mapping[str, Path]) -> None:
    said = {name: labels for name, folder in members.items() if (labels := _labels(name, folder))}
    names = list(said)
    for name in names[1:]:
        if said[name] != said[names[0]]:
            raise Misfit(
                f"the outputs of {names[0]} are {', '.join(said[names[0]])} and those of {name} are "
                f"{', '.join(said[name])} (id2label in config.json); heads whose labels differ, or their order, cannot "
                "be merged: bring members with the same labels"
            )
    for name, folder in members.items():
        if said and name not in said and _outputs(folder) > 1:
            raise Misfit(
                f"the outputs of {names[0]} are {', '.join(said[names[0]])}, and those of {name} have no names, so "
                f"nobody knows whether they stand in that order; write id2label and label2id, in the order in which it "
                f"was trained, into {folder / 'config.json'}"
            )


def _labels(name: str, folder: Path) -> list[str] | None:
    try:
        return labels_of(config_of(folder))
    except Misfit as error:
        raise Misfit(f"--member {name}: {error}") from None


def _outputs(folder: Path) -> int:
    """How many outputs a classifier has; 0 of what is none, or does not say what it is."""
    if not (folder / "config.json").is_file():
        return 0
    config = config_of(folder)
    kinds, labels = config.get("architectures") or (), config.get("id2label")
    if kinds and not any(str(kind).endswith("Classification") for kind in kinds):
        return 0
    count = len(labels) if isinstance(labels, Mapping) else config.get("num_labels", 2 if kinds else 0)
    return count if isinstance(count, int) else 0


def _require_same_words(folders: Mapping[str, Path], any_config: bool) -> None:
    """Refuse tokenizers in which one word has two numbers, or one number two words; rows of embeddings would be
    another's."""
    numbers: dict[str, tuple[int, str]] = {}  # word -> its number, and who says so
    called: dict[int, tuple[str, str]] = {}
    for who, folder in folders.items():
        words = _words(folder)
        own = {i: word for word, i in words.items()}
        for word, i in words.items():
            known, first = numbers.setdefault(word, (i, who))
            if known != i:
                raise Misfit(f"{word!r} is token {known} in {first} and {i} in {who}; members must have one vocabulary")
        for i, word in own.items():
            other, first = called.setdefault(i, (word, who))
            if other != word and words.get(other) != i and not any_config:
                raise Misfit(
                    f"token {i} is {other!r} in {first} and {word!r} in {who}; members must have one vocabulary. Add "
                    "--trust-configs if that cannot matter"
                )


def _words(folder: Path) -> dict[str, int]:
    """Word -> its number, those that were added too, where files say so plainly; nothing otherwise."""
    found: dict[str, int] = {}
    try:
        if (told := _told(folder / "tokenizer.json")) is not None:
            vocabulary = told["model"]["vocab"]
            if isinstance(vocabulary, dict):
                found = {str(word): int(i) for word, i in vocabulary.items()}
            else:  # pairs of a word and its weight, in order
                found = _in_order(word for word, _ in vocabulary)
            found |= {str(added["content"]): int(added["id"]) for added in told.get("added_tokens") or ()}
            return found
        if (told := _told(folder / "vocab.json")) is not None:
            found = {str(word): int(i) for word, i in told.items()}
        elif (folder / "vocab.txt").is_file():
            found = _in_order((folder / "vocab.txt").read_text(encoding="utf-8").split("\n"))
        found |= {str(word): int(i) for word, i in (_told(folder / "added_tokens.json") or {}).items()}
        decoder = (_told(folder / "tokenizer_config.json") or {}).get("added_tokens_decoder") or {}
        return found | {str(added["content"]): int(i) for i, added in decoder.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadModel(f"{folder}: its vocabulary cannot be read ({type(error).__name__}); copy it again") from None


def _in_order(words: Iterable[str]) -> dict[str, int]:
    return {word: i for i, word in enumerate(words) if word}


def _told(path: Path) -> Any:
    """What a JSON file holds; None where there is none."""
    return json_of(path) if path.is_file() else None
