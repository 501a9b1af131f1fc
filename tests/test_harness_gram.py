"""Gram matrices: reference vectors, matrices by hand, and padding that counts nowhere."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.members import gram
from tests.golden_cases import Run, runs
from tests.small_models import (
    PAD,
    Layers,
    batch,
    close,
    golden_transformer,
    of_numbers,
    of_tokens,
    token_batches,
    transformer,
)


@pytest.mark.parametrize("run", runs("gram"))
def test_gram_matrices_are_the_reference(run: Run) -> None:
    case = run.case
    inputs = case.numbered("batch")
    if "architecture" in case.spec:
        model, logits = golden_transformer(case), of_tokens
        given = [batch(i["input_ids"], i["attention_mask"]) for i in inputs]
    else:
        model, logits = Layers(case.inputs["param"], lambda x: x), of_numbers
        given = [batch(i["x"]) for i in inputs]
    padding = "masked" if run.knobs.get("mask_padding", True) else "counted"
    found = gram.matrices(model, logits, given, padding)
    run.require({name.removesuffix(".weight"): matrix for name, matrix in found.items()})


def test_a_gram_matrix_by_hand() -> None:
    model = Layers({"first.weight": torch.eye(2), "last.weight": torch.ones(1, 2)}, lambda x: 2 * x)
    x = torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])
    found = gram.matrices(model, of_numbers, [batch(x)])
    # ([1, 2]^T [1, 2] + [3, 0]^T [3, 0]) / 2, and four times that behind the doubling
    assert torch.equal(found["first.weight"], torch.tensor([[5.0, 1.0], [1.0, 2.0]]))
    assert torch.equal(found["last.weight"], 4 * found["first.weight"])
    found = gram.matrices(model, of_numbers, [batch(x, torch.tensor([[1, 0]]))])
    assert torch.equal(found["first.weight"], torch.tensor([[1.0, 2.0], [2.0, 4.0]]))


def test_query_key_and_value_share_one_gram_matrix() -> None:
    found = gram.matrices(transformer("bert"), of_tokens, token_batches())
    query, key, value = (found[f"bert.encoder.layer.0.attention.self.{n}.weight"] for n in ("query", "key", "value"))
    assert query is key is value
    assert found["bert.encoder.layer.0.attention.output.dense.weight"] is not query


def test_layers_that_part_later_have_matrices_of_their_own() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            other = x if x[0, 0, 0] > 0 else x + 1
            result: Tensor = self.one(x) + self.two(other)
            return result

    together, apart = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[-1.0, 2.0]]])
    found = gram.matrices(Fork(), of_numbers, [batch(together), batch(apart)])
    assert torch.equal(found["one.weight"], torch.tensor([[1.0, 0.0], [0.0, 4.0]]))  # (1, 2) and (-1, 2)
    assert torch.equal(found["two.weight"], torch.tensor([[0.5, 1.0], [1.0, 6.5]]))  # (1, 2) and (0, 3)


@pytest.mark.parametrize("width", [1, gram.LEAST, gram.LEAST + 1, 5 * gram.LEAST + 7])
def test_the_lower_triangle_is_enough(width: int) -> None:
    rows = torch.randn(20, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    total = torch.full((width, width), float("nan"), dtype=torch.float64)
    gram.add_lower_product(total, rows[:5], beta=0)
    gram.add_lower_product(total, rows[5:])
    found = gram.mirror(total)
    torch.testing.assert_close(found, rows.T @ rows)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("kind", ["roberta", "bert", "distilbert"])
def test_padding_never_contributes_to_a_gram_matrix(kind: str) -> None:
    model, rows = transformer(kind), token_batches()
    given = [(b.inputs["ids"], b.inputs["mask"]) for b in rows]
    repadded = [batch(torch.where(mask == 0, 9, ids), mask) for ids, mask in given]
    if kind == "roberta":  # its positions are counted from the padding tokens
        pad = nn.functional.pad
        repadded = [batch(pad(ids, (0, 2), value=PAD), pad(mask, (0, 2))) for ids, mask in given]
    close(gram.matrices(model, of_tokens, repadded), gram.matrices(model, of_tokens, rows), rtol=1e-9)
    counted = gram.matrices(model, of_tokens, repadded, "counted")
    differ = {
        n for n, m in gram.matrices(model, of_tokens, rows, "counted").items() if not torch.allclose(m, counted[n])
    }
    assert differ, "counted padding does contribute"


def test_gram_matrices_do_not_depend_on_how_rows_are_batched() -> None:
    model, rows = transformer("roberta"), token_batches()
    singly = [piece for batch in rows for piece in batch.pieces(1)]
    close(gram.matrices(model, of_tokens, singly), gram.matrices(model, of_tokens, rows))


def test_conv1d_is_transposed_and_its_gram_has_the_width_of_its_input() -> None:
    model = transformer("gpt2")
    names = gram.transposed(model)
    assert names == {n for n, m in gram.linear_modules(model).items() if isinstance(m, Conv1D)}
    assert "transformer.h.0.mlp.c_fc.weight" in names and "score.weight" not in names
    found = gram.matrices(model, of_tokens, token_batches())
    weights = dict(model.named_parameters())
    for name, matrix in found.items():
        assert matrix.shape == (weights[name].shape[0 if name in names else 1],) * 2, name
    assert not gram.transposed(transformer("roberta"))


def test_a_tied_output_layer_has_no_gram_matrix_and_an_untied_one_has() -> None:
    config = {"vocab_size": 20, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 18}
    tied = transformers.GPT2LMHeadModel(transformers.GPT2Config(**config))
    untied = transformers.GPT2LMHeadModel(transformers.GPT2Config(**config, tie_word_embeddings=False))
    assert "lm_head.weight" not in gram.linear_modules(tied)
    assert not any("wte" in name for name in gram.linear_modules(tied))
    assert "lm_head.weight" in gram.linear_modules(untied)


class HeadFirst(nn.Module):
    """A tied output layer that is registered before the embedding, and so lends it its name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 20, bias=False)
        self.words = nn.Embedding(20, 4)
        self.words.weight = self.head.weight


def test_a_tied_output_layer_has_none_whichever_name_comes_first() -> None:
    model = HeadFirst()
    assert [name for name, _ in model.named_parameters()] == ["head.weight"]
    assert gram.linear_modules(model) == {}


def test_reading_gram_matrices_leaves_no_hook_behind() -> None:
    model, rows = transformer("roberta"), token_batches()
    gram.matrices(model, of_tokens, rows)
    with pytest.raises(RuntimeError, match="boom"):
        gram.matrices(model, lambda *_: explode(), rows)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def explode() -> Tensor:
    raise RuntimeError("boom")
