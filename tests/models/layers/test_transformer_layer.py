"""Our layer against torch's encoder and decoder layers, weights copied."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import FeedForward, LayerNorm, MultiHeadAttention, TransformerLayer

D, HEADS, D_FF = 16, 4, 24


def make_layer(*, norm_place: str, activation: str = "relu", cross: bool = False) -> TransformerLayer:
    torch.manual_seed(2)
    layer = TransformerLayer(
        attention=MultiHeadAttention(d_model=D, n_heads=HEADS),
        cross_attention=MultiHeadAttention(d_model=D, n_heads=HEADS) if cross else None,
        feed_forward=FeedForward(d_model=D, d_ff=D_FF, activation=activation),
        norm=lambda: LayerNorm(D),
        norm_place=norm_place,
    )
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return layer


def copy_attention(theirs: nn.MultiheadAttention, ours: MultiHeadAttention) -> None:
    theirs.in_proj_weight.copy_(ours.qkv.weight)
    theirs.in_proj_bias.copy_(ours.qkv.bias)
    theirs.out_proj.load_state_dict(ours.out.state_dict())


@torch.no_grad()
def torchs(ours: TransformerLayer, *, norm_place: str, activation: str = "relu") -> Any:
    kind: Any = nn.TransformerEncoderLayer if ours.cross_attention is None else nn.TransformerDecoderLayer
    theirs = kind(D, HEADS, D_FF, dropout=0.0, activation=activation, batch_first=True, norm_first=norm_place == "pre")
    copy_attention(theirs.self_attn, ours.self_attention)
    norms: list[Any] = [ours.self_attention_norm, ours.feed_forward_norm]
    if ours.cross_attention is not None:
        copy_attention(theirs.multihead_attn, ours.cross_attention)
        norms.insert(1, ours.cross_attention_norm)
    for place, norm in enumerate(norms, start=1):
        getattr(theirs, f"norm{place}").load_state_dict(norm.state_dict())
    assert isinstance(ours.feed_forward, FeedForward)
    theirs.linear1.load_state_dict(ours.feed_forward.up_proj.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.down_proj.state_dict())
    return theirs.train()  # evaluation would take torch's fast path


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_place", ["pre", "post"])
def test_an_encoder_layer_equals_torchs(norm_place: str, activation: str) -> None:
    ours = make_layer(norm_place=norm_place, activation=activation)
    theirs = torchs(ours, norm_place=norm_place, activation=activation)
    x = torch.randn(2, 6, D)
    padding = torch.tensor([[False] * 6, [False] * 3 + [True] * 3])
    expected = theirs(x, src_key_padding_mask=padding)
    torch.testing.assert_close(ours(x, mask=~padding[:, None])[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm_place", ["pre", "post"])
def test_a_decoder_layer_equals_torchs(norm_place: str) -> None:
    ours = make_layer(norm_place=norm_place, cross=True)
    theirs = torchs(ours, norm_place=norm_place)
    x, memory = torch.randn(2, 5, D), torch.randn(2, 7, D)
    padding = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    future = ~torch.ones(5, 5, dtype=torch.bool).tril()
    expected = theirs(x, memory, tgt_mask=future, memory_key_padding_mask=padding)
    got, _, _ = ours(x, memory, causal=True, memory_mask=~padding[:, None])
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    got, own, over = ours(x, memory, causal=True, memory_mask=~padding[:, None], need_weights=True)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert own.shape == (2, HEADS, 5, 5)
    assert over.shape == (2, HEADS, 5, 7)


@pytest.mark.parametrize("norm_place", ["pre", "post"])
def test_gradients_equal_torchs(norm_place: str) -> None:
    ours = make_layer(norm_place=norm_place, cross=True)
    theirs = torchs(ours, norm_place=norm_place)
    x, memory = torch.randn(2, 5, D), torch.randn(2, 7, D)
    future = ~torch.ones(5, 5, dtype=torch.bool).tril()
    theirs(x, memory, tgt_mask=future).square().sum().backward()
    ours(x, memory, causal=True)[0].square().sum().backward()
    for one, other in (
        (ours.self_attention.qkv.weight, theirs.self_attn.in_proj_weight),
        (ours.feed_forward.down_proj.weight, theirs.linear2.weight),
        (ours.cross_attention_norm.weight, theirs.norm2.weight),
    ):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-4)


def test_post_norm_normalises_the_sum_and_pre_norm_the_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, D) * 5 + 1
    for norm_place in ("pre", "post"):
        layer = make_layer(norm_place=norm_place)
        for parameter in (*layer.self_attention.parameters(), *layer.feed_forward.parameters()):
            nn.init.zeros_(parameter)
        y = x if norm_place == "pre" else layer.feed_forward_norm(layer.self_attention_norm(x))
        torch.testing.assert_close(layer(x)[0], y)


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ConfigError, match="norm_place='middle'"):
        make_layer(norm_place="middle")
