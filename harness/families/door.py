"""The door that every checkpoint comes in by, models and members of all families alike.

transformers fills what a file lacks with random numbers and drops what it does not know, each without a word. Here the
loading report is held against what may be missing (the head, by construction, where the family adds one) and what may
be left over (heads of pre-training, buffers of old versions); everything else is refused in one line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from harness.checkpoints.buffers import is_buffer
from harness.checkpoints.checkpoint import files, weight_files
from harness.checkpoints.checkpoint import held as held_by
from harness.checkpoints.folders import because, quantised, require_whole
from harness.errors import BadModel

_HEADS = re.compile(  # of pre-training, or of another task than is asked for
    r"^(cls|lm_head|mlm|predictions|sop_classifier|vocab_(transform|layer_norm|projector)|generator_(predictions|lm_head)"
    r"|discriminator_predictions|lm_predictions|mask_predictions|lm_loss|pred_layer|qa_outputs|v_head"
    r"|score|pre_classifier|classifier|classification_head|logits_proj|sequence_summary|multiple_choice_head)\."
)
_TRAINED = re.compile(  # besides the language model
    r"^(score|classifier|classification_head|pre_classifier|qa_outputs|v_head|multiple_choice_head)\."
)
_POOLER = re.compile(r"^([a-z_0-9]+\.)?pooler\.")  # which classes of transformers add or leave out as they need it
_ADAPTERS = re.compile(
    r"(^|\.)(lora_(A|B|E|embedding_A|embedding_B|magnitude_vector)|base_layer|ia3_l|hada_w1_a)(\.|$)"
)
_PACKED = re.compile(
    r"(^|\.)(qweight|qzeros|g_idx|absmax|quant_map|nested_absmax|quant_state\.\w+|SCB|weight_format|weight_packed"
    r"|weight_scale(_inv)?|weight_zero_point)$|\.weight\.(absmax|quant_map|nested_absmax|quant_state)"
)
_FLOATS = ("F64", "F32", "F16", "BF16")
_ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # torch.compile, FSDP, checkpointing
_WRAPPERS = (*_ANYWHERE, "module", "base_model")  # DDP, peft
_IN_FRONT = (*_WRAPPERS, "model", "net", "network")  # Lightning


@dataclass(frozen=True, eq=False)
class Opened:
    """A checkpoint that fits the model."""

    model: Any
    fresh: frozenset[str]  # parameters of the head that the checkpoint did not have
    unused: frozenset[str]  # what it had besides
    notes: tuple[str, ...]  # lines that its owner should read

    @property
    def classifier(self) -> str | None:
        """The first parameter of a classifier that was left out, if there is one."""
        return min((name for name in self.unused if _TRAINED.match(name)), default=None)


def opened(auto: Any, folder: Path, trust_remote_code: bool, head: bool = False, **options: Any) -> Opened:
    """The model of this folder in float32, by one of transformers' Auto classes.

    Args:
        head: whether the family adds a head, which the checkpoint may lack or have for other labels.

    Errors: `BadModel` or `BadWeights` where checkpoint and model do not fit, or transformers cannot load it.
    """
    require_whole(folder)
    held = held_by(folder)
    require_plain(folder, held)
    settings = {"dtype": torch.float32, "ignore_mismatched_sizes": True, "output_loading_info": True}
    try:
        model, report = auto.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=trust_remote_code, **settings, **options
        )
    except Exception as error:  # a model may bring code of its own, which may raise anything
        raise BadModel(f"{folder} cannot be loaded ({because(error)})") from None
    found, fault = _judged(model, report, head)
    if fault is None:
        return found
    for renamed, prefix in _unwrapped(held):
        other, report = type(model).from_pretrained(
            None, config=model.config, state_dict=_tensors(folder, renamed), **settings
        )
        found, still = _judged(other, report, head)
        if still is None:
            if hasattr(model, "generation_config"):
                other.generation_config = model.generation_config
            said = f"{folder}: its names have {prefix} in them, which a wrapper left there; read without"
            return Opened(other, found.fresh, found.unused, (said,))
    wrapped = next((part for name in held for part in name.split(".")[:-1] if part in _WRAPPERS), None)
    if wrapped is not None:
        fault += f"; its names have {wrapped}. in them: save the model without its wrapper"
    raise BadModel(f"{folder} {fault}")


def require_plain(folder: Path, held: Mapping[str, str]) -> None:
    """Raise `BadModel` for adapters that lie beside their base's tensors, and for quantised weights.

    Args:
        held: tensor -> its type, as the headers of safetensors have it.
    """
    for name, kind in held.items():
        if _ADAPTERS.search(name):
            raise BadModel(
                f"{folder} holds {name}, part of an adapter that was not merged; call merge_and_unload() and save again"
            )
        if _PACKED.search(name):
            raise BadModel(quantised(folder, name))
        if kind not in _FLOATS and not is_buffer(name):
            raise BadModel(quantised(folder, f"{name} is {kind.lower()}"))


def require_bare(folder: Path, names: Collection[str]) -> None:
    """Raise `BadModel` for names that a wrapper left its own in: no class of transformers finds its tensors by them."""
    for name in names:
        first, *inner = name.split(".")[:-1] or [""]
        if wrapper := next((part for part in (first, *inner) if part in _ANYWHERE or first in _WRAPPERS), None):
            raise BadModel(
                f"{folder} holds {name}, and {wrapper}. is a wrapper's, under which transformers finds no tensor; load "
                "the model, take its wrapper off and save it with save_pretrained()"
            )


def _paths(folder: Path) -> list[Path]:
    return [folder / name for name in weight_files(folder, files(folder)) if name.endswith(".safetensors")]


def _tensors(folder: Path, renamed: Mapping[str, str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for path in _paths(folder):
        with safe_open(path, framework="pt") as file:
            found |= {renamed[name]: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


def _unwrapped(held: Mapping[str, str]) -> Iterator[tuple[dict[str, str], str]]:
    """Ways to take wrappers off the names, the least first, each with what is taken off.

    What stands in front is a wrapper's only if it stands in front of all: taken off some, a name could meet another's.
    """
    parts = {name: [part for part in name.split(".") if part not in _ANYWHERE] for name in held}
    gone = [part for name in held for part in name.split(".") if part in _ANYWHERE]
    while True:
        renamed = {name: ".".join(left) for name, left in parts.items()}
        if gone and len(set(renamed.values())) == len(held):
            yield renamed, " and ".join(f"{part}." for part in dict.fromkeys(gone))
        first = {left[0] for left in parts.values() if len(left) > 1}
        if len(first) != 1 or not first <= {*_IN_FRONT} or any(len(left) < 2 for left in parts.values()):
            return
        parts = {name: left[1:] for name, left in parts.items()}
        gone += first


def _judged(model: Any, report: Mapping[str, Any], head: bool) -> tuple[Opened, str | None]:
    """The model, and the first thing by which it and its checkpoint do not fit."""
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    own = head_names(model) if head else frozenset()
    sizes = {entry[0]: entry for entry in sorted(report["mismatched_keys"])}
    pooled = {name for name in names if _POOLER.match(name)} if head else set()
    lacking = [name for name in names if name in report["missing_keys"]]
    unused = frozenset(report["unexpected_keys"])
    fresh = frozenset((set(lacking) | set(sizes)) & {name for name, _ in model.named_parameters()})
    found, kind = Opened(model, fresh, unused, ()), type(model).__name__
    for name, there, here in sizes.values():
        if name not in own:
            return found, f"has {name} as {tuple(there)} in its file and as {tuple(here)} by its config.json"
    for name in lacking:
        if name not in own and name not in pooled:
            missing = sum(other not in own and other not in pooled for other in lacking)
            return found, (
                f"lacks the parameter {name} ({missing} of {len(names)}); it is no checkpoint of a {kind} "
                "with this config.json"
            )
    for name in sorted(_left_over(model, unused, head)):
        return found, f"holds {name}, which a {kind} with this config.json has no place for"
    if loose := _untied(model):
        return found, (
            f"holds {loose} beside the table that config.json ties it to, with other values; write "
            '"tie_word_embeddings": false into config.json'
        )
    return found, None


def is_of_a_head(name: str) -> bool:
    """Whether a parameter of this name is a head's, of pre-training or of another task."""
    return _HEADS.match(name) is not None


def head_names(model: Any) -> frozenset[str]:
    """The parameters outside the pre-trained trunk: what a class adds to classify."""
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    names = frozenset(name for name, _ in model.named_parameters())
    trunk = frozenset(name for name in names if name.startswith(prefix))
    return names - trunk if trunk else frozenset()


def _left_over(model: Any, unused: frozenset[str], head: bool) -> set[str]:
    """What a checkpoint has besides and cannot do without."""
    if not head:  # its own output layer decides its answers, whole
        return {name for name in unused if not (is_buffer(name) or _TRAINED.match(name))}
    odd = {n for n in unused if not (is_buffer(n) or _HEADS.match(n) or _POOLER.match(n))}
    return odd - _other_heads(model) if odd else odd


def _other_heads(model: Any) -> frozenset[str]:
    """The names outside the trunk of the class that config.json says the checkpoint was saved as."""
    import transformers

    found: set[str] = set()
    for name in model.config.architectures or ():
        kind = getattr(transformers, str(name), None)
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            with torch.device("meta"):
                other = kind(model.config)
            prefix = f"{other.base_model_prefix}."
            found |= {name for name in other.state_dict() if not name.startswith(prefix)}
    return frozenset(found)


def _untied(model: Any) -> str | None:
    """A parameter that the configuration ties to another, and that the checkpoint had values of its own for."""
    wanted = getattr(model, "get_expanded_tied_weights_keys", None)
    if wanted is None or not hasattr(model, "all_tied_weights_keys"):
        return None  # code of the model's own, for an older transformers
    loose = min(set(wanted(all_submodels=True)) - set(model.all_tied_weights_keys), default=None)
    return loose if loose and _ties_by_choice(model) else None


def _ties_by_choice(model: Any) -> bool:
    """Whether the configuration can say that nothing is tied; T5's cannot, and its files alone do."""
    try:
        return not type(model.config)(tie_word_embeddings=False).tie_word_embeddings
    except Exception:  # a configuration of the model's own, which may want arguments
        return True
