"""Whether a member is its model with other numbers: the same configuration, and a tokenizer that does the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from unicodedata import normalize

from harness.checkpoints.alike import NAMED
from harness.checkpoints.folders import because, config_of, one_line
from harness.data.task import Task
from methods.errors import Misfit

_NAMES = (  # of fields that change no answer of a model that is only asked
    *("architectures", "auto_map", "_name_or_path", "name_or_path", "dtype", "torch_dtype", "transformers_version"),
    *("id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params"),
    *("initializer_range", "initializer_factor", "init_std", "gradient_checkpointing", "return_dict", "torchscript"),
    *("pruned_heads", "tokenizer_class", "prefix", "sep_token_id", "cls_token_id", "unk_token_id", "mask_token_id"),
    *("quantization_config", "compression_config", "transformers_weights", "_commit_hash", "use_bfloat16"),
    *("output_attentions", "output_hidden_states", "router_aux_loss_coef", "keys_to_ignore_at_inference"),
)
_DECIDE = ("decoder_start_token_id", "pad_token_id", "tie_word_embeddings")  # among what generation is told by
_ACT = ("token_dropout", "prenet_dropout")  # without training too, whatever their names say: in ESM, NLLB's experts
_SUFFIXES = ("dropout", "_pdrop", "dropout_prob", "layerdrop", "_attn_implementation", "attn_implementation")
_TEXTS = (
    *("plain words, and no more", "CAPITALS, Titled Words and mIxEd", "naïve café Übermut straße"),
    *("12 times 345.67 is 4,148.04", "two  spaces,\ta tab\nand a line", "don't stop 😀🎉, 模型 и слова", ""),
)
_MARKS = re.compile("^(Ġ|▁|##)")  # of a word's beginning, or of its going on
_FILES = ("*.json", "*.txt", "*.model")  # that a tokenizer may lie in
_OWN = ("tokenizer", "vocab", "merges", "spiece", "spm", "sentencepiece", "bpe")


def require_same_config(
    kind: str, model: Path, member: Path, trusted: Collection[Path], any_config: bool = False
) -> None:
    """Raise `Misfit` for the first field in which two configurations differ, defaults filled in.

    `kind`: the name of the model's family. One that needs code which nobody trusts is compared as it is written.
    """
    if written_alike(model, member):
        return
    own, theirs = (_fields(folder, folder in trusted) for folder in (model, member))
    for name, word in NAMED:
        if own.get(name) != theirs.get(name):
            raise Misfit(f"its {word} is {theirs.get(name)}, the model's is {own.get(name)}")
    if any_config:
        return
    for name in _other(kind, own, theirs):
        raise Misfit(
            f"its config.json has {name} {_short(theirs.get(name))}, the model's has {_short(own.get(name))}; "
            "add --trust-configs if that cannot matter"
        )


def other_fields(kind: str, model: Path, member: Path, trusted: Collection[Path]) -> list[str]:
    """The fields that `require_same_config` would refuse. Errors: `Misfit` if a configuration cannot be understood."""
    return _other(kind, *(_fields(folder, folder in trusted) for folder in (model, member)))


def _other(kind: str, own: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    free = {"tie_word_embeddings"} if kind == "encoder" else {"pad_token_id"}
    return [name for name in sorted({*own, *theirs} - free) if own.get(name) != theirs.get(name)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:80]}..."


def written_alike(model: Path, member: Path) -> bool:
    """Whether two config.json say the same, but for fields that never matter: then defaults need not be filled in,
    for which transformers would have to be imported. Code that models bring may have other defaults in each folder.
    """
    own, theirs = ({name: x for name, x in config_of(f).items() if name not in _NAMES} for f in (model, member))
    return own == theirs and "auto_map" not in own


def _fields(folder: Path, trust: bool) -> dict[str, Any]:
    from transformers import AutoConfig, GenerationConfig

    written = config_of(folder)
    try:
        own_code = "auto_map" in written and not trust
        content = written if own_code else AutoConfig.from_pretrained(folder, trust_remote_code=trust).to_dict()
    except Exception as error:  # a configuration may bring code of its own, which may raise anything
        raise Misfit(f"{folder}: its config.json cannot be understood ({one_line(error)})") from None
    spoken = set(GenerationConfig().to_dict()) - set(_DECIDE)
    if content.get("is_encoder_decoder") and any(
        "Classification" in str(x) for x in content.get("architectures") or ()
    ):
        spoken -= {"eos_token_id"}  # BART and its kin classify a text by what they see at this token
    return {name: value for name, value in _flat(content, "") if not _harmless(name.rpartition(".")[2], spoken)}


def _flat(content: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict) and name not in _NAMES:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _harmless(name: str, spoken: Collection[str]) -> bool:
    return name in _NAMES or name in spoken or (name.endswith(_SUFFIXES) and not name.endswith(_ACT))


def require_same_words(own: Any, folder: Path, task: Task, trust: bool, generative: bool) -> None:
    """Raise `Misfit` if a checkpoint has a tokenizer that numbers words or cuts texts otherwise than the model's."""
    from transformers import AutoConfig, AutoTokenizer

    there = [path.name for pattern in _FILES for path in folder.glob(pattern)]
    if not any(part in name for name in there for part in _OWN):
        return
    try:
        theirs: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust)
    except Exception as error:  # it may bring code of its own, which may raise anything
        try:  # which a tokenizer reads too, to know its kind
            AutoConfig.from_pretrained(folder, trust_remote_code=trust)
        except Exception as fault:
            raise Misfit(f"{folder}: its config.json cannot be understood ({because(fault)})") from None
        raise Misfit(f"{folder}: its tokenizer cannot be loaded ({because(error)})") from None
    mine, others = own.get_vocab(), theirs.get_vocab()
    for word in sorted({*mine, *others}):
        if mine.get(word) != others.get(word):
            raise Misfit(f"its tokenizer has {word!r} as {others.get(word)}, not {mine.get(word)}")
    known = _of_known_words(mine)
    for text in (*_TEXTS, *known, *task.statements, *task.questions):
        _compare(own(text), theirs(text), text, own)
    _compare(own(_TEXTS[0], _TEXTS[1]), theirs(_TEXTS[0], _TEXTS[1]), "a pair of texts", own)
    if not generative:  # whose texts are cut without the tokenizer's help
        cut = {"truncation": True, "max_length": 6}
        for one, other in ((_TEXTS[1], _TEXTS[2]), (known[0], known[1])):
            _compare(own(one, **cut), theirs(one, **cut), "a text that is cut", own)
            _compare(own(one, other, **cut), theirs(one, other, **cut), "a pair that is cut", own)


def _of_known_words(vocabulary: Mapping[str, int]) -> tuple[str, ...]:
    """Words of the vocabulary itself, plain, in capitals and with accents: others may all be unknown to both."""
    bare = sorted({_MARKS.sub("", word).lower() for word in vocabulary})
    words = [word for word in bare if len(word) > 2 and word.isascii() and word.isalpha()]
    text = " ".join(words[:: len(words) // 20 + 1])
    accented = re.sub("([aeiou])", "\\1\u0301", text)
    return text, " ".join(reversed(text.split())), text.title(), text.upper(), accented, normalize("NFC", accented)


def _compare(mine: Mapping[str, Any], others: Mapping[str, Any], what: str, own: Any) -> None:
    if mine["input_ids"] == others["input_ids"]:
        if mine.get("token_type_ids") != others.get("token_type_ids"):
            raise Misfit(f"its tokenizer tells the texts of a pair apart otherwise than the model's ({what})")
        return
    pairs = zip([*others["input_ids"], None], [*mine["input_ids"], None], strict=False)
    first, wanted = next((a, b) for a, b in pairs if a != b)
    names = ["the end" if i is None else repr(own.convert_ids_to_tokens(i)) for i in (first, wanted)]
    raise Misfit(f"its tokenizer reads {what!r} otherwise than the model's: {names[0]} where that has {names[1]}")
