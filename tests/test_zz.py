from dataclasses import replace
import numpy as np
from harness.data.corpus import MASKED, Split
from harness.rowbook import RowBook
from harness.record import Store
from tests.emotion_cells import *
from tests.small_world import make_lab


def test_x(answered, tmp_path):
    other = make_lab(answered.zoo)
    other.corpora = {
        name: replace(c, dev=Split(c.dev.texts, np.where(c.dev.labels == MASKED, MASKED, 1 - c.dev.labels)))
        for name, c in other.corpora.items()
    }
    other.rows = RowBook(other.corpora, other.protocol)
    clean = make_lab(answered.zoo)
    other.member = clean.member
    rec = answered.records()
    for m in SEARCHES:
        f = answer(other, Store(tmp_path), cell(m))
        w = rec[f"in_domain/same/all/{m}"]
        print(
            m,
            f.weights_sha256 == w.weights_sha256,
            f.dev,
            w.dev,
            f.trace if m in ("best", "evolver") else "",
            w.trace if m in ("best", "evolver") else "",
        )
    for n, r in rec.items():
        print(n, r.score, r.scores if n.endswith("mtl") or n.endswith("simple") else "")
    print(rec["in_domain/same/all/avg"].details)
    assert 0
