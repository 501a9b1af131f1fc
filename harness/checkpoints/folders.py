"""What a model's folder says of itself before anything is loaded: that it is an adapter, or quantised."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.checkpoints.written import json_of
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
        config = json_of(folder / "config.json")
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
            found = json_of(folder / name)["auto_map"].values()
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
    """Why something could not be loaded: a package that is missing or has changed, or what the exception says."""
    if (gone := _gone(error)) is not None:
        package, asked = gone
        return (
            f"its code asks {package} for {asked}, which release {version(package)} does not have; take a newer "
            f"revision of the model, or the {package} that it was written for; config.json may name that release"
        )
    missing = missing_library(error)
    return one_line(error) if missing is None else f"it needs the package {missing}: pip install {missing}"


def _gone(error: BaseException) -> tuple[str, str] | None:
    """An installed package and what a model's own code wants of it, where it no longer has that."""
    name = (error.name or "") if isinstance(error, ImportError) else ""
    found = re.search(r"cannot import name '(\w+)' from '([\w.]+)'", str(error)) if name else None
    if found is None and isinstance(error, AttributeError):
        found = re.match(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'", str(error))
        name, asked = (found["module"], found["name"]) if found else ("", "")
    else:
        asked = found[1] if found else name
    package, dot, _ = name.partition(".")
    if not name or (asked == name and not dot):  # the package itself is missing
        return None
    try:
        version(package)
    except PackageNotFoundError:
        return None
    return package, asked


def missing_library(error: BaseException) -> str | None:
    """The package that a model or tokenizer wants and that is not installed."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError) and error.name and _gone(error) is None:
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
