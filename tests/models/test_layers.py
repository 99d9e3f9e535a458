from __future__ import annotations

import math

import pytest
import torch

from bpe_transformer.errors import ConfigError
from bpe_transformer.models import LearnedPositions, SinusoidalPositions, sinusoids
from bpe_transformer.models.dropout import Dropout
from bpe_transformer.models.transformer import FeedForward, Residual, TokenEmbedding


def test_sinusoids_are_those_of_the_paper() -> None:
    table = sinusoids(50, 16)
    for position in (0, 1, 7, 49):
        for i in range(8):
            angle = position / 10000 ** (2 * i / 16)
            assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoids_grow_with_the_text_and_learned_positions_do_not() -> None:
    places = torch.arange(30)
    torch.testing.assert_close(SinusoidalPositions(d_model=8, max_len=10)(places), sinusoids(30, 8))
    with pytest.raises(ConfigError, match="position 30 is beyond max_len=10"):
        LearnedPositions(d_model=8, max_len=10)(places)


def test_the_embedding_is_scaled_by_the_root_of_the_width() -> None:
    embedding = TokenEmbedding(vocab_size=9, d_model=16, max_len=4, positions="sinusoidal", dropout=0.0)
    ids = torch.tensor([[3, 5]])
    expected = embedding.tokens.weight[ids] * 4.0 + sinusoids(2, 16)
    torch.testing.assert_close(embedding(ids, torch.arange(2)), expected)


def test_post_norm_normalises_the_sum_and_pre_norm_the_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8) * 5 + 1
    post, pre = (Residual(d_model=8, dropout=0.0, norm=norm) for norm in ("post", "pre"))
    double = lambda y: 2 * y  # noqa: E731
    norm = torch.nn.functional.layer_norm
    torch.testing.assert_close(post.leave(x, double(post.enter(x))), norm(3 * x, (8,)))
    torch.testing.assert_close(pre.leave(x, double(pre.enter(x))), x + 2 * norm(x, (8,)))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match="norm='middle'"):
        Residual(d_model=8, dropout=0.0, norm="middle")
    with pytest.raises(ConfigError, match="activation='swish'"):
        FeedForward(d_model=8, d_ff=8, activation="swish")
    with pytest.raises(ConfigError, match="positions='rotary'"):
        TokenEmbedding(vocab_size=9, d_model=8, max_len=4, positions="rotary", dropout=0.0)


def test_dropout_keeps_the_mean_drops_the_share_and_passes_the_same_gradient() -> None:
    torch.manual_seed(5)
    dropout = Dropout(0.3)
    x = torch.ones(400, 501, requires_grad=True)
    y = dropout(x)
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert y.max().item() == pytest.approx(1 / 0.7, rel=1e-4)
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())
    # neighbours share a 64-bit draw: they must still be independent
    zeros = (y[:, :500] == 0).float().view(-1, 4)
    assert torch.corrcoef(zeros.T).fill_diagonal_(0).abs().max() < 0.02


def test_dropout_is_seeded_and_off_in_evaluation() -> None:
    dropout, x = Dropout(0.5), torch.ones(64)
    torch.manual_seed(1)
    first = dropout(x)
    torch.manual_seed(1)
    assert torch.equal(first, dropout(x))
    assert torch.equal(dropout.eval()(x), x)
