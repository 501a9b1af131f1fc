"""Whether members read and write texts alike, by the files beside their weights: a merge has those of one of them.

Vocabularies are held against each other elsewhere, where other numbers are refused; what is found here is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from harness.checkpoints.checkpoint import files
from harness.checkpoints.written import json_of
from harness.merging.beside import has_words, listed

_FAST, _SLOW, _MARKS, _ENDS = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"),
)
_RAW = ("merges.txt", "*.model", "*.spm", "*.tiktoken", "bpe.codes")  # of tokenizers that have no `_FAST`
_SILENT = (  # fields that say where a tokenizer comes from, what releases call it, or what is looked at by itself
    *("name_or_path", "tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file", "added_tokens_decoder"),
    *("auto_map", "processor_class", "tokenizer_class", "backend", "is_local", "local_files_only", "chat_template"),
    *("transformers_version", "_from_model_config", "_commit_hash", "additional_special_tokens"),
    *("extra_special_tokens", "init_inputs"),
)
_ENDLESS = 1e20  # a maximal length from which on it is none


def other_readings(members: Mapping[str, Path], taken: Sequence[Path]) -> dict[str, str]:
    """Member -> a line, where its texts are read, cut, framed or ended otherwise than by the files of the merge.

    `taken`: the folders that these come from, each file from the first that has it; the last one has the tokenizer.
    """
    called = {folder: name for name, folder in reversed([*members.items()])}
    ending = next((folder for folder in taken if (folder / _ENDS).is_file()), taken[0])
    lines = {}
    for name, folder in members.items():
        found = {
            **dict.fromkeys(_otherwise_read(folder, taken[-1]), taken[-1]),
            **dict.fromkeys(_otherwise_ended(folder, ending), ending),
        }
        if found:
            whose = " and ".join(dict.fromkeys(called.get(owner, "the base") for owner in found.values()))
            parts = listed(list(found))
            lines[name] = f"it reads or writes texts otherwise than {whose}, whose files are taken: {parts}"
    return lines


def _otherwise_read(folder: Path, taken: Path) -> Iterator[str]:
    """What differs between two tokenizers; nothing where one of the two folders has none."""
    if not (has_words(folder) and has_words(taken)):
        return
    if (folder / _FAST).is_file() and (taken / _FAST).is_file():
        differ = _is_other(folder / _FAST, taken / _FAST)  # they are large and mostly the same, and then not parsed
        own, theirs = (_told(f / _FAST) if differ else {} for f in (folder, taken))
        for part in _differing(_parts(own), _parts(theirs)):
            yield f"{part} in {_FAST}"
        flags = [_flags(told.get("added_tokens")) for told in (own, theirs)]
    else:
        yield from (name for name in files(folder) if _is_raw(name) and _is_other(folder / name, taken / name))
        flags = [_flags(_told(f / _SLOW).get("added_tokens_decoder")) for f in (folder, taken)]
    if odd := [word for word in flags[0] if flags[0][word] != flags[1].get(word, flags[0][word])]:
        yield f"flags of {listed(odd)}"
    for part in _differing(_fields(folder), _fields(taken)):
        yield f"{part} in {_SLOW}"
    if _template(folder) != _template(taken):
        yield "chat template"


def _otherwise_ended(folder: Path, taken: Path) -> Iterator[str]:
    """What differs between two models in how they write; one without a file for it writes as its config.json says."""
    own, theirs = (_told(f / _ENDS) for f in (folder, taken))
    if not (folder / "config.json").is_file():
        return
    asked = {*own, *theirs} - {*_SILENT}
    both = (_said(told or _told(f / "config.json"), asked) for told, f in ((own, folder), (theirs, taken)))
    for part in _differing(*both):
        yield f"{part} in {_ENDS}"


def _parts(told: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a fast tokenizer, without what its words are numbered by; a word's weight is a part."""
    model = {name: part for name, part in (told.get("model") or {}).items() if name not in ("vocab", "merges")}
    vocabulary, merges = ((told.get("model") or {}).get(name) for name in ("vocab", "merges"))
    if isinstance(vocabulary, list):
        model["weights of words"] = vocabulary
    if isinstance(merges, list):  # written as one text or as two, by releases
        model["merges"] = [pair.split(" ") if isinstance(pair, str) else pair for pair in merges]
    rest = {name: part for name, part in told.items() if name not in ("model", "added_tokens")}
    return {**rest, **{f"model.{name}": part for name, part in model.items()}}


def _flags(added: Any) -> dict[str, Any]:
    """A word that was added -> how it is found in a text."""
    words = list(added.values()) if isinstance(added, dict) else added or []
    return {
        str(word["content"]): _bare({name: flag for name, flag in word.items() if name != "id"})
        for word in words
        if isinstance(word, dict) and "content" in word
    }


def _fields(folder: Path) -> dict[str, Any]:
    """What a tokenizer is told beside its words: lower case, sides, the longest text, which words are marks."""
    told = {**_told(folder / _MARKS), **_told(folder / _SLOW)}
    own = _said(told, set(told) - {*_SILENT})
    longest = own.get("model_max_length")
    if isinstance(longest, int | float) and longest > _ENDLESS:
        own.pop("model_max_length")
    return own


def _template(folder: Path) -> str:
    """What puts turns of a conversation together, wherever it is written."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8", errors="replace")
    told = _told(folder / "chat_template.json").get("chat_template") or _told(folder / _SLOW).get("chat_template")
    return str(told or "")


def _said(told: Mapping[str, Any], asked: set[str]) -> dict[str, Any]:
    """Some fields; of a word that is written with its flags, the word."""
    found = {name: told.get(name) for name in asked}
    return {name: x["content"] if isinstance(x, dict) and "content" in x else x for name, x in found.items()}


def _differing(own: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*own, *theirs}):
        if _bare(own.get(name)) != _bare(theirs.get(name)):
            yield name


def _bare(part: Any) -> Any:
    """Without what is not so: releases differ in whether they write it down."""
    if isinstance(part, dict):
        return {name: bare for name, x in part.items() if (bare := _bare(x)) is not None}
    if isinstance(part, list) and part and isinstance(part[0], dict):
        return [_bare(x) for x in part]
    return None if part is False else part


def _is_raw(name: str) -> bool:
    return any(fnmatch(name.lower(), pattern) for pattern in _RAW)


def _is_other(one: Path, other: Path) -> bool:
    """Whether two files that are there differ by more than a comment at their beginning."""
    if not other.is_file():
        return False
    a, b = (path.read_bytes() for path in (one, other))
    return _rows(a) != _rows(b) if one.suffix == ".txt" else a != b


def _rows(content: bytes) -> list[bytes]:
    return [row for row in content.splitlines() if row and not row.startswith(b"#version")]


def _told(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or none that can be read."""
    try:
        told = json_of(path)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
