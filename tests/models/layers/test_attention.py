from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bpe_transformer.errors import ConfigError
from bpe_transformer.models.layers import (
    KVCache,
    MultiHeadAttention,
    ProjectedMemory,
    RMSNorm,
    RotaryPositions,
    attend,
    cached_mask,
    causal_mask,
    fused_attend,
    padding_mask,
)

OPTIONS = {
    "plain": {},
    "grouped": {"n_kv_heads": 2},
    "multi-query": {"n_kv_heads": 1},
    "no bias": {"bias": False},
    "rope": {"rope": True},
    "qk-norm": {"qk_norm": True},
    "all": {"n_kv_heads": 2, "bias": False, "rope": True, "qk_norm": True},
}


def make(
    *, rope: bool = False, qk_norm: bool = False, n_kv_heads: int | None = None, bias: bool = True
) -> MultiHeadAttention:
    torch.manual_seed(0)
    attention = MultiHeadAttention(
        d_model=16,
        n_heads=4,
        n_kv_heads=n_kv_heads,
        bias=bias,
        rope=RotaryPositions(head_dim=4, max_len=32) if rope else None,
        q_norm=RMSNorm(4) if qk_norm else None,
        k_norm=RMSNorm(4) if qk_norm else None,
    )
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return attention


@pytest.fixture(params=OPTIONS.values(), ids=list(OPTIONS))
def attention(request: pytest.FixtureRequest) -> MultiHeadAttention:
    return make(**request.param)


def test_a_single_head_is_the_equation_of_the_paper() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(d_model=8, n_heads=1)
    x = torch.randn(1, 5, 8)
    wq, wk, wv = attention.qkv.weight.chunk(3)
    expected = (
        torch.softmax((x @ wq.T) @ (x @ wk.T).transpose(1, 2) / 8**0.5, dim=-1) @ (x @ wv.T) @ attention.out.weight.T
    )
    torch.testing.assert_close(attention(x)[0], expected)


def test_it_equals_torchs_multi_head_attention() -> None:
    ours, theirs = make(), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    x = torch.randn(3, 6, 16)
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2, [False] * 1 + [True] * 5])
    expected, weights = theirs(x, x, x, key_padding_mask=padding, average_attn_weights=False)
    got, ours_weights = ours(x, mask=~padding[:, None], need_weights=True)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours_weights, weights, atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_fused_path_equals_the_path_with_weights(attention: MultiHeadAttention, causal: bool, masked: bool) -> None:
    x = torch.randn(3, 6, 16)
    real = torch.ones(3, 6, dtype=torch.bool)
    real[1, 4:] = False
    mask = real[:, None] if masked else None
    fused, nothing = attention(x, mask=mask, causal=causal)
    explicit, weights = attention(x, mask=mask, causal=causal, need_weights=True)
    torch.testing.assert_close(fused, explicit, atol=1e-5, rtol=0)
    assert nothing is None
    assert weights is not None
    assert weights.shape == (3, 4, 6, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 6))
    if causal:
        assert weights.triu(1).abs().max() == 0
    if masked:
        assert weights[1, :, :, 4:].abs().max() == 0


def test_the_fused_path_equals_the_path_with_weights_over_a_context(attention: MultiHeadAttention) -> None:
    x, context = torch.randn(2, 3, 16), torch.randn(2, 7, 16)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])[:, None]
    fused, _ = attention(x, context, mask=mask)
    explicit, weights = attention(x, context, mask=mask, need_weights=True)
    torch.testing.assert_close(fused, explicit, atol=1e-5, rtol=0)
    assert weights is not None
    assert weights.shape == (2, 4, 3, 7)


def test_written_out_attention_and_its_gradients_equal_torchs() -> None:
    torch.manual_seed(1)
    q, k, v = (torch.randn(2, 3, 5, 4, requires_grad=True) for _ in range(3))
    visible = causal_mask(5)[:, None]
    explicit, _ = attend(q, k, v, visible, dropout=0.0)
    fused = fused_attend(q, k, v, None, causal=True, dropout=0.0)
    torch.testing.assert_close(explicit, fused, atol=1e-5, rtol=0)
    ours = torch.autograd.grad(explicit.square().sum(), (q, k, v))
    theirs = torch.autograd.grad(
        functional.scaled_dot_product_attention(q, k, v, is_causal=True).square().sum(), (q, k, v)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_short_rows_in_bfloat16_are_close_to_float32(causal: bool, masked: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(3, 4, 9, 8, requires_grad=True) for _ in range(3))
    exact, rough = (q, k, v), tuple(part.detach().bfloat16().requires_grad_() for part in (q, k, v))
    visible = torch.rand(3, 1, 9, 9) < 0.5
    visible[1, 0, 4] = False  # a query that sees nothing gives zeros
    if causal and masked:
        visible = visible & causal_mask(9)
    mask = visible if masked else None
    found = [
        fused_attend(parts[0], parts[1], parts[2], mask, causal=causal and not masked, dropout=0.0)
        for parts in (exact, rough)
    ]
    assert found[1].dtype == torch.bfloat16
    torch.testing.assert_close(found[1].float(), found[0], atol=0.03, rtol=0.03)
    if masked:
        assert found[1][1, :, 4].abs().max() == 0
    grads = [
        torch.autograd.grad(one.float().square().sum(), parts) for one, parts in zip(found, (exact, rough), strict=True)
    ]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(other.float(), one, atol=0.15, rtol=0.1)


def test_grouped_queries_equal_heads_whose_keys_and_values_are_repeated() -> None:
    grouped, full = make(n_kv_heads=2), make()
    with torch.no_grad():
        for name in ("weight", "bias"):
            held = getattr(grouped.qkv, name)
            q, k, v = held[:16], held[16:24], held[24:]
            repeated = [part.view(2, 4, -1).repeat_interleave(2, dim=0).reshape(16, -1) for part in (k, v)]
            getattr(full.qkv, name).copy_(torch.cat((q.reshape(16, -1), *repeated)).view_as(getattr(full.qkv, name)))
        full.out.load_state_dict(grouped.out.state_dict())
    x = torch.randn(2, 5, 16)
    torch.testing.assert_close(grouped(x, causal=True)[0], full(x, causal=True)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("need_weights", [False, True])
def test_a_row_of_padding_alone_gives_no_nan_and_no_nan_gradient(need_weights: bool) -> None:
    attention = make()
    x = torch.randn(2, 4, 16, requires_grad=True)
    mask = torch.tensor([[True, True, False, False], [False] * 4])[:, None]
    mixed, weights = attention(x, mask=mask, need_weights=need_weights)
    mixed.sum().backward()
    assert mixed.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in attention.parameters())
    torch.testing.assert_close(mixed[1], attention.out.bias.expand(4, 16))  # zeros went into the projection
    if weights is not None:
        assert weights[1].abs().max() == 0


def steps(attention: MultiHeadAttention, x: Tensor, sizes: list[int], cache: KVCache) -> Tensor:
    outputs, end = [], 0
    for part in x.split(sizes, dim=1):
        positions = torch.arange(end, end + part.size(1))
        end += part.size(1)
        mask = cached_mask(positions, end)
        outputs.append(attention(part, mask=mask, positions=positions, end=end, cache=cache)[0])
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("capacity", [1, 3, 64])
def test_cached_steps_equal_one_pass(attention: MultiHeadAttention, capacity: int) -> None:
    x = torch.randn(2, 7, 16)
    whole, _ = attention(x, causal=True)
    torch.testing.assert_close(steps(attention, x, [3, 1, 2, 1], KVCache(capacity)), whole, atol=1e-5, rtol=0)


def test_the_cache_is_written_at_every_rows_own_positions(attention: MultiHeadAttention) -> None:
    x = torch.randn(2, 5, 16)
    whole, _ = attention(x, causal=True)
    cache = KVCache()
    first = torch.arange(4)
    attention(x[:, :4], mask=cached_mask(first, 4), positions=first, end=4, cache=cache)
    # row 0 goes on at position 4, row 1 writes its position 2 anew: over the slot that it held before
    positions = torch.tensor([[4], [2]])
    step = torch.stack((x[0, 4:5], x[1, 2:3]))
    after, _ = attention(step, mask=cached_mask(positions, 5), positions=positions, end=5, cache=cache)
    torch.testing.assert_close(after[0, 0], whole[0, 4], atol=1e-5, rtol=0)
    torch.testing.assert_close(after[1, 0], whole[1, 2], atol=1e-5, rtol=0)


def test_a_cache_follows_its_rows() -> None:
    attention = make()
    x = torch.randn(3, 4, 16)
    cache = KVCache()
    steps(attention, x[:, :3], [3], cache)
    rows = torch.tensor([2, 0, 2])
    cache.reorder(rows)
    positions = torch.tensor([3])
    after, _ = attention(x[rows, 3:], positions=positions, end=4, cache=cache)
    whole, _ = attention(x, causal=True)
    torch.testing.assert_close(after[:, 0], whole[rows, 3], atol=1e-5, rtol=0)


def test_a_context_is_projected_once() -> None:
    attention = make()
    x, context = torch.randn(2, 1, 16), torch.randn(2, 5, 16)
    cache = ProjectedMemory()
    first, _ = attention(x, context, cache=cache)
    torch.testing.assert_close(attention(x, context, cache=cache)[0], first)
    torch.testing.assert_close(attention(x, torch.zeros_like(context), cache=cache)[0], first)  # it is not read again
    cache.reorder(torch.tensor([1, 0]))
    torch.testing.assert_close(attention(x.flip(0), context, cache=cache)[0], first.flip(0))


def test_beams_share_the_context_of_their_sentence(attention: MultiHeadAttention) -> None:
    x, context = torch.randn(6, 1, 16), torch.randn(2, 5, 16)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])[:, None]
    shared, _ = attention(x, context, mask=mask)
    copied, _ = attention(x, context.repeat_interleave(3, dim=0), mask=mask.repeat_interleave(3, dim=0))
    torch.testing.assert_close(shared, copied)


def test_heads_must_divide() -> None:
    with pytest.raises(ConfigError, match=r"d_model=10 does not divide into n_heads=4"):
        MultiHeadAttention(d_model=10, n_heads=4)
    with pytest.raises(ConfigError, match=r"n_heads=4 does not divide into n_kv_heads=3"):
        MultiHeadAttention(d_model=16, n_heads=4, n_kv_heads=3)


def test_masks_are_those_of_the_classic_example() -> None:
    # the sentence of three ids with a padded fourth: (B, 1, L) & (1, L, L) -> (B, L, L)
    ids = torch.tensor([[7, 5, 3, 0], [4, 0, 0, 0]])
    padding, past = padding_mask(ids, 0), causal_mask(4)
    assert padding.shape == (2, 1, 4)
    assert past.shape == (1, 4, 4)
    assert (padding & past).int().tolist() == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]],
        [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]],
    ]


def test_a_cached_mask_is_the_last_rows_of_a_causal_one() -> None:
    torch.testing.assert_close(cached_mask(torch.arange(3, 5), 5), causal_mask(5)[:, 3:])
    torch.testing.assert_close(cached_mask(torch.tensor([[1], [3]]), 5), causal_mask(5)[0, [1, 3]][:, None])
