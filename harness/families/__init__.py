"""Families of architectures, and which of them a model belongs to: the only place that reads a model's config."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.checkpoints.folders import because, config_of, require_own_code, require_whole
from harness.errors import BadModel
from harness.families import types

if TYPE_CHECKING:
    from harness.families.base import Family

FamilyName = Literal["encoder", "decoder", "encoder_decoder"]

_OF_OWN_CODE: dict[str, FamilyName] = {  # the classes of transformers that custom code may stand in for
    "AutoModelForSeq2SeqLM": "encoder_decoder",
    "AutoModelForCausalLM": "decoder",
    "AutoModelForSequenceClassification": "encoder",
    "AutoModelForMaskedLM": "encoder",
}


_AFTER_PADDING = (  # whose positions are counted from the number of the padding token on
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "xmod", "longformer", "mpnet"),
    *("data2vec-text", "ibert", "luke", "mluke", "layoutlmv3", "lilt", "esm", "bigbird_roberta"),
)
_WORDS = 5  # fewer are those that transformers puts into a vocabulary that it has no file of


def family_of(folder: Path, trust_remote_code: bool = False, members: Collection[Path] = ()) -> Family:
    """The family of the model in this folder, with the model's tokenizer.

    Args:
        trust_remote_code: whether code in this folder may run.
        members: other folders whose code may run, when they are loaded.

    Errors: `BadModel` if `kind_of` refuses it, its tokenizer cannot be loaded, or it cannot answer yes or no.
    """
    kind = kind_of(folder, trust_remote_code)
    quieten()
    tokenizer = _tokenizer(folder, trust_remote_code)
    trusted = frozenset((*members, *([folder] if trust_remote_code else [])))
    kinds: Callable[[Any, Collection[Path], int | None], Family]
    if kind == "decoder":
        from harness.families.decoder import Decoder as kinds
    elif kind == "encoder_decoder":
        from harness.families.encoder_decoder import EncoderDecoder as kinds
    else:
        from harness.families.encoder import Encoder as kinds
    try:
        return kinds(tokenizer, trusted, limit_of(config_of(folder)))
    except BadModel as error:
        raise BadModel(f"{folder}: {error}") from None


def quieten() -> None:
    """Errors alone are heard of transformers, and nothing is drawn: what matters is told in our own lines."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def kind_of(folder: Path, trust_remote_code: bool = False) -> FamilyName:
    """The family's name, from `config.json` alone.

    An encoder-decoder says so. A decoder is what was saved as a causal language model, or is of a type that knows no
    masked language model. The rest must be of a type that can classify or fill masks.

    Errors: `BadModel` for a type that needs code of the model's own, without trust; for code that lies elsewhere; for
    a type that no family knows.
    """
    require_whole(folder)
    config = config_of(folder)
    custom, model_type = config.get("auto_map") or {}, str(config.get("model_type", ""))
    if custom and model_type not in types.table(types.KNOWN) and not trust_remote_code:
        raise BadModel(
            f"{folder} runs code of its own ({_first(custom)}): add --trust-remote-code={folder} if you trust it"
        )
    if trust_remote_code:
        require_own_code(folder)
    saved_as = str((config.get("architectures") or [""])[0])
    masked = model_type in types.table(types.MASKED)
    if config.get("is_encoder_decoder"):
        return "encoder_decoder"
    if saved_as.endswith(("ForCausalLM", "LMHeadModel")):
        return "decoder"
    if model_type in types.table(types.CAUSAL) and not masked:
        return "decoder"
    if masked or model_type in types.table(types.CLASSIFIES):
        return "encoder"
    for name, kind in _OF_OWN_CODE.items():
        if name in custom:
            return kind
    raise BadModel(f"{folder} is a model of type {model_type or '(none named)'}, which no family here can be asked")


def limit_of(config: Mapping[str, Any]) -> int | None:
    """How many tokens a text may have by the model's table of positions; None if its config names no table."""
    given = (config.get(name) for name in ("max_position_embeddings", "n_positions", "max_sequence_length"))
    rooms = [n for n in given if isinstance(n, int) and not isinstance(n, bool) and n > 0]
    if not rooms:
        return None
    padding = config.get("pad_token_id")
    if str(config.get("model_type", "")) in _AFTER_PADDING:
        return max(1, min(rooms) - 1 - (padding if isinstance(padding, int) else 1))
    return min(rooms)


def _first(custom: Any) -> str:
    return str(next(iter(custom.values()))) if isinstance(custom, dict) else str(custom)


def _tokenizer(folder: Path, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # a tokenizer may bring code of its own, which may raise anything
        words = f"its tokenizer cannot be loaded ({because(error)})"
        raise BadModel(f"{folder}: {_damaged(folder) or words}") from None
    if tokenizer.is_fast and len({*tokenizer.get_vocab()} - {*tokenizer.all_special_tokens}) < _WORDS:
        lacking = "its tokenizer knows no words; add tokenizer.json, or the files that it was made of, and try again"
        raise BadModel(f"{folder}: {_damaged(folder) or lacking}")  # transformers makes an empty one of no files
    return tokenizer


def _damaged(folder: Path) -> str | None:
    """What is wrong with a SentencePiece file, which transformers takes for one of tiktoken if it cannot read it."""
    from sentencepiece import SentencePieceProcessor

    for path in sorted(folder.glob("*.model")):
        try:
            SentencePieceProcessor(model_file=str(path))
        except Exception:  # RuntimeError, OSError, of its C++
            return f"{path.name} is damaged, or no file of SentencePiece; copy it again"
    return None
