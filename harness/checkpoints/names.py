"""Where a model comes from: a name on the hub, an alias, a local folder, or one of the tiny ones built in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoints.checkpoint import fingerprint as fingerprint
from harness.checkpoints.folders import ADAPTER, is_adapter
from harness.checkpoints.hub import REVISION
from harness.checkpoints.hub import folder_of as folder_of
from harness.errors import BadModel
from harness.parsing import folder_at, pair_of, require_text
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
TINY: Mapping[str, str] = {  # name -> family; built by harness/members/tiny.py and tiny_llama.py
    "tiny-encoder": "encoder",
    "tiny-decoder": "decoder",
    "tiny-encoder-decoder": "encoder_decoder",
    "tiny-llama": "decoder",
}
LONGEST = 120  # characters of a name; a record with a longer one is refused by `leaderboard check`


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

    A folder's name may hold `=`: the whole text is looked for before it is taken apart.

    Errors: `UnknownName` for a bare word that is neither an alias nor a folder, `BadModel` for a folder that holds no
    model, and for a name that no record can carry.
    """
    if text == "tiny":
        return [ModelName(name, name) for name in TINY]
    if text in TINY:
        return [ModelName(text, text)]
    display, where = "", text
    if "=" in text and folder_at(text) is None:
        display, where = text.split("=", 1)
        if display.startswith((".", "/", "~")):
            raise BadModel(f"--model {text}: there is no folder {text}")
        pair_of("--model", text, "NAME=FOLDER, for instance --model=mine=./my-model, or a name alone")
    found = _found(text, display, where)
    require_text("--model", found.display)
    if len(found.display) > LONGEST:
        raise BadModel(f"--model {text}: a name has at most {LONGEST} characters; give it one, --model=NAME=FOLDER")
    if found.display in TINY:
        raise BadModel(f"--model {text}: {found.display} names an embedded model; give it another name")
    return [found]


def _found(text: str, display: str, where: str) -> ModelName:
    if (folder := folder_at(where)) is not None:
        if is_adapter(folder):
            raise BadModel(f"--model {text}: {folder} {ADAPTER}")
        if not (folder / "config.json").is_file():
            raise BadModel(f"--model {text}: {folder} has no config.json; name a folder in transformers' layout")
        return ModelName(display or folder.resolve().name, str(folder.resolve()))
    if where in TINY or where == "tiny":
        raise BadModel(f"--model {text}: {where} is built in place and keeps its name; write --model={where}")
    name, at, revision = where.partition("@")
    if at and not REVISION.fullmatch(revision):
        raise BadModel(f"--model {text}: after @ stands a branch, a tag or a commit of the hub's, not {revision!r}")
    if name in ALIASES:
        return ModelName(display or where, f"{ALIASES[name][0]}{at}{revision}")
    if "/" in name and not name.startswith((".", "/", "~")) and name.count("/") == 1:
        return ModelName(display or where, where)
    if "/" in name:
        raise BadModel(f"--model {text}: there is no folder {Path(where)}")
    raise UnknownName("model", name, [*ALIASES, *TINY, "tiny"])
