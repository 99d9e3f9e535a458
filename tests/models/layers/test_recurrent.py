"""Recurrent cells against torch's, and attention of recurrent decoders by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import AdditiveAttention, make_attention, make_cell


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_cells_equal_torchs(kind: str) -> None:
    torch.manual_seed(0)
    cell = make_cell(kind, 6, 8)
    theirs: Any = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind](6, 8, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(cell.input.weight)
        theirs.weight_hh_l0.copy_(cell.recurrent.weight)
        theirs.bias_ih_l0.copy_(cell.input.bias)
        theirs.bias_hh_l0.copy_(cell.recurrent.bias)
    x = torch.randn(3, 5, 6)
    first = tuple(torch.randn(1, 3, 8) for _ in range(2 if kind == "lstm" else 1))
    expected, final = theirs(x, first if kind == "lstm" else first[0])
    state = tuple(part[0] for part in first)
    outputs = []
    for step in range(5):
        state = cell(x[:, step], state)
        outputs.append(state[0])
    torch.testing.assert_close(torch.stack(outputs, dim=1), expected, atol=1e-5, rtol=0)
    for ours, other in zip(state, final if kind == "lstm" else (final,), strict=True):
        torch.testing.assert_close(ours, other[0], atol=1e-5, rtol=0)


def test_additive_scores_by_hand() -> None:
    # e(q, k) = v · tanh(W q + U k + b) with two hidden units
    attention = AdditiveAttention(d_query=1, d_memory=2, d_attention=2)
    with torch.no_grad():
        attention.query.weight.copy_(torch.tensor([[1.0], [2.0]]))
        attention.key.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        attention.key.bias.zero_()
        attention.score.copy_(torch.tensor([1.0, -1.0]))
    memory = torch.tensor([[[0.5, -1.0], [0.0, 1.0], [9.0, 9.0]]])
    query = torch.tensor([[[0.5]]])
    mask = torch.tensor([[True, True, False]])
    e1 = math.tanh(0.5 + 0.5) - math.tanh(1.0 - 1.0)
    e2 = math.tanh(0.5 + 0.0) - math.tanh(1.0 + 1.0)
    a1 = math.exp(e1) / (math.exp(e1) + math.exp(e2))
    keys = attention.project_keys(memory)
    assert attention.scores(query, keys)[0, 0, :2].tolist() == pytest.approx([e1, e2], abs=1e-6)
    context, weights = attention(query, keys, memory, mask)
    assert weights[0, 0].tolist() == pytest.approx([a1, 1 - a1, 0.0], abs=1e-6)
    assert context[0, 0].tolist() == pytest.approx([a1 * 0.5, -a1 + (1 - a1)], abs=1e-6)


@torch.no_grad()
def test_luongs_three_scores_are_their_formulas() -> None:
    torch.manual_seed(0)
    query, memory = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    dot = make_attention("dot", d_query=4, d_memory=4, d_attention=4)
    general: Any = make_attention("general", d_query=4, d_memory=4, d_attention=4)
    concat: Any = make_attention("concat", d_query=4, d_memory=4, d_attention=6)
    for row, q, s in ((0, 0, 0), (1, 2, 4)):
        h, m = query[row, q], memory[row, s]
        assert dot.scores(query, dot.project_keys(memory))[row, q, s] == pytest.approx(float(h @ m), abs=1e-5)
        got = general.scores(query, general.project_keys(memory))[row, q, s]
        assert got == pytest.approx(float(h @ (general.key.weight @ m)), abs=1e-5)
        both = torch.cat((concat.query.weight, concat.key.weight), dim=1)  # W of the paper, over [q; m]
        expected = concat.score @ torch.tanh(both @ torch.cat((h, m)) + concat.key.bias)
        got = concat.scores(query, concat.project_keys(memory))[row, q, s]
        assert got == pytest.approx(float(expected), abs=1e-5)


def test_unknown_kinds_and_unequal_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="cell='elman'"):
        make_cell("elman", 2, 2)
    with pytest.raises(ConfigError, match="score='cosine'"):
        make_attention("cosine", d_query=2, d_memory=2, d_attention=2)
    with pytest.raises(ConfigError, match="score='dot' needs"):
        make_attention("dot", d_query=2, d_memory=4, d_attention=2)
