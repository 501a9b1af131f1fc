"""What the measurements of written answers work on: a random Llama, sixteen prompts, and no end before the last token.

It needs torch, so the tests get it as a fixture: a listing of the suites imports nothing heavy.
"""

from __future__ import annotations

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from harness.data.corpus import Split
from harness.data.task import Task
from harness.families.decoder import Decoder

ROWS, NEW = 16, 64
WORDS = 8000
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
LARGE = {"hidden_size": 384, "num_hidden_layers": 8, "num_attention_heads": 6, "intermediate_size": 1024}


class Writer:
    """Sixteen prompts of 20 to 44 tokens, and a model that answers each with as many as it may."""

    def __init__(self, shape: str) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(1 if shape == "small" else torch.get_num_threads())
        sizes = SMALL if shape == "small" else LARGE
        self._new = 8 if shape == "small" else NEW
        self._model = LlamaForCausalLM(LlamaConfig(vocab_size=WORDS, **sizes, eos_token_id=None, bos_token_id=None))
        self._model.eval()
        words = ["yes", "no", *(f"w{i}" for i in range(WORDS - 2))]
        core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="no"))
        core.pre_tokenizer = Whitespace()
        self._family = Decoder(PreTrainedTokenizerFast(tokenizer_object=core))
        rng = np.random.default_rng(0)
        texts = tuple(" ".join(rng.choice(words, size=n)) for n in np.linspace(20, 44, ROWS).astype(int))
        self._task = Task("words", "generation", ("mark",), "mean_mark", (), (), prompt="{text}", tokens=self._new)
        self._rows = self._family.prompt_rows(self._task, Split(texts, np.ones((ROWS, 1))), 512)

    def write(self, cached: bool, rows: int = ROWS, most: int = 4096) -> list[tuple[int, ...]]:
        """The tokens of the last so many answers; `most`: of a batch."""
        self._family.caches = cached
        found = self._family.write(self._model, self._task, self._rows[-rows:], most)
        assert not any(written.ended for written in found), "each takes all the tokens that it may"
        return [written.tokens for written in found]
