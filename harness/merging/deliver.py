"""From words to a folder that plain transformers loads: models opened, held against each other, streamed, described."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from harness.checkpoints.brought import folder_of
from harness.checkpoints.checkpoint import held
from harness.checkpoints.folders import config_of, is_adapter
from harness.export.place import appearing
from harness.families.door import require_bare, require_plain
from harness.members.descent import descent_of
from harness.merging.adapter import Adapted, require_base, skeleton, tied, untie, ways_of
from harness.merging.beside import copy, listed, read_from
from harness.merging.card import Facts, write_card
from harness.merging.kin import other_labels, require_kin, strangers, unnamed
from harness.merging.readings import other_readings
from harness.merging.repeated import repeated
from harness.merging.statistics import statistics
from harness.merging.whole import require_whole
from harness.merging.words import Order
from harness.streaming.agreed import Agreed, Source, agreed
from harness.streaming.merge import Beside, merge
from harness.streaming.shards import Shards
from harness.streaming.writer import size_of
from methods.catalogue import describe
from methods.errors import MergeboardError, Misfit
from methods.naming.names import resolve

Say = Callable[[str], None]
TURNED = {"clvp", "decision_transformer", "gpt2", "imagegpt", "openai-gpt"}  # kinds with weights stored (in, out)
ROOM = 1 << 26  # bytes that are wanted beside the weights: configuration, tokenizer


def deliver(order: Order, say: Say = print) -> Path:
    """Write what was ordered; the folder appears whole or not at all.

    Errors: `MergeboardError` in one line: before anything is read for what does not fit, `NotWritten` for the disk.
    """
    method = resolve(order.method, order.knobs)
    base = None if order.base is None else folder_of(("base", None), order.base, "--base")
    folders = {name: folder_of((name, None), where, f"--member {name}") for name, where in order.members.items()}
    require_kin(folders, base, order.any_config)
    models = _opened(order, folders, base, say)
    for line in filter(None, (other_labels(folders, base), unnamed(folders))):
        say(line)
    whole = [folder for folder in folders.values() if not is_adapter(folder)]
    places = list(dict.fromkeys((_plain(folders, base), *([base] if base else []), *whole)))
    notes = (repeated(folders, base, models), other_readings(folders, read_from(places)), strangers(models))
    for name, line in (pair for told in notes for pair in told.items()):
        say(f"--member {name}: {line}")
    beside = Beside(statistics(order.statistics, models, say), _turned(_plain(folders, base), models), order.seed)
    with appearing(order.target) as target:
        _require_room(target, models)
        made = merge(method, models, target, beside, say)
        for line in copy(places, target, models.forms, whole):
            say(line)
        write_card(target, Facts(order.said, describe(method), order.base, order.members, models, made, order.seed))
    return order.target


def _opened(order: Order, folders: Mapping[str, Path], base: Path | None, say: Say) -> Agreed:
    """The models, held against each other."""
    origin = None if base is None else _weights(base)
    sources: dict[str, Source] = {}
    model = None
    for name, folder in folders.items():
        if not is_adapter(folder):
            sources[name] = whole = _weights(folder)
            require_whole(f"--member {name}", folder, whole.forms)
            continue
        if origin is None or base is None:
            raise Misfit(f"--member {name} is an adapter; name the model that it was trained on, --base BASE")
        model = model or untie(skeleton(base), origin)
        descent = descent_of(folder)
        sources[name] = adapted = Adapted(origin, descent, model)
        for line in filter(None, (require_base(descent, base, origin, adapted.wide, model), adapted.line)):
            say(f"--member {name}: {line}")
    dtype = None if order.dtype is None else getattr(torch, order.dtype)
    plain = _plain(folders, base)
    models = agreed(sources, origin, _prefix(plain), dtype, lambda names: tied(plain, names))
    if models.left_out:
        say(f"second names of tensors, merged once: {listed(models.left_out)}")
    if origin is not None and models.averaged:
        say(f"the base has no {listed(models.averaged)}: merged without it")
    return models


def _weights(folder: Path) -> Shards:
    """A whole model's. Errors: `BadModel` for what transformers would not load as this model."""
    require_plain(folder, held(folder))
    found = Shards(folder)
    require_bare(folder, found)
    return found


def _plain(folders: Mapping[str, Path], base: Path | None) -> Path:
    """The first member that is no adapter, whose configuration the merge has; else the base."""
    found = next((folder for folder in folders.values() if not is_adapter(folder)), base)
    assert found is not None  # an adapter wants a base
    return found


def _prefix(plain: Path) -> str:
    """What the names of a trunk begin with in a model that has a head, as far as this kind of model is known."""
    kind = str(config_of(plain).get("model_type") or "")
    return _PREFIXES.get(kind, kind.replace("-", "_"))


_PREFIXES = {  # where it is not the kind's own name
    **dict.fromkeys(("gpt2", "openai-gpt", "gpt_neo", "falcon", "gptj", "bloom", "xlnet"), "transformer"),
    **dict.fromkeys(("llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2", "phi", "phi3"), "model"),
    **{"xlm-roberta": "roberta", "camembert": "roberta", "deberta-v2": "deberta", "distilbert": "distilbert"},
    **{"opt": "model", "t5": "transformer", "bart": "model", "gpt_neox": "gpt_neox"},
}


def _turned(plain: Path, models: Agreed) -> frozenset[str]:
    """Weights that are stored (in, out), as the files call them: with or without the trunk's prefix."""
    if config_of(plain).get("model_type") not in TURNED:
        return frozenset()
    from harness.families.layout import conv1d

    model = skeleton(plain)
    turned = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, conv1d())}
    return frozenset(name for name in models.forms if turned & {*ways_of(name, model)})


def _require_room(target: Path, models: Agreed) -> None:
    """Refuse at once what the disk cannot take."""
    wanted, free = size_of(models.forms) + ROOM, shutil.disk_usage(target).free
    if wanted > free:
        raise MergeboardError(
            f"the merge takes {wanted / 1e9:.1f} GB and {target.parent} has {free / 1e9:.1f} GB free; make room there, "
            "or name another folder with --out"
        )
