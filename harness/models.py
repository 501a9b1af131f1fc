"""Where a model comes from: a name on the hub, an alias, a local folder, or one of the tiny ones built in place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError, safe_open

from harness.errors import BadModel, BadWeights
from methods.errors import UnknownName

ALIASES: Mapping[str, tuple[str, str]] = {  # the paper's models, under the names that people type -> hub name, family
    "roberta-base": ("FacebookAI/roberta-base", "encoder"),
    "distilbert-base-uncased": ("distilbert/distilbert-base-uncased", "encoder"),
    "deberta-v3-large": ("microsoft/deberta-v3-large", "encoder"),
    "microsoft/deberta-v3-large": ("microsoft/deberta-v3-large", "encoder"),
    "gpt2": ("openai-community/gpt2", "decoder"),
    "minicpm": ("openbmb/MiniCPM-2B-sft-bf16", "decoder"),
    "t5-v1_1-base": ("google/t5-v1_1-base", "encoder_decoder"),
}
TINY: Mapping[str, str] = {  # name -> family; built by harness/tiny.py
    "tiny-encoder": "encoder",
    "tiny-decoder": "decoder",
    "tiny-encoder-decoder": "encoder_decoder",
}
_NEEDED = (
    *("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt", "*.model"),
    "*.py",  # of models that bring their own code; fetched, never run unless the user trusts it
)
_IDENTITY = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
)


@dataclass(frozen=True)
class ModelName:
    """A model as the user named it: what tables call it, and where it is found."""

    display: str  # "roberta-base"
    where: str  # hub name, or a folder's path; the name itself for tiny models

    @property
    def tiny(self) -> bool:
        """Built in place, for the embedded world."""
        return self.where in TINY

    def __str__(self) -> str:
        return self.display


def parse(text: str) -> list[ModelName]:
    """The models that one `--model` means: `roberta-base`, `org/name`, `./folder`, `NAME=folder`, `tiny`.

    Errors: `UnknownName` for a bare word that is neither an alias nor a folder, `BadModel` for a folder that holds no
    model.
    """
    if text == "tiny":
        return [ModelName(name, name) for name in TINY]
    if text in TINY:
        return [ModelName(text, text)]
    display, separator, where = text.partition("=")
    if not separator:
        display, where = "", text
    folder = Path(where).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadModel(f"--model {text}: {folder} has no config.json; name a folder in transformers' layout")
        return [ModelName(display or folder.resolve().name, str(folder.resolve()))]
    if where in ALIASES:
        return [ModelName(display or where, ALIASES[where][0])]
    if "/" in where and not where.startswith((".", "/", "~")) and where.count("/") == 1:
        return [ModelName(display or where, where)]
    if "/" in where:
        raise BadModel(f"--model {text}: there is no folder {folder}")
    raise UnknownName("model", where, [*ALIASES, *TINY, "tiny"])


@lru_cache(maxsize=16)
def folder_of(where: str) -> Path:
    """The local folder of a model: itself, or its snapshot from the hub.

    Errors: `BadModel` if the hub cannot be reached or does not know the name.
    """
    if Path(where).is_dir():
        return Path(where)
    from huggingface_hub import snapshot_download  # only a hub model needs it

    try:
        return Path(snapshot_download(where, allow_patterns=list(_NEEDED)))
    except Exception as error:  # the hub's errors are many; all mean the same to the user
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadModel(
            f"model {where}: not in the local cache and not to be had from the hub ({reason}); "
            f"give a local folder with --model={where.split('/')[-1]}=FOLDER"
        ) from None


@lru_cache(maxsize=16)
def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits of a checkpoint folder: its weights, configuration and tokenizer.

    Errors: `BadWeights` if it holds a pickle instead of safetensors, or a file that is damaged.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(p.name for p in (*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")))
        if pickles:
            raise BadWeights(
                f"{folder / pickles[0]} is a pickle, which can run code when it is loaded; "
                "save the model with save_pretrained(safe_serialization=True) and name that folder"
            )
        raise BadWeights(f"{folder} holds no *.safetensors file")
    for path in weights:
        try:
            with safe_open(path, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise BadWeights(f"{path} is damaged or cut short ({error}); copy it again") from None
    digest = hashlib.sha256()
    for path in (*(folder / name for name in _IDENTITY), *weights):
        if path.is_file():
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()[:16]
