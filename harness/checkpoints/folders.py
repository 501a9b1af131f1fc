"""What a model's folder says of itself before anything is loaded: that it is an adapter, or quantised."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from harness.errors import BadModel

ADAPTER = (
    "is an adapter (adapter_config.json), no whole model; bring it as a member, --member NAME=FOLDER, or load it with "
    "peft, call merge_and_unload() and save the result with save_pretrained()"
)
_LIBRARIES = (("sentencepiece", "sentencepiece"), ("protobuf", "google.protobuf"), ("tiktoken", "tiktoken"))
_QUANTISED = ("quantization_config", "compression_config")


def config_of(folder: Path) -> dict[str, Any]:
    """`config.json` as it is written. Errors: `BadModel` if there is none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadModel(f"{folder}: config.json cannot be read ({one_line(error)})") from None
    if not isinstance(config, dict):
        raise BadModel(f"{folder}: config.json is no object")
    return config


def is_adapter(folder: Path) -> bool:
    """Whether peft saved it, which keeps an adapter without its model."""
    return (folder / "adapter_config.json").is_file()


def require_whole(folder: Path) -> None:
    """Refuse an adapter and quantised weights, each in a line that says what to do. Errors: `BadModel`."""
    if is_adapter(folder):
        raise BadModel(f"{folder} {ADAPTER}")
    config = config_of(folder)
    inner = [part for part in config.values() if isinstance(part, dict)]
    for part in (config, *inner):
        for name in _QUANTISED:
            if part.get(name):
                how = part[name].get("quant_method") if isinstance(part[name], dict) else None
                raise BadModel(quantised(folder, f"{name} {how}" if how else name))


def require_own_code(folder: Path) -> None:
    """Refuse code that would be fetched from another repository, as it is today, under no fingerprint.

    Errors: `BadModel`.
    """
    for name in ("config.json", "tokenizer_config.json"):
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))["auto_map"].values()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        for text in (t for value in found for t in (value if isinstance(value, list) else [value])):
            repository, separator, module = str(text).partition("--")
            if separator:
                raise BadModel(
                    f"{folder}: {name} takes {module} from {repository} on the hub, at no fixed commit; copy the "
                    f'Python files of {repository} into a folder of yours, and take "{repository}--" out of its {name}'
                )


def quantised(folder: Path, sign: str) -> str:
    """The line about weights that were saved quantised."""
    return (
        f"{folder} holds quantised weights ({sign}), which cannot be merged; name the model that they were made from, "
        "or dequantise it and save it in float32, float16 or bfloat16"
    )


def one_line(error: BaseException, most: int = 300) -> str:
    """What an exception says, in one line that a terminal can show."""
    said = " ".join(str(error).split())
    if not said or isinstance(error, KeyError):  # which says the key alone
        said = f"{type(error).__name__}: {said}".removesuffix(": ")
    return said if len(said) <= most else f"{said[:most]}..."


def because(error: BaseException) -> str:
    """Why something could not be loaded: a package that is missing, or what the exception says."""
    package = missing_library(error)
    return one_line(error) if package is None else f"it needs the package {package}: pip install {package}"


def missing_library(error: BaseException) -> str | None:
    """The package that a model or tokenizer wants and that is not installed."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name.partition(".")[0]
    for package, module in _LIBRARIES:
        if package in text.lower():
            try:
                found = importlib.util.find_spec(module)
            except ModuleNotFoundError:
                found = None
            if found is None:
                return package
    found_name = re.search(r"pip install ([\w-]+)", text)
    return found_name[1] if found_name and isinstance(error, ImportError) else None
