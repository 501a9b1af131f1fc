"""Where a model comes from: a name on the hub, an alias, a local folder, or one of the tiny ones built in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoint import fingerprint as fingerprint
from harness.errors import BadModel
from harness.hub import REVISION
from harness.hub import folder_of as folder_of
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


@dataclass(frozen=True)
class ModelName:
    """A model as the user named it: what tables call it, and where it is found."""

    display: str  # "roberta-base"
    where: str  # hub name, perhaps @revision, or a folder's path; the name itself for tiny models

    @property
    def tiny(self) -> bool:
        """Built in place, for the embedded world."""
        return self.where in TINY

    def __str__(self) -> str:
        return self.display


def parse(text: str) -> list[ModelName]:
    """The models that one `--model` means: `roberta-base`, `org/name@revision`, `./folder`, `NAME=folder`, `tiny`.

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
    name, at, revision = where.partition("@")
    if at and not REVISION.fullmatch(revision):
        raise BadModel(f"--model {text}: after @ stands a branch, a tag or a commit of the hub's, not {revision!r}")
    if name in ALIASES:
        return [ModelName(display or where, f"{ALIASES[name][0]}{at}{revision}")]
    if "/" in name and not name.startswith((".", "/", "~")) and name.count("/") == 1:
        return [ModelName(display or where, where)]
    if "/" in name:
        raise BadModel(f"--model {text}: there is no folder {folder}")
    raise UnknownName("model", name, [*ALIASES, *TINY, "tiny"])
