"""Groups of layers, from the names of a model's tensors: embeddings, every block, the final norm and the head.

    bert.embeddings.word_embeddings.weight            embeddings
    bert.encoder.layer.3.attention.self.query.weight  block 3           ("attention of block 3", where blocks are split)
    decoder.block.3.layer.1.EncDecAttention.q.weight  decoder block 3   encoder and decoder are counted apart
    transformer.ln_f.weight, classifier.weight        head

A tensor with two names is in the group of the first of them, so a head that is tied to the embeddings is with these. A
model without blocks has a group for each of its modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from methods.errors import MergeboardError

if TYPE_CHECKING:
    from methods.composed import Weights  # which counts blocks itself

Groups = Mapping[str, tuple[str, ...]]
"""The name of a group -> the names of its tensors."""

EMBEDDINGS, HEAD = "embeddings", "head"
_STACKS = frozenset({"layer", "layers", "block", "blocks", "h"})
_EMBEDDING = re.compile(r"embed|(^|\.)(wte|wpe|shared)\.|(^|\.)encoder\.(LayerNorm|conv)\.")  # the last are DeBERTa's
_HEAD = re.compile(r"(^|\.)(lm_head|head|classifier|score|classification_head|pooler|qa_outputs)\.")
_ATTENTION = re.compile(r"(^|\.)((self_?|encoder_)?attn|((self|cross)_?|encdec)?attention|sa_layer_norm)", re.I)


def groups_of(weights: Weights, granularity: int = 1, split: bool = False) -> Groups:
    """The groups of a model, in the order in which it computes; every tensor is in one of them.

    Args:
        granularity: blocks in a group; it must divide the number of blocks.
        split: the attention of a block, its norm included where it is named after it, and the rest are two groups.

    Errors: `MergeboardError` where the granularity does not divide the number of blocks.
    """
    blocks = {name: found for name in weights if (found := _block(name)) is not None}
    depth = {stack: 1 + max(i for s, i, _ in blocks.values() if s == stack) for stack, _, _ in blocks.values()}
    if (granularity > 1 or split) and not blocks:
        knob = "split" if split else "granularity"
        raise MergeboardError(f"search.{knob} is about blocks, and this model has no tensors named after any; leave it")
    for stack, count in depth.items():
        if count % granularity:
            raise MergeboardError(
                f"search.granularity is {granularity}, and there are {count} {_word(stack, depth)}blocks; "
                f"give a number that divides {count}"
            )
    stacks, modules, seen = list(depth), list[str](), dict[object, str]()
    place_of: dict[str, tuple[tuple[int, ...], str]] = {}
    for name, tensor in weights.items():
        twin = seen.setdefault(_identity(name, tensor), name)
        if twin != name:
            place_of[name] = place_of[twin]
        elif name in blocks:
            stack, index, rest = blocks[name]
            part, attention = index // granularity, split and _ATTENTION.search(rest) is not None
            half = ("attention of " if attention else "rest of ") if split else ""
            word = f"{half}{_word(stack, depth)}{_numbers(part, granularity)}"
            place_of[name] = (1, stacks.index(stack), part, not attention), word
        elif _EMBEDDING.search(name):
            place_of[name] = (0,), EMBEDDINGS
        elif blocks or _HEAD.search(name):
            place_of[name] = (3,), HEAD
        else:
            module = name.rpartition(".")[0] or name
            modules += [] if module in modules else [module]
            place_of[name] = (2, modules.index(module)), module
    groups: dict[str, tuple[str, ...]] = {}
    for name in sorted(weights, key=lambda name: place_of[name]):  # which leaves names of one group in their order
        group = place_of[name][1]
        groups[group] = (*groups.get(group, ()), name)
    return _of_numbers(groups, weights)


def ends_of(weights: Weights) -> Mapping[str, str]:
    """Which tensors are `EMBEDDINGS` and which a `HEAD`; of blocks and of what neither name says there is no word.

    It is told by names alone, so that some tensors of a model are what they are among all. A second name of a tensor
    means what the first one does.
    """
    ends, seen = dict[str, str](), dict[object, str]()
    for name, tensor in weights.items():
        first = seen.setdefault(_identity(name, tensor), name)
        if _block(first) is None and (_EMBEDDING.search(first) or _HEAD.search(first)):
            ends[name] = EMBEDDINGS if _EMBEDDING.search(first) else HEAD
    return ends


def blocks_of(weights: Weights) -> tuple[str, ...]:
    """The model's blocks, as what their tensors' names begin with: "model.layers.0", "model.layers.1", ...

    Stack by stack, an encoder before its decoder, each from the bottom up.

    Errors: `MergeboardError` where no tensor is named after a block.
    """
    found = {(stack, index) for stack, index, _ in filter(None, map(_block, weights))}
    if not found:
        raise MergeboardError(
            "this model has no tensors named after its blocks, so no route leads through them; take another model"
        )
    stacks = sorted(dict.fromkeys(b[0] for b in map(_block, weights) if b), key=lambda stack: "decoder" in stack)
    return tuple(f"{stack}.{index}" for stack, index in sorted(found, key=lambda b: (stacks.index(b[0]), b[1])))


def block_of(name: str) -> str:
    """The block that a tensor of this name is in: "model.layers.3"; empty where it is in none."""
    found = _block(name)
    return f"{found[0]}.{found[1]}" if found else ""


def _identity(name: str, tensor: Tensor) -> object:
    """What two names of one tensor have in common."""
    return (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name


def _block(name: str) -> tuple[str, int, str] | None:
    """The stack that it is in, which block of it, and what it is called there. T5 has layers in its blocks."""
    parts = name.split(".")
    for i in range(1, len(parts) - 1):
        if parts[i].isdigit() and parts[i - 1] in _STACKS:
            return ".".join(parts[:i]), int(parts[i]), ".".join(parts[i + 1 :])
    return None


def _numbers(part: int, granularity: int) -> str:
    first = part * granularity
    return f"block {first}" if granularity == 1 else f"blocks {first} to {first + granularity - 1}"


def _word(stack: str, stacks: Mapping[str, int]) -> str:
    """What tells one stack from another; nothing, of one alone."""
    if len(stacks) == 1:
        return ""
    coders = [part for part in stack.split(".") if part in ("encoder", "decoder")]
    alike = [other for other in stacks if coders and coders[-1] in other.split(".")]
    return f"{coders[-1] if len(alike) == 1 else stack} "


def _of_numbers(groups: Groups, weights: Weights) -> Groups:
    """The groups that hold numbers; whole numbers alone, which nobody searches, go with the first of them."""
    kept = {group: names for group, names in groups.items() if any(weights[n].is_floating_point() for n in names)}
    loose = tuple(name for group, names in groups.items() if group not in kept for name in names)
    first = next(iter(kept))
    return {group: names + (loose if group == first else ()) for group, names in kept.items()}
