from __future__ import annotations

import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.models import KeyValueCache, MultiHeadAttention


@pytest.fixture
def attention() -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(d_model=16, n_heads=4, dropout=0.0)


def test_a_single_head_is_the_equation_of_the_paper() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(d_model=8, n_heads=1, dropout=0.0)
    x = torch.randn(1, 5, 8)
    wq, wk, wv = attention.qkv.weight.chunk(3)
    expected = (
        torch.softmax((x @ wq.T) @ (x @ wk.T).transpose(1, 2) / 8**0.5, dim=-1) @ (x @ wv.T) @ attention.out.weight.T
    )
    torch.testing.assert_close(attention(x)[0], expected)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_fused_path_equals_the_path_with_weights(attention: MultiHeadAttention, causal: bool, masked: bool) -> None:
    x = torch.randn(3, 6, 16)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = False
    key_mask = mask if masked else None
    fused, nothing = attention(x, key_mask=key_mask, causal=causal)
    explicit, weights = attention(x, key_mask=key_mask, causal=causal, need_weights=True)
    torch.testing.assert_close(fused, explicit)
    assert nothing is None
    assert weights.shape == (3, 4, 6, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 6))
    if causal:
        assert weights.triu(1).abs().max() == 0
    if masked:
        assert weights[1, :, :, 4:].abs().max() == 0


def test_the_fused_path_equals_the_path_with_weights_over_a_memory(attention: MultiHeadAttention) -> None:
    x, memory = torch.randn(2, 3, 16), torch.randn(2, 7, 16)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    fused, _ = attention(x, memory, key_mask=mask)
    explicit, weights = attention(x, memory, key_mask=mask, need_weights=True)
    torch.testing.assert_close(fused, explicit)
    assert weights.shape == (2, 4, 3, 7)


@pytest.mark.parametrize("need_weights", [False, True])
def test_a_row_of_padding_alone_gives_no_nan_and_no_nan_gradient(
    attention: MultiHeadAttention, need_weights: bool
) -> None:
    x = torch.randn(2, 4, 16, requires_grad=True)
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    mixed, weights = attention(x, key_mask=mask, need_weights=need_weights)
    mixed.sum().backward()
    assert mixed.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in attention.parameters())
    torch.testing.assert_close(mixed[1], attention.out.bias.expand(4, 16))  # zeros went into the projection
    if weights is not None:
        assert weights[1].abs().max() == 0


def test_cached_steps_equal_one_pass(attention: MultiHeadAttention) -> None:
    x = torch.randn(2, 6, 16)
    whole, _ = attention(x, causal=True)
    cache = KeyValueCache()
    parts = [attention(part, causal=True, cache=cache)[0] for part in x.split([3, 1, 2], dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    assert cache.length == 6


def test_beams_share_the_memory_of_their_sentence(attention: MultiHeadAttention) -> None:
    x, memory = torch.randn(6, 1, 16), torch.randn(2, 5, 16)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    shared, _ = attention(x, memory, key_mask=mask)
    copied, _ = attention(x, memory.repeat_interleave(3, dim=0), key_mask=mask.repeat_interleave(3, dim=0))
    torch.testing.assert_close(shared, copied)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match=r"d_model=10 does not divide into n_heads=4"):
        MultiHeadAttention(d_model=10, n_heads=4, dropout=0.0)
