"""Norms, activations, dropout, embeddings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import (
    Dropout,
    FeedForward,
    LayerNorm,
    RMSNorm,
    SinusoidalPositions,
    TokenEmbedding,
    make_norm,
    sinusoids,
)


def test_norms_are_their_formulas_and_torchs() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 8) * 3 + 1
    rms, layer = RMSNorm(8, eps=1e-6), LayerNorm(8, eps=1e-6)
    for module in (rms, layer):
        nn.init.normal_(module.weight)
    torch.testing.assert_close(rms(x), x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * rms.weight)
    theirs = nn.RMSNorm(8, eps=1e-6)
    theirs.load_state_dict(rms.state_dict())
    torch.testing.assert_close(rms(x), theirs(x), atol=1e-5, rtol=0)
    variance = x.var(-1, unbiased=False, keepdim=True)
    torch.testing.assert_close(layer(x), (x - x.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt() * layer.weight)
    assert make_norm("layernorm", 8, bias=False).bias is None
    with pytest.raises(ConfigError, match="norm='batch'"):
        make_norm("batch", 8)


ACTIVATIONS = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu2": lambda x: x.clamp(min=0) ** 2,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_feed_forward_is_two_maps_with_the_activation_between(activation: str) -> None:
    torch.manual_seed(0)
    layer = FeedForward(d_model=8, d_ff=12, activation=activation)
    x = torch.randn(2, 3, 8)
    expected = ACTIVATIONS[activation](x @ layer.up_proj.weight.T) @ layer.down_proj.weight.T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_swiglu_has_a_gate() -> None:
    torch.manual_seed(0)
    layer = FeedForward(d_model=8, d_ff=12, activation="swiglu", bias=False)
    assert layer.gate_proj is not None
    x = torch.randn(2, 3, 8)
    gate = x @ layer.gate_proj.weight.T
    expected = (gate * gate.sigmoid() * (x @ layer.up_proj.weight.T)) @ layer.down_proj.weight.T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ConfigError, match="activation='swish'"):
        FeedForward(d_model=8, d_ff=8, activation="swish")


def test_the_embedding_is_scaled_by_the_root_of_the_width() -> None:
    embedding = TokenEmbedding(vocab_size=9, d_model=16, positions=SinusoidalPositions(d_model=16, max_len=4))
    ids = torch.tensor([[3, 5]])
    expected = embedding.tokens.weight[ids] * 4.0 + sinusoids(2, 16)
    torch.testing.assert_close(embedding(ids, torch.arange(2), 2), expected)


def test_segments_and_a_norm_as_in_bert() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(vocab_size=9, d_model=8, n_segments=2, norm=LayerNorm(8), scale=False)
    assert embedding.segments is not None
    ids, segments = torch.tensor([[3, 5]]), torch.tensor([[0, 1]])
    summed = embedding.tokens.weight[ids] + embedding.segments.weight[segments]
    torch.testing.assert_close(embedding(ids, torch.arange(2), 2, segments), nn.functional.layer_norm(summed, (8,)))
    first = embedding.tokens.weight[ids] + embedding.segments.weight[0]
    torch.testing.assert_close(embedding(ids, torch.arange(2), 2), nn.functional.layer_norm(first, (8,)))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_drops_as_often_as_it_says_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(300, 101, requires_grad=True)
    dropped = Dropout(p)(x)
    dropped.sum().backward()
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    torch.testing.assert_close(x.grad, dropped.detach())
    again = torch.ones(300, 101)
    torch.manual_seed(0)
    torch.testing.assert_close(Dropout(p)(again), dropped.detach())
    assert torch.equal(Dropout(p).eval()(again), again)


def test_compiled_dropout_is_torchs(monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.manual_seed(0)
    ours = Dropout(0.3)(torch.ones(4, 5))
    torch.manual_seed(0)
    torch.testing.assert_close(ours, nn.functional.dropout(torch.ones(4, 5), 0.3))
