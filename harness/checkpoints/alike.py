"""Whether a member can be a model with other numbers, by what their two config.json say; nothing is loaded to tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.checkpoints.folders import config_of
from harness.errors import BadModel

NAMED = (("model_type", "architecture"), ("vocab_size", "size of the vocabulary"))
_SIZES = (  # of tensors or of their number, by the names that families of architectures have for them
    *("hidden_size", "num_hidden_layers", "intermediate_size", "embedding_size", "dim", "n_layers", "hidden_dim"),
    *("d_model", "d_ff", "d_kv", "num_layers", "num_decoder_layers", "encoder_layers", "decoder_layers"),
    *("n_embd", "n_layer", "n_inner", "num_key_value_heads", "head_dim"),
)


def require_alike(what: str, member: Path, models: Sequence[Path]) -> None:
    """Raise `BadModel` if this member's configuration says that it has other tensors than each of these models.

    An adapter that has no configuration of its own says nothing.
    """
    if not (member / "config.json").is_file() or not models:
        return
    reasons = [_difference(member, model) for model in models]
    if all(reasons):
        others = f", and it is none of the session's {len(models)} models" if len(models) > 1 else ""
        raise BadModel(f"{what}: {reasons[0]}{others}; a member must descend from the model")


def _difference(member: Path, model: Path) -> str:
    """The first thing that both name and that differs; empty if there is none."""
    theirs, own = config_of(member), config_of(model)
    for name, word in NAMED:
        if None not in (theirs.get(name), own.get(name)) and theirs[name] != own[name]:
            return f"its {word} is {theirs[name]}, the model's is {own[name]}"
    for name in _SIZES:
        if None not in (theirs.get(name), own.get(name)) and theirs[name] != own[name]:
            return f"its config.json has {name} {theirs[name]}, the model's has {own[name]}"
    return ""
