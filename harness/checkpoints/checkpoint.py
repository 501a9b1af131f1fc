"""A checkpoint's folder: which of its files decide what the model is, which hold its weights, and the hash of both."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open

from harness.checkpoints.written import json_of
from harness.errors import BadWeights, no_memory

SAFE, PICKLE = ("model.safetensors", "pytorch_model.bin")  # in the order in which they are looked for
INDEX = ".index.json"  # of weights in several files
_WHOLE = re.compile(r"(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?")
OWN_NAME = "transformers_weights"  # a field of config.json: another name of the file of weights
ADAPTER_CONFIG = "adapter_config.json"  # where it is, the folder holds no model but what PEFT changes of one
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_HARMLESS = (  # in lower case; every other file may decide, and so is part of the fingerprint
    *("readme*", "license*", "licence*", "notice*", "*.md", "*.pdf", "*.ipynb"),
    *("*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.webp", "*.ico"),
    *("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.ckpt"),  # unread
    *("*.msgpack", "*.msgpack.index.json", "*.h5", "*.h5.index.json", "*.ot", "*.onnx", "*.onnx_data", "*.onnx.data"),
    *("*.tflite", "*.pb", "tf_model*", "*.ckpt.*", "*.gguf", "*.ggml", "*.mlmodel", "openvino*"),
    *("trainer_state.json", "training_args.*", "*_results.json", "*_results.txt", "random_states*.pkl"),
    *("events.out.tfevents*", "*.log", "*.pyc"),
    *("recipe.json", "mergeboard.json"),  # what the zoo and an export say of what they made
)
_HARMLESS_FOLDERS = (
    *("checkpoint-*", "runs", "wandb", "logs", "__pycache__"),
    *("onnx", "openvino", "coreml", "tf_saved_model", "saved_model"),
)


@lru_cache(maxsize=16)
def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits of all that decides what a checkpoint's folder holds: names, sizes and contents of files.

    Where the folder lies, how old its files are and whether they are links does not matter.

    Errors: `BadWeights` if it holds no weights, or a file that is damaged or cannot be read.
    """
    require_weights(folder)
    names = files(folder)
    weights = weight_files(folder, names)
    digest = hashlib.sha256()
    try:
        for name in sorted({*filter(decides, names), *weights}):
            said, path = os.fsencode(name), folder / name
            digest.update(len(said).to_bytes(8, "little") + said + path.stat().st_size.to_bytes(8, "little"))
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    except OSError as error:
        raise BadWeights(f"{folder / name} cannot be read ({error.strerror or error})") from None
    return digest.hexdigest()[:16]


def require_weights(folder: Path) -> None:
    """Raise `BadWeights` if a folder has no weights, damaged ones or some that may not be read, as far as their
    beginnings tell."""
    try:
        names = files(folder)
    except OSError as error:
        raise BadWeights(f"{folder} cannot be read ({error.strerror or error})") from None
    for name in weight_files(folder, names):
        require_whole(folder / name)


def files(folder: Path) -> tuple[str, ...]:
    """The regular files of a folder and of those in it, as "name" or "folder/name"; links are followed.

    Folders in which nothing decides (training state, other frameworks) are left out.
    """
    return tuple(sorted(_below(folder, "", ())))


def _below(folder: Path, name: str, above: tuple[str, ...]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in above:
        return  # a link that leads back up
    for entry in os.scandir(folder):
        if entry.is_file():
            yield name + entry.name
        elif entry.is_dir() and _may_decide(entry.name):
            yield from _below(Path(entry.path), f"{name}{entry.name}/", (*above, real))


def _may_decide(folder: str) -> bool:
    return not folder.startswith(".") and not any(fnmatch(folder.lower(), p) for p in _HARMLESS_FOLDERS)


def decides(name: str) -> bool:
    """Whether a file that holds no weights can change what the model is; whatever is not known to be harmless can."""
    *folders, last = PurePosixPath(name.lower()).parts
    if last.startswith(".") or not all(map(_may_decide, folders)):
        return False  # also of git, of the hub's client, of file managers
    return not any(fnmatch(last, pattern) for pattern in _HARMLESS)


def weight_files(folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """The files among `names` that weights are read from: one, or an index and the parts that it lists.

    Safetensors come before pickles, as in transformers. `names` may hold more than lies in the folder yet; an index
    and config.json must be there.

    Errors: `BadWeights` if there are none, an index cannot be read, or a part is missing.
    """
    adapter, own = ADAPTER_CONFIG in names, _own_name(folder)
    usual = (SAFE, SAFE + INDEX, PICKLE, PICKLE + INDEX)
    for name in ADAPTER_WEIGHTS if adapter else (own,) if own else usual:
        if name not in names:
            continue
        parts = sorted({*parts_of(folder / name).values()}) if name.endswith(INDEX) else []
        for part in parts:
            if part not in names:
                raise BadWeights(f"{folder} holds no {part}, which its {name} lists; copy it again")
        return (name, *parts)
    others = [name for name in names if name.endswith((".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack"))]
    wanted = ADAPTER_WEIGHTS[0] if adapter else own or f"{SAFE} and no {PICKLE}"
    raise BadWeights(
        f"{folder} holds no {wanted}{f', only {sorted(others)[0]}' if others else ''}; "
        "save the model with save_pretrained and name that folder"
    )


def whole_files(folder: Path, names: Collection[str]) -> list[str]:
    """Those among a folder's files that transformers reads a whole model from, or that are a part of one."""
    own = _own_name(folder)
    return sorted(name for name in names if name == own or _WHOLE.fullmatch(name))


def held(folder: Path) -> dict[str, str]:
    """Tensor -> its type ("F32", "BF16", "I64"), as the headers of the safetensors have it; of a pickle nothing.

    Errors: `BadWeights` if a file is damaged.
    """
    return {name: kind for name, (kind, _) in _headers(folder).items()}


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Tensor -> its shape, likewise."""
    return {name: shape for name, (_, shape) in _headers(folder).items()}


def _headers(folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path in (folder / name for name in weight_files(folder, files(folder)) if name.endswith(".safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118  # no mapping
                    tensor = file.get_slice(name)
                    found[name] = str(tensor.get_dtype()), tuple(tensor.get_shape())
        except (SafetensorError, OSError, MemoryError) as error:
            if (full := no_memory(path, error)) is not None:
                raise full from None
            raise BadWeights(f"{path} is damaged or cut short ({error}); copy it again") from None
    return found


def parts_of(path: Path) -> Mapping[str, str]:
    """Which part holds which tensor, by an index.

    Errors: `BadWeights` if it cannot be read, or leads out of its folder.
    """
    try:
        found = json_of(path)["weight_map"]
        parts = {str(name): str(part) for name, part in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadWeights(f"{path} is damaged: no index of weights; copy it again") from None
    for part in parts.values():
        if PurePosixPath(part).is_absolute() or ".." in PurePosixPath(part).parts:
            raise BadWeights(f"{path} lists {part}, which lies outside its folder")
    return parts


def without_weights(names: Iterable[str]) -> list[str]:
    """What is fetched before it is known which weights are read: files that decide, and indices."""
    return [name for name in names if decides(name) or name in (SAFE + INDEX, PICKLE + INDEX)]


def _own_name(folder: Path) -> str | None:
    """The file of weights that config.json names, which few do."""
    try:
        config = json_of(folder / "config.json")
    except (OSError, ValueError):
        return None  # told by who reads the configuration
    found: Any = config.get(OWN_NAME) if isinstance(config, dict) else None
    return found if isinstance(found, str) else None


def require_whole(path: Path) -> None:
    """Raise `BadWeights` if a file of weights is damaged, as far as its beginning tells; a pickle may show it later."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy"):
                pass
        elif path.suffix != ".json":  # an index is read by who looks for its parts
            _require_pickle(path)
    except (SafetensorError, OSError, MemoryError) as error:
        if (full := no_memory(path, error)) is not None:
            raise full from None
        raise BadWeights(f"{path} is damaged or cut short ({error}); copy it again") from None


def _require_pickle(path: Path) -> None:
    """Raise `BadWeights` for what torch never wrote: a page, a pointer of git's, an archive without its end."""
    with path.open("rb") as file:
        whole = file.read(1) == b"\x80"  # a bare pickle, as torch wrote until 2020
    if not whole and zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                tables = [name for name in archive.namelist() if name.endswith("/data.pkl")]
                whole = bool(tables) and all(archive.read(name) for name in tables)  # the sum of its bytes is checked
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error):
            whole = False
    if not whole:
        raise BadWeights(f"{path} is damaged, cut short or no checkpoint of torch's; copy it again")
