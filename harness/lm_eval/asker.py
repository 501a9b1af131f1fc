"""Who asks the documents of a task: lm-eval's own prompts, its model class around the live module, its own marks."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from harness.checkpoints.folders import one_line
from harness.data.corpus import Split
from harness.errors import BadData
from harness.judging.reply import Reply
from harness.lm_eval.documents import Documents, hash_of
from harness.lm_eval.opened import Opened
from harness.lm_eval.undisturbed import undisturbed
from methods.errors import MergeboardError, NotApplicable

BATCH = 8  # fixed: what a batch size of lm-eval's choosing pads differs with the memory that is free


class Speaker:
    """lm-eval's model class around a module: made once for the live module, whose weights change under it.

    Its response cache, which does not know one model from another, is never used.
    """

    def __init__(self) -> None:
        self._lm: Any = None

    def of(self, model: nn.Module, tokenizer: Any) -> Any:
        """The one that speaks for this module, which answers as one of transformers' does."""
        if self._lm is None or self._lm.model is not model:
            from lm_eval.models.huggingface import HFLM

            one: Any = model
            backend: Any = "seq2seq" if one.config.is_encoder_decoder else "causal"
            if not hasattr(one, "device"):  # several models side by side
                one.device = next(one.parameters()).device
            with _as_it_is(one):
                self._lm = HFLM(one, backend, tokenizer=copy.deepcopy(tokenizer), batch_size=BATCH)
        return self._lm


@contextmanager
def _as_it_is(model: Any) -> Iterator[None]:
    """Nobody ties the model's weights anew: where a checkpoint holds both of two that its configuration ties, it would
    lose one."""
    model.tie_weights = lambda *_, **__: None
    try:
        yield
    finally:
        del model.tie_weights


class LmEvalAsker:
    """Asks one task (implements harness.judging.reply.Asker). Prompts are made once, whatever the models asked.

    Args:
        facts: what records say of how it is asked.
    """

    def __init__(self, asked: Opened, documents: Documents, facts: Mapping[str, Any], speaker: Speaker) -> None:
        self._asked, self._documents, self._facts, self._speaker = asked, documents, facts, speaker
        self._requests: dict[str, list[Any]] = {}  # of a document, by its text
        (self._filter,) = [one for one in asked.task._filters if one.name == asked.filter]

    def ask(self, model: nn.Module, tokenizer: Any, split: Split) -> Reply:
        """The mark of each document. Errors: `MergeboardError` in one line for marks that are none."""
        with undisturbed():
            lm = self._speaker.of(model, tokenizer)
            try:
                marks = self._marks(lm, split.texts)
            except MergeboardError:
                raise
            except (ValueError, TypeError, KeyError, AssertionError, IndexError) as error:
                raise BadData(
                    f"{self._asked.words}: lm-eval cannot ask it ({type(error).__name__}: {one_line(error):.300})"
                ) from error
        hashes = " ".join(hash_of(text)[:16] for text in split.texts)
        kept = np.array(marks, dtype=np.float32).astype(np.float64)  # as records keep them
        return Reply(kept, details={"lm_eval": dict(self._facts), "documents": hashes})

    def _marks(self, lm: Any, texts: Sequence[str]) -> list[float]:
        rows = [[_fresh(request) for request in self._asked_of(text)] for text in texts]
        requests = [request for row in rows for request in row]
        for kind in dict.fromkeys(request.request_type for request in requests):
            if kind == "generate_until" and not hasattr(lm.model, "generate"):
                raise NotApplicable(f"{self._asked.words}: it is answered in writing, by one model and not by several")
            own = [request for request in requests if request.request_type == kind for _ in range(request.repeats)]
            for request, answer in zip(own, getattr(lm, kind)(own, disable_tqdm=True), strict=True):
                request.resps.append(answer)
        self._filter.apply(requests)
        return [self._mark(row) for row in rows]

    def _mark(self, row: Sequence[Any]) -> float:
        """What the task's metric says of one document."""
        metric, answers = self._asked.metric, [request.filtered_resps[self._asked.filter] for request in row]
        found = self._asked.task.process_results(row[0].doc, answers)
        value = found.get(metric)
        number = isinstance(value, bool | int | float | np.number | np.bool_)
        if not number or not math.isfinite(value) or not 0 <= value <= 1:
            raise BadData(
                f"{self._asked.words}: {metric} of a document is {value!r:.60}, and a mark is from 0 to 1; name a "
                f"metric that gives such marks, of {', '.join(found)}"
            )
        return float(value)

    def _asked_of(self, text: str) -> list[Any]:
        """The requests that a document becomes; the same whichever others are asked with it."""
        if text not in self._requests:
            task, document, shots = self._asked.task, self._documents.of(text), self._asked.shots
            if shots:  # drawn by the document's own hash, from all others that may be examples
                task.sampler.replace_df([other for name, other in self._documents.examples.items() if name != text])
                task.set_fewshot_seed(int(hash_of(text)[:8], 16))
            prompt = task.fewshot_context(document, num_fewshot=shots, gen_prefix=task.doc_to_prefix(document))
            name = task.config.task, len(self._requests), task.config.repeats
            made = task.construct_requests(doc=document, ctx=prompt, metadata=name)
            self._requests[text] = sorted(_listed(made), key=lambda request: request.idx)
        return self._requests[text]


def _listed(made: Any) -> Iterable[Any]:
    return made if isinstance(made, list) else [made]


def _fresh(request: Any) -> Any:
    """The same request, unanswered; lm-eval writes answers into it."""
    found = copy.copy(request)
    found.resps, found.filtered_resps = [], {}
    return found
