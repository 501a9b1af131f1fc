"""Batches and judges: every row once and in its place, scores worked by hand, weights that nobody writes to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from harness.batches import Batch, Batches, padded, prepare
from harness.data.corpus import MASKED, Split
from harness.families.encoder import Encoder
from harness.scoring import DevScorer, Examiner, LiveModel, predict
from methods.base import Ensemble, Weights

OUTPUTS = 4


class Tokenizer:
    """Words are numbers; 0 and 2 open and close a text, 1 pads."""

    pad_token_id = 1

    def __call__(self, texts: Sequence[str], truncation: bool, max_length: int, padding: bool) -> Mapping[str, Any]:
        assert truncation and not padding
        return {"input_ids": [[0, *[int(w) for w in text.split()][: max_length - 2], 2] for text in texts]}


def random_split(rows: int = 23, seed: int = 0) -> Split:
    """Texts of one to eleven words; a third of the labels masked."""
    rng = np.random.default_rng(seed)
    texts = tuple(" ".join(map(str, rng.integers(3, 20, size=rng.integers(1, 12)))) for _ in range(rows))
    labels = rng.integers(0, 2, (rows, OUTPUTS))
    labels[rng.random(labels.shape) < 0.3] = MASKED
    return Split(texts, labels)


def prepared(split: Split, batch_tokens: int = 60, max_length: int = 16) -> Batches:
    return prepare(Encoder(), Tokenizer(), split, max_length, batch_tokens)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    config = transformers.RobertaConfig(
        **{
            "vocab_size": 20,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_labels": OUTPUTS,
        },
        **{"intermediate_size": 32, "max_position_embeddings": 20, "type_vocab_size": 1, "pad_token_id": 1},
        initializer_range=0.4,
    )
    torch.manual_seed(0)
    return transformers.RobertaForSequenceClassification(config)


@pytest.fixture
def live(model: nn.Module) -> LiveModel:
    return LiveModel(Encoder(), model)


def weights_of(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights of the model's layout, drawn from the seed."""
    rng = torch.Generator().manual_seed(seed)
    return {n: p.detach() + 0.1 * torch.randn(p.shape, generator=rng) for n, p in model.named_parameters()}


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_tokens", [1, 20, 60, 10_000])
def test_every_row_is_in_exactly_one_batch(batch_tokens: int) -> None:
    split = random_split()
    rows = prepared(split, batch_tokens)
    index = torch.cat([batch.index for batch in rows])
    assert sorted(index.tolist()) == list(range(len(split))) and len(rows) == len(split)
    assert rows.labels.tolist() == split.labels.tolist(), "labels keep the split's own order"
    encoded = Encoder().encode(Tokenizer(), split.texts, 16)
    for batch in rows:
        for i, ids, mask in zip(batch.index.tolist(), batch.ids, batch.mask, strict=True):
            assert ids[mask == 1].tolist() == encoded[i]
            assert (ids[mask == 0] == Tokenizer.pad_token_id).all() and mask.sum() == len(encoded[i])


@pytest.mark.parametrize("batch_tokens", [20, 60, 10_000])
def test_no_batch_has_more_padded_tokens_than_allowed(batch_tokens: int) -> None:
    batches = prepared(random_split(), batch_tokens).batches
    assert all(batch.ids.numel() <= batch_tokens for batch in batches)
    for batch, following in itertools.pairwise(batches):  # and none could have taken one row more
        assert (len(batch.ids) + 1) * following.mask.sum(dim=1).min() > batch_tokens


def test_a_row_longer_than_a_batch_has_one_to_itself() -> None:
    rows = prepared(Split(("3 4 5 6", "7"), np.zeros((2, OUTPUTS), dtype=np.int64)), batch_tokens=4)
    assert [batch.index.tolist() for batch in rows] == [[1], [0]]


def test_rows_are_cut_at_the_greatest_length() -> None:
    rows = prepared(Split(("3 4 5 6 7",), np.zeros((1, OUTPUTS), dtype=np.int64)), max_length=4)
    assert rows.batches[0].ids.tolist() == [[0, 3, 4, 2]]


def test_padding_is_on_the_right() -> None:
    batch = padded([[5, 6], [7]], [3, 1], pad=9)
    assert batch.ids.tolist() == [[5, 6], [7, 9]] and batch.mask.tolist() == [[1, 1], [1, 0]]
    assert batch.index.tolist() == [3, 1]


# -- logits ----------------------------------------------------------------------------------------------------------


def test_logits_do_not_depend_on_the_size_of_batches(live: LiveModel, model: nn.Module) -> None:
    split, weights = random_split(), weights_of(model, 1)
    singly = live.logits(weights, prepared(split, batch_tokens=1))
    assert singly.shape == (len(split), OUTPUTS) and singly.std() > 0.1
    for batch_tokens in (40, 10_000):
        torch.testing.assert_close(live.logits(weights, prepared(split, batch_tokens)), singly, rtol=0, atol=1e-5)


def test_logits_come_in_the_splits_own_order(live: LiveModel, model: nn.Module) -> None:
    split, weights = random_split(), weights_of(model, 1)
    whole = live.logits(weights, prepared(split))
    for i in (0, 7, 22):
        alone = live.logits(weights, prepared(split.take([i])))
        torch.testing.assert_close(alone[0], whole[i], rtol=0, atol=1e-5)
    assert len({tuple(row) for row in whole.tolist()}) > 20, "rows differ, so a wrong order would be seen"


def test_logits_are_those_of_the_weights_pointed_at(live: LiveModel, model: nn.Module) -> None:
    rows, one, two = prepared(random_split()), weights_of(model, 1), weights_of(model, 2)
    first = live.logits(one, rows)
    assert not torch.allclose(live.logits(two, rows), first)
    assert torch.equal(live.logits(one, rows), first)
    reference = transformers.RobertaForSequenceClassification(model.config).eval()  # type: ignore[arg-type]
    reference.load_state_dict(one, strict=False)
    with torch.no_grad():
        batch = rows.batches[0]
        wanted = reference(input_ids=batch.ids, attention_mask=batch.mask).logits
    torch.testing.assert_close(first[batch.index], wanted, rtol=0, atol=1e-6)


def test_scoring_never_writes_into_weights(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    other = weights_of(model, 2)
    DevScorer(live, {"a": rows}, 0.5)(weights)
    live.logits(Ensemble((weights, other)), rows)
    live.point_at(other)
    assert all(torch.equal(weights[name], before[name]) for name in weights)
    assert not any(tensor.requires_grad for tensor in weights.values())


def test_a_model_of_another_type_casts_and_still_writes_nothing(model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    exact = LiveModel(Encoder(), model).logits(weights, rows)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    half = LiveModel(Encoder(), model, torch.bfloat16).logits(weights, rows)
    model.float()
    assert half.dtype == torch.float32 and not torch.equal(half, exact)
    torch.testing.assert_close(half, exact, rtol=0.1, atol=0.1)
    assert all(torch.equal(weights[name], before[name]) and weights[name].dtype == torch.float32 for name in weights)


def test_dropout_is_off(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    model.train()
    live = LiveModel(Encoder(), model)
    assert torch.equal(live.logits(weights, rows), live.logits(weights, rows))


# -- ensembles -------------------------------------------------------------------------------------------------------


def test_an_ensemble_of_one_is_the_model(live: LiveModel, model: nn.Module) -> None:
    rows, weights = prepared(random_split()), weights_of(model, 1)
    assert torch.equal(live.logits(Ensemble((weights,)), rows), live.logits(weights, rows))


def test_an_ensemble_is_the_mean_of_its_members(live: LiveModel, model: nn.Module) -> None:
    rows, members = prepared(random_split()), tuple(weights_of(model, seed) for seed in (1, 2, 3))
    single = torch.stack([live.logits(m, rows) for m in members])
    torch.testing.assert_close(live.logits(Ensemble(members), rows), single.mean(dim=0))


def test_a_member_of_an_ensemble_speaks_only_on_labels_it_was_trained_on(live: LiveModel, model: nn.Module) -> None:
    rows, members = prepared(random_split()), (weights_of(model, 1), weights_of(model, 2))
    knows = torch.tensor([[True, True, False, False], [True, False, True, False]])
    one, two = (live.logits(m, rows) for m in members)
    found = live.logits(Ensemble(members, knows), rows)
    torch.testing.assert_close(found[:, 0], (one[:, 0] + two[:, 0]) / 2)
    assert torch.equal(found[:, 1], one[:, 1]) and torch.equal(found[:, 2], two[:, 2])
    assert torch.equal(found[:, 3], torch.zeros(len(rows)))


# -- judges ----------------------------------------------------------------------------------------------------------


class Fixed:
    """A family whose logits are the token ids less ten, whatever the weights."""

    kind = "fixed"

    def logits(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        return ids.float() - 10


def fixed(logits: Sequence[Sequence[float]], gold: Sequence[Sequence[int]]) -> Batches:
    ids = torch.tensor(logits) + 10
    batch = Batch(torch.arange(len(ids)), ids, torch.ones_like(ids))
    return Batches((batch,), torch.tensor(gold))


def judge(dev: Mapping[str, Batches], **choices: Any) -> DevScorer:
    live: Any = LiveModel(Fixed(), nn.Identity())  # type: ignore[arg-type]
    return DevScorer(live, dev, 0.5, **choices)


A = fixed([[1, 1], [1, 0], [0, 0]], [[1, MASKED], [0, MASKED], [1, MASKED]])
B = fixed([[1, 1], [0, 1]], [[1, 1], [0, 1]])


def test_a_dev_score_is_the_mean_over_corpora_or_of_all_rows_pooled() -> None:
    # A: TP 1, FP 1, FN 1 on its only label, 2/4. B: all right, 1.
    assert judge({"a": A, "b": B})({}) == pytest.approx((0.5 + 1) / 2)
    # Pooled: label 0 has TP 2, FP 1, FN 1, so 4/6; label 1 only B's rows, 1.
    assert judge({"a": A, "b": B}, fitness="pooled")({}) == pytest.approx((4 / 6 + 1) / 2)


def test_a_dev_score_is_rounded_only_where_it_is_asked() -> None:
    exact = (4 / 6 + 1) / 2
    assert judge({"a": A, "b": B}, fitness="pooled", digits=5)({}) == 0.83333 != exact
    assert judge({"a": A, "b": B}, fitness="pooled", digits=0)({}) == 1.0
    assert judge({"a": A, "b": B}, fitness="pooled", digits=None)({}) == pytest.approx(exact, abs=1e-15)


def test_calls_are_counted(live: LiveModel, model: nn.Module) -> None:
    score = DevScorer(live, {"a": prepared(random_split()), "b": prepared(random_split(9, 1))}, 0.5)
    assert score.calls == 0
    weights = weights_of(model, 1)
    first = score(weights)
    assert score.calls == 1 and 0 < first < 1
    assert score(Ensemble((weights, weights))) == first
    assert score.calls == 2, "an ensemble is one question"


def test_a_logit_equal_to_the_threshold_counts() -> None:
    at, below = 0.5, float(np.nextafter(np.float32(0.5), np.float32(0)))
    assert predict(torch.tensor([[at, below], [-1.0, 3.0]]), 0.5).tolist() == [[1, 0], [0, 1]]
    assert predict(torch.tensor([[0.0, -0.0, 0.1]]), 0.0).tolist() == [[1, 1, 1]]


def test_an_examiner_answers_every_corpus_with_its_details() -> None:
    live: Any = LiveModel(Fixed(), nn.Identity())  # type: ignore[arg-type]
    found = Examiner(live, {"a": A, "b": B}, ("joy", "anger"), 0.5).examine({})
    assert set(found) == {"a", "b"}
    a = found["a"]
    assert a.score == 0.5 and a.details["f1"] == {"joy": 0.5} and a.details["rows"] == 3
    assert a.predicted.tolist() == [[1, 1], [1, 0], [0, 0]] and a.gold.tolist() == A.labels.tolist()
    assert a.details["predicted_positive"] == 2, "what is said of masked labels is not counted"
    # At logit 0 everything is positive: TP 2, FP 1.
    assert a.details["macro_f1_at_logit_0"] == pytest.approx(4 / 5)
    assert found["b"].score == 1.0 and found["b"].details["f1"] == {"joy": 1.0, "anger": 1.0}


def test_an_examiner_gives_away_nothing_but_marks() -> None:
    live: Any = LiveModel(Fixed(), nn.Identity())  # type: ignore[arg-type]
    examiner = Examiner(live, {"a": A}, ("joy", "anger"), 0.5)
    assert [name for name in dir(examiner) if not name.startswith("_")] == ["examine"]


def test_a_dev_score_depends_on_the_labels_it_was_given(model: nn.Module, live: LiveModel) -> None:
    weights: Weights = weights_of(model, 1)
    rows = random_split()
    poisoned = Split(rows.texts, np.where(rows.labels == MASKED, MASKED, 1 - rows.labels))
    assert DevScorer(live, {"a": prepared(rows)}, 0.5)(weights) != DevScorer(live, {"a": prepared(poisoned)}, 0.5)(
        weights
    )
