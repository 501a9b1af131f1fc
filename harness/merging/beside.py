"""What a merge has beside its weights: configuration, tokenizer, code of the model's own, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import torch

from harness.checkpoints.checkpoint import ADAPTER_CONFIG, OWN_NAME, decides, files, weight_files
from harness.checkpoints.folders import config_of
from harness.merging.modules import LIST, are_alike, modules_of, weights_of
from harness.streaming.agreed import is_merged
from harness.streaming.header import Form

_BELONGS = (  # names that transformers and sentence-transformers read; a folder may hold what is nobody's business
    *("*config*.json", "modules.json", "special_tokens_map.json", "added_tokens.json", "*tokenizer*", "*vocab*"),
    *("merges*", "*.model", "*.spm", "*.tiktoken", "*bpe*", "*tekken*", "spiece*", "sentencepiece*", "dict.txt"),
    *("*.jinja", "chat_template*", "normalizer.json", "*.py"),
)


def _folders(names: Sequence[str]) -> str:
    return listed([*dict.fromkeys(str(PurePosixPath(name).parent) for name in names)])


def copy(folders: Sequence[Path], target: Path, forms: Mapping[str, Form], members: Sequence[Path] = ()) -> list[str]:
    """Copy what the first of these folders has, and the tokenizer of the first one that has any.

    Gives lines for what stayed behind, and for code that came along.

    Args:
        members: those that are whole models, whose modules behind the model must be the same to come along.
    """
    said = []
    modules = weights_of(folders[0])
    if apart := modules and not are_alike([folders[0], *members]):
        said.append(
            f"{LIST} of {folders[0]} names {_folders(modules)}, whose weights cannot be merged and are not the same in "
            f"all members: not copied, nor is {LIST}; what is written is the model before them"
        )
    for other in members if not modules else ():
        if own := weights_of(other):
            said.append(
                f"{_folders(own)} of {other} has weights, and {folders[0]} has none there: not copied, nor merged"
            )
    for folder in read_from(folders):
        names = files(folder)
        left = {*weight_files(folder, names), ADAPTER_CONFIG}
        if apart or folder != folders[0]:  # whose list would name what is not there
            left |= {LIST, *modules_of(folder)}
        others = [name for name in names if decides(name) and name not in left and not (target / name).exists()]
        for name in (*filter(_belongs, others), *(modules if not apart and folder == folders[0] else ())):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
        if folder == folders[0] and (behind := [name for name in others if not _belongs(name)]):
            said.append(f"no part of a model that is known, so not copied: {listed(behind)} of {folder}")
    config = config_of(target)
    config.pop(OWN_NAME, None)  # the weights have their usual name here
    widths = Counter[torch.dtype]()
    for name, form in forms.items():
        widths[form.dtype] += form.size if is_merged(name, form) else 0
    word = str(widths.most_common(1)[0][0]).removeprefix("torch.")
    config["torch_dtype" if "torch_dtype" in config and "dtype" not in config else "dtype"] = word
    (target / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if "auto_map" in config:
        said.append(f"the model has code of its own, which was copied from {folders[0]} and not run: read it first")
    return said


def read_from(folders: Sequence[Path]) -> list[Path]:
    """Those of them that anything is copied from: up to the first one that has a tokenizer."""
    found = next((i for i, folder in enumerate(folders) if has_words(folder)), len(folders))
    return list(folders[: found + 1])


def has_words(folder: Path) -> bool:
    """Whether there is a tokenizer, of whatever kind."""
    return any(_belongs(name) and name.startswith(("token", "vocab")) for name in files(folder) if decides(name))


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _belongs(name: str) -> bool:
    return any(fnmatch(PurePosixPath(name.lower()).name, pattern) for pattern in _BELONGS)
