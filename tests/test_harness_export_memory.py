"""An export streams: beside what its session holds already there are never 1.5 models in memory."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from harness.export.deliver import Order, deliver
from harness.export.remake import cell_of
from harness.members import allocator, tiny
from harness.records.record import Store
from tests.brought import bring, lab_of, record_of

STATUS = Path("/proc/self/status")
SLACK = 8_000_000  # bytes: the page, the answers, what Python takes for it
needs_proc = pytest.mark.skipif(
    not STATUS.exists() or allocator._glibc() is None, reason="memory is read from /proc, and glibc gives it back"
)


def held() -> int:
    """Bytes of this process that lie in no file; pages of mapped weights go when the system wants them."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def more_at_most(work: Callable[[], object]) -> int:
    """How many bytes more are held at the worst moment of some work than before it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before would be taken again unseen
    before = most = held()
    done = threading.Event()

    def look() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, held())
            time.sleep(0.001)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join()
    return most - before


@needs_proc
def test_an_export_takes_less_than_one_and_a_half_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def middling(words: int) -> BertModel:
        sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "intermediate_size": 1536}
        return BertModel(BertConfig(vocab_size=words, max_position_embeddings=64, **sizes))

    monkeypatch.setitem(tiny._MODELS, "tiny-encoder", middling)  # type: ignore[arg-type]
    lab, store = lab_of(tmp_path, bring(tmp_path, "encoder"), "encoder"), Store(tmp_path / "results")
    record = record_of(lab, store, "simple")
    size = (tmp_path / "tec" / "model.safetensors").stat().st_size
    assert size > 5 * SLACK, "the slack hides nothing"
    del lab
    fresh = lab_of(tmp_path, {"tec": tmp_path / "tec", "isear": tmp_path / "isear"}, "encoder")
    cell = cell_of(record, fresh.subject.model)
    order = Order(record, "For the test.")
    more = more_at_most(lambda: deliver(order, cell, fresh, store, store, tmp_path / "out"))
    assert size < more < 1.5 * size + SLACK, f"{more / size:.2f} models"
